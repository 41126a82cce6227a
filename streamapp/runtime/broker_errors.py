"""What goes wrong between a client and Kafka, as one line that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from streamapp.connection import Connection
from streamapp.errors import AccessError, BrokerError

__all__ = ["TIMEOUT_S", "broker_errors", "denial", "hidden_from"]

TIMEOUT_S = 5.0

_DENIALS: dict[type[KafkaError], str] = {
    TopicAuthorizationFailedError: "topic",
    GroupAuthorizationFailedError: "group",
    ClusterAuthorizationFailedError: "cluster",
}


@contextmanager
def broker_errors(connection: Connection, *, timeout_s: float = TIMEOUT_S) -> Iterator[None]:
    """Turn what aiokafka raises into errors that say what to do. Wrap calls of aiokafka alone.

    Raises
    ------
    BrokerError
        Naming the address, and the remedy.
    """
    try:
        yield
    except TimeoutError as exc:
        raise BrokerError(
            f"Kafka at {connection.bootstrap} did not answer within {timeout_s:g} s: "
            "are the addresses that it advertises reachable from here?"
        ) from exc
    except (KafkaConnectionError, OSError) as exc:
        raise BrokerError(
            f"no Kafka broker answers at {connection.bootstrap}: start one with streamapp broker, "
            "or name yours with --bootstrap HOST:PORT"
        ) from exc
    except KafkaError as exc:
        if (denied := denial(exc, connection)) is not None:
            raise AccessError(denied) from exc
        what = "cannot do it now (are its brokers up?)" if exc.retriable else "refused"
        raise BrokerError(f"Kafka at {connection.bootstrap} {what}: {exc}") from exc


def denial(exc: BaseException, connection: Connection) -> str | None:
    """Return what an access control list is missing, if that is what `exc` says.

    Examples
    --------
    >>> denial(TopicAuthorizationFailedError("bikes.requests"), Connection("kafka:9092"))
    'Kafka at kafka:9092 denies us the topic bikes.requests [Error 29]: streamapp acls lists what is needed'
    """
    error = next((error for error in _DENIALS if isinstance(exc, error)), None)
    if error is None:
        return None
    names = [str(name) for arg in exc.args for name in (sorted(arg) if isinstance(arg, set) else [arg])]
    what = " ".join([_DENIALS[error], *names])
    return (
        f"Kafka at {connection.bootstrap} denies {connection.user} the {what} [Error {error.errno}]: "
        "streamapp acls lists what is needed"
    )


def hidden_from(connection: Connection, deployment: str) -> str:
    """Return what else may be the matter with a topic that is not there: Kafka does not show all to all."""
    if connection.security_protocol == "PLAINTEXT":
        return ""
    return f", or hidden from {connection.user} (streamapp acls {deployment})"

"""The history of versions as the topics have it."""

from __future__ import annotations

from typing import TypeVar

from streamapp.connection import Connection
from streamapp.errors import MessageError
from streamapp.messages import Alert, Message, Retrain
from streamapp.rollout.history import VersionStory, tell
from streamapp.runtime.broker_errors import TIMEOUT_S
from streamapp.runtime.client import Models, latest_models, read_topic
from streamapp.topics import TopicNames

__all__ = ["read_history"]

_M = TypeVar("_M", bound=Message)


async def read_history(
    connection: Connection, names: TopicNames, *, timeout_s: float = TIMEOUT_S
) -> tuple[Models, list[VersionStory]]:
    """Return what stands in ``models``, and the story of each version.

    Raises
    ------
    BrokerError
        If no broker answers, or there is no such deployment.
    """
    models = await latest_models(connection, names, timeout_s=timeout_s)
    events = await _read(connection, names.retrain_events, Retrain, timeout_s)
    alerts = await _read(connection, names.drift_alerts, Alert, timeout_s)
    return models, tell(models.versions, models.pointers, events, alerts)


async def _read(connection: Connection, topic: str, kind: type[_M], timeout_s: float) -> list[_M]:
    found = []
    for record in await read_topic(connection, topic, timeout_s=timeout_s):
        try:
            if record.value is not None:
                found.append(kind.decode(record.value))
        except MessageError:  # somebody else's record: it explains nothing
            continue
    return found

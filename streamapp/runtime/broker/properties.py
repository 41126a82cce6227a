"""What the embedded broker is configured with, and the ports it takes."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from streamapp.errors import ConfigError

__all__ = ["HOST", "free_port", "is_free", "listened_ports", "server_properties", "write_properties"]

HOST = "127.0.0.1"

# Below the ports that systems hand out for outgoing connections: one of those may come at any time.
_PORTS = range(20_000, 32_000)
# Extra listeners stand beside the broker's own, they do not replace it.
_APPENDED = ("listeners", "advertised.listeners", "listener.security.protocol.map")
_MIB = 1 << 20


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(*, besides: Collection[int] = ()) -> int:
    """Return a port that nobody listens on, chosen by chance so that two who choose rarely meet."""
    chance = random.SystemRandom()
    for _ in range(1_000):
        port = chance.choice(_PORTS)
        if port not in besides and is_free(port):
            return port
    raise ConfigError(f"no free port found between {_PORTS.start} and {_PORTS.stop}; give one with --port")


def server_properties(
    *, port: int, controller_port: int, log_dir: Path, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the properties of a broker and controller in one node.

    Parameters
    ----------
    port, controller_port
        Where clients and where the controller's quorum of one connect, on the loopback interface.
    log_dir
        Kafka's `log.dirs`.
    extra
        Further properties. Listeners are added to the broker's own, anything else replaces it.

    Raises
    ------
    ConfigError
        If `log_dir` has a comma in its name, which Kafka would read as two directories.
    """
    if "," in str(log_dir):
        raise ConfigError(f"data directory {log_dir} has a comma in its name: choose another with --data")
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(log_dir),
        "auto.create.topics.enable": "false",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        # A broker that was killed must not wait nine seconds for its own former self to be given up.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "group.min.session.timeout.ms": "1000",
        "message.max.bytes": str(64 * _MIB),  # topics set their own
        "log.segment.bytes": str(128 * _MIB),
        "log.retention.hours": "168",
        # The default of 128 MiB is a quarter of this broker's heap.
        "log.cleaner.dedupe.buffer.size": str(16 * _MIB),
    }
    for key, value in (extra or {}).items():
        properties[key] = f"{properties[key]},{value}" if key in _APPENDED else value
    return properties


def listened_ports(properties: Mapping[str, str]) -> list[int]:
    """Return the ports that the properties' listeners take."""
    return [int(each.rpartition(":")[2]) for each in properties["listeners"].split(",")]


def write_properties(properties: Mapping[str, str], path: Path) -> None:
    """Write `properties` in Java's format, in which only ASCII stands for itself."""
    path.write_text("".join(f"{key}={_escape(value)}\n" for key, value in properties.items()))


def _escape(value: str) -> str:
    r"""Return `value` as Java reads it back.

    Examples
    --------
    >>> print(_escape("/tmp/café data"))
    /tmp/caf\u00e9\u0020data
    """
    units = value.encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    return "".join(chr(c) if 0x20 < c < 0x7F and c != ord("\\") else f"\\u{c:04x}" for c in codes)

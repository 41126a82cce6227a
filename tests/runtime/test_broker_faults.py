"""What can keep a broker from starting or end it: each is one line that says what to do."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamapp.errors import BrokerError, ConfigError
from streamapp.runtime.broker import Broker
from streamapp.runtime.broker.probe import answering_cluster
from streamapp.runtime.broker.properties import free_port, is_free, server_properties, write_properties
from streamapp.runtime.broker.reasons import explain

pytestmark = pytest.mark.broker


def test_occupied_port(broker: Broker) -> None:
    with pytest.raises(BrokerError, match=f"^port {broker.port} on 127.0.0.1 is taken.*--port"):
        Broker(port=broker.port).start()


def test_occupied_port_of_a_further_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        properties = {
            "listeners": f"SIDE://127.0.0.1:{port}",
            "advertised.listeners": f"SIDE://127.0.0.1:{port}",
            "listener.security.protocol.map": "SIDE:PLAINTEXT",
        }
        with pytest.raises(BrokerError, match=f"^port {port} on 127.0.0.1 is taken: .*--port"):
            Broker(properties=properties).start()


def test_data_directory_in_use_and_a_broker_that_dies(tmp_path: Path) -> None:
    with Broker(data_dir=tmp_path) as broker:
        with pytest.raises(
            BrokerError, match=rf"{tmp_path} is used by another broker \(process {os.getpid()}\)"
        ):
            Broker(data_dir=tmp_path).start()
        assert answering_cluster("127.0.0.1", broker.port)
        with pytest.raises(TimeoutError):
            broker.wait(timeout=0)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)
        with pytest.raises(BrokerError, match=r"^Kafka ended with signal 9; see .*broker\.log$"):
            broker.wait()


def test_no_more_room_while_it_runs() -> None:
    with Broker() as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.create_topics([NewTopic("full", 1, 1)])["full"].result(30)
        assert broker.pid is not None
        settings = {"bootstrap.servers": broker.bootstrap, "log_level": 0, "message.timeout.ms": 5_000}
        producer = Producer(settings)
        producer.produce("full", b"fits")
        assert producer.flush(30) == 0
        # A limit on the size of files stands for a full disk, which not every user can make.
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (4_096, 4_096))
        producer.produce("full", bytes(100_000))
        with pytest.raises(
            BrokerError, match=f"^the system allows no more data in {broker.data_dir}: .*--data$"
        ):
            broker.wait(60)
        producer.purge()


@pytest.mark.parametrize("folder", ["file/data", "/proc/streamapp", "with,comma"])
def test_data_directory_that_cannot_be_used(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((BrokerError, ConfigError), match=r"^data directory .* --data$"):
        Broker(data_dir=tmp_path / folder).start()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("java.io.IOException: No space left on device", "no space is left in /data"),
        ("java.net.BindException: Address already in use", "port 9092 is taken"),
        (
            "KafkaException: Failed to acquire lock on file .lock in /data/logs",
            "/data is used by another broker",
        ),
        ("java.nio.file.FileSystemException: /data/x: Read-only file system", "/data cannot be written"),
        ("Error: Could not find or load main class kafka.Kafka", "a jar of Kafka is damaged"),
        (
            "OpenJDK VM warning: INFO: os::commit_memory failed; error='Cannot allocate memory'",
            "too little memory",
        ),
        ("ERROR Exiting Kafka: odd\nmore", "ended with exit status 3: ERROR Exiting Kafka: odd; see "),
        ("", "ended with exit status 3; see "),
    ],
)
def test_reason_from_the_log(tmp_path: Path, written: str, said: str) -> None:
    log = tmp_path / "broker.log"
    earlier = "java.lang.OutOfMemoryError: of an earlier run\n"
    log.write_text(earlier + written)
    assert said in str(explain(log, Path("/data"), 9092, 3, since=len(earlier)))


def test_probe_wants_more_than_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert answering_cluster("127.0.0.1", port, timeout=0.05) is None
    assert answering_cluster("127.0.0.1", port) is None


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 400\r\n\r\n", b"\0\0\0\x04\0\0\0\x07", b"\0\0\0\x0c" + b"\0\0\0\x07" + bytes(8)]
)
def test_probe_wants_kafka(reply: bytes) -> None:
    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1_000)
            connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        assert not answering_cluster("127.0.0.1", server.getsockname()[1], timeout=0.2)
        thread.join()


def test_free_port() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


def read_java(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines())
    unescape: Callable[[re.Match[str]], str] = lambda found: chr(int(found[1], 16))  # noqa: E731
    return {key: re.sub(r"\\u([0-9a-f]{4})", unescape, value) for key, value in pairs}


def test_properties_survive_writing(tmp_path: Path) -> None:
    properties = server_properties(
        port=1, controller_port=2, log_dir=Path("/a b\\ü"), extra={"num.io.threads": "2"}
    )
    write_properties(properties, tmp_path / "p")
    text = (tmp_path / "p").read_bytes().decode("ascii")
    assert read_java(text) == properties
    assert properties["num.io.threads"] == "2"

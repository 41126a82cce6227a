"""librdkafka's mock cluster, out of confluent-kafka's wheel: brokers whose errors are a test's to say.

It lives in threads of this process and speaks the real protocol, so roles of streamapp run on it as processes
of their own. What it does not do: CreateTopics, compaction, authorization, transactions that last. It keeps
100,000 records or 5 MB of a partition.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import confluent_kafka

__all__ = ["Api", "Code", "MockCluster"]

_PRODUCER = 0


class Api(IntEnum):
    """Requests, by their key in Kafka's protocol."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14


class Code(IntEnum):
    """Errors, by their code in Kafka's protocol."""

    OFFSET_OUT_OF_RANGE = 1
    CORRUPT_MESSAGE = 2
    UNKNOWN_TOPIC_OR_PARTITION = 3
    LEADER_NOT_AVAILABLE = 5
    NOT_LEADER_OR_FOLLOWER = 6
    REQUEST_TIMED_OUT = 7
    MESSAGE_TOO_LARGE = 10
    COORDINATOR_LOAD_IN_PROGRESS = 14
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    NOT_ENOUGH_REPLICAS = 19
    ILLEGAL_GENERATION = 22
    UNKNOWN_MEMBER_ID = 25
    REBALANCE_IN_PROGRESS = 27
    TOPIC_AUTHORIZATION_FAILED = 29
    GROUP_AUTHORIZATION_FAILED = 30
    KAFKA_STORAGE_ERROR = 56


@cache
def _library() -> ctypes.CDLL:
    package = Path(confluent_kafka.__file__).parent
    found = sorted((package.parent / "confluent_kafka.libs").glob("librdkafka*.so*"))
    assert found, "confluent-kafka was not installed from a wheel"
    library = ctypes.CDLL(str(found[0]))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class MockCluster:
    """A mock cluster, from its creation to its end.

    Parameters
    ----------
    brokers
        How many, numbered from 1.
    """

    def __init__(self, *, brokers: int = 1) -> None:
        library = _library()
        text = ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(library.rd_kafka_conf_new())
        library.rd_kafka_conf_set(conf, b"log_level", b"0", text, 512)
        client = library.rd_kafka_new(_PRODUCER, conf, text, 512)
        assert client, text.value
        self._client = ctypes.c_void_p(client)
        cluster = library.rd_kafka_mock_cluster_new(self._client, brokers)
        assert cluster, "no mock cluster"
        self._cluster = ctypes.c_void_p(cluster)
        self.bootstrap: str = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self._call("group_initial_rebalance_delay_ms", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        library = _library()
        library.rd_kafka_mock_cluster_destroy(self._cluster)
        library.rd_kafka_destroy(self._client)

    def create_topic(self, name: str, partitions: int = 1) -> None:
        self._call("topic_create", name.encode(), partitions, 1)

    def push_errors(self, api: Api, *codes: Code) -> None:
        """Let the next requests of one kind fail, each with the next code."""
        self._call(
            "push_request_errors_array",
            ctypes.c_int16(api),
            ctypes.c_size_t(len(codes)),
            (ctypes.c_int * len(codes))(*codes),
        )

    def push_partition_errors(self, topic: str, partition: int, api: Api, *codes: Code) -> None:
        """As `push_errors`, for one partition alone, so that a test's own requests are spared."""
        values = [ctypes.c_int(code) for code in codes]
        where = topic.encode(), ctypes.c_int32(partition), ctypes.c_int16(api)
        self._call("partition_push_request_errors", *where, ctypes.c_size_t(len(codes)), *values)

    def clear_errors(self, api: Api) -> None:
        _library().rd_kafka_mock_clear_request_errors(self._cluster, ctypes.c_int16(api))

    @contextmanager
    def failing(self, api: Api, code: Code) -> Iterator[None]:
        """Let all requests of one kind fail for a while."""
        self.push_errors(api, *[code] * 10_000)
        try:
            yield
        finally:
            self.clear_errors(api)

    @contextmanager
    def down(self, broker: int = 1) -> Iterator[None]:
        """Let no broker listen there for a while: its connections are cut."""
        self._call("broker_set_down", ctypes.c_int32(broker))
        try:
            yield
        finally:
            self._call("broker_set_up", ctypes.c_int32(broker))

    def set_rtt(self, milliseconds: int, broker: int = 1) -> None:
        """Let every answer of a broker come later."""
        self._call("broker_set_rtt", ctypes.c_int32(broker), milliseconds)

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(_library(), f"rd_kafka_mock_{name}")(self._cluster, *arguments)
        assert not code, f"{name}{arguments}: error {code}"

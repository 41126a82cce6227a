"""The internals of Faust and aiokafka that ``runtime`` relies on, held by the hash of their source.

When this fails, one of them has changed: read how, run the tests in ``tests/integration``, and only then
write the new hashes (``python tests/runtime/test_faust_guard.py`` prints them).
"""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import version
from operator import attrgetter
from typing import Any

import faust.streams
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, ConsumerRebalanceListener, Producer
from faust.transport.drivers.aiokafka import Consumer as Driver
from mode.services import Service
from mode.threads import QueueServiceThread, ServiceThread

EXPECTED = {
    "App._consumer_wait_empty": "6bc313c48c06",
    "App._on_partitions_assigned": "de932b7927db",
    "App._on_partitions_revoked": "d5c895bbe57d",
    "App._stop_consumer": "55854a5de12c",
    "App.on_rebalance_end": "b7ff69e1e377",
    "App.on_rebalance_start": "5c1e23de3067",
    "Client._md_synchronizer": "e0421bffa9a7",
    "Client._metadata_update": "06dc51ed3e0d",
    "Consumer._add_gap": "4df2573ded7c",
    "Consumer._commit_offsets": "1a6979904118",
    "Consumer._commit_tps": "a20e230b05ae",
    "Consumer._drain_messages": "44a2500309e8",
    "Consumer._filter_committable_offsets": "dc5e9baf5d99",
    "Consumer._should_commit": "5ce941793947",
    "Consumer._wait_next_records": "6218e1969a63",
    "Consumer.ack": "5fcf41cf4515",
    "Consumer.commit": "a354437baaa0",
    "Consumer.commit_and_end_transactions": "892377824b11",
    "Consumer.force_commit": "cc094614d22c",
    "Consumer.getmany": "4b168d84882a",
    "Consumer.maybe_wait_for_commit_to_finish": "d687f63a0b5e",
    "Consumer.on_partitions_assigned": "29ce96596f05",
    "Consumer.on_partitions_revoked": "d04b7ae72c6f",
    "Consumer.perform_seek": "0e8c130ff4b0",
    "Consumer.wait_empty": "e4662fe24f09",
    "ConsumerThread.on_start": "38b4e8bd1e10",
    "ConsumerThread.on_thread_stop": "8dfc004e258b",
    "Coordinator._do_heartbeat": "dc1d6632aaa6",
    "Coordinator._heartbeat_routine": "61d010289522",
    "Driver._to_message": "7c24f6511b2f",
    "Listener.on_partitions_revoked": "348c3aec879f",
    "Producer._ensure_producer": "5592a4bbdf25",
    "QueueThread.call_thread": "479edda75b54",
    "QueueThread.on_thread_stop": "b58a5dbce24f",
    "Recovery._resume_streams": "d986a6710c1a",
    "Recovery.on_recovery_completed": "6ef567acf072",
    "Service.stop": "e17cd2b6bd01",
    "ServiceThread.__init__": "82979878990c",
    "ServiceThread._shutdown_thread": "d7377862e734",
    "ServiceThread._stop_children": "1477900e8ea2",
    "ServiceThread._stop_exit_stacks": "566cabf54f47",
    "ServiceThread._stop_futures": "a9356c5dd851",
    "ServiceThread.crash": "68a766aadc5f",
    "ServiceThread.maybe_start": "f0e40d3d648e",
    "ServiceThread.start": "f11841038a03",
    "ServiceThread.stop": "32d026539c36",
}

OWNERS: dict[str, Any] = {
    "App": App,
    "Client": AIOKafkaClient,
    "Consumer": Consumer,
    "ConsumerThread": AIOKafkaConsumerThread,
    "Coordinator": GroupCoordinator,
    "Driver": Driver,
    "Listener": ConsumerRebalanceListener,
    "Producer": Producer,
    "QueueThread": QueueServiceThread,
    "Recovery": Recovery,
    "Service": Service,
    "ServiceThread": ServiceThread,
}


def fingerprint(name: str) -> str:
    owner, member = name.split(".", 1)
    source = inspect.getsource(attrgetter(member)(OWNERS[owner]))
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def test_faust_is_the_version_that_was_read() -> None:
    assert version("faust-streaming") == "0.15.3"


def test_what_is_relied_on_has_not_changed() -> None:
    assert {name: fingerprint(name) for name in EXPECTED} == EXPECTED


def test_how_to_fetch_can_still_be_set() -> None:
    """aiokafka hands the attributes that are set to its fetcher when it starts."""
    source = inspect.getsource(AIOKafkaConsumer.start)
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in source
    assert "isolation_level=self._isolation_level" in source


def test_where_it_reads_can_still_be_read() -> None:
    source = inspect.getsource(AIOKafkaConsumer.position)
    assert "assignment = self._subscription.subscription.assignment" in source
    assert "tp_state = assignment.state_value(partition)" in source
    assert "return tp_state.position" in source


def test_streams_are_compiled() -> None:
    """The stream in Python acknowledges what it skips after a rebalance; the compiled one does not."""
    assert faust.streams._CStreamIterator is not None


if __name__ == "__main__":
    for relied_on in EXPECTED:
        print(f'    "{relied_on}": "{fingerprint(relied_on)}",')

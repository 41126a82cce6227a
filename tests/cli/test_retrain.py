from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from click.testing import Result

from streamapp.messages import Retrain, header
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import read_topic
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]


def test_an_event_is_written_for_each_time_it_is_asked(
    broker: Broker, cli: Cli, name: str, bundles: list[str]
) -> None:
    cli("deploy", bundles[0])
    shown = [cli("retrain").stdout, cli("retrain", "--json").stdout]
    records = asyncio.run(read_topic(broker.connection, TopicNames(name).retrain_events))
    events = [Retrain.decode(record.value) for record in records]
    assert [(event.reason, event.data, event.caused_by) for event in events] == [("user", None, None)] * 2
    assert events[0].id != events[1].id
    for record, event, out in zip(records, events, shown, strict=True):
        assert record.key == name.encode()
        assert header(record.headers, "ce_type") == b"streamapp.retrain.v1"
        assert header(record.headers, "ce_id") == event.id.encode()
        assert event.id in out
    assert json.loads(shown[1]) == {"event": events[1].id}


def test_a_deployment_that_is_not_there_is_one_line(cli: Cli, name: str) -> None:
    assert f"no topic {name}.retrain-events" in cli("retrain", status=1).stderr


def test_no_broker_is_one_line(cli: Cli) -> None:
    assert "no Kafka broker answers" in cli("retrain", bootstrap="127.0.0.1:1", status=1).stderr

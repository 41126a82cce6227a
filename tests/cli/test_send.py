from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from streamapp.messages import Feedback, header
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import read_topic
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]

CSV = """\
at,station,ride,temp,hour,holiday,count,unknown
2011-05-02T08:00:00Z,north,a,0.5,8,True,busy,x
2011-05-02 09:00,south,b,,9,false,calm,x
2011-05-02T12:00:00+02:00,north,c,-1.25,10.0,0,,x
2011-05-02T11:00:00.5Z,,d,warm,8.5,maybe,busy,x
2011-05-02T12:00:00Z,south,e,NA,12,1,calm,x
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rides.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def read(broker: Broker, name: str) -> Callable[[str], list[Any]]:
    def of_topic(topic: str) -> list[Any]:
        records = asyncio.run(read_topic(broker.connection, TopicNames(name)[topic]))
        return sorted(records, key=lambda record: (record.offset, record.partition))

    return of_topic


Read = Callable[[str], list[Any]]


def test_each_row_is_a_request_typed_as_the_model_wants_it(
    cli: Cli, read: Read, bundles: list[str], file: Path
) -> None:
    cli("deploy", bundles[0], "--partitions", 2)
    result = cli("send", file, "--time", "at")
    assert "sent 5 requests to" in result.stdout
    assert result.stderr == ""
    records = read("requests")
    assert [(r.partition, r.offset) for r in records] == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    assert [json.loads(r.value) for r in records] == [
        {"features": {"temp": 0.5, "hour": 8, "holiday": True}},
        {"features": {"temp": None, "hour": 9, "holiday": False}},
        {"features": {"temp": -1.25, "hour": 10, "holiday": False}},
        {"features": {"temp": "warm", "hour": 8.5, "holiday": "maybe"}},
        {"features": {"temp": None, "hour": 12, "holiday": True}},
    ]
    assert [header(r.headers, "ce_time") for r in records] == [
        b"2011-05-02T08:00:00Z",
        b"2011-05-02T09:00:00Z",
        b"2011-05-02T10:00:00Z",
        b"2011-05-02T11:00:00.500Z",
        b"2011-05-02T12:00:00Z",
    ]
    assert all(r.key is None for r in records)
    assert read("feedback") == []


@pytest.mark.parametrize("delay", [0, 2, 100])
def test_labels_follow_their_requests(
    cli: Cli, read: Read, bundles: list[str], file: Path, delay: int
) -> None:
    cli("deploy", bundles[0], "--partitions", 3)
    done = cli(
        "send", file, "--label", "count", "--label-delay", delay, "--time", "at", "--key", "station", "--json"
    )
    counts = json.loads(done.stdout)
    assert (counts["requests"], counts["labels"]) == (5, 4)
    requests = {(r.partition, r.offset): r for r in read("requests")}
    hours = []
    for record in read("feedback"):
        feedback = Feedback.decode(record.value)
        assert feedback.request is not None
        request = requests[feedback.request.partition, feedback.request.offset]
        assert feedback.id == f"{request.partition}-{request.offset}"
        assert (record.partition, record.key) == (request.partition, request.key)
        hour = json.loads(request.value)["features"]["hour"]
        assert feedback.label == {8: "busy", 9: "calm", 8.5: "busy", 12: "calm"}[hour]
        hours.append(hour)
        assert feedback.at is not None
        if delay == 100:
            assert feedback.at == 1_304_337_600_000, "labels that were left come when the file ends"
    assert sorted(hours) == [8, 8.5, 9, 12]


def test_ids_and_keys_come_from_columns(cli: Cli, read: Read, bundles: list[str], file: Path) -> None:
    cli("deploy", bundles[0])
    cli("send", file, "--id", "ride", "--key", "station", "--label", "count")
    records = read("requests")
    assert sorted(json.loads(r.value)["id"] for r in records) == ["a", "b", "c", "d", "e"]
    assert sorted(str(r.key) for r in records) == ["None", "b'north'", "b'north'", "b'south'", "b'south'"]
    of_key = {key: {r.partition for r in records if r.key == key} for key in (b"north", b"south")}
    assert all(len(partitions) == 1 for partitions in of_key.values())
    assert sorted(str(Feedback.decode(r.value).id) for r in read("feedback")) == ["a", "b", "d", "e"]


def test_standard_input_and_pace(cli: Cli, read: Read, bundles: list[str]) -> None:
    cli("deploy", bundles[0])
    done = cli("send", "-", "--pace", 1000, input=CSV.encode())
    assert "sent 5 requests" in done.stdout
    assert len(read("requests")) == 5


def test_without_a_readable_champion_the_file_decides(
    cli: Cli, read: Read, bundles: list[str], tmp_path: Path
) -> None:
    cli("deploy", bundles[0], "--partitions", 1)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    file = tmp_path / "f.csv"
    file.write_text("a,b,c,d,y\n1,x,True,1.5,1\n,,,inf,0\n")
    result = cli("send", file, "--label", "y")
    assert "all columns are sent, as the file suggests" in result.stderr
    first, second = [json.loads(r.value)["features"] for r in read("requests")]
    assert first == {"a": 1, "b": "x", "c": True, "d": 1.5}
    assert second == {"a": None, "b": None, "c": None, "d": "inf"}
    assert [Feedback.decode(r.value).label for r in read("feedback")] == [1, 0]


def test_more_rows_than_fit_into_one_read(cli: Cli, read: Read, bundles: list[str], tmp_path: Path) -> None:
    cli("deploy", bundles[0], "--partitions", 2)
    file = tmp_path / "many.csv"
    file.write_text("temp,hour,holiday,y\n" + "".join(f"0.5,{i},1,busy\n" for i in range(2_500)))
    cli("send", file, "--label", "y", "--label-delay", 700)
    assert [json.loads(r.value)["features"]["hour"] for r in read("requests")] == list(range(2_500))
    labelled = [Feedback.decode(r.value).id for r in read("feedback")]
    assert len(set(labelled)) == 2_500


@pytest.mark.parametrize("first_row", [0, 40])
def test_a_row_that_is_larger_than_the_topic_takes_is_named(
    cli: Cli, read: Read, bundles: list[str], monkeypatch: pytest.MonkeyPatch, first_row: int
) -> None:
    monkeypatch.setenv("STREAMAPP_MAX_REQUEST_BYTES", "1000")
    cli("deploy", bundles[0], "--partitions", 2)
    rows = [f"0.5,{i},1,busy,s-{i}\n" for i in range(90)]
    rows[first_row] = f"0.5,0,1,busy,{'s' * 70_000}\n"
    text = "temp,hour,holiday,y,id\n" + "".join(rows)
    said = cli("send", "-", "--label", "y", "--id", "id", input=text.encode(), status=1).stderr
    assert f": row {first_row + 1} is larger than" in said
    ids = [json.loads(record.value)["id"] for record in read("requests")]
    assert {f"s-{i}" for i in range(first_row)} <= set(ids)
    assert len(set(ids)) == len(ids)


def test_small_rows_are_sent_to_a_topic_that_takes_small_batches(
    cli: Cli, read: Read, bundles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMAPP_MAX_REQUEST_BYTES", "1000")
    cli("deploy", bundles[0], "--partitions", 1)
    text = "temp,hour,holiday\n" + "0.5,1,1\n" * 4_000
    cli("send", "-", input=text.encode())
    assert len(read("requests")) == 4_000


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (CSV, ["--label", "rentals"], "no column 'rentals'; it has at, station"),
        (CSV.replace("09:00", "soon"), ["--time", "at"], "at in row 2 is '2011-05-02 soon'"),
        ("a,b\n1,2\n", [], "none of the model's columns: it has a, b, the model wants temp, hour, holiday"),
        ("", [], "not a CSV file"),
        ('temp,hour\n1,"2\n', [], "not a CSV file"),
        ("temp,hour\n1,2,3,4\n1,2,3,4,5,6\n", [], "not a CSV file"),
    ],
)
def test_a_file_that_is_wrong_is_one_line(
    cli: Cli, bundles: list[str], text: str, options: list[str], expected: str
) -> None:
    cli("deploy", bundles[0])
    assert expected in cli("send", "-", *options, input=text.encode(), status=1).stderr


def test_wrong_usage_is_2(cli: Cli, file: Path, tmp_path: Path) -> None:
    cli("send", tmp_path / "none.csv", status=2)
    cli("send", file, "--label-delay", 3, status=2)
    cli("send", file, "--pace", 0, status=2)


def test_a_deployment_that_is_not_there_is_one_line(cli: Cli, name: str, file: Path) -> None:
    assert f"streamapp deploy {name} BUNDLE" in cli("send", file, status=1).stderr

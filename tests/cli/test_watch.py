from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from click.testing import Result

from streamapp.messages import Alert, Champion, Message, Model, Retrain
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import Publication, producer, publish
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]
Watch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def watch(broker: Broker, name: str) -> Iterator[Watch]:
    """Start the command in a process of its own and return it once it follows."""
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "streamapp",
                        "watch",
                        name,
                        *arguments,
                        "--bootstrap",
                        broker.bootstrap,
                    ],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said.startswith("following "), said
            return process

        yield start


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def alert(state: str, *, subject: str = "temp", kind: str = "input") -> Alert:
    return Alert.parse(
        {
            "id": "a1",
            "state": state,
            "kind": kind,
            "subject": subject,
            "summary": f"{subject} has moved",
            "resolution": "cleared" if state == "resolved" else None,
            "opened_at": "2011-05-02T08:00:00Z",
            "updated_at": "2011-05-02T08:00:00Z",
        }
    )


def write(broker: Broker, name: str, *messages: Message) -> None:
    topics = {Alert: "drift-alerts", Retrain: "retrain-events", Model: "models", Champion: "models"}
    keys = {Champion: b"champion", Model: b"v"}
    publications = [
        Publication(
            topic=TopicNames(name)[topics[type(message)]],
            key=message.key if isinstance(message, Alert) else keys.get(type(message), b"k"),
            message=message,
            ce_id="x",
            time_ms=1_304_323_200_000,
        )
        for message in messages
    ]
    asyncio.run(publish(broker.connection, name, publications))


def test_it_says_what_holds_and_then_what_comes(
    broker: Broker, cli: Cli, name: str, bundles: list[str], watch: Watch
) -> None:
    done = json.loads(cli("deploy", bundles[0], "--json").stdout)
    write(
        broker, name, alert("opened"), alert("resolved"), alert("opened", subject="A~B", kind="correlation")
    )
    process = watch()
    assert lines(process, 2) == [
        f"champion is {done['version']}",
        "2011-05-02 08:00:00  drift-alerts    warning correlation alert opened: A~B has moved",
    ]
    for message in (
        alert("opened", subject="wind"),
        alert("resolved", subject="wind"),
        Retrain(id="r", reason="input", caused_by="a1"),
        Champion(version="fedcba", at=0),
    ):
        write(broker, name, message)
    assert sorted(lines(process, 4)) == [
        "2011-05-02 08:00:00  drift-alerts    warning input alert opened: wind has moved",
        "2011-05-02 08:00:00  drift-alerts    warning input alert resolved (cleared): wind has moved",
        "2011-05-02 08:00:00  models          champion is fedcba",
        "2011-05-02 08:00:00  retrain-events  new model asked for: input, by a1",
    ]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_shows_it_in_one_place(
    broker: Broker, cli: Cli, name: str, bundles: list[str], signal_: signal.Signals
) -> None:
    version = json.loads(cli("deploy", bundles[0], "--json").stdout)["version"]
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "streamapp", "watch", name, "--bootstrap", broker.bootstrap]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(command, stdout=its, stderr=its, env=environment) as process:
        os.close(its)
        shown = b""
        for expected in (b"Is it healthy?", version.encode(), b"answers"):
            while expected not in shown:
                shown += os.read(ours, 65_536)  # an error at the end of the process
        write(broker, name, alert("opened", subject="wind"))
        while b"wind has moved" not in shown:
            shown += os.read(ours, 65_536)
        process.send_signal(signal_)
        with contextlib.suppress(OSError):  # how a terminal ends on Linux
            while rest := os.read(ours, 65_536):
                shown += rest
        assert process.wait(timeout=20) == 0
    os.close(ours)
    assert b"Traceback" not in shown


def test_answers_are_counted(broker: Broker, cli: Cli, name: str, bundles: list[str], watch: Watch) -> None:
    cli("deploy", bundles[0], "--partitions", 1)
    process = watch()
    assert len(lines(process, 1)) == 1

    async def answer() -> None:
        async with producer(broker.connection) as client:
            while True:
                await client.send_and_wait(TopicNames(name).predictions, key=b"k", value=b"{}")
                await asyncio.sleep(0.05)

    async def until_counted() -> str:
        answering = asyncio.create_task(answer())
        try:
            return (await asyncio.to_thread(lines, process, 1))[0]
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    line = asyncio.run(until_counted())
    count, _, rest = line.partition(" ")
    assert int(count) > 0
    assert rest.startswith("answers, ")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


async def request(broker: Broker, name: str, values: list[bytes | None]) -> None:
    async with producer(broker.connection) as client:
        for value in values:
            headers = [("traceparent", b"00")]
            await client.send_and_wait(TopicNames(name).requests, key=b"k", value=value, headers=headers)


@pytest.fixture
def requested(broker: Broker, cli: Cli, name: str, bundles: list[str]) -> None:
    cli("deploy", bundles[0], "--partitions", 1)
    asyncio.run(request(broker, name, [b'{"a": 1}', b"\xff", None]))


@pytest.mark.usefixtures("requested")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--from-beginning"], [0, 1, 2, 3]),
        (["--since", "1"], [1, 2, 3]),
        (["--since", "1970-01-02T00:00:00Z"], [0, 1, 2, 3]),
        (["--since", "2100-01-01T00:00:00Z"], [3]),
        ([], [3]),
    ],
)
def test_a_topic_as_json_from_where_it_is_asked(
    broker: Broker, name: str, watch: Watch, options: list[str], expected: list[int]
) -> None:
    process = watch("requests", "--json", *options)
    asyncio.run(request(broker, name, ["\x9b2J".encode()]))
    written = lines(process, len(expected))
    assert all(line.isascii() and line.isprintable() for line in written), "a terminal would obey it"
    records = [json.loads(line) for line in written]
    assert [record["offset"] for record in records] == expected
    shown = {0: {"a": 1}, 1: "\\xff", 2: None, 3: "\x9b2J"}
    assert [record["value"] for record in records] == [shown[offset] for offset in expected]
    for record in records:
        assert record["topic"] == f"{name}.requests"
        assert (record["partition"], record["key"]) == (0, "k")
        assert record["headers"] == {"traceparent": "00"}


def test_a_reader_that_has_enough_ends_it(
    broker: Broker, cli: Cli, name: str, bundles: list[str], watch: Watch
) -> None:
    cli("deploy", bundles[0])
    process = watch("models", "--from-beginning")
    assert process.stdout is not None
    process.stdout.close()
    while process.poll() is None:
        write(broker, name, Champion(version="x", at=0))
    assert process.returncode == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_wrong_usage_is_2(cli: Cli) -> None:
    cli("watch", "no-topic", status=2)
    cli("watch", "--since", "soon", status=2)
    cli("watch", "--since", "1", "--from-beginning", status=2)


def test_a_deployment_that_is_not_there_is_one_line(cli: Cli, name: str) -> None:
    assert f"streamapp deploy {name} BUNDLE" in cli("watch", status=1).stderr


def test_no_broker_is_one_line(cli: Cli) -> None:
    assert "no Kafka broker answers" in cli("watch", bootstrap="127.0.0.1:1", status=1).stderr

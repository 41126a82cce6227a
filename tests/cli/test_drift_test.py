from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from streamapp.messages import Distribution
from streamapp.models import Bundle
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer
from tests.cli.answers import write_answers

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]


def test_the_drift_test_measures_the_newest_answers(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0])
    write_answers(broker, name, versions[0], 1_200)
    write_answers(broker, name, "abcdef012345", 40)
    told = json.loads(cli("doctor", "--drift-test", "--json", "--runs", 3, "--column", "temp").stdout)
    assert (told["version"], told["rows"], told["runs"]) == (versions[0], 1_200, 3)
    assert told["left_out"] == {"of other versions": 40}
    assert told["reference_rows"] == Bundle.inspect(bundles[0]).profile.rows
    assert told["round_events"] == 4 * 64
    assert told["no_drift"]["requests"] >= 30_000
    assert {drift["subject"] for drift in told["drifts"]} == {"temp", "outputs"}
    [shift] = [drift for drift in told["drifts"] if drift["drift"] == "up by 1 sd"]
    assert (shift["found"], shift["first"], shift["kind"], shift["named"]) == (3, 3, "input", "temp")
    assert shift["median"] == 256
    shown = cli("doctor", "--drift-test", "--runs", 2, "--false-alarm-every", 5_000).stdout
    assert "one false alarm in 5,000 requests; a look every 256" in shown
    assert "1,200 answers of 2011-05-02 08:00 to 2011-05-02 08:00 UTC" in shown
    [row] = [line.split() for line in shown.splitlines() if line.startswith("holiday")]
    assert row[:5] == ["holiday", "up", "by", "0.25", "sd"]


def test_looks_are_as_far_apart_as_the_newest_panes_make_them(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    cli("deploy", bundles[0], "--partitions", 4)
    answers = ("--drift-test", "--json", "--runs", 1, "--column", "temp")
    write_answers(broker, name, versions[0], 1_000)
    assert json.loads(cli("doctor", *answers).stdout)["round_events"] == 4 * 64

    async def publish_panes() -> None:
        async with producer(broker.connection) as client:
            await client.send(f"{name}.distributions", b"no pane")
            for number in range(6):
                pane = Distribution(
                    version=versions[0],
                    partition=number % 2,
                    first_offset=100 * number,
                    next_offset=100 * number + 100,
                    events=100,
                    from_=0,
                    to=1,
                )
                await client.send(f"{name}.distributions", pane.encode(), key=pane.key)

    asyncio.run(publish_panes())
    assert json.loads(cli("doctor", *answers).stdout)["round_events"] == 2 * 100
    assert json.loads(cli("doctor", *answers, "--look-every", 64).stdout)["round_events"] == 64


def test_rows_of_a_file_can_be_tested_before_there_are_any_answers(
    cli: Cli, bundles: list[str], tmp_path: Path
) -> None:
    cli("deploy", bundles[0])
    rng = np.random.default_rng(4)
    file = tmp_path / "recent.csv"
    frame = pd.DataFrame(
        {"temp": rng.normal(3, 1, 1_100), "hour": rng.integers(0, 24, 1_100), "holiday": True, "other": 1}
    )
    frame = frame.astype({"temp": object})
    frame.loc[:9, "temp"] = "warm"
    frame.to_csv(file, index=False)
    result = cli("doctor", "--drift-test", "--rows", file, "--runs", 2, "--column", "hour")
    assert f"1,090 rows of {file} (left out: 10 that the model would reject)" in result.stdout
    assert "input: " in result.stdout  # temp lies 3 sd above the reference
    assert "outputs are not tested: these rows have no answers" in result.stdout


def test_too_few_answers_are_one_line_with_a_remedy(
    broker: Broker, cli: Cli, name: str, bundles: list[str], versions: list[str]
) -> None:
    assert f"streamapp deploy {name} BUNDLE" in cli("doctor", "--drift-test", status=1).stderr
    cli("deploy", bundles[0])
    write_answers(broker, name, versions[0], 12)
    error = cli("doctor", "--drift-test", status=1).stderr
    assert f"12 of the newest answers in {name}.predictions can be used" in error
    assert "needs 1,000" in error
    assert "wait for more traffic, or take rows from a file with --rows FILE.csv" in error
    write_answers(broker, name, versions[0], 1_100, with_features=False)
    assert "without STREAMAPP_ANSWER_FEATURES=false" in cli("doctor", "--drift-test", status=1).stderr


def test_too_few_rows_and_a_column_that_is_not_there_are_one_line(
    cli: Cli, bundles: list[str], tmp_path: Path
) -> None:
    cli("deploy", bundles[0])
    file = tmp_path / "few.csv"
    file.write_text("temp,hour,holiday\n1.0,3,true\n")
    assert "has 1 usable rows" in cli("doctor", "--drift-test", "--rows", file, status=1).stderr
    file.write_text("temp,hour,holiday\n" + "1.0,3,true\n" * 1_000)
    error = cli("doctor", "--drift-test", "--rows", file, "--column", "wind", status=1).stderr
    assert "there is no column 'wind'; the model has temp, hour, holiday" in error


def test_wrong_usage_is_2(cli: Cli, tmp_path: Path) -> None:
    cli("doctor", "--column", "temp", status=2)
    cli("doctor", "--look-every", 64, status=2)
    cli("doctor", "--drift-test", "--rows", tmp_path / "none.csv", status=2)
    cli("doctor", "--drift-test", "--runs", 0, status=2)
    cli("doctor", "--drift-test", "--false-alarm-every", 10, status=2)

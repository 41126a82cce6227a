from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from streamapp.errors import BrokerError
from streamapp.messages import Champion
from streamapp.models import Bundle, Keys
from streamapp.runtime.checks import CHECKS, Case, Check, Line, run_checks, serving
from streamapp.runtime.checks.privacy import privacy
from streamapp.runtime.checks.serving import baseline, versions
from streamapp.runtime.checks.training import trainer
from streamapp.runtime.client import Models
from streamapp.settings import Settings

SETTINGS = Settings.of(name="bikes", bootstrap="127.0.0.1:1")


def said(checks: Sequence[Check], case: Case | None = None) -> list[tuple[str, str, str]]:
    async def gather() -> list[tuple[str, str, str]]:
        found = run_checks(case or Case(SETTINGS), checks)
        return [(line.check, line.status, line.message) async for line in found]

    return asyncio.run(gather())


async def well(case: Case) -> list[Line]:
    case.answers = True
    return [Line("ok", "well"), Line("warn", "nearly")]


async def broken(case: Case) -> list[Line]:
    raise BrokerError("it is away: bring it back")


def test_lines_come_in_order_under_the_name_of_their_check() -> None:
    assert said([Check("one", well), Check("two", well)]) == [
        ("one", "ok", "well"),
        ("one", "warn", "nearly"),
        ("two", "ok", "well"),
        ("two", "warn", "nearly"),
    ]


async def unforeseen(case: Case) -> list[Line]:
    raise KeyError("leader")


def test_what_nobody_foresaw_is_a_line_and_the_next_check_is_made() -> None:
    found = said([Check("one", unforeseen, mistake="no-store"), Check("two", well)])
    message = "the check ended by an unexpected KeyError: 'leader': what it looks at is not known"
    assert found[:2] == [("one", "FAIL", message), ("two", "ok", "well")]
    assert Check("one", unforeseen, mistake="no-store").of(KeyError("leader")).mistake == "unexpected"


def test_an_error_is_a_line_and_the_next_check_is_made() -> None:
    assert said([Check("one", broken), Check("two", well)])[:2] == [
        ("one", "FAIL", "it is away: bring it back"),
        ("two", "ok", "well"),
    ]


def test_a_check_is_left_out_where_an_earlier_one_found_nothing_to_look_at() -> None:
    late = Check("late", well, lambda case: case.answers)
    assert [check for check, *_ in said([late, Check("first", broken), late])] == ["first"]
    assert [check for check, *_ in said([Check("first", well), late])] == ["first"] * 2 + ["late"] * 2


@pytest.mark.parametrize(
    ("choice", "status", "message"),
    [
        ({}, "ok", "refit, with joblib's backend loky"),
        (
            {"trainer": "json:dumps", "training_backend": "threading"},
            "ok",
            "json:dumps, with joblib's backend",
        ),
        ({"trainer": "nowhere:fit"}, "FAIL", "there is no module nowhere"),
        ({"training_backend": "steam"}, "FAIL", "training backend 'steam' is none of"),
    ],
)
def test_a_trainer_or_backend_that_is_not_there_fails(
    choice: dict[str, str], status: str, message: str
) -> None:
    [line] = said([Check("trainer", trainer)], Case(Settings.of(name="bikes", **choice)))
    assert line[1] == status
    assert message in line[2]


def test_names_of_checks_differ_and_fit_their_column() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 14


def test_libraries_that_differ_are_a_warning() -> None:
    X = {"temp": np.arange(50.0)}
    model = LinearRegression().fit(X["temp"][:, None], X["temp"])
    bundle = Bundle.create(model, X, X["temp"], name="bikes", created_at_ms=1)
    same, differing = (
        Case(SETTINGS, bundle=replace(bundle, warnings=warnings))
        for warnings in ((), ("packed with numpy 1.0, and 2.0 runs here",))
    )
    [line] = asyncio.run(versions(same))
    assert line.status == "ok"
    assert "scikit-learn" in line.message
    [line] = asyncio.run(versions(differing))
    assert line.mistake == "other-versions"
    assert (line.status, line.message) == (
        "warn",
        "packed with numpy 1.0, and 2.0 runs here; pack it again here to be sure",
    )


def test_personal_columns_say_what_they_switch_off_and_where_the_secret_is(tmp_path: Path) -> None:
    X = {"temp": np.arange(50.0), "age": np.arange(50.0), "name": np.array(["jk"] * 50, dtype=object)}
    model = LinearRegression().fit(np.stack([X["temp"], X["age"]], axis=1), X["temp"])
    model.feature_names_in_ = np.array(["temp", "age"], dtype=object)
    settings = Settings.of(name="bikes", keys=tmp_path)

    def case(**personal: str) -> Case:
        bundle = Bundle.create(model, X, X["temp"], name="bikes", created_at_ms=1, personal=personal)
        return Case(settings, bundle=bundle)

    def lines(**personal: str) -> list[tuple[str, str, str]]:
        return said([check for check in CHECKS if check.name == "privacy"], case(**personal))

    def mistakes(**personal: str) -> list[str]:
        return [line.mistake for line in asyncio.run(privacy(case(**personal)))]

    assert lines() == []
    [line] = lines(name="drop")
    assert line == ("privacy", "ok", "name: no inputs, and nothing that is written has them")
    [line] = lines(age="drop")
    assert line[1] == "warn"
    assert "needs the personal columns age, which answers do not show: retraining and challengers" in line[2]
    assert [line[1] for line in lines(age="hash")] == ["warn", "warn"]
    assert mistakes(age="hash") == ["no-features", "no-secret"]
    Keys(tmp_path).personal_secret()
    assert [line[1] for line in lines(age="hash")] == ["warn", "ok"]
    assert f"{tmp_path}/personal.secret; every score process" in lines(age="hash")[1][2]


@pytest.mark.parametrize(("scale", "status"), [(None, "warn"), (3.0, "ok")])
def test_a_regressor_has_a_baseline_once_monitor_has_told_its_scale(
    monkeypatch: pytest.MonkeyPatch, scale: float | None, status: str
) -> None:
    async def many(_: Case) -> int:
        return 2_000

    monkeypatch.setattr(serving, "_answers", many)
    monkeypatch.setattr(serving, "_labelled", many)
    X, y = np.arange(50.0).reshape(-1, 1), np.arange(50.0)
    made = Bundle.create(LinearRegression().fit(X, y), X, y, name="bikes")
    record = made.record("memory://bikes", "champion").model_copy(update={"loss_scale": scale})
    models = Models({made.version: record}, [Champion(version=made.version, at=0)])
    case = Case(SETTINGS, bundle=made, models=models)
    assert [line[1] for line in said([Check("baseline", baseline)], case)] == [status]


def test_outputs_that_wait_for_the_hours_of_live_rows_are_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def many(_: Case) -> int:
        return 2_000

    monkeypatch.setattr(serving, "_answers", many)
    monkeypatch.setattr(serving, "_labelled", many)
    rng, times = np.random.default_rng(0), np.arange(2_400) * 600_000
    X = {"temp": np.sin(times / 86_400_000 * 2 * np.pi) + rng.normal(size=2_400)}
    y, days = X["temp"] + rng.normal(size=2_400) > 0, times.astype("datetime64[ms]")
    model, rows = LogisticRegression().fit(X["temp"][:, None], y), {"temp": X["temp"][:80]}
    wait = (
        "accuracy is watched; outputs once live rows cover three days, since inputs have a daily cycle, and "
        "no holdout tells that of outputs"
    )
    for held, says in (
        ((X, y, days), "2,400 holdout rows: outputs and accuracy are watched"),
        ((rows, y[:80], days[:80]), f"80 holdout rows: {wait}"),
        (None, f"its first 2,000 live rows: {wait}"),
    ):
        bundle = Bundle.create(model, X, y, name="bikes", time=days, holdout=held, created_at_ms=0)
        assert said([Check("baseline", baseline)], Case(SETTINGS, bundle=bundle)) == [
            ("baseline", "ok", says)
        ]

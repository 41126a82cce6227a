"""What ``import streamapp`` shows: names, calls and defaults that users' code relies on."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version
from operator import attrgetter

import pytest

import streamapp

PUBLIC = {
    "Bundle",
    "DriftMonitor",
    "LossMonitor",
    "Profile",
    "PromotionGate",
    "Settings",
    "create_app",
    "errors",
}

HEAVY = {"aiokafka", "click", "faust", "numpy", "pandas", "pydantic", "scipy", "sklearn"}


def run(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has imported after `code`."""
    shown = f"{code}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_names_are_these() -> None:
    assert set(streamapp.__all__) == PUBLIC
    assert set(dir(streamapp)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_name_is_there(name: str) -> None:
    assert getattr(streamapp, name) is getattr(streamapp, name)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'streamapp' has no attribute 'Bundel'"):
        _ = streamapp.Bundel  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "call", "defaults"),
    [
        (
            "Bundle.create",
            "f(model, X, y, name='bikes', format='joblib', holdout=None)",
            {"format": "joblib", "holdout": None},
        ),
        ("Bundle.load", "f(url, trust=None)", {"trust": None}),
        ("Bundle.save", "f(self, url)", {}),
        ("Bundle.predict", "f(self, rows)", {}),
        (
            "Profile.fit",
            "f(X, outputs=None, y=None, ordered=True)",
            {"outputs": None, "y": None, "ordered": True},
        ),
        ("Profile.from_bytes", "f(data)", {}),
        ("Profile.to_bytes", "f(self)", {}),
        ("DriftMonitor", "f(profile, false_alarm_every=100_000)", {"false_alarm_every": 100_000}),
        ("DriftMonitor.update", "f(self, X, outputs=None)", {"outputs": None}),
        ("LossMonitor", "f(losses, false_alarm_every=10_000)", {"false_alarm_every": 10_000}),
        ("LossMonitor.update", "f(self, losses)", {}),
        (
            "PromotionGate",
            "f(alpha=0.05, margin=0.0, max_rows=10_000)",
            {"alpha": 0.05, "margin": 0.0, "max_rows": 10_000},
        ),
        ("PromotionGate.update", "f(self, champion_losses, challenger_losses)", {}),
        ("create_app", "f(settings)", {}),
    ],
)
def test_a_call_is_taken_as_it_is_documented(name: str, call: str, defaults: dict[str, object]) -> None:
    signature = inspect.signature(attrgetter(name)(streamapp))
    names = ["model", "X", "y", "url", "self", "rows", "data", "profile", "losses", "settings"]
    values = {given: given for given in [*names, "champion_losses", "challenger_losses"]}
    eval(call, {"f": signature.bind, **values})
    assert {given: signature.parameters[given].default for given in defaults} == defaults


def test_importing_it_imports_nothing_heavy() -> None:
    assert run("import streamapp, streamapp.errors") & HEAVY == set()


def test_help_imports_only_the_command_line() -> None:
    shown = run("from streamapp.cli import main\nmain(['--help'], standalone_mode=False)")
    assert shown & HEAVY == {"click"}


@pytest.mark.parametrize("name", ["Bundle", "Profile", "DriftMonitor", "LossMonitor", "PromotionGate"])
def test_what_a_notebook_uses_imports_no_kafka_client(name: str) -> None:
    assert run(f"import streamapp; streamapp.{name}") & {"aiokafka", "faust"} == set()


def test_the_version_is_that_of_the_package() -> None:
    assert streamapp.__version__ == version("streamapp")

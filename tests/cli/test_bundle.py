from __future__ import annotations

import json
import pickle
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from river import tree
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from streamapp.cli import main
from streamapp.cli.policy_table import policy_tables
from streamapp.drift.explain_policy import explain_policy
from streamapp.models import Bundle
from streamapp.profile.policy_text import parse_choices


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, its reference and its holdout, in which commands run."""
    monkeypatch.setenv("STREAMAPP_KEYS", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(8)
    table = pd.DataFrame({"temp": rng.normal(size=300).round(3), "hour": rng.integers(0, 24, 300)})
    label = np.where(table.temp + rng.normal(size=300) > 0, "busy", "calm")
    joblib.dump(LogisticRegression().fit(table, label), "model.joblib")
    Path("plain.pkl").write_bytes(pickle.dumps(LinearRegression().fit(table.to_numpy(), table.temp)))
    table.insert(0, "note", "x")
    table["label"] = label
    table["when"] = pd.date_range("2011-01-01", periods=300, freq="h")
    table.loc[5, "label"] = None
    table[:200].to_csv("train.csv", index=False)
    table[200:].to_csv("test.csv", index=False)
    return tmp_path


def _run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


BUNDLE = (
    "bundle",
    "model.joblib",
    "--reference",
    "train.csv",
    "--target",
    "label",
    "--name",
    "bikes",
    "-o",
    "b",
)


def test_a_model_is_packed_and_says_what_it_is(folder: Path) -> None:
    result = _run(*BUNDLE, "--holdout", "test.csv", "--time", "when", "--loss", "brier")
    assert result.exit_code == 0, result.output
    bundle = Bundle.load("b")
    for line in (
        f"bikes {bundle.version}",
        "LogisticRegression, joblib",
        "label, classification: busy, calm",
        "left out      note",
        "199 rows, 1 more without label left out",
        f"brier loss {bundle.baseline.mean if bundle.baseline else 0:.4g} on 100 rows of the holdout",
        "made now and trusted",
        "next: streamapp deploy bikes b",
    ):
        assert line in result.stdout
    assert bundle.packed.files["model.joblib"] == (folder / "model.joblib").read_bytes()
    assert bundle.manifest.newest_training_data_at_ms == pd.Timestamp("2011-01-09 07:00Z").value // 1_000_000


def test_a_model_of_river_is_found_by_its_content(folder: Path) -> None:
    model = tree.HoeffdingTreeClassifier()
    table = pd.read_csv("train.csv")[["temp", "hour", "label"]].dropna()
    for row in table.to_dict("records"):
        model.learn_one({"temp": row["temp"], "hour": row["hour"]}, row["label"])
    table.to_csv("rows.csv", index=False)
    Path("model.river").write_bytes(pickle.dumps(model))
    result = _run("bundle", "model.river", "--reference", "rows.csv", *BUNDLE[4:])
    assert result.exit_code == 0, result.output
    assert "HoeffdingTreeClassifier, river, river 0." in result.output
    assert "2 columns, as rows" in result.output
    assert "river, takes rows of 2 columns" in _run("inspect", "b").output


def test_of_many_columns_the_first_are_listed(folder: Path) -> None:
    digits = load_digits(as_frame=True)
    digits.frame.to_csv("digits.csv", index=False)
    joblib.dump(GaussianNB().fit(digits.data, digits.target), "digits.joblib")
    result = _run(
        "bundle",
        "digits.joblib",
        "--reference",
        "digits.csv",
        "--target",
        "target",
        "--name",
        "digits",
        "-o",
        "d",
    )
    assert result.exit_code == 0, result.output
    assert result.output.count("    pixel_") == 20
    assert "    and 44 more: streamapp inspect shows all" in result.output


def test_without_a_holdout_it_says_where_the_baseline_will_come_from(folder: Path) -> None:
    assert "first 2,000 live rows (--holdout FILE.csv gives them now)" in " ".join(
        _run(*BUNDLE).stdout.split()
    )
    assert "made now" not in _run(*BUNDLE).stdout


def test_of_a_regressor_the_scale_of_its_loss_will_come_from_there(folder: Path) -> None:
    table = pd.read_csv("train.csv")[["temp", "hour"]]
    pd.DataFrame({"x": table.hour, "y": table.temp}).to_csv("numbers.csv", index=False)
    joblib.dump(LinearRegression().fit(table[["hour"]].to_numpy(), table.temp), "numbers.joblib")
    result = _run("bundle", "numbers.joblib", "--reference", "numbers.csv", "--target", "y", *BUNDLE[6:])
    assert result.exit_code == 0, result.output
    assert "none: loss, its scale and outputs will come from the first 2,000 live rows" in result.output


def test_json_says_the_same_for_programs(folder: Path) -> None:
    fields = json.loads(_run(*BUNDLE, "--json").stdout)
    bundle = Bundle.load(fields["bundle"], sha256=fields["sha256"])
    assert fields["version"] == bundle.version
    assert fields["left_out"] == ["note", "when"]
    assert fields["seal"]["key_is_new"]
    assert [column["name"] for column in fields["signature"]["columns"]] == ["temp", "hour"]


def test_choices_reach_the_signature(folder: Path) -> None:
    result = _run(*BUNDLE, "--nullable", "hour", "--bounds", "temp=-9:9", "--bounds", "hour=0:")
    assert result.exit_code == 0, result.output
    temp, hour = Bundle.load("b").signature.columns
    assert (temp.bounds, hour.bounds, hour.nullable) == ((-9.0, 9.0), (0.0, None), True)


def test_a_model_without_names_takes_all_columns_but_target_and_time(folder: Path) -> None:
    table = pd.read_csv("train.csv")[["temp", "hour", "when"]].assign(value=1.5)
    table.to_csv("numbers.csv", index=False)
    result = _run(
        "bundle", "plain.pkl", "--reference", "numbers.csv", "--target", "value", "--time", "when",
        "--name", "bikes", "-o", "b",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    bundle = Bundle.load("b")
    assert (bundle.manifest.format, bundle.signature.input, bundle.signature.names) == (
        "pickle",
        "matrix",
        ("temp", "hour"),
    )


def test_times_may_be_an_input_of_the_model_too(folder: Path) -> None:
    """Its times order the rows, and it is left out only where the model does not take it."""
    table = pd.read_csv("train.csv")
    X = table[["temp", "when"]].iloc[::-1]
    model = make_pipeline(
        ColumnTransformer([("when", OneHotEncoder(handle_unknown="ignore"), ["when"])]), LinearRegression()
    )
    joblib.dump(model.fit(X, X.temp), "timed.joblib")
    table.iloc[::-1].to_csv("reversed.csv", index=False)
    result = _run(
        "bundle", "timed.joblib", "--reference", "reversed.csv", "--target", "hour", "--time", "when",
        "--name", "bikes", "-o", "b",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    bundle = Bundle.load("b")
    assert bundle.signature.names == ("temp", "when")
    assert bundle.manifest.newest_training_data_at_ms == pd.Timestamp(table.when.max()).value // 1_000_000
    named = Bundle.create(model, X, X.temp, name="bikes", time="when")
    assert named.signature.names == ("temp", "when")
    assert named.manifest.newest_training_data_at_ms == bundle.manifest.newest_training_data_at_ms


def _with(**changes: str) -> tuple[str, ...]:
    fields = {
        "model": "model.joblib",
        "reference": "train.csv",
        "target": "label",
        "name": "bikes",
        "output": "b",
    }
    fields |= changes
    return (
        "bundle",
        fields.pop("model"),
        *(part for key, value in fields.items() for part in (f"--{key}", value)),
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (_with(model="none.joblib"), "model none.joblib cannot be read: No such file"),
        (_with(model="."), "is a folder"),
        (_with(model="train.csv"), "train.csv: the file is no model"),
        (_with(model="other.pkl"), "other.pkl holds a dict, which has no predict method"),
        (_with(model="broken.joblib"), "broken.joblib cannot be loaded as joblib"),
        (_with(model="broken.joblib", format="tar"), "format 'tar' is not supported by this version"),
        (_with(reference="none.csv"), "none.csv cannot be read: No such file"),
        (_with(reference="model.joblib"), "model.joblib is no CSV file"),
        (_with(reference="empty.csv"), "empty.csv is no CSV file: No columns"),
        (_with(target="labels"), "--target labels: train.csv has no such column; it has note, temp"),
        (_with(time="then"), "--time then: train.csv has no such column"),
        (_with(time="note"), "time column cannot be read as dates"),
        (_with(target="note"), "holds 'x', and the model's classes are 'busy', 'calm'"),
        (_with(model="plain.pkl", target="temp"), "fitted on 2 columns without names, the reference has 4"),
        (_with(reference="narrow.csv"), "fitted with column 'hour', which the reference lacks"),
        (_with(loss="absolute"), "'absolute' does not fit a classification"),
        (_with(closed="temp"), "only strings can be closed"),
        (_with(kind="hour=text"), "column 'hour' cannot be of kind 'text': its values are numbers"),
        (_with(kind="wind=text"), "kinds names column 'wind'"),
        (_with(drift="wind:floor=1"), "drift of 'wind': there is no such column; there are temp, hour"),
        (_with(drift="temp:aspects=levels"), "drift of 'temp': it has no aspect 'levels'; it has location"),
        (_with(nullable="rain"), "nullable names column 'rain'"),
        (_with(name="my bikes"), "deployment name 'my bikes' must be"),
        (_with(output="full"), "is not empty and holds no bundle"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder: Path, args: tuple[str, ...], says: str) -> None:
    (folder / "other.pkl").write_bytes(pickle.dumps({}))
    (folder / "broken.joblib").write_bytes((folder / "model.joblib").read_bytes()[:-100])
    (folder / "empty.csv").write_text("")
    pd.read_csv("train.csv").drop(columns="hour").to_csv("narrow.csv", index=False)
    (folder / "full").mkdir()
    (folder / "full/thesis.tex").write_text("")
    result = _run(*args)
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def test_the_kind_of_a_column_can_be_chosen(folder: Path) -> None:
    assert _run(*BUNDLE, "--kind", "hour=categorical", "--kind", "temp=discrete").exit_code == 0
    assert Bundle.load("b").chosen_kinds == {"hour": "categorical", "temp": "discrete"}
    shown = json.loads(_run("inspect", "b", "--json").stdout)["columns"]
    assert [(column["kind"], column["watched"][-8:]) for column in shown] == [
        ("discrete", "(chosen)"),
        ("categorical", "(chosen)"),
    ]


def test_how_drift_is_judged_can_be_chosen_and_inspect_says_by_whom(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = ["temp:floor=0.3", "temp:weight=3", "hour:watch=false", "confidence:aspects=location,scale"]
    options = [part for choice in choices for part in ("--drift", choice)]
    result = _run(*BUNDLE, "--holdout", "test.csv", *options)
    assert result.exit_code == 0, result.output
    assert parse_choices(choices) == Bundle.load("b").profile.policy
    monkeypatch.setenv("STREAMAPP_DRIFT", "temp:floor=0.5 gone:watch=false")
    monkeypatch.setenv("STREAMAPP_FALSE_ALARM_EVERY", "20000")
    drift = json.loads(_run("inspect", "b", "--json").stdout)["drift"]
    assert (drift["false_alarm_every"], drift["window_rows"]) == (20_000, 64)
    assert sum(each["share"] for each in drift["subjects"]) == pytest.approx(1)
    told = {each["name"]: each for each in drift["subjects"]}
    assert list(told) == ["temp", "hour", "correlations", "prediction", "confidence", "probability:calm"]
    assert told["temp"]["choices"] == [
        {"option": "weight", "value": 3.0, "by": "bundle"},
        {"option": "floor", "value": 0.5, "by": "settings"},
    ]
    assert (told["temp"]["floor"], told["temp"]["weight"]) == (0.5, 3.0)
    assert (told["hour"]["share"], told["hour"]["thresholds"]) == (0, None)
    assert [each["aspect"] for each in told["confidence"]["aspects"] if each["judged"]] == [
        "location",
        "scale",
    ]
    shown = " ".join(_run("inspect", "b").stdout.split())
    for part in (
        "one false alarm in 20,000 requests (in how many days: streamapp doctor bikes)",
        "nothing",
        "0 %",
        "floor=0.5 by settings",
        "0 of 1 pairs",
    ):
        assert part in shown


def test_inspect_fits_a_terminal_of_120_columns(folder: Path) -> None:
    _run(*BUNDLE, "--holdout", "test.csv")
    policy = explain_policy(Bundle.inspect("b").profile)
    console = Console(width=120, file=StringIO())
    console.print(*policy_tables(policy, width=120))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) <= 5 * len(policy) + 1
    text = " ".join(" ".join(lines).split())
    assert "drift of" in text
    low, high = policy[0].thresholds or (0, 0)
    for word in ("location", "missing", "correlations", "probability:calm", f"{low:.1f}-{high:.1f}"):
        assert word in text


def test_inspect_breaks_no_word_on_a_terminal_of_80_columns(folder: Path) -> None:
    _run(*BUNDLE, "--holdout", "test.csv")
    policy = explain_policy(Bundle.inspect("b").profile)
    console = Console(width=80, file=StringIO())
    for table in policy_tables(policy, width=80):
        console.print(table)
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in console.file.getvalue()
    words = console.file.getvalue().split()
    for each in policy:
        assert words.count(each.name) >= 2
        assert each.kind in words


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("temp", "'temp' is not COLUMN:OPTION=VALUE"),
        ("temp:floor=20", "floor is 20.0; it must be above 0 and at most 10"),
    ],
)
def test_a_choice_that_is_none_is_wrong_usage(folder: Path, choice: str, says: str) -> None:
    result = _run(*BUNDLE, "--drift", choice)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


def test_inspect_with_a_setting_that_is_none_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(*BUNDLE)
    monkeypatch.setenv("STREAMAPP_DRIFT", "temp")
    result = _run("inspect", "b")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "'temp' is not COLUMN:OPTION=VALUE" in result.stderr


def test_inspect_of_somebody_elses_bundle_does_not_steer_a_terminal(folder: Path) -> None:
    X = {"a\x1b[2Jb": np.arange(50.0)}
    model = LinearRegression().fit(X["a\x1b[2Jb"][:, None], X["a\x1b[2Jb"])
    Bundle.create(model, X, X["a\x1b[2Jb"], name="bikes", created_at_ms=1).save("b")
    result = _run("inspect", "b")
    assert "a�[2Jb" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("kind", ["hour", "hour=", "=text"])
def test_a_kind_without_a_column_is_wrong_usage(folder: Path, kind: str) -> None:
    result = _run(*BUNDLE, "--kind", kind)
    assert result.exit_code == 2
    assert "is not COLUMN=KIND" in result.stderr


@pytest.mark.parametrize("bounds", ["temp", "temp=1", "=1:2", "temp=a:b", "temp=:"])
def test_bounds_that_are_none_are_wrong_usage(folder: Path, bounds: str) -> None:
    result = _run(*BUNDLE, "--bounds", bounds)
    assert result.exit_code == 2
    assert "is not COLUMN=LO:HI" in result.stderr


def test_inspect_shows_signature_policy_facts_hashes_and_seal(folder: Path) -> None:
    _run(*BUNDLE, "--holdout", "test.csv", "--bounds", "temp=-9:")
    result = _run("inspect", "b")
    bundle = Bundle.inspect("b")
    assert result.exit_code == 0, result.output
    for part in (
        f"bikes {bundle.version}",
        "label: classification of busy, calm",
        "at least -9",
        "continuous",
        "24 bins: location",
        bundle.sha256,
        bundle.manifest.files["model.joblib"].sha256,
        "trusted, by key",
        "on 100 holdout rows",
    ):
        assert part in result.stdout
    fields = json.loads(_run("inspect", "b", "--json").stdout)
    assert fields["version"] == bundle.version
    assert [column["kind"] for column in fields["columns"]] == ["continuous", "discrete"]
    assert fields["seal"]["status"] == "trusted"


def test_inspect_says_whether_there_is_a_daily_cycle(folder: Path) -> None:
    _run(*BUNDLE)
    assert "not looked for: the times of the reference rows are not known" in _run("inspect", "b").stdout
    rng = np.random.default_rng(0)
    when = pd.date_range("2011-01-01", periods=2_400, freq="10min")
    table = pd.DataFrame({"temp": rng.normal(size=2_400).round(3), "hour": when.hour, "when": when})
    table["label"] = np.where(table.temp > 0, "busy", "calm")
    table.to_csv("train.csv", index=False)
    _run(*BUNDLE, "--time", "when")
    says = "the reference is compared by the hour of the day, UTC: hour; so are labels"
    says += "; so are outputs once live rows cover three days"
    assert f"daily cycle  {says}" in _run("inspect", "b").stdout
    assert json.loads(_run("inspect", "b", "--json").stdout)["season"] == says
    # A holdout with the same column of times tells that of the answers.
    _run(*BUNDLE, "--time", "when", "--holdout", "train.csv")
    assert "UTC: hour; so are outputs and labels\n" in _run("inspect", "b").stdout


def test_inspect_of_what_is_not_trusted_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run(*BUNDLE)
    monkeypatch.setenv("STREAMAPP_KEYS", str(folder / "other keys"))
    result = _run("inspect", "b")
    assert result.exit_code == 0
    assert "UNTRUSTED" in result.stdout
    (folder / "b/seal.json").unlink()
    assert "none: formats that can run code will not be loaded" in _run("inspect", "b").stdout


@pytest.mark.parametrize(
    ("where", "says"),
    [("nowhere", "no bundle at"), ("train.csv", "a file stands"), ("no-such://x", "Protocol not known")],
)
def test_inspect_of_no_bundle_is_one_line(folder: Path, where: str, says: str) -> None:
    result = _run("inspect", where)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert says in result.stderr


def test_functions_of_a_model_are_found_in_the_working_directory(folder: Path) -> None:
    """As by the roles, which look there, too; what is nowhere is named with what to do."""
    Path("ours.py").write_text("def same(X):\n    return X\n")
    make = (
        "import joblib, pandas, ours; from sklearn.linear_model import LogisticRegression as L;"
        "from sklearn.pipeline import make_pipeline;"
        "from sklearn.preprocessing import FunctionTransformer as F;"
        "t = pandas.read_csv('test.csv');"
        "joblib.dump(make_pipeline(F(ours.same), L()).fit(t[['temp', 'hour']], t.label), 'model.joblib')"
    )
    # With -P the directory is not among the paths from the beginning, as it is not for an installed command.
    call = [sys.executable, "-P", "-c", "from streamapp.cli import main; main()", *BUNDLE]
    subprocess.run([sys.executable, "-c", make], check=True, timeout=60)
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    Path("ours.py").rename("yours.py")
    refused = _run(*BUNDLE)
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "No module named 'ours'; install ours, or start this where it lies" in refused.stderr


def test_a_real_process_packs_and_inspects(folder: Path) -> None:
    def run(*args: str) -> Any:
        command = [sys.executable, "-c", "from streamapp.cli import main; main()", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    packed = run(*BUNDLE)
    assert (packed.returncode, packed.stderr) == (0, "")
    inspected = run("inspect", "b", "--json")
    assert json.loads(inspected.stdout)["version"] in packed.stdout
    failed = run(*_with(target="nothing"))
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (1, "", 1)

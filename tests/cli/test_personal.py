"""What commands say of personal columns: one line each, and no value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.linear_model import LogisticRegression

from streamapp.cli import main
from streamapp.models import Bundle, Keys
from tests.cli.conftest import make_bundle

Cli = Callable[..., Result]
OFF = "needs the personal columns hour, which answers do not show: retraining and challengers that need them"


@pytest.fixture
def packing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run ``bundle`` on a model of temp and hour, whose reference has a column ``note``, too."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(8)
    table = pd.DataFrame({"temp": rng.normal(size=200), "hour": rng.integers(0, 24, 200)})
    label = np.where(table.temp + rng.normal(size=200) > 0, "busy", "calm")
    joblib.dump(LogisticRegression().fit(table, label), "model.joblib")
    table.assign(note="x", label=label).to_csv("train.csv", index=False)

    def run(*options: str) -> Result:
        line = [
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
        ]
        return CliRunner().invoke(main, [*line, *options])

    return run


def test_columns_are_marked_and_bundle_and_inspect_say_so(packing: Callable[..., Result]) -> None:
    result = packing("--personal", "hour=hash", "--personal", "note")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stdout.splitlines() if line.strip().startswith("hour")]
    assert line.split() == ["hour", "integer", "personal", "(hash)"]
    assert "personal      note: no inputs, and never written" in result.stdout
    signature = Bundle.inspect("b").signature
    assert (signature.withheld, signature.personal) == (("hour",), ("note",))
    said = CliRunner().invoke(main, ["inspect", "b"]).stdout
    assert "personal     hour (hash); note (no input); answers do not show the inputs among them" in said
    fields = json.loads(CliRunner().invoke(main, ["inspect", "b", "--json"]).stdout)
    assert fields["personal"] == ["note"]
    assert [(c.get("personal"), c["range"] is None) for c in fields["columns"]] == [
        (None, False),
        ("hash", True),
    ]


@pytest.mark.parametrize(
    ("option", "status", "message"),
    [
        ("hour=blur", 2, "'hour=blur' is not COLUMN, COLUMN=drop or COLUMN=hash"),
        ("huor", 1, "personal column 'huor' is not in the reference"),
        ("note=hash", 1, "personal column 'note' is no input of the model"),
    ],
)
def test_a_wrong_mark_is_refused(
    packing: Callable[..., Result], option: str, status: int, message: str
) -> None:
    result = packing("--personal", option)
    assert result.exit_code == status
    assert message in result.stderr


@pytest.mark.broker
def test_deploy_models_and_doctor_say_what_is_off(cli: Cli, tmp_path: Path, keys_folder: Path) -> None:
    private, rival = (
        make_bundle(tmp_path / str(seed), seed=seed, keys=keys_folder, personal={"hour": "hash"})
        for seed in (1, 2)
    )
    plain = make_bundle(tmp_path / "3", seed=3, keys=keys_folder)
    secret = Keys(keys_folder).secret
    secret.unlink(missing_ok=True)
    out = cli("deploy", private).stdout
    assert OFF in out
    assert f"the secret that hashes personal columns made now: {secret}; every score process" in out
    for challenger in (rival, plain):
        refused = cli("deploy", challenger, "--challenger", status=1).stderr
        assert (
            "needs the personal columns hour, which answers do not show, so it cannot be compared" in refused
        )
    assert OFF in cli("models").stdout
    (version,) = json.loads(cli("models", "--json").stdout)["versions"]
    assert (version["personal"], version["withheld"]) == (["hour"], ["hour"])
    assert OFF in cli("doctor").stdout
    assert "take some from a file with --rows" in cli("doctor", "--drift-test", status=1).stderr
    out = cli("deploy", plain).stdout
    assert "no longer personal, so written as they are: hour" in out
    assert OFF not in out
    assert OFF not in cli("models").stdout

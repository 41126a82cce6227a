from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.linear_model import LogisticRegression

from streamapp.cli import main
from streamapp.models import Bundle, Keys
from streamapp.runtime.broker import Broker

Cli = Callable[..., Result]


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(autouse=True)
def own_environment(keys_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, bundles and settings of the tests, not those of the person who runs them."""
    for name in [name for name in os.environ if name.startswith("STREAMAPP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STREAMAPP_KEYS", str(keys_folder))
    monkeypatch.setenv("STREAMAPP_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("STREAMAPP_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def name() -> str:
    """Name of a deployment of this test alone."""
    return f"cli-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def cli(broker: Broker, name: str) -> Cli:
    """Run a command on the deployment of this test, in this process."""

    def run(
        command: str,
        *arguments: object,
        input: bytes | None = None,
        status: int = 0,
        bootstrap: str = "",
        own_name: bool = True,
    ) -> Result:
        names = [name] if own_name else []
        line = [command, *names, *map(str, arguments), "--bootstrap", bootstrap or broker.bootstrap]
        result = CliRunner().invoke(main, line, prog_name="streamapp", input=input)
        assert result.exit_code == status, result.output
        if status == 1:
            assert len(result.stderr.splitlines()) == 1, result.stderr
        return result

    return run


def make_bundle(folder: Path, *, seed: int, keys: Path, **options: Any) -> str:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "temp": rng.normal(size=200),
            "hour": rng.integers(0, 24, size=200),
            "holiday": rng.random(200) < 0.3,
        }
    )
    frame.loc[:9, "temp"] = np.nan
    y = np.where(frame["hour"] + rng.normal(size=200) > 12, "busy", "calm")
    model = LogisticRegression().fit(frame.fillna(0), y)
    bundle = Bundle.create(
        model, frame.fillna(0), y, name="bikes", nullable=["temp"], created_at_ms=seed, **options
    )
    return bundle.save(folder, key=Keys(keys).local()[0]).removeprefix("file://")


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, keys_folder: Path) -> list[str]:
    """Folders of two bundles for the same task."""
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / str(seed), seed=seed, keys=keys_folder) for seed in (1, 2)]


@pytest.fixture(scope="session")
def versions(bundles: list[str]) -> list[str]:
    return [Bundle.inspect(folder).version for folder in bundles]

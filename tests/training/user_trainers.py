"""Functions as users write them, good and bad."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from skl2onnx import to_onnx
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from streamapp.training import TrainingData

NUMBER = 3
SEEN = "_streamapp_seen"


def forest(data: TrainingData) -> Any:
    """Another estimator than the champion's, with settings of its own."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["weather"]), remainder="passthrough"
    )
    return make_pipeline(encode, RandomForestClassifier(20, min_samples_leaf=5)).fit(data.X, data.y)


def scaled(data: TrainingData) -> Any:
    """Of one column of numbers; leaves what it was given on its estimator."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.X, data.y)
    model.given_ = (list(data.X.columns), data.y.dtype.kind, data.times, data.champion.version)
    return model


def on_arrays(data: TrainingData) -> Any:
    """Fitted without names."""
    return LogisticRegression().fit(data.X.to_numpy(), data.y)


def alike(data: TrainingData) -> Any:
    """Do what refit does, by hand."""
    return clone(data.champion.estimator).fit(data.X, data.y)


def some_columns(data: TrainingData) -> Any:
    return LogisticRegression().fit(data.X[["temp"]], data.y)


def regressor(data: TrainingData) -> Any:
    return Ridge().fit(data.X[["temp", "temp"]].to_numpy(), np.ones(len(data.y)))


def nothing(data: TrainingData) -> Any:
    return None


def raising(data: TrainingData) -> Any:
    raise ValueError("no such\ncolumn")


def leaving(data: TrainingData) -> Any:
    sys.exit("enough")


def dying(data: TrainingData) -> Any:
    os._exit(3)


def hanging(data: TrainingData) -> Any:
    """Never end, and neither does the process that it starts; write down its id."""
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    Path(os.environ["CHILD_PID_FILE"]).write_text(str(child.pid))
    signal.pause()


def hoarding(data: TrainingData) -> Any:
    """Take a gigabyte, keep it, and wait."""
    taken = mmap.mmap(-1, 1_000_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(taken), 4096):
        taken[page] = 1
    signal.pause()


def reserving(data: TrainingData) -> Any:
    """Reserve a hundred gigabytes of addresses, as threads do, and touch none."""
    kept = mmap.mmap(-1, 100_000_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)
    model = alike(data)
    kept.close()
    return model


def of_two(data: TrainingData, more: Any) -> Any:
    return None


def converted(data: TrainingData) -> Any:
    """Of one column of numbers, as ONNX: an ``onnx.ModelProto``."""
    model = LogisticRegression().fit(data.X.to_numpy(), data.y)
    proto = to_onnx(model, data.X.to_numpy(dtype=np.float32)[:1], options={"zipmap": False})
    del proto.graph.output[0]
    return proto

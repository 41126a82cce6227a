"""Time per batch of one model in several formats: ``python tests/benchmarks/models/bench_formats.py``.

20 columns of floats, as the scorer asks: from columns to checked answers, the best of several rounds.
"""

from __future__ import annotations

import logging
import time
import warnings
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from streamapp.models import Bundle
from streamapp.models.convert import to_onnx
from streamapp.models.formats.tensorflow import import_tensorflow

BATCHES = (1, 100, 2_000)
ROUNDS = 15


def microseconds(bundle: Bundle, X: Any) -> list[float]:
    """Return the time of one batch of each size."""
    times = []
    for n in BATCHES:
        columns = {name: X[:n, i].copy() for i, name in enumerate(bundle.signature.names)}
        rounds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            bundle.predict_columns(columns)
            rounds.append(time.perf_counter() - start)
        times.append(min(rounds) * 1e6)
    return times


def bundles(X: Any, y: Any) -> dict[str, Bundle]:
    """Return what is compared, by its name."""
    made = {}
    for model in (LogisticRegression(), RandomForestClassifier(50, max_depth=8, random_state=0)):
        kind = type(model).__name__
        made[f"{kind}, joblib"] = Bundle.create(model.fit(X, y), X, y, name="m")
        found = to_onnx(model, X, y)
        made[f"{kind}, onnx"] = Bundle.create(
            found.network, X, y, name="m", format="onnx", classes=found.classes
        )
    keras = import_tensorflow().keras
    layers = [keras.Input((20,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(2, "softmax")]
    for name in ("keras", "tensorflow"):
        made[f"32 units, {name}"] = Bundle.create(keras.Sequential(layers), X, y, name="m", format=name)
    return made


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel("ERROR")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4_000, 20))
    y = np.where(X[:, 0] + rng.normal(size=4_000) > 0, "busy", "calm")
    print(f"{'µs per batch of':<34}" + "".join(f"{n:>10,}" for n in BATCHES))
    for name, bundle in bundles(X, y).items():
        print(f"{name:<34}" + "".join(f"{t:>10,.0f}" for t in microseconds(bundle, X)), flush=True)


if __name__ == "__main__":
    main()

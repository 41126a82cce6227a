"""Microseconds per row of each stage of an answer: ``python tests/benchmarks/serving/bench_scorer.py``."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from streamapp.messages import InRecord, ModelRef, encode_batches
from streamapp.models import Bundle
from streamapp.serving.columns import RowReader
from streamapp.serving.decode import decode_batch
from streamapp.serving.encode import AnswerWriter, RowAnswers
from streamapp.serving.panes import PaneBook
from streamapp.serving.predict import predict_rows
from streamapp.serving.scorer import Scorer

LIMIT = 1 << 21
BATCH_LIMIT_BYTES = 900_000
BATCHES = (1, 100, 500, 2_000)


def main() -> None:
    """Print one table per model."""
    gc.collect()  # as a role does: runtime/worker.py
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    for title, (model, X, y) in {"20 floats": floats(), "10 mixed columns": mixed()}.items():
        bundle = Bundle.create(model.fit(X, y), X, y, name="bench", created_at_ms=0, holdout=(X, y))
        rows = bundle.signature.to_rows(bundle.signature.from_frame(X))
        values = [orjson.dumps({"id": f"r-{i}", "features": row}) for i, row in enumerate(rows)]
        print(f"\n{title}, {len(values[0])} bytes per request; us per row, best of several")
        table = {batch: measure(bundle, values, batch) for batch in BATCHES}
        print(f"{'stage':<28}" + "".join(f"{batch:>10,}" for batch in BATCHES))
        for stage in table[1]:
            print(f"{stage:<28}" + "".join(f"{table[batch][stage]:>10.2f}" for batch in BATCHES))


def floats() -> tuple[Any, pd.DataFrame, np.ndarray]:
    """20 columns of floats."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(2_000, 20)), columns=[f"f{i}" for i in range(20)])
    return LogisticRegression(), X, np.where(X["f0"] + rng.normal(size=len(X)) > 0, "busy", "calm")


def mixed() -> tuple[Any, pd.DataFrame, np.ndarray]:
    """Four floats, two integers, a boolean, three strings; some missing."""
    rng = np.random.default_rng(2)
    n = 2_000
    X = pd.DataFrame({f"f{i}": rng.normal(size=n) for i in range(4)})
    X["hour"], X["day"] = rng.integers(0, 24, n), rng.integers(0, 7, n)
    X["holiday"] = rng.random(n) < 0.1
    X["weather"] = rng.choice(["mist", "clear", "rain"], n)
    X["station"] = rng.choice([f"s{i}" for i in range(30)], n)
    X["carrier"] = rng.choice(["AA", "UA", "DL"], n)
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["weather", "station", "carrier"]), remainder="passthrough"
    )
    y = np.where(X["f0"] + rng.normal(size=n) > 0, "busy", "calm")
    return make_pipeline(encoder, LogisticRegression(max_iter=500)), X, y


def measure(bundle: Bundle, values: list[bytes], batch: int) -> dict[str, float]:
    """Return us per row of each stage, and of all together."""
    records = [InRecord(0, i, 1_304_323_200_000 + i, b"%d" % i, values[i]) for i in range(batch)]
    reader = RowReader(bundle.signature)
    features = [orjson.dumps(orjson.loads(value)["features"]) for value in values[:batch]]
    rows = list(map(reader.decode, features))
    decoded = decode_batch(records, reader, max_request_bytes=LIMIT)
    outcome = predict_rows(bundle, decoded.columns, batch)
    writer = AnswerWriter("bench", topic="bench.requests", max_bytes=LIMIT)
    ref = ModelRef(name="bench", version=bundle.version)
    scorer = Scorer("bench", max_request_bytes=LIMIT, max_answer_bytes=LIMIT)
    answers = scorer.answer(records, bundle, 0)
    counted = answers.counted

    def encode(features: list[bytes] | None) -> None:
        answers = RowAnswers(outcome.labels, outcome.probabilities, outcome.classes, features)
        list(writer.predictions(records, decoded.ids, decoded.times_ms, answers, model=ref, now_ms=4))

    def observe() -> None:
        bundle.profile.summarize(counted.columns, counted.outputs)

    def save() -> None:
        book = PaneBook()
        book.observe(0, counted, version="v", profile=bundle.profile, now_ms=0)
        book.save(0, closing={0})

    stages: dict[str, Callable[[], object]] = {
        "rows from JSON": lambda: list(map(reader.decode, features)),
        "rows to columns": lambda: reader.read(rows),
        "decode_batch, all of it": lambda: decode_batch(records, reader, max_request_bytes=LIMIT),
        "predict": lambda: predict_rows(bundle, decoded.columns, batch),
        "encode": lambda: encode(decoded.features),
        "encode without features": lambda: encode(None),
        "Scorer.answer, all of it": lambda: scorer.answer(records, bundle, 0),
        "record batches": lambda: list(
            encode_batches(answers.outputs, time_ms=0, max_bytes=BATCH_LIMIT_BYTES)
        ),
        "summary": observe,
        "summary and a closing save": save,
    }
    return {stage: best(run) / batch for stage, run in stages.items()}


def best(run: Callable[[], object]) -> float:
    """Return the shortest of many runs, in us."""
    shortest, until = float("inf"), time.perf_counter() + 0.4
    while time.perf_counter() < until:
        start = time.perf_counter()
        run()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest * 1e6


if __name__ == "__main__":
    main()

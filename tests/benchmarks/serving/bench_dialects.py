"""CPU of requests in V2 and V1 against the same rows as native ones, in turns.

``python tests/benchmarks/serving/bench_dialects.py``: per row, of :meth:`Scorer.answer`, record batches and
the summary of a pane; the ratio is the median over rounds.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import orjson

from streamapp.messages import InRecord, encode_batches
from streamapp.models import Bundle
from streamapp.serving.scorer import Scorer
from tests.benchmarks.serving.bench_scorer import BATCH_LIMIT_BYTES, LIMIT, floats, mixed

ROUNDS = 40
SEVERAL = 20
DATATYPES = {"float": "FP64", "integer": "INT64", "boolean": "BOOL", "string": "BYTES"}


def main() -> None:
    """Print one table per model."""
    gc.collect()  # as a role does: runtime/worker.py
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    for title, (model, X, y) in {"20 floats": floats(), "10 mixed columns": mixed()}.items():
        bundle = Bundle.create(model.fit(X, y), X, y, name="bench", created_at_ms=0, holdout=(X, y))
        rows = bundle.signature.to_rows(bundle.signature.from_frame(X))
        runs = {name: answering(bundle, values) for name, values in requests(bundle, rows).items()}
        took: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                took[name].append(seconds(run) / len(rows) * 1e6)
        print(f"\n{title}: us per row, best; times native, median")
        for name, each in took.items():
            ratio = statistics.median(a / b for a, b in zip(each, took["native"], strict=True))
            print(f"{name:<36}{min(each):>8.2f}{ratio:>8.2f}")


def requests(bundle: Bundle, rows: list[dict[str, Any]]) -> dict[str, list[bytes]]:
    """Return the same rows as requests of each kind."""
    columns = bundle.signature.columns

    def by_column(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "name": c.name,
                "shape": [len(some)],
                "datatype": DATATYPES[c.dtype],
                "data": [r[c.name] for r in some],
            }
            for c in columns
        ]

    def in_one(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
        data = [row[c.name] for row in some for c in columns]
        return [{"name": "rows", "shape": [len(some), len(columns)], "datatype": "FP64", "data": data}]

    parts = [rows[at : at + SEVERAL] for at in range(0, len(rows), SEVERAL)]
    kinds: dict[str, list[dict[str, Any]]] = {
        "native": [{"features": row} for row in rows],
        "V2, a tensor per column": [{"inputs": by_column([row])} for row in rows],
        f"V2, a tensor per column, {SEVERAL} rows": [{"inputs": by_column(some)} for some in parts],
        "V1, objects": [{"instances": [row]} for row in rows],
        f"V1, {SEVERAL} objects": [{"instances": some} for some in parts],
    }
    if all(column.dtype == "float" for column in columns):
        kinds["V2, one tensor"] = [{"inputs": in_one([row])} for row in rows]
        kinds[f"V2, one tensor, {SEVERAL} rows"] = [{"inputs": in_one(some)} for some in parts]
    return {
        name: [orjson.dumps({"id": f"r-{i}", **body}) for i, body in enumerate(bodies)]
        for name, bodies in kinds.items()
    }


def answering(bundle: Bundle, values: list[bytes]) -> Callable[[], None]:
    """Return what answers all of these requests at once."""
    records = [InRecord(0, i, 1_304_323_200_000 + i, b"%d" % i, value) for i, value in enumerate(values)]
    scorer = Scorer("bench", max_request_bytes=LIMIT, max_answer_bytes=LIMIT)

    def run() -> None:
        answers = scorer.answer(records, bundle, 0)
        assert answers.counters.predictions == len(records)
        list(encode_batches(answers.outputs, time_ms=0, max_bytes=BATCH_LIMIT_BYTES))
        bundle.profile.summarize(answers.counted.columns, answers.counted.outputs)

    return run


def seconds(run: Callable[[], None]) -> float:
    """Return the CPU time of a run."""
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    main()

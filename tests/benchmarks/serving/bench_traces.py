"""Microseconds per request that traces cost: ``python tests/benchmarks/serving/bench_traces.py``."""

from __future__ import annotations

import time

from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streamapp.messages import Header, InRecord, ModelRef, OutRecord, event_headers
from streamapp.runtime.traces import Traces
from streamapp.settings import Settings

BATCH, RUNS = 500, 40
CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"


def main() -> None:
    """Print one line per kind of traffic."""
    for title, share, headers in (
        ("no context, none sampled", 1e-9, []),
        ("no context, one in a hundred sampled", 0.01, []),
        ("no context, all sampled", 1.0, []),
        ("with a context that is not sampled", 1.0, [("traceparent", f"{CONTEXT}0".encode())]),
        ("with a context that is sampled", 1.0, [("traceparent", f"{CONTEXT}1".encode())]),
    ):
        print(f"{title:<40}{measure(share, headers):>8.2f} us per request")


def measure(share: float, headers: list[Header]) -> float:
    """Return the best of some batches."""
    settings = Settings.of(name="bench", role="score", traces=share)
    traces = Traces(settings, BatchSpanProcessor(InMemorySpanExporter()))
    took = []
    for run in range(RUNS):
        offsets = range(run * BATCH, (run + 1) * BATCH)
        requests = [InRecord(0, offset, 0, b"k", b"{}", headers) for offset in offsets]
        answers = [OutRecord.of(0, b"k", b"{}", [*event_headers("bench", "t", "i", 0), *headers])] * BATCH
        began = time.perf_counter()
        traces.answered(
            requests,
            answers,
            topic="bench.requests",
            codes={},
            model=ModelRef(name="bench", version="abc"),
            began_ns=0,
            max_bytes=1 << 20,
        )
        took.append((time.perf_counter() - began) / BATCH)
    traces.close()
    return min(took) * 1e6


if __name__ == "__main__":
    main()

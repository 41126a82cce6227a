"""Tables of what was measured: medians, smallest and largest, ratios to the loops by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from tests.benchmarks.peers.throughput import Row

__all__ = ["table"]

_LOOPS = {"aiokafka_loop": "aiokafka", "confluent_loop": "confluent"}

# Of each measure: what is shown, under which title, and whether its ratios to the loops are shown as well.
_COLUMNS: dict[str, dict[str, tuple[str, bool]]] = {
    "drain": {
        "per_s": ("requests/s", True),
        "per_s_later": ("from 5 %", False),
        "cpu_us": ("CPU us", True),
        "broker_us": ("broker us", False),
        "rss_mb": ("peak MB", False),
        "repeated": ("repeated", False),
        "others": ("others' cores", False),
    },
    "start": {
        "ready_s": ("ready s", False),
        "answer_s": ("answer s", True),
        "cpu_s": ("CPU s", False),
        "ready_s_killed": ("killed: ready s", False),
        "answer_s_killed": ("answer s", False),
        "cpu_s_killed": ("CPU s", False),
    },
    "stop": {
        "stop_s": ("stop s", False),
        "status": ("status", False),
        "at_stop": ("answers then", False),
        "answer_s": ("next answer s", False),
        "missing": ("missing", False),
        "repeated": ("repeated", False),
    },
    "second": {
        "cpu_us": ("CPU us", False),
        "all_cpu_us": ("from load on", False),
        "per_s": ("requests/s", False),
        "broker_us": ("broker us", False),
        "least_share": ("least share", False),
        "rss_mb": ("peak MB", False),
        "missing": ("missing", False),
        "repeated": ("repeated", False),
    },
    "predict": {
        "cpu_us": ("CPU us", True),
        "model_us": ("in model", False),
        "beside_us": ("beside it", True),
        "model_share": ("share", False),
        "rows_per_call": ("rows/call", False),
    },
    "memory": {
        "rss_mb": ("peak MB", True),
        "answered": ("answered", False),
        "per_s_seen": ("requests/s", False),
        "cpu_us": ("CPU us", False),
    },
}


def table(measure: str, results: Mapping[str, Sequence[Row]], *, rates: Sequence[int] = ()) -> str:
    """Return the table of one measure.

    Parameters
    ----------
    measure
        Which one it is.
    results
        Contender to its rounds.
    rates
        Of the latencies.
    """
    if measure == "latency":
        return "\n".join(_table(f"latency at {rate:,}/s", _at_rate(rate), results) for rate in rates)
    return _table(measure, _COLUMNS[measure], results)


def _at_rate(rate: int) -> dict[str, tuple[str, bool]]:
    return {
        f"p50_{rate}": ("p50 ms", True),
        f"p99_{rate}": ("p99 ms", True),
        f"max_{rate}": ("max ms", False),
        f"cpu_us_{rate}": ("CPU us", True),
        f"missing_{rate}": ("missing", False),
        f"others_{rate}": ("others' cores", False),
    }


def _table(title: str, columns: Mapping[str, tuple[str, bool]], results: Mapping[str, Sequence[Row]]) -> str:
    shown = [(key, name) for key, (name, _) in columns.items()]
    compared = [(key, name) for key, (name, wanted) in columns.items() if wanted]
    loops = [loop for loop in _LOOPS if any(name.startswith(loop) for name in results)]
    heads = [name for _, name in shown]
    heads += [f"{name} / {_LOOPS[loop]}" for _, name in compared for loop in loops]
    lines = [[title, *heads]]
    for contender, rows in results.items():
        cells = [_cell([row[key] for row in rows if key in row]) for key, _ in shown]
        cells += [
            _ratio(key, rows, results, _rival(contender, loop)) for key, _ in compared for loop in loops
        ]
        lines.append([contender, *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() + "\n"
        for line in lines
    )


def _rival(contender: str, loop: str) -> str:
    """Return the row to compare with: that of the same case, which stands behind a comma."""
    return ",".join([loop, *contender.split(",")[1:]])


def _ratio(key: str, rows: Sequence[Row], results: Mapping[str, Sequence[Row]], rival: str) -> str:
    mine = [row[key] for row in rows if key in row]
    theirs = [row[key] for row in results.get(rival, ()) if key in row]
    return f"{median(mine) / median(theirs):.2f}" if mine and theirs and median(theirs) else "-"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "-"
    low, middle, high = map(_number, (min(values), median(values), max(values)))
    return middle if low == high else f"{middle} ({low}..{high})"


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"

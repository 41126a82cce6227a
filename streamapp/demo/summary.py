"""The demo's report: what was answered, against what January's model alone would have answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.demo.flights import LATE
from streamapp.demo.record import Record

__all__ = ["Score", "report_of", "score", "text_of"]

Floats = npt.NDArray[np.float64]

_LEAST_P = 1e-6
_NEW_YORK_MS = 5 * 3_600_000


@dataclass(frozen=True, slots=True)
class Score:
    """How good probabilities were.

    Attributes
    ----------
    brier
        Mean half squared distance, in [0, 1].
    log_loss
        Mean, nats; probabilities are kept 1e-6 away from 0 and 1.
    accuracy
        Share of flights whose more probable outcome came true.
    """

    brier: float
    log_loss: float
    accuracy: float


def score(p_late: Floats, is_late: npt.NDArray[np.bool_]) -> Score | None:
    """Return the score of probabilities (n,) for what happened, (n,); None for n = 0.

    Examples
    --------
    >>> score(np.array([0.8, 0.4]), np.array([True, False]))
    Score(brier=0.1, log_loss=0.367, accuracy=1.0)
    """
    if not len(p_late):
        return None
    p = np.clip(p_late, _LEAST_P, 1 - _LEAST_P)
    return Score(
        round(float(((p_late - is_late) ** 2).mean()), 4),
        round(float(-np.log(np.where(is_late, p, 1 - p)).mean()), 4),
        round(float(((p_late > 0.5) == is_late).mean()), 4),
    )


def report_of(record: Record, static: Floats, *, seconds: float) -> dict[str, Any]:
    """Return the report of the contract, JSON-able, with log-loss and accuracy beside the error.

    Parameters
    ----------
    record
        Of the whole run.
    static
        January's probabilities of "late", (n,).
    seconds
        That feeding took, waits included.
    """
    flights, counted = record.flights, record.is_labelled & ~np.isnan(record.p_late)
    is_late = flights.labels[counted] == LATE
    scores = {"static": score(static[counted], is_late), "adaptive": score(record.p_late[counted], is_late)}
    latency = record.latency_ms[~np.isnan(record.latency_ms)]
    trained = [model for model in record.models.values() if model.caused_by is not None]
    return {
        "requests": record.requests,
        "predictions": record.answered - record.rejections,
        "rejections": record.rejections,
        "dead_letters": record.dead_letters,
        "labels": record.labels,
        "labelled": record.labelled,
        "alerts": [
            {
                "kind": alert.kind,
                "subject": alert.subject,
                "opened_after_requests": int(np.searchsorted(flights.asked_ms, alert.opened_at, "right")),
                "state": alert.state,
            }
            for alert in sorted(record.alerts.values(), key=lambda alert: alert.opened_at)
        ],
        "retrains": len(trained),
        "promotions": max(len(record.pointers) - 1 - len(record.rolled_back), 0),
        "rollbacks": len(record.rolled_back),
        "rejected_challengers": sum(model.state == "rejected" for model in trained),
        **{f"error_{who}": None if each is None else each.brier for who, each in scores.items()},
        "error_metric": "brier",
        **{f"log_loss_{who}": None if each is None else each.log_loss for who, each in scores.items()},
        **{f"accuracy_{who}": None if each is None else each.accuracy for who, each in scores.items()},
        "latency_ms": {
            f"p{q}": round(float(np.percentile(latency, q)), 1) if len(latency) else None for q in (50, 99)
        },
        "requests_per_s": round(record.requests / seconds, 1) if seconds > 0 else None,
        "seconds": round(seconds, 1),
        "model_versions": list(record.versions),
    }


def text_of(record: Record, static: Floats, report: dict[str, Any]) -> str:
    """Return the summary for people: by month, then the whole."""
    flights, counted = record.flights, record.is_labelled & ~np.isnan(record.p_late)
    months = (flights.asked_ms - _NEW_YORK_MS).astype("datetime64[ms]").astype("datetime64[M]")
    lines = [
        "",
        "            flights   brier loss          log-loss            accuracy           answered by",
        "                      January  as given   January  as given   January  as given",
    ]
    for month in np.unique(months[counted]):
        part = counted & (months == month)
        by = np.unique(record.answered_by[part])
        names = ", ".join(record.versions[i][:6] for i in by.tolist() if i >= 0)
        name = month.astype(object).strftime("%B")
        lines.append(f"{name:<10}{_row(record, static, part)}   {names}")
    lines.append(f"{'all':<10}{_row(record, static, counted)}")
    latency = report["latency_ms"]
    lines += [
        "",
        f"{report['requests']:,} requests: {report['predictions']:,} predictions, "
        f"{report['rejections']:,} rejections; {report['labelled']:,} of {report['labels']:,} labels joined",
        f"{len(report['alerts'])} alerts, {report['retrains']} retrainings, "
        f"{report['promotions']} promotions, {report['rejected_challengers']} challengers rejected"
        + (f", {report['rollbacks']} rolled back" if report["rollbacks"] else ""),
        *(_rollback(record, version) for version in record.rolled_back),
        f"{report['seconds']:,.0f} s, {report['requests_per_s'] or 0:,.0f} requests/s; at this speed half "
        f"were answered within {latency['p50'] or 0:,.0f} ms, 99 % within {latency['p99'] or 0:,.0f} ms",
    ]
    if report["error_static"] is not None:
        better = 1 - report["error_adaptive"] / report["error_static"]
        lines.append(
            f"January's model alone: brier loss {report['error_static']:.4f}. As answered: "
            f"{report['error_adaptive']:.4f}, {abs(better):.1%} {'better' if better >= 0 else 'worse'}."
        )
    return "\n".join(lines)


def _rollback(record: Record, version: str) -> str:
    answered = int((record.answered_by == record.versions.index(version)).sum())
    return f"{version} was {record.rolled_back[version]}; it gave {answered:,} answers"


def _row(record: Record, static: Floats, part: npt.NDArray[np.bool_]) -> str:
    is_late = record.flights.labels[part] == LATE
    one, other = score(static[part], is_late), score(record.p_late[part], is_late)
    if one is None or other is None:
        return f"{0:>9}"
    pairs = ((one.brier, other.brier), (one.log_loss, other.log_loss), (one.accuracy, other.accuracy))
    return f"{int(part.sum()):>9,}" + "".join(f"    {a:.4f}    {b:.4f}" for a, b in pairs)

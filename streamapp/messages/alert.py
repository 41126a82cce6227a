"""Alerts with a life: opened, updated, resolved."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field

from streamapp.messages.base import Message, Time
from streamapp.messages.prediction import ModelRef

__all__ = [
    "Alert",
    "AlertKind",
    "AlertState",
    "DriftedFeature",
    "InputShare",
    "Resolution",
    "Severity",
    "Verdict",
    "Window",
]

AlertKind = Literal[
    "input", "correlation", "missing", "output", "target", "accuracy",
    "latency", "no-data", "stale-model", "model-refused",
]  # fmt: skip
AlertState = Literal["opened", "updated", "resolved"]
Resolution = Literal["cleared", "rebased"]
Severity = Literal["info", "warning", "critical"]


class DriftedFeature(Message):
    """A column or output that drifts now; of a changed correlation, the column that is to blame."""

    name: str
    aspect: str = Field(
        description="What moved: location, scale, skew, tails, missing, levels, rare, unseen, correlation, "
        "dependence, …; of texts length, length spread, characters; of times hour, weekday, unreadable; "
        "of a segment loss."
    )
    with_: str | None = Field(
        default=None, alias="with", description="The other column of a changed correlation."
    )
    effect: float = Field(
        description="Size: standard deviations for numbers, change of share for categories."
    )
    psi: float | None = Field(
        default=None, description="Population stability index, nats, on the reference bins."
    )
    share: float = Field(description="Share of this entry in all that drifts, 0 to 1.")


class Window(Message):
    """The requests that an alert speaks of."""

    from_: Time = Field(alias="from")
    to: Time
    events: int
    partitions: dict[str, tuple[int, int]] = Field(
        default_factory=dict, description="Partition to [first offset, next offset)."
    )


class InputShare(Message):
    """What one input contributes to a shift of the outputs."""

    name: str
    share: float


class Verdict(Message):
    """Why the outputs moved."""

    cause: Literal["model-changed", "inputs", "unexplained", "no-verdict"]
    inputs: list[InputShare] = []
    unexplained: float | None = None
    since: dict[str, int] | None = None

    @property
    def sentence(self) -> str:
        """The verdict for people.

        Examples
        --------
        >>> Verdict(cause="inputs", inputs=[InputShare(name="temp", share=0.7)], unexplained=0.1).sentence
        'because of its inputs: temp 70 %; 10 % unexplained'
        """
        rest = "" if self.unexplained is None else f"{100 * self.unexplained:.0f} % unexplained"
        if self.cause == "inputs":
            shares = ", ".join(f"{each.name} {100 * each.share:.0f} %" for each in self.inputs[:3])
            return "; ".join(
                filter(None, ["because of its inputs" + (f": {shares}" if shares else ""), rest])
            )
        if self.cause == "unexplained":
            return "not explained by its inputs" + (f" ({rest})" if rest else "")
        if self.cause == "model-changed":
            since = ", ".join(f"{partition}:{at}" for partition, at in (self.since or {}).items())
            return "because another model answers" + (f" since {since}" if since else "")
        return "why cannot be said: too few rows like those of before"


class Alert(Message):
    """One state of one alert. Of a kind, one alert is open at a time."""

    ce_type = "streamapp.alert.v1"

    id: str
    state: AlertState
    kind: AlertKind
    subject: str = Field(
        description="What opened it; A~B for a correlation, COLUMN|CLASS for a column given a label, "
        "COLUMN=LEVEL for the accuracy of a segment. Never changes."
    )
    severity: Severity = "warning"
    model: ModelRef | None = None
    summary: str
    features: list[DriftedFeature] = []
    window: Window | None = None
    false_alarm_every: int | None = None
    clear_after: int | None = Field(
        default=None,
        description="Requests, or labelled rows, without drift that resolve it, as set.",
    )
    drift: dict[str, dict[str, Any]] | None = Field(
        default=None, description="Choices of settings for columns, over those of the bundle; absent if none."
    )
    verdict: Verdict | None = None
    caused_by: str | None = None
    resolution: Resolution | None = None
    from_clock: bool = False
    opened_at: Time
    updated_at: Time

    @property
    def key(self) -> bytes:
        """The record key: ``KIND/SUBJECT``."""
        return f"{self.kind}/{self.subject}".encode()

    def resolved(self, resolution: Resolution, *, at_ms: int = 0, summary: str | None = None) -> Self:
        """Return its end, at `at_ms` but not before what was said last; without `summary` as it read."""
        return self.model_copy(
            update={
                "state": "resolved",
                "resolution": resolution,
                "summary": self.summary if summary is None else summary,
                "updated_at": max(self.updated_at, at_ms),
            }
        )

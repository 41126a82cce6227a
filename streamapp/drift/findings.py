"""What is said of one drifted column, pair or output, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamapp.drift.blame import blame
from streamapp.drift.span import Span
from streamapp.messages import DriftedFeature, format_time

__all__ = ["Finding", "change", "drifted_features", "percent", "sentence", "since"]

_DAY_MS = 86_400_000
_ROW_NUMBERS_MS = 365 * _DAY_MS
"""Times in the first year of the epoch are row numbers (a table without times): no stream is that old."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What drifts, and how much."""

    name: str
    """Of a column or an output; ``A~B`` of a pair."""
    columns: tuple[str, ...]
    """That column, or the two of the pair."""
    unrest: tuple[float, ...]
    """Of a pair, for each of the two: how surely its other correlations have faded with this one, z²."""
    aspect: str
    level: str | None
    effect: float
    """Standard deviations for numbers, change of share or correlation for the rest."""
    before: float
    now: float
    """Mean, share or correlation in the reference and in the window."""
    z: float
    size: float
    """Effect size on the scale of :func:`streamapp.drift.effects.sizes`."""
    psi: float | None


def drifted_features(findings: Sequence[Finding]) -> list[DriftedFeature]:
    """Return `findings` as they stand in an alert; shares go by z², the evidence, and sum to 1.

    Pairs are told by the column that is to blame, with the other one beside it.
    """
    total = sum(finding.z**2 for finding in findings)
    pairs = {(f.columns[0], f.columns[1]): f for f in findings if len(f.columns) == 2}
    told: list[tuple[str, str | None, Finding, float]] = [
        (finding.name, None, finding, finding.z**2) for finding in findings if len(finding.columns) == 1
    ]
    unrest = {name: sum_ for f in pairs.values() for name, sum_ in zip(f.columns, f.unrest, strict=True)}
    for (lead, other), weight in blame({pair: finding.z**2 for pair, finding in pairs.items()}, unrest):
        told.append((lead, other, pairs.get((lead, other)) or pairs[other, lead], weight))
    return [
        DriftedFeature(
            name=name,
            aspect=finding.aspect,
            with_=other,
            effect=round(finding.effect, 4),
            psi=None if finding.psi is None else round(finding.psi, 4),
            share=round(weight / total, 4),
        )
        for name, other, finding, weight in told
    ]


def sentence(kind: str, subject: str, findings: Sequence[Finding], span: Span) -> str:
    """Return one sentence for people: what has moved how far since when, and how many others.

    Parameters
    ----------
    kind
        Of the alert.
    subject
        Of the alert; if it does not drift any more the sentence speaks of the first finding.
    findings
        Ranked; at least one.
    span
        Of the alarming window.

    Examples
    --------
    >>> moved = Finding("temp", ("temp",), (), "location", None, 0.8, 0.0, 0.74, 9.1, 0.74, 0.41)
    >>> sentence("input", "temp", [moved], Span(1304294400000, 1304467200000, 640))
    'temp has moved up by 0.8 sd since 2011-05-02'
    """
    lead = next((finding for finding in findings if finding.name == subject), findings[0])
    others = len(findings) - 1
    noun = {"correlation": "pair", "output": "output"}.get(kind, "column")
    tail = f" ({others} other {noun}{'' if others == 1 else 's'} too)" if others else ""
    return f"{change(lead)} since {since(span)}{tail}"


_IN_SD = {
    ("location", True): "{name} has moved up by {effect:.2g} sd",
    ("location", False): "{name} has moved down by {effect:.2g} sd",
    ("scale", True): "{name} spreads wider by {effect:.2g} sd of its scale",
    ("scale", False): "{name} spreads less by {effect:.2g} sd of its scale",
    ("skew", True): "{name} is skewed more to the right",
    ("skew", False): "{name} is skewed more to the left",
    ("tails", True): "{name} has heavier tails",
    ("tails", False): "{name} has lighter tails",
    ("length", True): "{name} has become longer by {effect:.2g} sd",
    ("length", False): "{name} has become shorter by {effect:.2g} sd",
    ("length spread", True): "the length of {name} spreads wider by {effect:.2g} sd of its scale",
    ("length spread", False): "the length of {name} spreads less by {effect:.2g} sd of its scale",
}
_IN_SHARES = {
    "low tail": "{name} has gone from {before} to {now} in its low tail",
    "high tail": "{name} has gone from {before} to {now} in its high tail",
    "below range": "{name} has gone from {before} to {now} below its range",
    "above range": "{name} has gone from {before} to {now} above its range",
    "levels": "{name}={level} has gone from {before} to {now}",
    "characters": "{name} has gone from {before} to {now} of texts with {level}",
    "rare": "{name} has gone from {before} to {now} in group {level} of its rare values",
    "hour": "{name} has gone from {before} to {now} at {level}",
    "weekday": "{name} has gone from {before} to {now} on {level}",
    "unreadable": "{name} has gone from {before} to {now} of values that are no times",
    "unseen": "{name} has gone from {before} to {now} of values never seen before",
    "missing": "{name} has gone from {before} to {now} missing",
}


def change(found: Finding) -> str:
    """Return what has moved how far, for people."""
    if found.aspect == "dependence":
        return "many numeric columns depend on each other otherwise than in the reference"
    if found.aspect == "correlation":
        return f"the correlation of {found.name} has gone from {found.before:.2f} to {found.now:.2f}"
    in_sd = _IN_SD.get((found.aspect, found.effect > 0))
    if in_sd is not None:
        return in_sd.format(name=found.name, effect=abs(found.effect))
    before, now = percent(found.before), percent(found.now)
    return _IN_SHARES[found.aspect].format(name=found.name, level=found.level, before=before, now=now)


def percent(share: float) -> str:
    """Return a share for people."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def since(span: Span) -> str:
    """Return when `span` begins: a day, a minute of it if it is shorter than a day, or a row's number."""
    if 0 <= span.to_ms < _ROW_NUMBERS_MS:
        return f"row {span.from_ms}"
    text = format_time(span.from_ms)
    return text[:10] if span.to_ms - span.from_ms >= _DAY_MS else f"{text[:10]} {text[11:16]} UTC"

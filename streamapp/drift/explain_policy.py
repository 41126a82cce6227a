"""What is tested of each column, from how many rows on, with which part of the budget, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from streamapp.drift.detector import Detector, Part
from streamapp.drift.effects import FLOOR
from streamapp.drift.scan import WINDOWS
from streamapp.drift.statistics import exact_small_counts, signed_root
from streamapp.profile import ColumnPolicy, DriftPolicy, Profile
from streamapp.profile.mixtures import EACH_OTHER
from streamapp.profile.subjects import with_policy

__all__ = ["SMALLEST", "AspectPolicy", "Choice", "SubjectPolicy", "explain_policy"]

SMALLEST = WINDOWS[0]
"""Rows of the smallest window, if each request has one."""
CORRELATIONS = "correlations"
_OUTPUTS = "outputs"
_NO_BASELINE = "no baseline of outputs: watched from the first 2,000 live rows on"
_NO_CYCLE = (
    "no baseline of outputs by the hour of the day, as of inputs: watched from the first three days of live "
    "rows on"
)

Role = Literal["input", "correlation", "output"]
_Key = tuple[Role, str]


@dataclass(frozen=True, slots=True)
class AspectPolicy:
    """An aspect of a column: one component, or several (levels, pairs) with the extremes among them."""

    aspect: str
    components: int
    judged: int
    """How many of them can raise alerts: all or none, but for pairs."""
    rows: int
    """Rows of a window from which on each can be judged."""
    threshold: float | None
    """Lowest of |z|, at a look after 64 events; None if none is judged."""
    share: float
    """Of the budget of false alarms, in [0, 1]."""
    least_effect: float | None
    """About the smallest effect size that a window of 64 rows can show: of means and correlations; None if
    these are too few, and for shares."""
    least_rows: int | None
    """Of shares: in so many rows of 64 the value must be met; None where not even all 64 would do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An option that was chosen, and where."""

    option: str
    value: Any
    """JSON-able."""
    by: Literal["bundle", "settings"]


@dataclass(frozen=True, slots=True)
class SubjectPolicy:
    """How drift of a column, of correlations or of an output is judged."""

    name: str
    role: Role
    kind: str
    aspects: tuple[AspectPolicy, ...]
    floor: float
    """Effect size below which nothing is drift."""
    weight: float
    share: float
    """Of the budget of false alarms, in [0, 1]; over all subjects 1, or 0 if nothing is watched."""
    thresholds: tuple[float, float] | None
    """Lowest and highest of |z|; None if nothing is judged."""
    why: str
    choices: tuple[Choice, ...]


def explain_policy(
    profile: Profile, policy: DriftPolicy | None = None, *, false_alarm_every: int = 100_000
) -> list[SubjectPolicy]:
    """Return how drift of each column is judged: inputs, then correlations, then outputs.

    All pairs without an entry of their own are one subject.

    Parameters
    ----------
    profile
        With the choices of its bundle.
    policy
        Those of settings, which win; what they say of columns that are not there is left out.
    false_alarm_every
        Events per false alarm, everything together.

    Notes
    -----
    What 64 rows can show allows for the dependence that the ordered reference shows, not for that of live
    rows. Cost with 100 columns and all their pairs: about 0.1 s.

    Examples
    --------
    >>> profile = Profile.fit({"temp": np.linspace(0, 1, 1000)}, ordered=False)
    >>> (temp,) = explain_policy(profile)
    >>> temp.kind, round(temp.share, 3), [each.aspect for each in temp.aspects][:2]
    ('continuous', 1.0, ['location', 'scale'])
    """
    set_ = policy or {}
    merged = with_policy(profile, set_, only_known=True)
    detector = Detector(merged, false_alarm_every)
    of: dict[_Key, list[int]] = _subjects(merged)
    for k, part in enumerate(detector.parts):
        of[_key(part, merged.policy)].append(k)
    figures = _Figures(detector)
    whys = _whys(merged, detector, of)
    none = ColumnPolicy()
    return [
        _explain(
            key,
            at,
            figures,
            merged.policy.get(key[1], none),
            why=whys[key],
            choices=_choices(key[1], profile.policy, set_),
        )
        for key, at in of.items()
    ]


class _Figures:
    """All that is known of the components, (k,) each."""

    def __init__(self, detector: Detector) -> None:
        self.parts = detector.parts
        self.shares = detector.thresholds.shares
        self.limits = detector.thresholds.at(SMALLEST)
        self.judged = np.isfinite(self.limits)
        self.rows = detector.scan.enough_rows
        self.is_share = detector.comparison.is_share
        self.least_effect = _least_effects(detector, self.limits)
        self.least_rows = np.full(len(self.parts), np.nan)
        at = np.flatnonzero(self.is_share & self.judged)
        self.least_rows[at] = _least_rows(detector, self.limits, at)


def _key(part: Part, policy: DriftPolicy) -> _Key:
    if part.kind == "correlation":
        is_apart = part.column is not None or part.name in policy
        return "correlation", part.name if is_apart else CORRELATIONS
    return ("output" if part.kind == "output" else "input"), part.name


def _subjects(profile: Profile) -> dict[_Key, list[int]]:
    """Return all subjects in their order, without components as yet."""
    names = [column.name for column in profile.columns]
    keys: list[_Key] = [("input", name) for name in names]
    if len(profile.pairs):
        pairs = zip(profile.pairs.first.tolist(), profile.pairs.second.tolist(), strict=True)
        own = [f"{names[a]}~{names[b]}" for a, b in pairs] if profile.policy else []
        keys += [("correlation", CORRELATIONS)]
        keys += [("correlation", name) for name in own if name in profile.policy]
    if profile.mixtures:
        keys.append(("correlation", EACH_OTHER))
    if profile.judged_outputs is not None:
        has_baseline = profile.judged_outputs.has_baseline
        outputs = [column.name for column in profile.judged_outputs.columns] if has_baseline else [_OUTPUTS]
        keys += [("output", name) for name in outputs]
    return {key: [] for key in keys}


def _whys(profile: Profile, detector: Detector, of: dict[_Key, list[int]]) -> dict[_Key, tuple[str, str]]:
    """Return kind and reason of each subject."""
    whys: dict[_Key, tuple[str, str]] = {}
    for column in profile.columns:
        whys[("input", column.name)] = str(column.kind), column.why
    judged = detector.thresholds.shares > 0
    for key in (key for key in of if key[0] == "correlation"):
        count, all_ = int(judged[of[key]].sum()), len(of[key])
        if key[1] == EACH_OTHER:
            what = "random sums of numeric columns, for all pairs"
        else:
            what = (
                "pairs of numbers" if key[1] == CORRELATIONS else "pairs of numbers, by an entry of its own"
            )
        whys[key] = "correlation", f"{count:,} of {all_:,} {what}"
    if profile.outputs is not None:
        is_cyclic = profile.season is not None and profile.season.parts > 0
        whys[("output", _OUTPUTS)] = "output", _NO_CYCLE if is_cyclic else _NO_BASELINE
        for column in profile.outputs.columns:
            watched = column.why.removesuffix(", correlations")  # outputs have none
            whys[("output", column.name)] = str(column.kind), f"of the model's answers; {watched}"
    return whys


def _choices(name: str, bundle: DriftPolicy, set_: DriftPolicy) -> tuple[Choice, ...]:
    none = ColumnPolicy()
    wins, packed = set_.get(name, none).to_dict(), bundle.get(name, none).to_dict()
    kept = [Choice(option, value, "bundle") for option, value in packed.items() if option not in wins]
    return (*kept, *(Choice(option, value, "settings") for option, value in wins.items()))


def _explain(
    key: _Key,
    at: Sequence[int],
    figures: _Figures,
    own: ColumnPolicy,
    *,
    why: tuple[str, str],
    choices: tuple[Choice, ...],
) -> SubjectPolicy:
    groups: dict[str, list[int]] = {}
    for k in at:
        groups.setdefault(figures.parts[k].aspect, []).append(k)
    limits = figures.limits[at]
    limits = limits[np.isfinite(limits)]
    return SubjectPolicy(
        name=key[1],
        role=key[0],
        kind=why[0],
        aspects=tuple(_aspect(aspect, np.array(each), figures) for aspect, each in groups.items()),
        floor=FLOOR if own.floor is None else own.floor,
        weight=1.0 if own.weight is None else own.weight,
        share=float(figures.shares[at].sum()),
        thresholds=(round(float(limits.min()), 3), round(float(limits.max()), 3)) if len(limits) else None,
        why=why[1],
        choices=choices,
    )


def _aspect(aspect: str, at: np.ndarray, figures: _Figures) -> AspectPolicy:
    judged = at[figures.judged[at]]
    effects, counts = figures.least_effect[judged], figures.least_rows[judged]
    effects, counts = effects[np.isfinite(effects)], counts[np.isfinite(counts)]
    return AspectPolicy(
        aspect=aspect,
        components=len(at),
        judged=len(judged),
        rows=int(figures.rows[at].max()),
        threshold=round(float(figures.limits[judged].min()), 3) if len(judged) else None,
        share=float(figures.shares[at].sum()),
        least_effect=round(float(effects.min()), 3) if len(effects) else None,
        least_rows=int(counts.min()) if len(counts) else None,
    )


def _least_effects(detector: Detector, limits: np.ndarray) -> np.ndarray:
    """Return about the smallest effect size that 64 rows show, (k,); NaN for shares and where 64 are too few.

    A correlation is taken to move in the direction in which less will do.
    """
    comparison, pairs = detector.comparison, detector.comparison.pairs
    rows = detector.measures.reference[3]
    if pairs is not None:
        rows = np.append(rows, np.broadcast_to(pairs.rows, len(pairs)))
    change = limits * np.sqrt(detector.factor * (1 / SMALLEST + 1 / np.maximum(rows, 1)))
    if pairs is not None:
        own = len(comparison.variance) - len(pairs)
        moved = change[own:] * np.sqrt(pairs.variance)
        both = [np.arctanh(np.clip(pairs.correlation + sign * moved, -0.999, 0.999)) for sign in (-1, 1)]
        before = np.arctanh(np.clip(pairs.correlation, -0.999, 0.999))
        change[own:] = np.min([np.abs(each - before) for each in both], axis=0)
        change[own:][~np.isfinite(moved)] = np.nan
    is_known = ~comparison.is_share & (detector.scan.enough_rows <= SMALLEST) & np.isfinite(change)
    return np.where(is_known, np.maximum(change, detector.floors), np.nan)


def _least_rows(detector: Detector, limits: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return in how many of 64 rows each of the shares `at` must be met to alarm; NaN if 64 are too few."""
    mean, _, _, rows = (each[at] for each in detector.measures.reference)
    limit, floor = limits[at] * np.sqrt(np.maximum(detector.factor[at], 1)), detector.floors[at]
    expected = np.arcsin(np.sqrt(mean))
    low, high = np.floor(mean * SMALLEST), np.full(len(at), SMALLEST + 1.0)
    while (wide := high - low > 1).any():  # more is never less sure: halving finds the first that is enough
        middle = np.floor((low + high) / 2)
        samples = (middle, np.full(len(at), float(SMALLEST)), np.rint(mean * rows), rows.astype(float))
        z = exact_small_counts(signed_root(*samples), *samples)
        size = 2 * np.arcsin(np.sqrt(np.minimum(middle / SMALLEST, 1))) - 2 * expected
        enough = (z > limit) & (size >= floor)
        low, high = np.where(wide & ~enough, middle, low), np.where(wide & enough, middle, high)
    return np.where(high <= SMALLEST, high, np.nan)

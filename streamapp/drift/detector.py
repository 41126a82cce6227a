"""From a look at all windows to what drifts now, and which columns share the blame."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.special import ndtr

from streamapp.drift.comparison import Comparison
from streamapp.drift.effects import FLOOR, sizes
from streamapp.drift.findings import Finding
from streamapp.drift.picture import ColumnPicture, Picture
from streamapp.drift.scan import Look, Scan, Sums
from streamapp.drift.span import Pane, Span
from streamapp.drift.statistics import discoveries, location_in_sd, psi
from streamapp.drift.thresholds import Thresholds, group_of
from streamapp.messages.alert import AlertKind
from streamapp.profile import ColumnPolicy, DriftPolicy, Measures, PairProfile, Profile
from streamapp.profile.mixtures import EACH_OTHER
from streamapp.profile.shares import merge_bins

__all__ = ["KINDS", "REQUEST_KINDS", "Detector", "Part", "Sighting", "WindowReading"]

REQUEST_KINDS: tuple[AlertKind, ...] = ("input", "missing", "correlation", "output")
"""Kinds of alerts that come from summaries of requests, in the order in which they are raised."""
KINDS: tuple[AlertKind, ...] = (*REQUEST_KINDS, "target")
"""Those and the kind that comes from labelled rows."""
_WRONG_SHARE = 0.01
"""Expected share of innocent columns among those that an alert names."""
_LOCATIONS = ("location", "length")
_CLARITY = {"location": 2.0, "length": 2.0, "scale": 1.5, "length spread": 1.5}
"""A large shift moves the higher components even more than location, but it is a shift to people."""


@dataclass(frozen=True, slots=True)
class Part:
    """Whose component it is, and of which kind an alert from it would be."""

    name: str
    columns: tuple[str, ...]
    """One, or the two of a pair."""
    aspect: str
    level: str | None
    kind: AlertKind
    column: int | None
    """None for a pair."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A kind of drift in one round: what crossed its threshold."""

    names: frozenset[str]
    """Columns, both of each pair."""
    size: float
    """Largest effect size among them."""
    look: Look
    crossing: np.ndarray
    """(w, k) bool, of this kind alone."""
    limits: np.ndarray


@dataclass(frozen=True, slots=True)
class WindowReading:
    """What came closest to an alarm in one window."""

    span: Span
    name: str
    aspect: str
    z: float
    threshold: float
    effect: float


class Detector:
    """Decides what drifts: columns, pairs of columns, and outputs once they have a baseline.

    Parameters
    ----------
    profile
        The reference, with its policy: what is not judged never crosses, and others have its budget.
    false_alarm_every
        Events per false alarm, everything together.
    of_labels
        Whether the profile is one of labelled rows (:meth:`~streamapp.profile.Profile.of_labels`): then all
        that drifts is of the kind ``target``.
    """

    def __init__(self, profile: Profile, false_alarm_every: int, *, of_labels: bool = False) -> None:
        outputs = profile.judged_outputs
        self.measures = Measures(profile.watched + (() if outputs is None else outputs.columns))
        self.comparison = Comparison(self.measures, profile.pairs, profile.compared_by)
        self.parts = _parts(self.measures, self.comparison.pairs, inputs=len(profile.watched))
        if of_labels:
            self.parts = tuple(replace(part, kind="target") for part in self.parts)
        self.factor, blocks = _inflation(profile, len(self.parts))
        """(k,) variance inflation that the reference shows."""
        self.scan = Scan(self.comparison, self.factor, blocks)
        groups = [
            group_of(part.aspect, output=part.kind == "output", target=of_labels and part.column == 0)
            for part in self.parts
        ]
        weights, self.floors = _apply(profile.policy, self.parts)
        """(k,) effect sizes below which nothing is drift."""
        self.thresholds = Thresholds(groups, false_alarm_every, weights)
        kinds = np.array([part.kind for part in self.parts])
        self._kinds = {kind: mask for kind in KINDS if (mask := (kinds == kind) & (weights > 0)).any()}
        self._located = {part.column for part in self.parts if part.aspect in _LOCATIONS}
        own = len(self.measures.components)
        self._sd = np.sqrt(self.comparison.variance)
        self._is_pair = np.arange(self.comparison.size) >= own
        self._is_share = self.comparison.is_share

    def fresh(self) -> Self:
        """Return a detector of the same profile that has seen nothing."""
        other = copy(self)
        other.scan = self.scan.fresh()
        return other

    @property
    def limits(self) -> np.ndarray:
        """Thresholds of |z|, (k,), at a look after the newest round."""
        return self.thresholds.at(self.scan.newest_events)

    def push(self, panes: Sequence[Pane]) -> None:
        """Add a round, given as its panes."""
        self.scan.push([(pane.partition, self._sums(pane)) for pane in panes])

    def adopt(self, scan: Scan) -> None:
        """Take over the rounds of the scan of a detector of the same bins."""
        self.scan.adopt(scan, self._renewed)

    def sightings(self) -> dict[AlertKind, Sighting]:
        """Return what crosses its threshold in the newest rounds and is large enough to matter."""
        look, limits = self.scan.look(), self.limits
        crossing = np.abs(look.z) > limits
        if not crossing.any():
            return {}
        size = np.zeros(crossing.shape)
        rows, at = np.nonzero(crossing)
        size[rows, at] = self._sizes(look, rows, at)
        crossing &= size >= self.floors
        found: dict[AlertKind, Sighting] = {}
        for kind, mask in self._kinds.items():
            own = crossing & mask
            if own.any():
                at = np.flatnonzero(own.any(axis=0))
                best = np.where(own[:, at], np.abs(look.z[:, at]), 0).argmax(axis=0)
                names = frozenset(name for k in at.tolist() for name in self.parts[k].columns)
                found[kind] = Sighting(names, float(size[best, at].max()), look, own, limits)
        return found

    def attribute(self, kind: AlertKind, seen: Sighting) -> tuple[list[Finding], Span]:
        """Return what drifts now, ranked, and the window that says so.

        That is every component that crosses its threshold in some window, and those that false discovery
        control finds in the alarming one (the window that exceeds its threshold most); of a column the
        aspect with the most evidence: a smooth one before a share (but for the characters of a text),
        location and scale before the others.

        References
        ----------
        .. [1] Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995.
        """
        z = np.abs(seen.look.z)
        excess = np.where(seen.crossing, z / seen.limits, 0)
        alarming = int(np.unravel_index(excess.argmax(), excess.shape)[0])
        mine = np.flatnonzero(self._kinds[kind])
        p = 2 * ndtr(-z[alarming, mine])
        found = mine[discoveries(p, _WRONG_SHARE, dependent=kind == "correlation")]
        found = found[self._sizes(seen.look, alarming, found) >= self.floors[found]]
        window_of = dict.fromkeys(found.tolist(), alarming)
        for k in np.flatnonzero(seen.crossing.any(axis=0)).tolist():
            window_of[k] = int(np.where(seen.crossing[:, k], z[:, k], 0).argmax())
        best: dict[str, int] = {}
        evidence: dict[str, float] = {}
        for k, w in window_of.items():
            name = self.parts[k].name
            evidence[name] = max(evidence.get(name, 0.0), float(z[w, k]))
            had = best.get(name)
            if had is None or self._rank(k, z[w, k]) > self._rank(had, z[window_of[had], had]):
                best[name] = k
        ranked = sorted(best, key=lambda name: (-evidence[name], name))
        findings = [
            self._finding(best[name], window_of[best[name]], seen.look, evidence[name]) for name in ranked
        ]
        return findings, self.scan.span(seen.look.windows[alarming])

    def readings(self) -> list[WindowReading]:
        """Return what came closest to an alarm in each window, shortest first; none before a round."""
        if not len(self.scan) or not self._kinds:
            return []
        look, limits = self.scan.look(), self.limits
        closest = (np.abs(look.z) / limits).argmax(axis=1).tolist()
        return [
            WindowReading(
                self.scan.span(rounds),
                self.parts[k].name,
                self.parts[k].aspect,
                float(look.z[w, k]),
                float(limits[k]),
                float(look.effect[w, k]),
            )
            for w, (rounds, k) in enumerate(zip(look.windows, closest, strict=True))
        ]

    def effects(self) -> dict[str, float]:
        """Return the signed effect of each column in some 2,560 rows: sd, or largest change of share."""
        if not len(self.scan):
            return {}
        look = self.scan.look()
        last = look.usual
        effects: dict[str, float] = {}
        for k, part in enumerate(self.parts):
            if part.kind != "input":
                continue
            if part.aspect in _LOCATIONS:
                effects[part.name] = self._effect(k, last, look)
            elif part.column not in self._located:
                change = float(look.effect[last, k])
                if abs(change) >= abs(effects.get(part.name, 0.0)):
                    effects[part.name] = change
        return {name: round(effect, 4) for name, effect in effects.items()}

    def picture(self) -> Picture | None:
        """Return some 2,560 rows beside the reference, drifting or not; None before a round."""
        if not len(self.scan):
            return None
        look = self.scan.look()
        w, best = look.usual, dict[int, int]()
        z = np.abs(look.z[w])
        for k, part in enumerate(self.parts):
            if part.column is None:
                break  # pairs come last
            had = best.get(part.column)
            if had is None or self._rank(k, z[k]) > self._rank(had, z[had]):
                best[part.column] = k
        rounds = look.windows[w]
        counts = np.split(self.scan.counts(rounds), self.measures.starts[1:])
        columns = tuple(
            ColumnPicture(
                self.measures.columns[column],
                self._finding(k, w, look, float(z[k])),
                counts[column],
                self.scan.reference_counts(column, rounds),
                is_output=self.parts[k].kind == "output",
            )
            for column, k in best.items()
        )
        pairs = tuple(self._finding(k, w, look, float(z[k])) for k in np.flatnonzero(self._is_pair).tolist())
        return Picture(self.scan.span(rounds), columns, pairs)

    def _rank(self, k: int, z: float) -> tuple[bool, float]:
        aspect = self.parts[k].aspect
        first = not self._is_share[k] or aspect == "characters"
        return first, float(z) * _CLARITY.get(aspect, 1.0)

    def _sums(self, pane: Pane) -> Sums:
        summary = pane.summary
        counts = np.concatenate([summary.counts, summary.outputs])
        sums = Sums(pane.span, counts, summary.pairs, summary.apart, pane.season)
        return self._renewed(sums) if pane.season is None else sums

    def _renewed(self, sums: Sums) -> Sums:
        """Return the sums with what their hours add, those of a round as if it were one pane."""
        if self.comparison.seasonal is None:
            return sums
        from_ms, to_ms = sums.span.from_ms, sums.span.to_ms
        return replace(sums, season=self.comparison.seasonal.part(sums.counts, sums.apart, from_ms, to_ms))

    def _sizes(self, look: Look, w: np.ndarray | int, at: np.ndarray) -> np.ndarray:
        now, before = look.now[w, at], look.before[w, at]
        return sizes(now, before, self._sd[at], self._is_share[at], self._is_pair[at])

    def _effect(self, k: int, w: int, look: Look) -> float:
        if self.parts[k].aspect in _LOCATIONS:
            return location_in_sd(float(look.now[w, k] - look.before[w, k]))
        return float(look.effect[w, k])

    def _unrest(self, k: int, look: Look) -> tuple[float, ...]:
        """Return for both columns of pair `k` how surely their other correlations have faded together.

        A column that has come apart from the others (a broken join, another source) loses all of them in
        proportion to what they were: z² of that one direction, in the window where it is largest. Nothing for
        what is no pair.
        """
        pairs = self.comparison.pairs
        if pairs is None or not self._is_pair[k]:
            return ()
        at, z = k - len(self.measures.components), look.z[:, -len(pairs) :]
        unrest = []
        for end in (pairs.first[at], pairs.second[at]):
            others = np.flatnonzero((pairs.first == end) | (pairs.second == end))
            others = others[others != at]
            weights = pairs.correlation[others] / np.sqrt(pairs.variance[others])
            unrest.append(float(((z[:, others] @ weights) ** 2).max() / max(weights @ weights, 1e-9)))
        return tuple(unrest)

    def _finding(self, k: int, w: int, look: Look, evidence: float) -> Finding:
        part = self.parts[k]
        index: float | None = None
        if part.column is not None:
            column, start = self.measures.columns[part.column], self.measures.starts[part.column]
            counts = self.scan.counts(look.windows[w])[start : start + len(column.counts)]
            reference = self.scan.reference_counts(part.column, look.windows[w])
            index = psi(*(merge_bins(column, part.aspect, own) for own in (counts, reference)))
        return Finding(
            name=part.name,
            columns=part.columns,
            unrest=self._unrest(k, look),
            aspect=part.aspect,
            level=part.level,
            effect=self._effect(k, w, look),
            before=float(look.before[w, k]),
            now=float(look.now[w, k]),
            z=evidence,
            size=float(self._sizes(look, w, np.array([k]))[0]),
            psi=index,
        )


def _parts(measures: Measures, pairs: PairProfile | None, *, inputs: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    for each in measures.components:
        kind: AlertKind = "missing" if each.aspect == "missing" else "input"
        if each.column >= inputs:
            kind = "output"
        name = measures.columns[each.column].name
        if each.aspect == "dependence":
            name, kind = EACH_OTHER, "correlation"
        parts.append(Part(name, (name,), each.aspect, each.level, kind, each.column))
    if pairs is not None:
        names = [column.name for column in measures.columns]
        for a, b in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
            ends = (names[a], names[b])
            parts.append(Part("~".join(ends), ends, "correlation", None, "correlation", None))
    return tuple(parts)


def _apply(policy: DriftPolicy, parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Return weight (0: not judged) and floor of all components, (k,) each.

    A pair follows its own entry, but is not watched where one of its columns is not.
    """
    weights, floors, none = np.ones(len(parts)), np.full(len(parts), FLOOR), ColumnPolicy()
    if not policy:
        return weights, floors
    for k, part in enumerate(parts):
        own = policy.get(part.name, none)
        floors[k] = FLOOR if own.floor is None else own.floor
        is_judged = own.judges(part.aspect) and all(policy.get(c, none).is_watched for c in part.columns)
        weights[k] = (1.0 if own.weight is None else own.weight) if is_judged else 0.0
    return weights, floors


def _inflation(profile: Profile, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and blocks of all components, (size,): columns', outputs', pairs'."""
    factor, blocks = np.ones(size), np.full(size, np.inf)
    if len(profile.factor):
        own = len(profile.factor)
        factor[:own], blocks[:own] = profile.factor, profile.blocks
        if len(profile.pair_factor):
            pairs = slice(size - len(profile.pair_factor), size)
            factor[pairs], blocks[pairs] = profile.pair_factor, profile.pair_blocks
    outputs = profile.judged_outputs
    if outputs is not None and len(outputs.factor):
        end = size - len(profile.pairs)
        start = end - len(outputs.factor)
        factor[start:end], blocks[start:end] = outputs.factor, outputs.blocks
    return factor, blocks

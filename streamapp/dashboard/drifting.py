"""The newest requests beside the reference: the fold of WATCH, from where the page began to read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from streamapp.dashboard.histogram import bars
from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.panes import KeptPanes
from streamapp.dashboard.view import Bars, Change, Drift, Pair, WindowBars
from streamapp.drift import DriftMonitor, Watch
from streamapp.drift.baseline import LIVE_ROWS
from streamapp.drift.detector import REQUEST_KINDS
from streamapp.drift.effects import FLOOR
from streamapp.drift.findings import change
from streamapp.drift.picture import ColumnPicture, Picture
from streamapp.errors import ProfileError
from streamapp.messages import Alert, Distribution
from streamapp.profile import ColumnKind, ColumnProfile, Profile, Summary
from streamapp.profile.season import is_cyclic
from streamapp.quality.calibrator import Calibrator
from streamapp.quality.estimate import AccuracyEstimate

__all__ = ["DriftFold", "KnownOf", "SinceOf"]

KnownOf = Callable[[str], KnownVersion | None]
SinceOf = Callable[[str], Mapping[str, int]]
"""Gives the first offset of each partition that a version answered in its latest reign."""

_PAIRS = 10
_BARS = 6


class DriftFold:
    """Judges panes as WATCH does; what it would say is left to WATCH, whose alerts are in their topic.

    Parameters
    ----------
    name
        Of the deployment.
    known_of
        What is known of a version.
    since_of
        Since when it answers.

    Attributes
    ----------
    estimate
        Of the accuracy without labels, given the panes that were judged.
    """

    def __init__(self, name: str, known_of: KnownOf, since_of: SinceOf) -> None:
        self._known_of = known_of
        self._since_of = since_of
        self._watch = Watch(name)
        self._panes = KeptPanes()
        self._reached: dict[str, int] = {}
        self._picture: Picture | None = None
        self._is_new = False
        self._began_with = ""
        self._began_at: dict[str, int] = {}
        self.estimate = AccuracyEstimate()

    @property
    def version(self) -> str | None:
        """The version whose reference counts."""
        return self._watch.version

    def take(self, pane: Distribution) -> None:
        """Take the next pane."""
        self._reached[str(pane.partition)] = pane.next_offset
        known = self._known_of(pane.version)
        if known is not None and pane.summary is not None:
            try:
                self._panes.add(pane, Summary.from_dict(pane.summary, known.profile.empty()))
            except (ProfileError, KeyError, TypeError, ValueError):
                return
        judged, monitor = self._watch.counts["judged"], self._watch.monitor
        self._watch.fold(pane, self._profile_of)
        if self._watch.monitor is not monitor:
            self._began_with, self._began_at = pane.version, {}
        if pane.version == self._began_with:
            self._began_at.setdefault(str(pane.partition), pane.first_offset)
        if self._watch.counts["judged"] > judged:
            self._is_new = True
            if known is not None:
                if pane.version != self.estimate.version:
                    self.estimate.follow(pane.version, Calibrator.of(known.profile.outputs, known.baseline))
                self.estimate.see(pane.partition, pane.first_offset, (pane.summary or {}).get("outputs", ()))

    def view(self, open_alerts: Collection[Alert]) -> Drift:
        """Return the newest requests beside the reference."""
        monitor = self._watch.monitor
        if monitor is None:
            return Drift()
        if self._is_new:
            self._picture, self._is_new = monitor.picture(), False
        picture = self._picture
        if picture is None:
            return Drift()
        named = {(alert.kind == "output", one.name) for alert in open_alerts for one in alert.features}
        together = {
            frozenset((one.name, one.with_)) for alert in open_alerts for one in alert.features if one.with_
        }
        changes = [
            (one.is_output, _change(one, drifts=(one.is_output, one.column.name) in named))
            for one in picture.columns
            if one.column.kind is not ColumnKind.MIXTURE
        ]
        ranked = sorted(changes, key=lambda each: (not each[1].drifts, -each[1].size))
        pairs = [
            Pair(
                each.columns[0],
                each.columns[1],
                then=round(each.before, 2),
                now=round(each.now, 2),
                drifts=frozenset(each.columns) in together,
            )
            for each in picture.pairs
        ]
        pairs.sort(key=lambda pair: (not pair.drifts, -abs(pair.now - pair.then)))
        uncompared = self._uncompared(monitor)
        return Drift(
            requests=picture.span.events,
            from_ms=picture.span.from_ms,
            to_ms=picture.span.to_ms,
            columns=tuple(each for is_output, each in ranked if not is_output),
            outputs=() if uncompared else tuple(each for is_output, each in changes if is_output),
            uncompared=uncompared,
            pairs=tuple(pairs[:_PAIRS]),
            watched_pairs=len(pairs),
        )

    def _uncompared(self, monitor: DriftMonitor) -> str:
        """Return why outputs are not compared; empty if they are.

        Without a holdout that can be used their reference is the first answers of the reign. Of a fold that
        begins later the first answers are others, and may have drifted already.
        """
        outputs = monitor.profile.judged_outputs
        if outputs is None or outputs.has_baseline:
            return ""
        packed, answers = "packed without --holdout", f"first {LIVE_ROWS:,} answers"
        if is_cyclic(monitor.profile.season):
            packed, answers = "packed without a holdout of three days with --time", "answers of three days"
        version, since = self._began_with, self._since_of(self._began_with)
        if not since or any(
            self._began_at.get(partition, first + 1) > first for partition, first in since.items()
        ):
            return (
                f"no-baseline here: {version} was {packed}, so outputs are compared with its {answers}, and "
                "this page began to read after them; alerts know them"
            )
        if not monitor.has_output_baseline:
            return f"no-baseline: {packed}; the {answers} will be it"
        return ""

    def is_settled(self, alert: Alert) -> bool:
        """Return whether all panes that come lie behind the window of an alert."""
        ranges = {} if alert.window is None else alert.window.partitions
        return all(self._reached.get(partition, -1) >= end for partition, (_, end) in ranges.items())

    def bars_of(self, alert: Alert) -> WindowBars:
        """Return the distributions of what an alert names, in its window, as far as its panes are there."""
        if alert.window is None or alert.model is None or alert.kind not in REQUEST_KINDS:
            return WindowBars()
        version = alert.model.version
        known = self._known_of(version)
        counts, requests = self._panes.within(version, alert.window.partitions)
        if known is None or counts is None:
            return WindowBars()
        inputs = known.profile.watched
        outputs = () if known.profile.outputs is None else known.profile.outputs.columns
        own, others = outputs if alert.kind == "output" else inputs, len(inputs)
        ends = np.cumsum([len(column.counts) for column in (*inputs, *outputs)])[:-1]
        parts = np.split(counts, ends)
        parts = parts[others:] if alert.kind == "output" else parts[:others]
        return WindowBars(_bars_of(_names(alert), own, parts), requests)

    def _profile_of(self, version: str) -> Profile | None:
        known = self._known_of(version)
        return None if known is None else known.profile


def _names(alert: Alert) -> list[str]:
    names = [name for one in alert.features for name in (one.name, one.with_) if name is not None]
    return list(dict.fromkeys(names))[:_BARS]


def _bars_of(
    names: Sequence[str], columns: Sequence[ColumnProfile], counts: Sequence[np.ndarray]
) -> tuple[Bars, ...]:
    by_name = {column.name: (column, own) for column, own in zip(columns, counts, strict=True)}
    found = [by_name[name] for name in names if name in by_name]
    return tuple(bars(column, column.counts, now) for column, now in found if column.counts.any())


def _change(one: ColumnPicture, *, drifts: bool) -> Change:
    found = one.change
    quiet = not drifts and found.size < FLOOR
    return Change(
        name=one.column.name,
        kind=str(one.column.kind),
        size=round(found.size, 2),
        text="as in the reference" if quiet else change(found),
        drifts=drifts,
        bars=bars(one.column, one.then, one.now),
    )

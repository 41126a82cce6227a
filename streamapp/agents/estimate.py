"""The estimate of accuracy without labels: WATCH gives it panes, JUDGE labelled rows, both show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamapp.agents.versions import Versions
from streamapp.messages import Distribution
from streamapp.quality.calibrator import Calibrator
from streamapp.quality.estimate import AccuracyEstimate, EstimatedAccuracy
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.runtime.host import Host

__all__ = ["ShownEstimate"]

_STATES = ("unverified", "valid", "invalid")


class ShownEstimate:
    """One :class:`~streamapp.quality.estimate.AccuracyEstimate`, kept in the snapshot of WATCH.

    Where another process has the partition of ``labelled``, it stays unverified.

    Parameters
    ----------
    host
        Of the process.
    versions
        Gives profiles and baselines, once WATCH has asked for them.
    """

    def __init__(self, host: Host, versions: Versions) -> None:
        self._metrics = host.metrics
        self._versions = versions
        self._calibrations: dict[str, Calibrator | None] = {}
        self._estimate = AccuracyEstimate()
        self._mark: Callable[[], None] | None = None

    def kept_by(self, mark: Callable[[], None]) -> None:
        """Call `mark` when labels have changed what is to be kept."""
        self._mark = mark

    def see(self, pane: Distribution) -> None:
        """Take a pane that was judged: one of the version in force."""
        self._estimate.follow(pane.version, self._calibration(pane.version))
        self._estimate.see(pane.partition, pane.first_offset, (pane.summary or {}).get("outputs", ()))

    def verify(self, rows: LabelledRows) -> None:
        """Take the next labelled rows."""
        self._estimate.verify(rows)
        if self._mark is not None:
            self._mark()

    def now(self) -> EstimatedAccuracy | None:
        """Return what is known now; None if there is no estimate."""
        return self._estimate.now()

    def show(self, now: EstimatedAccuracy | None) -> None:
        """Let the gauge of its state say `now`, once that of its number does."""
        for state in _STATES:
            self._metrics.estimate_state.labels(state).set(now is not None and now.state == state)

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return self._estimate.snapshot()

    def load(self, snapshot: dict[str, Any] | None) -> None:
        """Go on from a snapshot, when WATCH has asked for its version; None: begin afresh."""
        if snapshot is None or snapshot["version"] is None:
            self._estimate = AccuracyEstimate()
        else:
            self._estimate.load(snapshot, self._calibration(snapshot["version"]))

    def _calibration(self, version: str) -> Calibrator | None:
        if version not in self._calibrations:
            found = self._versions.known(version)
            if found is None:
                return None
            self._calibrations = {version: Calibrator.of(found.profile.outputs, found.baseline)}
        return self._calibrations[version]

"""streamapp as an entry of a harness that measures detectors of any kind under one protocol.

The harness is no part of this repository. It runs this file, takes the list ``ENTRIES`` and asks each entry,
an instance of its own class ``peers.Entry``, for a detector where it takes part::

    PYTHONPATH=. python $DRIFT_BENCH/run.py --plugin tests/benchmarks/drift/entries.py --only streamapp \\
        --parts A,L,B,C,X1 --results results.json

A detector has ``fit(columns)`` and ``update(columns)``, which returns an alarm, a tuple of the columns named
by rank, for each alert opened. The parts' protocols are told in ``RESULTS.md``.
"""

from __future__ import annotations

import importlib

import numpy as np

from streamapp.drift import Answered, DriftMonitor, explain
from streamapp.profile import Columns, Profile

Entry = importlib.import_module("peers").Entry  # of the harness, which has its folder on the path


class Inputs:
    """A monitor of one run length; after an alert it starts over, as an open one would hide the next."""

    def __init__(self, false_alarm_every: int) -> None:
        self._every = false_alarm_every

    def fit(self, columns: Columns) -> None:
        """Take the reference rows."""
        self._profile = Profile.fit(columns)
        self._monitor = self._fresh()

    def update(self, columns: Columns) -> list[tuple[str, ...]]:
        """Take the next rows."""
        alerts = self._monitor.update(columns)
        named = [tuple(each.name for each in alert.features) for alert in alerts if alert.state == "opened"]
        if named:
            self._monitor = self._fresh()
        return named

    def _fresh(self) -> DriftMonitor:
        # Tables have one partition; not knowing it, a fresh monitor would not look at 100 rows at all.
        return DriftMonitor(self._profile, false_alarm_every=self._every, active=frozenset({0}))


class Window(Inputs):
    """A monitor that has seen nothing before each window, set to one false alarm in a hundred of them."""

    def __init__(self, rows: int) -> None:
        super().__init__(100 * rows)

    def update(self, columns: Columns) -> list[tuple[str, ...]]:
        """Judge a window."""
        self._monitor = self._fresh()
        return super().update(columns)


def is_model_blamed(before: Columns, said: np.ndarray, now: Columns, says: np.ndarray) -> bool:
    """Return whether the model itself is blamed for what has become of its outputs."""
    return explain(Answered(before, said), Answered(now, says)).cause == "unexplained"


ENTRIES = [Entry("streamapp", window=Window, stream=Inputs, settable=True, explain=is_model_blamed)]

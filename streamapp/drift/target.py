"""Target drift: labels that come in other shares, and inputs that are others given the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from streamapp.drift.alerts import AlertBook
from streamapp.drift.detector import Detector
from streamapp.drift.findings import Finding, change, percent, since
from streamapp.drift.labelled_panes import LabelledCutter, Places
from streamapp.drift.span import Span
from streamapp.errors import ProfileError
from streamapp.messages import Alert, ModelRef
from streamapp.profile import Columns, Profile

__all__ = ["TargetMonitor", "rebased"]


class TargetMonitor:
    """Compares labelled rows with the labelled rows of the reference.

    It is the engine of :class:`~streamapp.drift.DriftMonitor`, and its rules, on other columns: the target,
    and every input column given each class. A row counts in the first and in those of its own class. What
    moves there is concept drift even where no input and no share of a class has moved.

    Parameters
    ----------
    profile
        With a target. What its policy says of a column holds for it given each class; the target itself is
        always watched.
    name
        Of the target, in alerts.
    false_alarm_every
        Labelled rows per false alarm, everything here together.
    noted_every
        What alerts note as ``false_alarm_every``: the number that these alarms have a part of.
    clear_after
        Labelled rows without drift after which an alert resolves.
    deployment, model
        What alerts speak of.

    Raises
    ------
    ProfileError
        If the profile knows no target.

    Notes
    -----
    Rows are taken as they are labelled. Labels of one class that come later than those of another look like
    target drift until they are all in.

    References
    ----------
    .. [1] D. Stucchi, P. Rizzo, N. Folloni, G. Boracchi, "Class distribution monitoring for concept drift
       detection", IJCNN 2022.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        name: str = "target",
        false_alarm_every: int,
        noted_every: int,
        clear_after: int,
        deployment: str = "",
        model: ModelRef | None = None,
    ) -> None:
        reference = profile.of_labels(name)
        if reference is None:
            raise ProfileError("a profile that knows no target, or not by the hour as inputs; fit it with y")
        self.digest = reference.digest
        """Of the reference: equal ones judge alike."""
        self._detector = Detector(reference, false_alarm_every, of_labels=True)
        self._cutter = LabelledCutter(profile, reference, self._detector.comparison.seasonal)
        self._newest: Span | None = None
        self._target = name
        classes = () if profile.labelled is None else profile.labelled.classes
        self._given = {f"{c.name}|{label}": (c.name, label) for label in classes for c in profile.readable}
        self._book = AlertBook(
            deployment=deployment,
            model=model,
            false_alarm_every=noted_every,
            clear_after=clear_after,
            events_are="labelled rows",
            say=self._sentence,
        )

    @property
    def open_alert(self) -> Alert | None:
        """The open alert as it was last said."""
        return next(iter(self._book.open), None)

    def judge(
        self, labels: np.ndarray, columns: Columns, has_columns: np.ndarray, places: Places
    ) -> list[tuple[int, Alert]]:
        """Take the next labelled rows, and return every change of an alert with the row that caused it.

        Parameters
        ----------
        labels
            (n,) as the target was fitted on: numbers, or names with None for none.
        columns
            Inputs of the rows that have them, (k,) each.
        has_columns
            (n,) bool, k of them true.
        places
            Of the n rows.
        """
        changes = []
        for row, pane in self._cutter.cut(labels, columns, has_columns, places):
            self._detector.push([pane])
            self._newest = pane.span
            found = self._book.observe(pane.span, self._detector.sightings(), self._detector.attribute)
            changes += [(row, alert) for alert in found]
        return changes

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able: a monitor that loads it goes on as if it had never stopped."""
        return {
            "digest": self.digest,
            "cutter": self._cutter.to_dict(),
            "scan": self._detector.scan.to_dict(),
            "newest": None if self._newest is None else self._newest.to_list(),
            "alerts": self._book.to_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`snapshot`.

        Raises
        ------
        ProfileError
            If it was one against another reference.
        """
        if state["digest"] != self.digest:
            raise ProfileError("the state of a monitor of other labels; begin anew, and resolve its alerts")
        self._cutter.load(state["cutter"])
        self._detector.scan.load(state["scan"])
        self._newest = None if state["newest"] is None else Span.from_list(state["newest"])
        self._book.load(state["alerts"])

    def _sentence(self, _kind: str, subject: str, findings: Sequence[Finding], span: Span) -> str:
        lead = next((finding for finding in findings if finding.name == subject), findings[0])
        others = len(findings) - 1
        tail = f" ({others} other{'' if others == 1 else 's'} too)" if others else ""
        return f"{self._change(lead)} since {since(span)}{tail}"

    def _change(self, found: Finding) -> str:
        if found.name in self._given:
            column, label = self._given[found.name]
            return f"{change(replace(found, name=column))} where the label is {label}"
        if found.aspect == "levels":
            return f"{found.level} has gone from {percent(found.before)} to {percent(found.now)} of labels"
        return change(found)


def rebased(state: Mapping[str, Any]) -> list[Alert]:
    """Return the resolution of the alert that was open at a monitor's snapshot: another reference counts."""
    if state["newest"] is None:
        return []
    book = AlertBook(deployment="", model=None, false_alarm_every=0, clear_after=0)
    book.load(state["alerts"])
    return book.rebase(Span.from_list(state["newest"]))

"""The trial of one version: its answers to the champion's rows, and the gate that compares them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError, ModelError
from streamapp.models import Rows, losses
from streamapp.models.losses import Floats
from streamapp.models.segments import Segments
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.rollout.gate import PromotionGate
from streamapp.rollout.judged import Candidate
from streamapp.rollout.segment_losses import SegmentLosses
from streamapp.rollout.terms import Terms

__all__ = ["Role", "Trial"]

Role = Literal["challenger", "former", "guard"]
"""A new version; a former champion that may come back; the one before, which a new champion has to hold out
against."""


class Trial:
    """Lets a version answer what the champion answered.

    Parameters
    ----------
    challenger
        The version on trial.
    champion
        That it is compared with; its loss decides, and by its segments.
    terms
        Of the comparison.
    since_ms
        Rows count if they were requested later; None if all do.
    role
        What it is on trial for.
    from_row
        Rows count if they are not among this many first labels.
    tolerance
        Of a guard: by how much loss the champion may be worse.
    """

    def __init__(
        self,
        challenger: Candidate,
        champion: Candidate,
        terms: Terms,
        since_ms: int | None,
        *,
        role: Role = "challenger",
        from_row: int = 0,
        tolerance: float = 0.0,
    ) -> None:
        self.challenger = challenger
        self.since_ms = since_ms
        self.role = role
        self.from_row = from_row
        self.champion = champion
        self._terms = terms
        is_guard = role == "guard"
        self.gate = terms.new_guard(tolerance) if is_guard else terms.new_gate(is_former=role == "former")
        self._segments = SegmentLosses(champion.segments or Segments())
        self.failure: str | None = None
        """Why it cannot be judged, or need not."""
        self.objection: str | None = None
        """Why it is not promoted though its gate would."""

    @property
    def learned_from(self) -> int | None:
        """Offset of the first row that it has learned from since it was deployed; None if it does not."""
        return None

    @property
    def is_won(self) -> bool:
        """Whether the version is to be made champion."""
        if self.failure is not None or self.objection is not None:
            return False
        return self.gate.verdict == "promote" or (self.role == "challenger" and not self._terms.gate)

    def begin_again(self, from_row: int) -> None:
        """Begin afresh, as a former champion, with the rows after the first label of number `from_row`."""
        self.role, self.from_row = "former", from_row
        self.gate, self.objection = self._terms.new_gate(is_former=True), None
        self._segments = SegmentLosses(self.champion.segments or Segments())

    def judge(
        self, rows: LabelledRows, champion_losses: Floats, in_alarm: npt.NDArray[np.bool_]
    ) -> int | None:
        """Answer rows and compare; return the row at which the gate decided, or None.

        Parameters
        ----------
        rows
            n ≥ 1 that count, with features.
        champion_losses
            On them, (n,).
        in_alarm
            Whether the champion was in alarm before each of them, (n,).
        """
        try:
            own = self._losses(rows)
        except ConfigError as exc:  # it lacks what the loss needs, and always will
            self.failure = f"it cannot be judged: {exc}"
            return 0
        return self._compare([row or {} for row in rows.features], champion_losses, own, in_alarm)

    def _compare(
        self, features: Rows, champion_losses: Floats, own: Floats, in_alarm: npt.NDArray[np.bool_]
    ) -> int | None:
        """Take the losses of both on the next n rows; return the row at which the gate decided, or None."""
        before = self.gate.rows
        verdict = self.gate.update(champion_losses, own, in_alarm)
        if self.role != "guard" and self.champion.segments:
            counted = self.gate.rows - before
            self._segments.add(features[:counted], own[:counted] - champion_losses[:counted])
        if verdict is None:
            return None
        if verdict == "promote":
            self.objection = self._object()
        return self.gate.rows - before - 1

    def _losses(self, rows: LabelledRows) -> Floats:
        features = [row or {} for row in rows.features]
        try:
            answers = self.challenger.predict(features)
        except ModelError:
            if len(rows) == 1:  # a row that it cannot answer is as bad as can be
                return np.ones(1)
            return np.concatenate([self._losses(rows.take(np.array([i]))) for i in range(len(rows))])
        champion = self.champion
        return np.nan_to_num(losses(champion.loss, answers, rows.labels, champion.loss_scale), nan=1.0)

    def _object(self) -> str | None:
        terms = self._terms
        if self.role == "guard" or terms.segment_margin is None:
            return None
        worst = self._segments.worst(
            margin=terms.segment_margin, alpha=terms.alpha, least_rows=terms.segment_rows
        )
        if worst is None:
            return None
        return (
            f"where {worst.column} is {worst.level} its {self.champion.loss} loss is higher by "
            f"{worst.difference:.3f} ± {worst.error:.3f} over {worst.rows:,} rows, more than "
            f"{terms.segment_margin:g}"
        )

    @property
    def scores(self) -> dict[str, float]:
        """The numbers behind the verdict."""
        gate, loss = self.gate, self.champion.loss
        if gate.challenger_loss is None or gate.champion_loss is None:
            return {"rows": 0.0}
        return {
            loss: gate.challenger_loss,
            f"champion-{loss}": gate.champion_loss,
            "rows": float(gate.rows),
            "e-value": gate.e_better if gate.verdict == "promote" else gate.e_worse,
        }

    @property
    def note(self) -> str:
        """Why it was promoted or rejected, for people."""
        if self.failure is not None:
            return f"rejected: {self.failure}"
        if self.gate.challenger_loss is None:
            return "promoted without comparison: the gate is off"
        return f"{self._outcome}: {self._compared}"

    @property
    def _compared(self) -> str:
        gate, champion = self.gate, self.champion
        return (
            f"its {champion.loss} loss is {gate.challenger_loss:.4f} over {gate.rows:,} labelled rows, "
            f"that of champion {champion.version} on the same rows {gate.champion_loss:.4f}"
        )

    @property
    def _outcome(self) -> str:
        gate = self.gate
        if self.objection is not None:
            return f"rejected: {self.objection}; over all"
        if gate.verdict == "promote":
            if self.role == "guard":
                return "back"
            eased = " while the champion is in alarm" if gate.margin_now < gate.margin else ""
            return ("promoted again" if self.role == "former" else "promoted") + eased
        if gate.e_worse * gate.alpha >= 1.0:
            return "rejected"
        return f"rejected, undecided after {gate.max_rows:,} rows"

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "role": self.role,
            "since_ms": self.since_ms,
            "from_row": self.from_row,
            "gate": self.gate.snapshot(),
            "segments": self._segments.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from :meth:`snapshot`."""
        self.role, self.since_ms = snapshot["role"], snapshot["since_ms"]
        self.from_row, self.gate = snapshot["from_row"], PromotionGate.restore(snapshot["gate"])
        self._segments.restore(snapshot["segments"])

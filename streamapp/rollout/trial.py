"""The trial of one challenger: its answers to the champion's rows, and the gate that compares them."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamapp.errors import ConfigError, ModelError
from streamapp.models import losses
from streamapp.models.losses import Floats
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.rollout.gate import PromotionGate
from streamapp.rollout.judged import Candidate

__all__ = ["Trial"]


class Trial:
    """Lets a challenger answer what the champion answered.

    Parameters
    ----------
    challenger
        The version on trial.
    gate
        Fresh; None: the challenger wins without comparison.
    since_ms
        Rows count if they were requested later; None if all do.
    """

    def __init__(self, challenger: Candidate, gate: PromotionGate | None, since_ms: int | None) -> None:
        self.challenger = challenger
        self.gate = gate
        self.since_ms = since_ms
        self.failure: str | None = None

    def judge(self, rows: LabelledRows, champion_losses: Floats, champion: Candidate) -> int | None:
        """Answer rows and compare; return the row at which the gate decided, or None.

        Parameters
        ----------
        rows
            n ≥ 1 that count, with features.
        champion_losses
            On them, (n,).
        champion
            Whose loss decides.
        """
        if self.gate is None:
            return 0
        before = self.gate.rows
        try:
            own = self._losses(rows, champion)
        except ConfigError as exc:  # it lacks what the loss needs, and always will
            self.failure = f"it cannot be judged: {exc}"
            return 0
        verdict = self.gate.update(champion_losses, own)
        return None if verdict is None else self.gate.rows - before - 1

    def _losses(self, rows: LabelledRows, champion: Candidate) -> Floats:
        features = [row or {} for row in rows.features]
        try:
            answers = self.challenger.predict(features)
        except ModelError:
            if len(rows) == 1:  # a row that it cannot answer is as bad as can be
                return np.ones(1)
            each = [self._losses(rows.take(np.array([i])), champion) for i in range(len(rows))]
            return np.concatenate(each)
        return np.nan_to_num(losses(champion.loss, answers, rows.labels, champion.loss_scale), nan=1.0)

    @property
    def is_won(self) -> bool:
        """Whether the challenger is to be promoted."""
        return self.failure is None and (self.gate is None or self.gate.verdict == "promote")

    def scores(self, loss: str) -> dict[str, float]:
        """Return the numbers behind the verdict."""
        gate = self.gate
        if gate is None or gate.challenger_loss is None or gate.champion_loss is None:
            return {"rows": 0.0}
        return {
            loss: gate.challenger_loss,
            f"champion-{loss}": gate.champion_loss,
            "rows": float(gate.rows),
            "e-value": gate.e_better if gate.verdict == "promote" else gate.e_worse,
        }

    def note(self, loss: str, champion: str) -> str:
        """Return why it was promoted or rejected, for people."""
        if self.failure is not None:
            return f"rejected: {self.failure}"
        gate = self.gate
        if gate is None:
            return "promoted without comparison: the gate is off"
        compared = (
            f"its {loss} loss is {gate.challenger_loss:.4f} over {gate.rows:,} labelled rows, that of "
            f"champion {champion} on the same rows {gate.champion_loss:.4f}"
        )
        if gate.verdict == "promote":
            return f"promoted: {compared}"
        if gate.e_worse * gate.alpha >= 1.0:
            return f"rejected: {compared}"
        return f"rejected, undecided after {gate.max_rows:,} rows: {compared}"

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {"gate": None if self.gate is None else self.gate.snapshot(), "since_ms": self.since_ms}

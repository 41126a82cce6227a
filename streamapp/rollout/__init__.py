"""What is promoted, what is rejected, when to train: the gate, JUDGE, the states of versions."""

from __future__ import annotations

from streamapp.rollout.gate import PromotionGate
from streamapp.rollout.judge import Judge
from streamapp.rollout.judged import Candidate, Decision, DueRetrain, Judged

__all__ = ["Candidate", "Decision", "DueRetrain", "Judge", "Judged", "PromotionGate"]

"""The terms of all comparisons with the champion, as its user has set them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from streamapp.errors import ConfigError
from streamapp.rollout.gate import PromotionGate

__all__ = ["Terms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is asked of a challenger, and of a champion that has just been promoted.

    Attributes
    ----------
    gate
        Off: the newest challenger is promoted without comparison, and former champions do not come back by
        themselves.
    alpha, margin, margin_in_alarm, min_rows, max_rows
        Of each challenger's :class:`~streamapp.rollout.gate.PromotionGate`.
    segment_margin
        By how much loss a challenger may be worse in a segment; None: segments are not looked at.
    segment_rows
        Rows of a segment from which on it counts.
    keep_champions
        Former champions that stay challengers, ≥ 0.
    rollback_alpha
        Chance that a new champion is rolled back that is not worse than the one before.
    rollback_rows
        Labelled rows for which it is compared with that one; 0: not at all.
    rollback_cooldown_rows
        Labelled rows after which a version that was rolled back is a challenger again.

    Raises
    ------
    ConfigError
        Naming the term, its value and the bound.
    """

    gate: bool = True
    alpha: float = 0.05
    margin: float = 0.0
    margin_in_alarm: float | None = -0.01
    min_rows: int = 0
    max_rows: int = 10_000
    segment_margin: float | None = 0.05
    segment_rows: int = 100
    keep_champions: int = 2
    rollback_alpha: float = 0.01
    rollback_rows: int = 5_000
    rollback_cooldown_rows: int = 2_000

    def __post_init__(self) -> None:
        self.new_gate()
        self.new_guard(0.0)
        for name, least in (
            ("segment_rows", 2), ("keep_champions", 0), ("rollback_rows", 0), ("rollback_cooldown_rows", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be {least} or more")
        if self.segment_margin is not None and not 0.0 <= self.segment_margin < 1.0:
            raise ConfigError(f"segment_margin is {self.segment_margin}; it must lie in [0, 1)")

    def new_gate(self, *, is_former: bool = False) -> PromotionGate:
        """Return the gate of a challenger that begins.

        One that has served before must be better, in alarm too: to be hardly worse speaks for what is new.
        """
        return PromotionGate(
            alpha=self.alpha,
            margin=self.margin,
            max_rows=self.max_rows,
            min_rows=self.min_rows,
            margin_in_alarm=None if is_former else self.margin_in_alarm,
        )

    def new_guard(self, tolerance: float) -> PromotionGate:
        """Return the gate with roles swapped: whether the one before is better by more than `tolerance`."""
        return PromotionGate(alpha=self.rollback_alpha, margin=tolerance, max_rows=max(self.rollback_rows, 1))

    def to_dict(self) -> dict[str, Any]:
        """Return the terms, JSON-able."""
        return asdict(self)

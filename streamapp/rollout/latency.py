"""Whether a challenger answers fast enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Latency"]

_OWN = "predict-ms"
_CHAMPION = "champion-predict-ms"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a challenger and the champion take for their golden rows, a hundred each.

    Attributes
    ----------
    ms, champion_ms
        Median of a few calls, milliseconds.

    Examples
    --------
    >>> Latency(80.0, 4.0).problem(ratio=3.0, floor_ms=10.0)
    'a hundred rows take it 80.0 ms, the champion 4.0 ms; 12.0 ms are allowed: raise gate_latency_ms for more'
    >>> Latency(8.0, 0.5).problem(ratio=3.0, floor_ms=10.0) is None
    True
    """

    ms: float
    champion_ms: float

    def problem(self, *, ratio: float, floor_ms: float) -> str | None:
        """Return what is wrong, if it is slower than the champion `ratio` times over and than `floor_ms`."""
        allowed_ms = max(ratio * self.champion_ms, floor_ms)
        if self.ms <= allowed_ms:
            return None
        return (
            f"a hundred rows take it {self.ms:.1f} ms, the champion {self.champion_ms:.1f} ms; "
            f"{allowed_ms:.1f} ms are allowed: raise gate_latency_ms for more"
        )

    @property
    def scores(self) -> dict[str, float]:
        """As they stand in a version's record."""
        return {_OWN: round(self.ms, 3), _CHAMPION: round(self.champion_ms, 3)}

    @staticmethod
    def stands_in(scores: Mapping[str, float]) -> bool:
        """Return whether a record's scores say that this was measured."""
        return _OWN in scores

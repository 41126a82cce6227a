"""Whether a role works: what is known of its progress, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Health"]

STUCK_S = 45.0
"""Seconds without contact, progress or a heartbeat after which a role is unhealthy."""
GIVE_UP_S = 120.0
"""Seconds unhealthy after which the process ends, to be started again."""


@dataclass(slots=True)
class Health:
    """Times of the last signs of life, in seconds of one monotonic clock.

    Written by the event loop, read by the web server's thread and the watchdog's: single assignments only.

    Attributes
    ----------
    clock
        Monotonic, seconds.
    beat_at
        The event loop turned.
    contact_at
        The broker answered.
    progress_at
        Offsets were committed, or there was nothing to commit.
    settled_at
        No rebalance was under way.
    waiting_for
        Why the role is not ready; None when it is.
    trouble
        What the broker said, or did, when it was asked last and gave no answer; None when it gave one.
    is_standby
        Whether other processes hold all partitions of it.
    idles
        Whether it stands still for a good reason (no model yet, a training runs): then that is no fault.
    """

    clock: Callable[[], float]
    beat_at: float = field(init=False)
    contact_at: float = field(init=False)
    progress_at: float = field(init=False)
    settled_at: float = field(init=False)
    waiting_for: str | None = "partitions"
    trouble: str | None = None
    is_standby: bool = False
    idles: bool = False

    def __post_init__(self) -> None:
        self.beat_at = self.contact_at = self.progress_at = self.settled_at = self.clock()

    def stand_still(self, waiting_for: str) -> None:
        """Note that the role cannot go on before it has what it waits for, which is no fault of it."""
        self.idles, self.waiting_for = True, waiting_for

    def go_on(self) -> None:
        """Note that the role waits for nothing; what it does next may take as long as ever."""
        if self.idles:
            self.progress_at = self.clock()
        self.idles, self.waiting_for = False, None

    def fault(self) -> str | None:
        """Return what is wrong, or None.

        Examples
        --------
        >>> now = [0.0]
        >>> health = Health(lambda: now[0])
        >>> health.fault()
        >>> now[0] = 50.0
        >>> health.beat_at = health.progress_at = health.settled_at = 50.0
        >>> health.fault()
        'the broker has not answered for 50 s'
        """
        now = self.clock()
        signs = [
            (self.beat_at, "the event loop has stood still for {:.0f} s"),
            (self.contact_at, "the broker has not answered for {:.0f} s"),
            (self.settled_at, "a rebalance has been under way for {:.0f} s"),
        ]
        if not self.idles:
            signs.append((self.progress_at, "there is lag, and nothing was committed for {:.0f} s"))
        found = next((text.format(now - at) for at, text in signs if now - at > STUCK_S), None)
        return found and found + self._because()

    def _because(self) -> str:
        return "" if self.trouble is None else f": {self.trouble}"

    def must_give_up(self) -> str | None:
        """Return what has been wrong for so long that only a new process helps, or None."""
        fault = self.fault()
        since = min(self.beat_at, self.contact_at, self.settled_at)
        if not self.idles:
            since = min(since, self.progress_at)
        return fault if self.clock() - since > STUCK_S + GIVE_UP_S else None

    def readiness(self) -> tuple[bool, str]:
        """Return whether the role is ready, and a word or the reason why not."""
        if self.is_standby:
            return True, "standby"
        if self.waiting_for is not None:
            return False, f"waiting for {self.waiting_for}{self._because()}"
        return True, "ready"

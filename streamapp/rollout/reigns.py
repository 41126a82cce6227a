"""Who serves, who served before, and which of them answer in the shadow of the present champion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Former", "Reigns", "Way"]

Way = Literal["gate", "rollback", "hand"]
"""How a champion came to serve: JUDGE promoted it, JUDGE went back to it, a command pointed at it."""


@dataclass(slots=True)
class Former:
    """A version that has served.

    Attributes
    ----------
    version
        Its name.
    since_ms
        Stream time at which it was replaced: rows count if they were requested later.
    from_row
        And if they are not among this many first labels: those before, and a cooldown's.
    is_rolled_back
        Whether it was worse than the one before: then it may come back by its first gate only.
    """

    version: str
    since_ms: int | None
    from_row: int
    is_rolled_back: bool = False


class Reigns:
    """The present champion and the last few before it.

    After a change the champion before guards the new one: it answers the same rows, and if it proves better
    the deployment goes back to it. Nobody guards a champion that was gone back to, so that two versions
    cannot chase each other; the one that was rolled back is a challenger again only after a cooldown, and
    once: a stretch in which even a spoiled model is right comes sooner or later.

    Parameters
    ----------
    keep
        Former champions that stay challengers.
    cooldown_rows
        First labels for which one waits that was rolled back.
    guards
        Whether new champions are guarded.

    Examples
    --------
    >>> reigns = Reigns(keep=2, cooldown_rows=500, guards=True)
    >>> reigns.change("a", now_ms=None, row=0, way="hand")
    >>> reigns.change("b", now_ms=60_000, row=100, way="gate")
    >>> reigns.guard, reigns.shadows("b")
    ('a', ('a',))
    >>> reigns.change("a", now_ms=90_000, row=150, way="rollback")
    >>> reigns.guard, reigns.former
    (None, [Former(version='b', since_ms=90000, from_row=650, is_rolled_back=True)])
    """

    def __init__(self, *, keep: int, cooldown_rows: int, guards: bool) -> None:
        self._keep, self._cooldown_rows, self._guards = keep, cooldown_rows, guards
        self.champion: str | None = None
        self.guard: str | None = None
        """The former champion that guards this one."""
        self.tolerance = 0.0
        """By how much loss the champion may be worse than its guard."""
        self.former: list[Former] = []
        """Without the present champion, the latest last."""

    def change(self, version: str, *, now_ms: int | None, row: int, way: Way, tolerance: float = 0.0) -> None:
        """Take note that another version serves.

        Whoever points by hand at one of the last champions rolls the present one back.

        Parameters
        ----------
        version
            The next champion.
        now_ms
            Stream time; None at the beginning.
        row
            Number of first labels until then.
        way
            How it came to serve.
        tolerance
            By how much loss it may be worse than the one before.
        """
        served = {former.version for former in self.former}
        is_back = way == "rollback" or (way == "hand" and version in served)
        self.former = [former for former in self.former if former.version != version]
        self.guard, self.tolerance = None, tolerance
        if self.champion is not None:
            waits = self._cooldown_rows if is_back else 0
            self.former.append(Former(self.champion, now_ms, row + waits, is_back))
            if self._guards and not is_back:
                self.guard = self.champion
        self.champion = version
        self._forget()

    def end_guard(self, row: int) -> None:
        """Take note that the guard found nothing by row `row`: a challenger like other former champions."""
        for former in self.former:
            if former.version == self.guard:
                former.from_row = row
        self.guard = None
        self._forget()

    def is_rolled_back(self, version: str) -> bool:
        """Return whether a former champion was rolled back in its last reign."""
        return any(former.is_rolled_back for former in self.former if former.version == version)

    def give_up(self, version: str) -> None:
        """Take note that a former champion is a challenger no longer."""
        self.former = [former for former in self.former if former.version != version]

    def _forget(self) -> None:
        kept = max(self._keep, int(self.guard is not None))
        self.former = self.former[len(self.former) - kept :] if len(self.former) > kept else self.former

    def shadows(self, champion: str) -> tuple[str, ...]:
        """Return which former champions are needed beside `champion`, present or next."""
        before = [former.version for former in self.former]
        if champion != self.champion and self.champion is not None:
            before.append(self.champion)
        return tuple(version for version in before if version != champion)

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "champion": self.champion,
            "guard": self.guard,
            "tolerance": self.tolerance,
            "former": [asdict(former) for former in self.former],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Become what :meth:`snapshot` was taken from."""
        self.champion, self.tolerance = snapshot["champion"], snapshot["tolerance"]
        self.guard = snapshot["guard"] if self._guards else None
        self.former = [Former(**former) for former in snapshot["former"]]
        self._forget()

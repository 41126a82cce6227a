"""Whether people and systems agree on the labels that both gave."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from streamapp.messages import Label

__all__ = ["LabelAgreement"]


class LabelAgreement:
    """The last answers labelled by a system first and by a person then.

    Parameters
    ----------
    size
        How many are kept, ≥ 1.

    Examples
    --------
    >>> agreement = LabelAgreement()
    >>> for system, person in ["aa", "aa", "aa", "ab", "bb", "bb", "ba", "bb"]:
    ...     agreement.add(system, person)
    >>> agreement.share, round(agreement.kappa, 3)
    (0.75, 0.5)
    """

    def __init__(self, size: int = 1_000) -> None:
        self._pairs: deque[tuple[Label, Label]] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, system: Label, person: Label) -> None:
        """Take the labels that both gave to one answer."""
        self._pairs.append((system, person))

    @property
    def share(self) -> float | None:
        """The share on which both said the same; None without any."""
        if not self._pairs:
            return None
        return sum(system == person for system, person in self._pairs) / len(self._pairs)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa [1]_: the agreement beyond chance, 1 if complete, 0 if as by chance.

        None without pairs, and where chance alone agrees on all of them.

        References
        ----------
        .. [1] Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
           Measurement 20, 1960.
        """
        if (share := self.share) is None:
            return None
        systems = Counter(system for system, _ in self._pairs)
        persons = Counter(person for _, person in self._pairs)
        chance = sum(count * persons[label] for label, count in systems.items()) / len(self._pairs) ** 2
        return (share - chance) / (1.0 - chance) if chance < 1.0 else None

    def snapshot(self) -> list[tuple[Label, Label]]:
        """Return the state, JSON-able."""
        return list(self._pairs)

    def restore(self, snapshot: Iterable[tuple[Label, Label]]) -> None:
        """Become what :meth:`snapshot` was taken from."""
        self._pairs.clear()
        self._pairs.extend((system, person) for system, person in snapshot)

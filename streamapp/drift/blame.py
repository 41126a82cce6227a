"""Which of two columns is to blame when their correlation has changed: the one that has left others, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

__all__ = ["blame"]

Pair = tuple[str, str]


def blame(evidence: Mapping[Pair, float], unrest: Mapping[str, float]) -> list[tuple[Pair, float]]:
    """Order pairs of columns so that the column to blame stands first, in each pair and in the list.

    Parameters
    ----------
    evidence
        Weight of each pair whose correlation has changed, > 0.
    unrest
        How surely each column's other correlations have moved, as z²; 1 on average if they have not.

    Returns
    -------
    list
        Pairs (to blame, other) with their weights. The column whose pairs weigh most takes them all, then the
        next among those that are left: the greedy cover of the graph of changes. A pair that has nothing in
        common with the others is there twice, the more restless column first, its weight shared accordingly.

    References
    ----------
    .. [1] V. Chvatal, "A greedy heuristic for the set-covering problem", Mathematics of Operations Research
       4, 1979.

    Examples
    --------
    >>> unrest = {"a": 4, "b": 6, "c": 3, "d": 0, "e": 2}
    >>> blame({("a", "b"): 3, ("b", "c"): 2, ("d", "e"): 1}, unrest)
    [(('b', 'a'), 3), (('b', 'c'), 2), (('e', 'd'), 0.75), (('d', 'e'), 0.25)]
    """
    left = dict(evidence)
    ordered: list[tuple[Pair, float]] = []
    while left:
        weights: defaultdict[str, float] = defaultdict(float)
        for pair, weight in left.items():
            for column in pair:
                weights[column] += weight
        lead = min(weights, key=lambda column: (-weights[column], -unrest[column], column))
        own = sorted((pair for pair in left if lead in pair), key=lambda pair: (-left[pair], pair))
        for a, b in own:
            other, weight = (b if a == lead else a), left.pop((a, b))
            if weights[other] == weights[lead]:  # it has no other pair either
                part = weight * (unrest[lead] + 1) / (unrest[lead] + unrest[other] + 2)
                ordered += [((lead, other), part), ((other, lead), weight - part)]
            else:
                ordered.append(((lead, other), weight))
    return ordered

"""The same bins with the counts and correlations of other rows, as if those had been the reference."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.columns import Columns
from streamapp.profile.measures import Measures
from streamapp.profile.outputs import OutputProfile
from streamapp.profile.profile import Profile
from streamapp.profile.reference import fit_pairs

__all__ = ["recount"]


def recount(profile: Profile, columns: Columns, outputs: np.ndarray | None = None) -> Profile:
    """Return `profile` with the counts, correlations and number of rows of `columns`.

    Kinds, bins, levels and the variance inflation stay: what is watched, and how cautiously, is what it was.
    A daily cycle does not: the hours of these rows are not asked for.

    Parameters
    ----------
    profile
        Whose bins are kept.
    columns
        Its columns, (m,) each.
    outputs
        (k,) values or labels, or (k, classes) probabilities: the new baseline of outputs. None: the old one.

    Raises
    ------
    ProfileError
        If a column is absent or of another type.

    Examples
    --------
    >>> profile = Profile.fit({"temp": np.linspace(0, 1, 1000)}, ordered=False)
    >>> warm = recount(profile, {"temp": np.linspace(0.5, 1, 200)})
    >>> warm.rows, int(warm.columns[0].counts[:10].sum())
    (200, 0)
    """
    coder = Coder(profile.columns)
    numbers, names, rows = coder.codes(columns)
    fresh = _with_counts(profile.columns, coder.count(numbers, names))
    pairs = fit_pairs(fresh, coder, numbers)
    mixtures = profile.mixtures
    if mixtures:  # their sums are of ranks, and those depend on the counts
        coder = Coder(fresh + mixtures)
        counts = coder.count(*coder.codes(columns)[:2])
        mixtures = _with_counts(fresh + mixtures, counts)[len(fresh) :]
    watched = fresh + mixtures
    factor, blocks = _carried(_parts(profile.watched), _parts(watched), profile.factor, profile.blocks)
    before = list(zip(profile.pairs.first.tolist(), profile.pairs.second.tolist(), strict=True))
    now = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    pair_factor, pair_blocks = _carried(before, now, profile.pair_factor, profile.pair_blocks)
    own = profile.outputs
    if own is not None and own.season is not None:
        own = replace(own, season=None)
    return replace(
        profile,
        columns=fresh,
        mixtures=mixtures,
        pairs=pairs,
        outputs=own if own is None or outputs is None else _outputs(own, outputs),
        rows=rows,
        factor=factor,
        blocks=blocks,
        pair_factor=pair_factor,
        pair_blocks=pair_blocks,
        season=None,
    )


def _outputs(profile: OutputProfile, outputs: np.ndarray) -> OutputProfile:
    coder = Coder(profile.columns)
    numbers, names, _ = coder.codes(profile.columns_of(np.asarray(outputs)))
    fresh = _with_counts(profile.columns, coder.count(numbers, names))
    factor, blocks = _carried(_parts(profile.columns), _parts(fresh), profile.factor, profile.blocks)
    return OutputProfile(profile.classes, fresh, factor, blocks)


def _with_counts(columns: tuple[ColumnProfile, ...], counts: np.ndarray) -> tuple[ColumnProfile, ...]:
    ends = np.cumsum([len(column.counts) for column in columns])
    return tuple(
        column.with_counts(own) for column, own in zip(columns, np.split(counts, ends[:-1]), strict=True)
    )


def _parts(columns: tuple[ColumnProfile, ...]) -> list[Hashable]:
    return [(part.column, part.aspect, part.level) for part in Measures(columns).components]


def _carried(
    before: Sequence[Hashable], now: Sequence[Hashable], factor: np.ndarray, blocks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the inflation of the components `now`: some come and go with the bins that are filled."""
    if not len(factor):
        return factor, blocks
    known = dict(zip(before, zip(factor.tolist(), blocks.tolist(), strict=True), strict=True))
    carried = np.array([known.get(part, (1.0, np.inf)) for part in now], dtype=np.float64).reshape(-1, 2)
    return carried[:, 0], carried[:, 1]

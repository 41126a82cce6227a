"""Bins of a profile as bars that people can read."""

from __future__ import annotations

import numpy as np

from streamapp.dashboard.view import Bars
from streamapp.profile import ColumnKind, ColumnProfile
from streamapp.profile.shares import level_name, merge_bins
from streamapp.profile.times import HOURS

__all__ = ["bars"]

_MOST = 20
_LEVELS = 12


def bars(column: ColumnProfile, then: np.ndarray, now: np.ndarray) -> Bars:
    """Return the shares of both.

    Parameters
    ----------
    column
        Its bins.
    then, now
        Rows per bin, (bins,).

    Notes
    -----
    The bins of numbers are quantiles of the reference, in which any distribution looks flat: they are laid
    out again in bars of equal width between the reference's tails, each bin spread evenly over its width.
    """
    both = np.stack([then, now]).astype(np.float64)
    if column.kind is ColumnKind.DATETIME:
        both = np.stack([merge_bins(column, "hour", own) for own in both])
        labels = [f"{hour} h" for hour in range(HOURS)] + ["no time"]
    elif column.kind is ColumnKind.TEXT:
        both = np.stack([merge_bins(column, "length", own) for own in both])
        labels, both = _intervals(column.edges, both)
    elif column.is_names:
        labels, both = _names(column, both)
    elif len(column.edges) - 1 > _MOST or column.kind is ColumnKind.CONTINUOUS:
        labels, both = _even(column.edges, both)
    else:
        labels, both = _intervals(column.edges, both)
    if column.is_personal and not column.is_names:
        labels = [f"#{place}" for place in range(1, len(labels) + 1)]  # bounds are somebody's values
    if both[:, -1].any():
        labels = [*labels, "missing"]
    else:
        both = both[:, :-1]
    shares = 100 * both / np.maximum(both.sum(axis=1, keepdims=True), 1)
    return Bars(
        column.name, tuple(labels), *(tuple(np.round(own, 2).tolist()) for own in shares)
    )  # fmt: skip


def _intervals(edges: np.ndarray, both: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return a bar per bin, called by the smallest value in it; those outside only if there is something."""
    if not len(edges):
        return ["any"], both
    inner = _texts(edges[:-1])
    labels = [f"< {inner[0]}", *inner, f"> {inner[-1]}"]
    kept = [i for i in range(len(labels)) if 0 < i < len(labels) - 1 or both[:, i].any()]
    return [labels[i] for i in kept], both[:, [*kept, -1]]


def _even(edges: np.ndarray, both: np.ndarray) -> tuple[list[str], np.ndarray]:
    low, high = (edges[1], edges[-2]) if len(edges) > 3 else (edges[0], edges[-1])
    cuts = np.linspace(low, high, _MOST + 1)
    inner = both[:, 1:-2]
    reached = np.concatenate([np.zeros((2, 1)), inner.cumsum(axis=1)], axis=1)
    up_to = np.stack([np.interp(cuts, edges, own) for own in reached])
    below = both[:, 0] + up_to[:, 0]
    above = both[:, -2] + reached[:, -1] - up_to[:, -1]
    laid = np.column_stack([below, np.diff(up_to, axis=1), above, both[:, -1]])
    texts = _texts(cuts)
    return [f"< {texts[0]}", *texts[:-1], f"≥ {texts[-1]}"], laid


def _names(column: ColumnProfile, both: np.ndarray) -> tuple[list[str], np.ndarray]:
    own, groups = len(column.levels), column.groups
    ranked = np.argsort(-both[:, :own].sum(axis=0), kind="stable") if own else np.empty(0, np.intp)
    shown, rest = ranked[:_LEVELS], ranked[_LEVELS:]
    others = both[:, rest].sum(axis=1) + both[:, own : own + groups].sum(axis=1)
    unseen = both[:, own + groups : own + 2 * groups].sum(axis=1)
    labels, parts = [level_name(column, i) for i in shown.tolist()], [both[:, shown]]
    for label, counts in (("other", others), ("never seen before", unseen)):
        if counts.any():
            labels.append(label)
            parts.append(counts[:, None])
    return labels, np.concatenate([*parts, both[:, -1:]], axis=1)


def _texts(values: np.ndarray) -> list[str]:
    """Return numbers with as many decimals as tell them apart."""
    steps = np.diff(values)
    step = float(np.median(steps)) if len(steps) else 1.0
    decimals = int(np.clip(np.ceil(-np.log10(step)), 0, 6)) if step > 0 else 3
    rounded = np.round(values, decimals) + 0.0  # which makes 0 of -0
    return [f"{v:.3g}" if abs(v) >= 1e6 else f"{v:.{decimals}f}" for v in rounded.tolist()]

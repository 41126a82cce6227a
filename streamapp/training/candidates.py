"""Which rows to fit on: several windows are tried, and the freshest labels choose.

No single window wins. After a sudden change the rows since then alone tell of the world as it is; where the
world is quiet more rows are better; where regimes return the old ones are [1]_, [2]_. So each training fits
one candidate per window without the newest rows, compares them on these, and fits the best window once more
with them. What choose are few, as they must be fresh; what is known of the model that was chosen should come
from more: a day is not like the next.

References
----------
.. [1] Klinkenberg, "Learning drifting concepts: example selection vs. example weighting", Intelligent Data
   Analysis 8, 2004.
.. [2] Bifet, Gavaldà, "Learning from time-changing data with adaptive windowing", SIAM International
   Conference on Data Mining, 2007.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from streamapp.messages import TriedWindow
from streamapp.models.losses import Floats

__all__ = ["Chosen", "Window", "fit_best", "windows_of"]

T = TypeVar("T")

_ALIKE = 1.25
"""Windows whose numbers of rows differ by less than this factor teach the same."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rows from `start` on, in the order of their requests; `name` is for people."""

    name: str
    start: int


@dataclass(frozen=True, slots=True)
class Chosen(Generic[T]):
    """The best candidate.

    Attributes
    ----------
    model
        Fitted on all rows of the window, the newest too; on the others alone if that was not possible.
    sibling
        Fitted on the same window up to `held`: what is known of `model` comes from its answers to the rest.
    held
        Position of the first row that the sibling was not fitted on.
    window
        The rows of both.
    tried
        All candidates, the longest window first.
    """

    model: T
    sibling: T
    held: int
    window: Window
    tried: tuple[TriedWindow, ...]


def windows_of(n: int, *, since: int | None, rows: Sequence[int], min_rows: int) -> list[Window]:
    """Return the windows to try, the longest first.

    Parameters
    ----------
    n
        Rows that there are.
    since
        Position of the first row after a change, if there was one.
    rows
        Sizes of windows that end with the newest row.
    min_rows
        Windows with fewer rows are left out, but for that of all rows.

    Examples
    --------
    >>> [window.name for window in windows_of(9_000, since=8_300, rows=(2_000, 8_000), min_rows=500)]
    ['all 9,000', 'last 2,000', '700 since the change']
    >>> [window.name for window in windows_of(1_500, since=1_400, rows=(2_000, 8_000), min_rows=500)]
    ['all 1,500']
    """
    found = {n: f"all {n:,}"}
    wanted = [(size, f"last {size:,}") for size in sorted(rows, reverse=True)]
    if since is not None:  # before the others: of two that are alike it has no row of the old world
        wanted.insert(0, (n - since, f"{n - since:,} since the change"))
    for size, name in wanted:
        if min_rows <= size <= n and all(max(size, other) >= _ALIKE * min(size, other) for other in found):
            found[size] = name
    return [Window(found[size], n - size) for size in sorted(found, reverse=True)]


def fit_best(
    windows: Sequence[Window],
    newest: int,
    n: int,
    *,
    fit: Callable[[slice], T],
    losses: Callable[[T], Floats],
    held: Callable[[Window], int],
    may_refit: Callable[[T, T], bool] = lambda sibling, model: True,
) -> Chosen[T]:
    """Fit a candidate per window, choose on the newest rows, and fit the best window once more with them.

    Parameters
    ----------
    windows
        The longest first; of equal candidates the earlier is chosen.
    newest
        Position of the first row that no candidate is fitted on; the rows from there on choose.
    n
        Rows in all.
    fit
        Returns a model fitted on a slice of the rows.
    losses
        Returns a model's losses on the newest rows, (n - newest,).
    held
        Returns the position from which on rows of a window are kept from the sibling; `newest` at the latest.
    may_refit
        Whether what was fitted with the newest rows may stand for its sibling.
    """
    fitted = [fit(slice(window.start, newest)) for window in windows]
    each = [losses(model) for model in fitted]
    tried = tuple(
        TriedWindow(window=window.name, rows=newest - window.start, loss=float(own.mean()))
        for window, own in zip(windows, each, strict=True)
    )
    best = min(range(len(windows)), key=lambda i: tried[i].loss)
    window, sibling, start = windows[best], fitted[best], min(held(windows[best]), newest)
    if start < newest:
        sibling = fit(slice(window.start, start))
    model = fit(slice(window.start, n))
    if not may_refit(sibling, model):
        return Chosen(fitted[best], fitted[best], newest, window, tried)
    return Chosen(model, sibling, start, window, tried)

"""Models of a model and of its inputs, from logged rows: what should have been answered to these inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from streamapp.profile import Columns

__all__ = ["Table", "cross_fitted", "density_ratio", "effective_share", "fit_surrogate", "tabulate"]

Table = np.ndarray
"""(n, d) float64: numbers with NaN for what is missing; names as codes, the most frequent first."""
Predict = Callable[[Table], np.ndarray]

_FOLDS = 5
_LEVELS = 100
"""Names beyond the most frequent ones are one level: the trees take at most 255."""


def tabulate(before: Columns, now: Columns) -> tuple[Table, Table, list[bool]]:
    """Return both tables as numbers, and which of their columns are names.

    Parameters
    ----------
    before, now
        The same columns, of n0 and of n rows.
    """
    pairs = [(before[name], now[name]) for name in before]
    is_names = [object in (first.dtype, second.dtype) for first, second in pairs]
    coded = [_codes(*pair) if named else pair for pair, named in zip(pairs, is_names, strict=True)]
    tables = (np.column_stack([each[i] for each in coded]).astype(np.float64) for i in (0, 1))
    return next(tables), next(tables), is_names


def fit_surrogate(X: Table, y: np.ndarray, is_names: list[bool]) -> Predict:
    """Fit logged outputs on logged inputs: a plane through the numbers, and trees on what it leaves."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415  # slow to import, seldom used

    numbers = np.flatnonzero(~np.array(is_names))
    middle, scale = _middle(X[:, numbers])

    def linear(Z: Table) -> np.ndarray:
        centred = np.clip((Z[:, numbers] - middle) / scale, -10, 10)
        return np.column_stack([np.ones(len(Z)), np.where(np.isnan(centred), 0.0, centred)])

    A = linear(X)
    ridge = np.full(A.shape[1], 1.0)
    ridge[0] = 1e-6
    slopes = np.linalg.solve(A.T @ A + np.diag(ridge), A.T @ y)
    trees = HistGradientBoostingRegressor(
        max_iter=100, max_leaf_nodes=16, min_samples_leaf=20, categorical_features=is_names, random_state=0
    ).fit(X, y - A @ slopes)
    return lambda Z: np.asarray(linear(Z) @ slopes + trees.predict(Z))


def cross_fitted(X: Table, y: np.ndarray, is_names: list[bool]) -> np.ndarray:
    """Return for each row what a surrogate fitted on other rows says, (n,)."""
    out = np.empty(len(X))
    for rest, part in _folds(len(X)):
        out[part] = fit_surrogate(X[rest], y[rest], is_names)(X[part])
    return out


def density_ratio(before: Table, now: Table, is_names: list[bool]) -> np.ndarray:
    """Return how much more often rows like each of `before` come now, (n0,), 1 on average.

    From a classifier that tells the two apart, fitted on other rows than it is asked about.

    References
    ----------
    .. [1] M. Sugiyama, T. Suzuki, T. Kanamori, "Density Ratio Estimation in Machine Learning", 2012,
       chapter 4.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    X = np.concatenate([before, now])
    is_now = np.repeat([0, 1], [len(before), len(now)])
    odds = np.empty(len(X))
    for rest, part in _folds(len(X)):
        trees = HistGradientBoostingClassifier(
            max_iter=50, max_depth=3, min_samples_leaf=40, l2_regularization=10.0,
            categorical_features=is_names, random_state=0,
        ).fit(X[rest], is_now[rest])  # fmt: skip
        p = np.clip(trees.predict_proba(X[part])[:, 1], 1e-4, 1 - 1e-4)
        odds[part] = p / (1 - p)
    ratio = odds[: len(before)]
    return np.asarray(ratio / ratio.mean())


def effective_share(weights: np.ndarray) -> float:
    """Return how many rows of equal weight say as much as these (n,) do, by n.

    References
    ----------
    .. [1] L. Kish, "Survey Sampling", 1965, section 11.7.

    Examples
    --------
    >>> effective_share(np.array([2.0, 2.0, 2.0, 2.0])), effective_share(np.array([1.0, 0.0, 0.0, 0.0]))
    (1.0, 0.25)
    """
    return float(weights.sum() ** 2 / (weights**2).sum() / len(weights))


def _folds(n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each fold its other rows and its own, the same for the same n."""
    fold = np.random.default_rng(0).permutation(n) % _FOLDS
    for k in range(_FOLDS):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


def _middle(X: Table) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(X)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, X, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, X - middle, 0.0) ** 2).sum(axis=0) / count)
    return middle, np.where(spread > 0, spread, 1.0)


def _codes(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    both = np.concatenate([first, second]).astype(object)
    names, codes, counts = np.unique(
        np.array(["" if name is None else str(name) for name in both.tolist()]),
        return_inverse=True,
        return_counts=True,
    )
    place = np.empty(len(names))
    place[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(len(names)), _LEVELS)
    coded = place[codes]
    return coded[: len(first)], coded[len(first) :]

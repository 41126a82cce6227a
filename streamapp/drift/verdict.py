"""Why the outputs have moved: because the inputs did, and which, or because the answers to them are others.

Theory of operation. Outputs of a window are compared with those of a quiet window before it. A surrogate,
fitted on the quiet rows, says what would have been answered to the inputs of both. What it is wrong by should
be the same in both, given the inputs, as long as the model is the same. A surrogate is never quite right, and
its errors depend on the inputs; so the quiet rows are weighed as if they had come as often as they come now.
Where hardly any of them are like those that come now, nothing can be said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from threadpoolctl import threadpool_limits

from streamapp.drift.surrogate import (
    Predict,
    Table,
    cross_fitted,
    density_ratio,
    effective_share,
    fit_surrogate,
    tabulate,
)
from streamapp.messages import InputShare, Verdict
from streamapp.profile import Columns

__all__ = ["MIN_BEFORE", "MIN_NOW", "NO_VERDICT", "Answered", "explain", "find_cause", "graver"]

MIN_BEFORE = 400
MIN_NOW = 60
_LEVEL = 0.002
"""Chance to call the outputs unexplained when the inputs explain them, as far as the standard error knows:
the weights are estimates, too."""
_MOST = 0.5
"""From this share on what the inputs do not explain is the larger part."""
_OVERLAP = 0.3
"""Smallest effective share of the quiet rows, weighed. Below .2 the test has lost its level by far, from .3
on it has it: ``tests/benchmarks/drift/bench_verdict.py``."""
_SUFFIXES = (64, 128, 256, 512, 1_024)
_WALKS = 300
_NAMED = 10
_TINY = 1e-12
_GRAVITY = {"no-verdict": 0, "inputs": 1, "unexplained": 2, "model-changed": 2}
NO_VERDICT = Verdict(cause="no-verdict")


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows and what was answered to them.

    Parameters
    ----------
    columns
        Inputs as the model saw them, (n,) each.
    outputs
        (n,) numbers, (n,) labels as objects, or (n, k) probabilities.
    """

    columns: Columns
    outputs: np.ndarray

    def __len__(self) -> int:
        return len(self.outputs)

    def comparable(self, other: Answered) -> Answered:
        """Return the rows with labels or finite numbers as outputs, and the columns that `other` has too."""
        known = np.ones(len(self), dtype=bool)
        if self.outputs.dtype != object:
            known = np.isfinite(self.outputs).all(axis=tuple(range(1, self.outputs.ndim)))
        columns = {name: values[known] for name, values in self.columns.items() if name in other.columns}
        return Answered(columns, self.outputs[known])

    @property
    def kind(self) -> tuple[bool, tuple[int, ...]]:
        """Whether outputs are labels, and how many numbers they are else."""
        return self.outputs.dtype == object, self.outputs.shape[1:]


def find_cause(
    now: Answered, own: Answered | None, former: Answered | None, since: Mapping[int, int] | None
) -> Verdict:
    """Say why outputs have moved, if another version may have taken over shortly before.

    Parameters
    ----------
    now
        Rows of the alarming window.
    own
        Quiet rows that the same version answered, None if there are none.
    former
        Quiet rows of the version before it. Asked if the others say nothing: if the new version is the
        reason, there are no quiet rows of its own, or they are like those of now.
    since
        First offset of the new version in each partition; None if it is known to answer as the former does.

    Returns
    -------
    Verdict
        As :func:`explain` says; and ``model-changed``, if the larger part of the change since the former
        version is not explained by the inputs. Two versions hardly ever answer alike: where the inputs
        explain the larger part, they are the cause.
    """
    found = NO_VERDICT if own is None else explain(own, now)
    if found.cause != "no-verdict" or former is None:
        return found
    found = explain(former, now)
    if found.cause != "unexplained" or since is None:
        return found
    if found.unexplained is not None and found.unexplained < _MOST:
        return found.model_copy(update={"cause": "inputs"})
    named = {str(partition): offset for partition, offset in since.items()}
    return found.model_copy(update={"cause": "model-changed", "since": named})


def graver(had: Verdict | None, found: Verdict) -> Verdict:
    """Return what counts of an alert that has a verdict, when a later window has another one.

    That the answers are others stays said when the inputs move as well, or when nothing can be said.
    """
    is_kept = had is not None and had.cause != found.cause and _GRAVITY[found.cause] <= _GRAVITY[had.cause]
    return had if had is not None and is_kept else found


def explain(before: Answered, now: Answered, *, min_overlap: float = _OVERLAP) -> Verdict:
    """Say whether the inputs explain that the outputs of `now` are others than those of `before`.

    Parameters
    ----------
    before
        Rows of a quiet window, at least 400; 4,000 are better. Columns that only one side has are left aside.
    now
        Rows of the alarming window in the order of time, at least 60. Those before the change are left out.
    min_overlap
        Smallest effective share of the quiet rows when they are weighed by how often rows like them come now.

    Returns
    -------
    Verdict
        ``inputs``: they explain most of it; their shares of the change, the largest first. ``unexplained``:
        the answers to the same inputs have changed; `unexplained` is that part of the change.
        ``no-verdict``: neither is sure; too few rows, or too few of `before` that are like those of `now`.

    Notes
    -----
    The test is that of the weighted difference of residuals and of their absolute values, at .2 %; it is
    doubly robust: right where the surrogate or the weights are. An answer that depends on something that is
    not among the inputs looks unexplained. Shares are Shapley values of the surrogate's mean.

    References
    ----------
    .. [1] H. Shimodaira, "Improving predictive inference under covariate shift by weighting the
       log-likelihood function", Journal of Statistical Planning and Inference 90, 2000.
    .. [2] T. Cai, H. Namkoong, S. Yadlowsky, "Diagnosing model performance under distribution shift", 2023.
    .. [3] E. Strumbelj, I. Kononenko, "An efficient explanation of individual classifications using game
       theory", JMLR 11, 2010.
    """
    before, now = before.comparable(now), now.comparable(before)
    if len(before) < MIN_BEFORE or len(now) < MIN_NOW or not before.columns or before.kind != now.kind:
        return NO_VERDICT
    with threadpool_limits(1):  # trees of a few thousand rows: more threads would only wait for each other
        return _explain(before, now, min_overlap)


def _explain(before: Answered, now: Answered, min_overlap: float) -> Verdict:
    y0, y1 = _scores(before.outputs, now.outputs)
    X0, X1, is_names = tabulate(before.columns, now.columns)
    changed = _since_change(y0, y1)
    y1, X1 = y1[changed:], X1[changed:]
    weights = density_ratio(X0, X1, is_names)
    if effective_share(weights) < min_overlap:
        return NO_VERDICT
    surrogate = fit_surrogate(X0, y0, is_names)
    left0, left1 = y0 - cross_fitted(X0, y0, is_names), y1 - surrogate(X1)
    rest, z = _difference(left0, left1, weights)
    _, z_size = _difference(np.abs(left0), np.abs(left1), weights)
    bound = -float(ndtri(_LEVEL / 4))
    is_unexplained = max(abs(z), abs(z_size)) > bound
    parts = _shapley(surrogate, X0, X1)
    direction = np.sign(y1.mean() - y0.mean())
    along = np.maximum(parts * direction, 0.0)
    unexplained = max(rest * direction, 0.0) if not is_unexplained else abs(rest)
    total = along.sum() + unexplained + _TINY
    is_explained = abs(_explained(y0, y1, rest)) >= bound
    if not is_unexplained and (not is_explained or unexplained > along.sum()):
        return NO_VERDICT
    if not is_explained:  # outputs that scatter about the same mean have no direction in which inputs count
        return Verdict(cause="unexplained", unexplained=1.0)
    names = list(before.columns)
    ranked = [k for k in np.argsort(-along, kind="stable").tolist() if along[k] > 0.005 * total]
    return Verdict(
        cause="unexplained" if is_unexplained else "inputs",
        inputs=[InputShare(name=names[k], share=round(float(along[k] / total), 4)) for k in ranked[:_NAMED]],
        unexplained=round(float(unexplained / total), 4),
    )


def _since_change(before: np.ndarray, now: np.ndarray) -> int:
    """Return from which of the scores (n,) on they differ most surely: of the last 64, 128, … or all."""
    lengths = [length for length in _SUFFIXES if length < len(now)] + [len(now)]
    mean = before.mean()
    sure = [abs(now[-length:].mean() - mean) * np.sqrt(length) for length in lengths]
    return len(now) - lengths[int(np.argmax(sure))]


def _explained(before: np.ndarray, now: np.ndarray, rest: float) -> float:
    """Return the change of the mean that is not left, by its standard error."""
    variance = before.var() / len(before) + now.var() / len(now)
    return float((now.mean() - before.mean() - rest) / np.sqrt(max(variance, _TINY)))


def _difference(before: np.ndarray, now: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return mean of `now` less the weighted mean of `before`, and that by its standard error."""
    w = weights / weights.sum()
    mean = w @ before
    difference = float(now.mean() - mean)
    variance = now.var(ddof=1) / len(now) + (w**2) @ (before - mean) ** 2
    return difference, difference / float(np.sqrt(max(variance, _TINY)))


def _shapley(predict: Predict, before: Table, now: Table) -> np.ndarray:
    """Return what each column contributes to the change of the mean prediction, (d,).

    Random rows of `before` become random rows of `now`, one column after the other in a random order.
    """
    rng, d = np.random.default_rng(0), before.shape[1]
    walks = max(20, min(_WALKS, 40_000 // d))
    at = before[rng.integers(len(before), size=walks)]
    to = now[rng.integers(len(now), size=walks)]
    step = rng.permuted(np.tile(np.arange(d), (walks, 1)), axis=1)
    place = np.argsort(step, axis=1)  # when each column's turn is
    stages = np.where(place[:, None, :] < np.arange(d + 1)[None, :, None], to[:, None, :], at[:, None, :])
    said = predict(stages.reshape(-1, d)).reshape(walks, d + 1)
    parts = np.zeros(d)
    np.add.at(parts, step, np.diff(said, axis=1))
    return np.asarray(parts / walks)


def _scores(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one number per output, of the class that has moved most: log-odds, membership, or the value.

    Values are measured in spreads of those before, extreme ones logarithmically.
    """
    if before.ndim == 2:
        p = np.clip(np.concatenate([before, now]), 1e-6, 1 - 1e-6)
        scores = np.log(p / (1 - p))
    elif before.dtype == object:
        levels = sorted({str(label) for label in before.tolist() + now.tolist()})
        both = np.array([str(label) for label in before.tolist() + now.tolist()])
        scores = (both[:, None] == np.array(levels)).astype(np.float64)
    else:
        low, middle, high = np.quantile(before, [0.25, 0.5, 0.75])
        spread = (high - low) / 1.349 or float(before.std()) or 1.0
        scores = np.arcsinh((np.concatenate([before, now])[:, None] - middle) / spread)
    n = len(before)
    moved = np.abs(scores[n:].mean(axis=0) - scores[:n].mean(axis=0)) / (scores[:n].std(axis=0) + 1e-9)
    best = int(moved.argmax())
    return scores[:n, best], scores[n:, best]

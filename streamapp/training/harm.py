"""Drift without harm: whether inputs that moved have cost the champion any accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamapp.models import Baseline
from streamapp.models.losses import Floats
from streamapp.quality.e_detector import upper_bound
from streamapp.quality.labelled_rows import Ints

__all__ = ["Harm", "harm_of"]

_ROWS = 300


@dataclass(frozen=True, slots=True)
class Harm:
    """Whether drift has done harm: ``unknown`` while there are too few labels; `why` is for people."""

    verdict: Literal["some", "none", "unknown"]
    why: str


def harm_of(at_ms: int, times_ms: Ints, losses: Floats, baseline: Baseline | None) -> Harm:
    """Return what the labels of the first 300 requests since an alert on inputs say.

    Inputs move all the time; a model is worth replacing when its answers suffer. They do not if their mean
    loss lies within the 95 % bound of the champion's baseline. Without labels that cannot be said, nor could
    anything be learned of the new inputs.

    Parameters
    ----------
    at_ms
        Event time of the retrain event.
    times_ms, losses
        Event times of the requests that the champion answered, in log order, and the losses, (n,) each; rows
        whose loss is NaN do not count.
    baseline
        Of the champion; None: any drift may have done harm.

    Examples
    --------
    >>> usual = Baseline(1_000, "zero-one", 0.2, 0.16, ())
    >>> harm_of(0, np.arange(300), np.tile([0.0, 0.0, 0.0, 0.0, 1.0], 60), usual).why
    'loss is 0.200 over 300 labelled rows since then, and usual are up to 0.224'
    """
    if baseline is None:
        return Harm("some", "the champion has no baseline that could tell whether it did harm")
    chosen = np.flatnonzero((times_ms >= at_ms) & ~np.isnan(losses))[:_ROWS]
    if len(chosen) < _ROWS:
        return Harm("unknown", f"{len(chosen):,} of {_ROWS} labels have come that tell whether it did harm")
    mean, bound = float(losses[chosen].mean()), upper_bound(baseline.rows, baseline.mean, baseline.variance)
    why = f"loss is {mean:.3f} over {_ROWS} labelled rows since then, and usual are up to {bound:.3f}"
    return Harm("none" if mean <= bound else "some", why)

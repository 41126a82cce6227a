"""What is known of a version from its bundle, whose model is never loaded."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from streamapp.messages import Label, Model
from streamapp.models import Baseline, Bundle
from streamapp.models.segments import Segments
from streamapp.profile import Profile
from streamapp.quality.metrics import Z_95, wilson_interval
from streamapp.quality.weighted import Estimate

__all__ = ["KnownVersion"]


@dataclass(frozen=True, slots=True, eq=False)
class KnownVersion:
    """The parts of a bundle that its answers are compared with.

    Attributes
    ----------
    profile
        What drift is measured against.
    baseline
        How well it did on the holdout; None without one.
    loss, loss_scale
        By which the deployment decides.
    classes
        Of a classifier; None for a regressor.
    segments
        By which accuracy is told apart.
    """

    profile: Profile
    baseline: Baseline | None
    loss: str
    loss_scale: float | None
    classes: tuple[Label, ...] | None
    segments: Segments

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Return what is to be kept of `bundle`."""
        manifest, classes = bundle.manifest, bundle.signature.classes
        return cls(
            bundle.profile,
            bundle.baseline,
            manifest.loss,
            manifest.loss_scale,
            None if classes is None else tuple(classes),
            bundle.segments,
        )

    def as_judged(self, record: Model | None) -> Self:
        """Return it with the scale that its record has of labelled rows, where the bundle has none."""
        if record is None or record.loss_scale is None or self.loss_scale is not None:
            return self
        return replace(self, loss_scale=record.loss_scale)

    @property
    def awaits_scale(self) -> bool:
        """Whether nobody can tell yet which error counts as a loss of 1."""
        return self.loss == "absolute" and self.loss_scale is None

    @property
    def holdout(self) -> Estimate | None:
        """What the page measures, on the holdout: share of right answers, a regressor's loss; None without.

        With a 95 % interval, because a holdout is a sample, too.
        """
        found = self.baseline
        if found is None or found.loss != self.loss:
            return None
        if self.classes is None:
            half = Z_95 * math.sqrt(found.variance / found.rows)
            return Estimate(found.mean, max(found.mean - half, 0.0), min(found.mean + half, 1.0))
        if self.loss == "zero-one":
            return _share(1 - found.mean, found.rows)
        rows = sum(one.rows for one in found.calibration)
        right = sum(one.rows * one.accuracy for one in found.calibration)
        return _share(right / rows, rows) if rows else None

    @property
    def has_baseline(self) -> bool:
        """Whether losses can be compared from the first label on."""
        return self.baseline is not None and self.baseline.loss == self.loss


def _share(mean: float, rows: int) -> Estimate:
    return Estimate(mean, *wilson_interval(mean, rows))

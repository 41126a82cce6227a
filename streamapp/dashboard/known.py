"""What is known of a version from its bundle, whose model is never loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from streamapp.messages import Label, Model
from streamapp.models import Baseline, Bundle
from streamapp.models.segments import Segments
from streamapp.profile import Profile

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
    def accuracy_on_holdout(self) -> float | None:
        """Share of the holdout that was answered right; None where that is not known."""
        if self.baseline is None:
            return None
        if self.loss == "zero-one":
            return 1 - self.baseline.mean
        bins = self.baseline.calibration
        rows = sum(one.rows for one in bins)
        return sum(one.rows * one.accuracy for one in bins) / rows if rows else None

"""What JUDGE is told about versions, and what it decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streamapp.messages import Alert, Label, Retrain
from streamapp.models import Baseline, Predictions, Rows, Segments, Signature
from streamapp.models.losses import Floats
from streamapp.profile import Profile
from streamapp.quality import OnlineLearner
from streamapp.quality.e_detector import upper_bound
from streamapp.quality.labelled_rows import LabelledRows, losses_of

__all__ = ["Candidate", "Decision", "DueRetrain", "Judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that answers, or wants to.

    Attributes
    ----------
    version
        Its name.
    predict
        Answers rows, a list of dicts as in requests: ``Bundle.predict``.
    loss
        The deployment's loss; that of the champion decides.
    loss_scale
        The error that counts as 1, for the loss ``absolute``; None: labelled rows will tell.
    losses_from
        Offset in ``labelled`` of the first row with a loss; None if the bundle says `loss_scale`.
    classes
        None for a regressor.
    newest_training_data_at_ms
        When the newest label was given that it has learned from; None if unknown.
    baseline
        Its losses on its holdout; None if it has none.
    profile, signature
        Its reference rows, with labels, and how rows are read; None: labels and inputs given each class are
        not watched.
    segments
        By which accuracy is watched, and a challenger's losses are told apart; those of the champion count.
        None: by none.
    learner
        Makes a learner that begins as this version: what is judged is that one. None: it answers as it is.
    """

    version: str
    predict: Callable[[Rows], Predictions]
    loss: str
    loss_scale: float | None = None
    losses_from: int | None = None
    classes: tuple[Label, ...] | None = None
    newest_training_data_at_ms: int | None = None
    baseline: Baseline | None = None
    profile: Profile | None = None
    signature: Signature | None = None
    segments: Segments | None = None
    learner: Callable[[], OnlineLearner] | None = None

    def losses_of(self, rows: LabelledRows) -> Floats:
        """Return what this version's loss is of each answer that was given, (n,); NaN where there is none."""
        each = losses_of(rows, self.loss, self.loss_scale, self.classes)
        if self.losses_from is not None:
            each[rows.offsets < self.losses_from] = np.nan
        return each

    @property
    def found_scale(self) -> tuple[str, float] | None:
        """The version and its loss's scale, where rows have told that and not its bundle."""
        if self.loss_scale is None or self.losses_from is None:
            return None
        return self.version, self.loss_scale

    @property
    def usual_loss(self) -> float | None:
        """Mean loss up to which its answers are as good as on its holdout; None if that is unknown."""
        known = self.baseline
        if known is None or known.loss != self.loss:
            return None
        return upper_bound(known.rows, known.mean, known.variance)


@dataclass(frozen=True, slots=True)
class Decision:
    """A version is promoted, or rejected.

    Attributes
    ----------
    version
        A challenger; of a rollback, the former champion.
    at_ms
        Stream time of the decision.
    offset
        In ``labelled``, of the row that decided.
    scores
        Mean loss of both under the loss's name and ``champion-`` before it, ``rows``, and the ``e-value``
        that decided.
    note
        Why, for people.
    rolled_back
        The champion that was worse than this one, if it is gone back to; else None.
    learned_from
        Offset in ``labelled`` of the first row that an online challenger has learned from; None of others.
    """

    version: str
    at_ms: int
    offset: int
    scores: dict[str, float]
    note: str
    rolled_back: str | None = None
    learned_from: int | None = None


@dataclass(frozen=True, slots=True)
class DueRetrain:
    """A reason to train, and the stream time at which it came up."""

    event: Retrain
    at_ms: int


@dataclass(slots=True)
class Judged:
    """What some rows have caused, each list in the order of its causes.

    Attributes
    ----------
    alerts
        Of accuracy and target that changed.
    retrains
        Reasons to train.
    rejected
        Challengers that are not judged again.
    promoted
        The next champion, if one was found, new or gone back to: follow it before the next rows.
    """

    alerts: list[Alert] = field(default_factory=list)
    retrains: list[DueRetrain] = field(default_factory=list)
    rejected: list[Decision] = field(default_factory=list)
    promoted: Decision | None = None

"""Which error of a regressor counts as a loss of 1, where its bundle does not say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from streamapp.quality.accuracy_watch import AccuracyWatch
from streamapp.quality.labelled_rows import LabelledRows, errors_of
from streamapp.rollout.judged import Candidate

__all__ = ["LossScale"]


class LossScale:
    """The scale of a deployment's loss: once known, it is kept for later champions whose bundles have none.

    A bundle that was packed with a holdout says it. Of another, the labelled rows say it that become the
    champion's baseline; they and what came before have no loss.
    """

    def __init__(self) -> None:
        self._known: tuple[float, int] | None = None

    def of(self, champion: Candidate) -> Candidate:
        """Return the champion with the scale, as far as it is known."""
        if champion.loss != "absolute":
            return champion
        if champion.loss_scale is not None:
            self._known = champion.loss_scale, 0
        elif self._known is not None:
            scale, losses_from = self._known
            return replace(champion, loss_scale=scale, losses_from=losses_from)
        return champion

    @staticmethod
    def find(
        champion: Candidate, watch: AccuracyWatch | None, rows: LabelledRows, is_first: npt.NDArray[np.bool_]
    ) -> Candidate:
        """Return the champion with the scale, if it has none and the next rows complete its baseline.

        Parameters
        ----------
        champion
            As it was followed.
        watch
            Takes the errors; None between two champions.
        rows
            n of them.
        is_first
            Which labels are first ones, (n,).
        """
        if watch is None or champion.loss != "absolute" or champion.loss_scale is not None:
            return champion
        errors = errors_of(rows)
        chosen = np.flatnonzero(is_first & (rows.versions == champion.version) & ~np.isnan(errors))
        taken, scale = watch.find_scale(rows.take(chosen), errors[chosen])
        if scale is None:
            return champion
        return replace(champion, loss_scale=scale, losses_from=int(rows.offsets[chosen[taken - 1]]) + 1)

    def keep(self, champion: Candidate, offset: int) -> None:
        """Keep what :meth:`find` has found, if that was in the rows up to the one at `offset`."""
        scale, losses_from = champion.loss_scale, champion.losses_from
        if scale is not None and losses_from is not None and losses_from <= offset + 1:
            self._known = scale, losses_from

    def snapshot(self) -> tuple[float, int] | None:
        """Return the state, JSON-able."""
        return self._known

    def restore(self, snapshot: list[float] | None) -> None:
        """Become what :meth:`snapshot` was taken from."""
        self._known = None if snapshot is None else (snapshot[0], int(snapshot[1]))

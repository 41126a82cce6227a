"""The newest rows, on which candidates are compared."""

from __future__ import annotations

from typing import Any

from streamapp.errors import StreamappError, TrainingError, in_one_line
from streamapp.models import Bundle, Columns, losses
from streamapp.models.column import Array
from streamapp.models.formats import load_format
from streamapp.models.losses import Floats, loss_scale

__all__ = ["Comparison"]


class Comparison:
    """Takes the deployment's loss of candidates on the same rows.

    Parameters
    ----------
    champion
        Whose signature and loss they have.
    columns, labels
        Of the rows, (n,) each; no candidate was fitted on them.
    loss_scale
        Which error counts as a loss of 1, where the champion's bundle does not say. None: the 99th percentile
        of the first candidate's.
    """

    def __init__(
        self, champion: Bundle, columns: Columns, labels: Array, loss_scale: float | None = None
    ) -> None:
        self._champion, self._columns, self._labels = champion, columns, labels
        self._scale = champion.manifest.loss_scale or loss_scale

    def losses(self, estimator: Any, fitted: Columns, format_name: str) -> Floats:
        """Return the losses of a candidate, (n,), of a format, that was fitted on the columns `fitted`.

        Raises
        ------
        TrainingError
            If it does not answer them as a model of this deployment must.
        """
        champion = self._champion
        try:
            signature = champion.signature.renewed(fitted, estimator)
            predict = load_format(format_name).predictor(estimator, signature.classes)
            answers = predict(signature.to_input(self._columns))
            if champion.manifest.loss == "absolute" and self._scale is None:
                self._scale = loss_scale(self._labels, answers.values)
            return losses(champion.manifest.loss, answers, self._labels, self._scale)
        except StreamappError as exc:
            raise TrainingError(f"a candidate cannot be compared: {in_one_line(exc)}") from exc

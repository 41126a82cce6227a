"""The champion's answers alone: only they say how right the champion is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from streamapp.dashboard.known import KnownVersion
from streamapp.messages import Model
from streamapp.models.lineage import original
from streamapp.models.losses import Floats, zero_one
from streamapp.quality.answer_windows import AnswerWindows
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.quality.window_quality import WindowQuality, judge_windows

__all__ = ["Reign", "answered_by"]

Flags = npt.NDArray[np.bool_]


class Reign:
    """The labelled rows that one version has answered since it is the champion.

    Parameters
    ----------
    version
        The champion's; what a snapshot was taken of.

    Attributes
    ----------
    first_labels
        Rows so far, each counted with its first label: where there is no holdout, the alarm waits for them.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.first_labels = 0
        self._answers = AnswerWindows()

    def take(self, rows: LabelledRows, losses: Floats, known: KnownVersion, own: Flags) -> None:
        """Take the next labelled rows, of which `own`, (n,), are the champion's."""
        chosen = np.flatnonzero(own)
        if not len(chosen):
            return
        rows, losses = rows.take(chosen), losses[chosen]
        is_known = ~np.isnan(losses) | known.awaits_scale  # the first rows are what the scale comes from
        self.first_labels += int(((rows.revisions == 0) & is_known).sum())
        is_class = known.classes is not None
        right = 1.0 - zero_one(rows.labels, rows.predictions) if is_class else np.full(len(rows), np.nan)
        self._answers.add(rows, losses, right, known.classes)

    def windows(self) -> tuple[WindowQuality, ...]:
        """Return its windows of answers, the oldest first."""
        return judge_windows(self._answers)[0]


def answered_by(champion: str, rows: LabelledRows, records: Mapping[str, Model]) -> Flags:
    """Return which rows a version, or a snapshot of it, has answered in its latest reign, (n,).

    Parameters
    ----------
    champion
        What a snapshot was taken of.
    rows
        n of them.
    records
        Of all versions; they say where reigns began, if that is known already.
    """
    since = {
        version: records[version].since if version in records else {}
        for version in set(rows.versions.tolist())
        if original(version, records) == champion
    }
    places = zip(rows.versions.tolist(), rows.partitions.tolist(), rows.request_offsets.tolist(), strict=True)
    return np.array(
        [
            version in since and offset >= since[version].get(str(partition), 0)
            for version, partition, offset in places
        ],
        dtype=np.bool_,
    )

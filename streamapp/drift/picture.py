"""The newest rows beside the reference, for people to look at, whether or not anything drifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamapp.drift.findings import Finding
from streamapp.drift.span import Span
from streamapp.profile import ColumnProfile

__all__ = ["ColumnPicture", "Picture"]


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPicture:
    """A column or an output, then and now.

    Attributes
    ----------
    column
        Its bins.
    change
        The aspect that has changed most surely; small, if nothing has.
    now
        Rows of the window per bin, (bins,).
    then
        Rows of the reference per bin, (bins,); for a profile that is compared by the hour, at the window's
        hours.
    is_output
        Whether it is what the model says.
    """

    column: ColumnProfile
    change: Finding
    now: np.ndarray
    then: np.ndarray
    is_output: bool


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """All columns, outputs and pairs in the largest window.

    Attributes
    ----------
    span
        Its requests.
    columns
        Columns, then outputs if they have a baseline or are in the profile.
    pairs
        Correlations then and now, of every pair that is watched.
    """

    span: Span
    columns: tuple[ColumnPicture, ...]
    pairs: tuple[Finding, ...]

"""What is known of the reference rows, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamapp.profile.column import ColumnProfile
from streamapp.profile.labelled import LabelledReference
from streamapp.profile.outputs import OutputProfile
from streamapp.profile.pairs import PairProfile
from streamapp.profile.policy import DriftPolicy
from streamapp.profile.season import Season

__all__ = ["ProfileFields", "readable_of"]


@dataclass(frozen=True, eq=False)
class ProfileFields:
    """The fields of a :class:`~streamapp.profile.Profile`, apart from what is done with them."""

    columns: tuple[ColumnProfile, ...]
    pairs: PairProfile
    outputs: OutputProfile | None
    target: ColumnProfile | None
    rows: int
    ordered: bool
    factor: np.ndarray = field(repr=False)
    """(L,) variance inflation of the components of `watched`; empty means 1."""
    blocks: np.ndarray = field(repr=False)
    """(L,) blocks that each inflation was estimated from; infinite where it is 1."""
    pair_factor: np.ndarray = field(repr=False)
    pair_blocks: np.ndarray = field(repr=False)
    labelled: LabelledReference | None = field(default=None, repr=False)
    """What is known of the inputs given each class; None without a target, and in profiles of format 1."""
    mixtures: tuple[ColumnProfile, ...] = field(default=(), repr=False)
    """Random sums of the columns of numbers, if these are too many for every pair to be watched."""
    policy: DriftPolicy = field(default_factory=dict)
    """What was chosen of how drift is judged; nothing of it changes what is summed up."""
    season: Season | None = field(default=None, repr=False)
    """The daily cycle of the reference, or why it has none; None if the times of its rows are not known."""

    @property
    def watched(self) -> tuple[ColumnProfile, ...]:
        """Columns and mixtures: what a summary has counts of."""
        return self.columns + self.mixtures

    @property
    def readable(self) -> tuple[ColumnProfile, ...]:
        """Columns whose values answers, and so labelled rows, have as the model saw them."""
        return readable_of(self.columns)


def readable_of(columns: tuple[ColumnProfile, ...]) -> tuple[ColumnProfile, ...]:
    """Return the columns that are not personal."""
    return tuple(column for column in columns if not column.is_personal)

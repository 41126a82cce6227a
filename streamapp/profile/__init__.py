"""The reference and what is kept of live rows: kinds of columns, bins, ranks, mergeable summaries."""

from __future__ import annotations

from streamapp.profile.column import ColumnProfile
from streamapp.profile.columns import Columns, as_columns, level_text, row_count
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.measures import Component, Measures
from streamapp.profile.outputs import OutputProfile
from streamapp.profile.pairs import PairProfile
from streamapp.profile.policy import ColumnPolicy, DriftPolicy
from streamapp.profile.profile import Profile
from streamapp.profile.summary import Summary

__all__ = [
    "ColumnKind",
    "ColumnPolicy",
    "ColumnProfile",
    "Columns",
    "Component",
    "DriftPolicy",
    "Measures",
    "OutputProfile",
    "PairProfile",
    "Profile",
    "Summary",
    "as_columns",
    "level_text",
    "row_count",
]

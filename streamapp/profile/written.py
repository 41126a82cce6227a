"""Profiles as canonical JSON, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from streamapp.errors import ConfigError, ProfileError
from streamapp.profile.column import ColumnProfile
from streamapp.profile.fields import ProfileFields
from streamapp.profile.labelled import LabelledReference
from streamapp.profile.outputs import OutputProfile
from streamapp.profile.pairs import PairProfile
from streamapp.profile.policy import read_policy, write_policy
from streamapp.profile.season import Season, is_cyclic

__all__ = ["read_fields", "write_profile"]

_READ = (1, 2, 3, 4)
"""Format 1 knew fewer kinds of columns, and nothing by class; what it has means the same in format 2. The
inputs of one of format 3 are compared by the hour of the day, which versions that read 2 would not do; of
format 4 outputs or labels as well, or by a cycle that was taken over."""


def write_profile(profile: ProfileFields) -> bytes:
    """Return a profile as canonical JSON: equal profiles are equal bytes."""
    # Profiles without choices, or without times, are the same bytes as before there were any.
    policy = {"policy": write_policy(profile.policy)} if profile.policy else {}
    season = {} if profile.season is None else {"season": profile.season.to_dict()}
    return orjson.dumps(
        {
            **policy,
            "format": _format(profile),
            "rows": profile.rows,
            "ordered": profile.ordered,
            "columns": [column.to_dict() for column in profile.columns],
            "pairs": profile.pairs.to_dict(),
            "outputs": None if profile.outputs is None else profile.outputs.to_dict(),
            "target": None if profile.target is None else profile.target.to_dict(),
            "labelled": None if profile.labelled is None else profile.labelled.to_dict(),
            "factor": profile.factor.tolist(),
            "blocks": _finite(profile.blocks),
            "pair_factor": profile.pair_factor.tolist(),
            "pair_blocks": _finite(profile.pair_blocks),
            "mixtures": [column.to_dict() for column in profile.mixtures],
        }
        | season,
        option=orjson.OPT_SORT_KEYS,
    )


def read_fields(data: bytes) -> dict[str, Any]:
    """Return the fields of a profile that was written, by name.

    Raises
    ------
    ProfileError
        If `data` is no profile, or of a newer format.
    """
    try:
        fields = orjson.loads(data)
        if fields["format"] not in _READ:
            raise ProfileError(f"profile of format {fields['format']!r}; this version reads 1 to {_READ[-1]}")
        labelled, season = fields.get("labelled"), fields.get("season")
        return {
            "columns": tuple(ColumnProfile.from_dict(column) for column in fields["columns"]),
            "pairs": PairProfile.from_dict(fields["pairs"]),
            "outputs": None if fields["outputs"] is None else OutputProfile.from_dict(fields["outputs"]),
            "target": None if fields["target"] is None else ColumnProfile.from_dict(fields["target"]),
            "rows": fields["rows"],
            "ordered": fields["ordered"],
            "factor": np.array(fields["factor"], dtype=np.float64),
            "blocks": _infinite(fields["blocks"]),
            "pair_factor": np.array(fields["pair_factor"], dtype=np.float64),
            "pair_blocks": _infinite(fields["pair_blocks"]),
            "labelled": None if labelled is None else LabelledReference.from_dict(labelled),
            "mixtures": tuple(ColumnProfile.from_dict(c) for c in fields.get("mixtures", ())),
            "policy": read_policy(fields.get("policy")),
            "season": None if season is None else Season.from_dict(season),
        }
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ConfigError) as exc:
        raise ProfileError(f"not a profile: {exc!r}") from exc


def _format(profile: ProfileFields) -> int:
    beside = (None if own is None else own.season for own in (profile.outputs, profile.labelled))
    if any(map(is_cyclic, beside)):
        return 4
    if not is_cyclic(profile.season):
        return 2
    return 4 if profile.season.level_rows else 3


def _finite(blocks: np.ndarray) -> list[float | None]:
    return [None if np.isinf(b) else b for b in blocks.tolist()]


def _infinite(blocks: list[float | None]) -> np.ndarray:
    return np.array([np.inf if b is None else b for b in blocks], dtype=np.float64)

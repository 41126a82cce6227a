"""What a drift policy may speak of: the columns, pairs and outputs of a profile, and their aspects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from streamapp.errors import ConfigError
from streamapp.profile.column import ColumnProfile
from streamapp.profile.fields import ProfileFields
from streamapp.profile.measures import Measures
from streamapp.profile.mixtures import EACH_OTHER
from streamapp.profile.policy import ColumnPolicy, DriftPolicy, override

__all__ = ["policy_given", "unknown_subjects", "with_policy"]

_P = TypeVar("_P", bound=ProfileFields)


def with_policy(profile: _P, policy: DriftPolicy, *, only_known: bool = False) -> _P:
    """Return the profile with choices that win over its own, option by option.

    Parameters
    ----------
    profile
        Whose columns are meant.
    policy
        The choices.
    only_known
        Leave out what is said of columns that are not there, and take aspects as they come: all that was
        chosen for another version.

    Raises
    ------
    ConfigError
        If a column is not there, or has none of an aspect that was chosen.

    Examples
    --------
    >>> from streamapp.profile import Profile
    >>> profile = Profile.fit({"temp": [0.5, 1.5] * 50}, ordered=False)
    >>> with_policy(profile, {"temp": ColumnPolicy(floor=0.3)}).policy["temp"].chosen
    {'floor': 0.3}
    """
    if not policy:
        return profile
    if only_known:
        unknown = unknown_subjects(profile, policy)
        policy = {name: own for name, own in policy.items() if name not in unknown}
    else:
        _check(policy, _subjects(profile))
    return replace(profile, policy=override(profile.policy, policy)) if policy else profile


def unknown_subjects(profile: ProfileFields, policy: DriftPolicy) -> frozenset[str]:
    """Return the names in `policy` that nothing in `profile` has."""
    return frozenset(policy.keys() - _subjects(profile).keys()) if policy else frozenset()


def policy_given(
    policy: DriftPolicy, columns: Sequence[ColumnProfile], classes: Iterable[str]
) -> dict[str, ColumnPolicy]:
    """Return the choices for `columns` as those for each of them given a class, named ``COLUMN|CLASS``."""
    own = [(column.name, policy[column.name]) for column in columns if column.name in policy]
    return {f"{name}|{label}": choices for label in classes for name, choices in own}


def _subjects(profile: ProfileFields) -> dict[str, list[str]]:
    """Return names to their aspects; those of outputs are not known without a baseline."""
    columns = profile.columns + (() if profile.outputs is None else profile.outputs.columns)
    names = [column.name for column in columns]
    found: dict[str, list[str]] = {name: [] for name in names}
    for part in Measures(columns).components:
        found[names[part.column]].append(part.aspect)
    for a, b in zip(profile.pairs.first.tolist(), profile.pairs.second.tolist(), strict=True):
        found[f"{names[a]}~{names[b]}"] = ["correlation"]
    return found | ({EACH_OTHER: ["dependence"]} if profile.mixtures else {})


def _check(policy: DriftPolicy, subjects: dict[str, list[str]]) -> None:
    for name, own in policy.items():
        if name not in subjects:
            some = ", ".join([each for each in subjects if "~" not in each][:12])
            raise ConfigError(
                f"drift of {name!r}: there is no such column; there are {some} "
                "(a pair is named A~B, in the order of its columns)"
            )
        there = list(dict.fromkeys(subjects[name]))
        lacking = sorted((own.aspects or frozenset()).difference(there)) if there else []
        if lacking:
            raise ConfigError(
                f"drift of {name!r}: it has no aspect {lacking[0]!r}; it has {', '.join(there)}"
            )

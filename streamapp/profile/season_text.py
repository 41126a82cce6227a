"""What a reference is compared by, for people."""

from __future__ import annotations

from streamapp.profile.profile import Profile
from streamapp.profile.season import is_cyclic

__all__ = ["explain_season"]


def explain_season(profile: Profile) -> str:
    """Say whether a profile is compared by the hour of the day, and what of it.

    Examples
    --------
    >>> import numpy as np
    >>> explain_season(Profile.fit({"temp": np.linspace(0, 1, 1000)}))
    'not looked for: the times of the reference rows are not known'
    """
    if profile.season is None and not profile.is_seasonal:
        return "not looked for: the times of the reference rows are not known"
    outputs, labels = profile.judged_outputs, profile.labelled
    has_outputs = outputs is not None and is_cyclic(outputs.season)
    has_labels = labels is not None and is_cyclic(labels.season)
    also = " and ".join(name for name, has in (("outputs", has_outputs), ("labels", has_labels)) if has)
    if has_labels and labels is not None and labels.season is not None and labels.season.level_rows:
        also += " by themselves, inputs given a label are not watched"
    if not is_cyclic(profile.season):
        why = "" if profile.season is None else profile.season.why
        return f"{why}; but {also} by the hour of the day, UTC" if also else why
    parts = [profile.season.why] + ([f"so are {also}"] if also else [])
    if outputs is not None and not has_outputs:
        parts.append("so are outputs once live rows cover three days")
    if profile.target is not None and not has_labels:
        season = None if labels is None else labels.season
        known = season.why_not if season is not None else "nothing is known of their hours"
        parts.append(f"labels are not watched, since {known}")
    return "; ".join(parts)

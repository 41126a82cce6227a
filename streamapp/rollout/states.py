"""The states of versions: a table, what the pointer makes of them, and which records must say so.

    candidate ──► challenger ──► champion ◄──► retired
        │             │             ▲
        └─────────────┴► rejected ──┘

The pointer ``champion`` alone decides what is served. Commands and JUDGE move it; the records follow, and
JUDGE alone rewrites them. A person may point at any version, so that every state has a way to ``champion``.
"""

from __future__ import annotations

from collections.abc import Mapping

from streamapp.errors import ConfigError
from streamapp.messages import Champion, Model, ModelState

__all__ = ["TRANSITIONS", "changed", "effective_state", "outdated", "retired"]

TRANSITIONS: dict[ModelState, frozenset[ModelState]] = {
    "candidate": frozenset({"challenger", "champion", "rejected"}),
    "challenger": frozenset({"champion", "rejected"}),
    "champion": frozenset({"retired"}),
    "retired": frozenset({"champion"}),
    "rejected": frozenset({"champion"}),
}
"""State to the states that may follow."""


def effective_state(model: Model, champion: Champion | None) -> ModelState:
    """Return the state of a version as the pointer has it.

    Examples
    --------
    >>> record = Model(version="a", state="champion", bundle="u", sha256="s", format="joblib")
    >>> effective_state(record, Champion(version="b", at=0))
    'retired'
    """
    if champion is not None and model.version == champion.version:
        return "champion"
    return "retired" if model.state == "champion" else model.state


def changed(
    model: Model, state: ModelState, *, scores: Mapping[str, float] | None = None, note: str | None = None
) -> Model:
    """Return the record of a version in its next state.

    Parameters
    ----------
    model
        As it is.
    state
        The next; the same is no change of state, but may bring scores and a note.
    scores
        Added to those it has.
    note
        Why, for people; None keeps the one it has, if the state stays.

    Raises
    ------
    ConfigError
        If no such transition exists.
    """
    is_new = state != model.state
    if is_new and state not in TRANSITIONS[model.state]:
        allowed = ", ".join(sorted(TRANSITIONS[model.state]))
        raise ConfigError(
            f"version {model.version} is {model.state} and cannot become {state}; it may become {allowed}"
        )
    return model.model_copy(
        update={
            "state": state,
            "scores": {**model.scores, **(scores or {})},
            "note": note if is_new or note is not None else model.note,
        }
    )


def retired(model: Model, *, note: str) -> Model:
    """Return the record of a version that has served until now, whether or not it says so already."""
    served = model if model.state in {"champion", "retired"} else changed(model, "champion")
    return changed(served, "retired", note=note)


def outdated(versions: Mapping[str, Model], champion: Champion | None) -> list[Model]:
    """Return the records to be written anew so that states agree with the pointer, former champions first.

    While there is no pointer nothing is: a first deployment writes its record before the pointer.

    Examples
    --------
    >>> fields = {"bundle": "u", "sha256": "s", "format": "joblib"}
    >>> old = Model(version="a", state="champion", **fields)
    >>> new = Model(version="b", state="challenger", **fields)
    >>> [(m.version, m.state) for m in outdated({"b": new, "a": old}, Champion(version="b", at=0))]
    [('a', 'retired'), ('b', 'champion')]
    """
    if champion is None:
        return []
    stale = [model for model in versions.values() if effective_state(model, champion) != model.state]
    stale.sort(key=lambda model: (model.version == champion.version, model.version))
    return [changed(model, effective_state(model, champion)) for model in stale]

"""Personal columns: what is kept of them in a signature, and what cannot be done without their values.

The model is given their values. Nothing that is written has them: answers leave them out, or have a keyed
hash in their place. So nobody can learn from answers what the champion knows, nor ask another model about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

from streamapp.errors import SignatureError
from streamapp.models.column import Column, Treatment

__all__ = [
    "Personal",
    "mark_personal",
    "not_learned_line",
    "read_personal",
    "secret_line",
    "unjudged_line",
    "without_facts",
]

Personal = Collection[str] | Mapping[str, str]


def read_personal(given: Personal) -> dict[str, Treatment]:
    """Return columns to what becomes of them: names alone are dropped.

    Raises
    ------
    SignatureError
        If there is no such treatment.

    Examples
    --------
    >>> read_personal(["name"]), read_personal({"city": "hash"})
    ({'name': 'drop'}, {'city': 'hash'})
    """
    found: dict[str, Treatment] = {}
    for name, treatment in (
        given.items() if isinstance(given, Mapping) else ((name, "drop") for name in given)
    ):
        if treatment not in get_args(Treatment):
            raise SignatureError(
                f"personal column {name!r}: {treatment!r} is no way to treat it; drop or hash are"
            )
        found[name] = "hash" if treatment == "hash" else "drop"
    return found


def mark_personal(
    columns: tuple[Column, ...], personal: Mapping[str, Treatment], available: Collection[str]
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the inputs with their marks, and the personal columns that are no inputs.

    Of a personal input the signature keeps no range, and levels only where requests are held to them or the
    model's frame needs them.

    Parameters
    ----------
    columns
        The model's inputs.
    personal
        Column to what becomes of it.
    available
        Columns that the reference has.

    Raises
    ------
    SignatureError
        If a column is not there, or one is to be hashed that no answer has.
    """
    inputs = {column.name for column in columns}
    others = tuple(sorted(personal.keys() - inputs))
    for name in others:
        if name not in available:
            raise SignatureError(
                f"personal column {name!r} is not in the reference (it has {', '.join(list(available)[:8])})"
            )
        if personal[name] == "hash":
            raise SignatureError(
                f"personal column {name!r} is no input of the model, so no answer has it: drop it"
            )
    marked = (replace(column, personal=personal.get(column.name)) for column in columns)
    return tuple(map(without_facts, marked)), others


def without_facts(column: Column) -> Column:
    """Return `column`, if it is personal, without what only tells of the reference rows."""
    if column.personal is None:
        return column
    levels = column.categories if column.closed or column.categorical_dtype else None
    return replace(column, range=None, categories=levels)


def not_learned_line(withheld: Iterable[str]) -> str:
    """Say what is off because the champion needs columns whose values answers do not have."""
    names = ", ".join(withheld)
    return (
        f"the champion needs the personal columns {names}, which answers do not show: retraining and "
        "challengers that need them are off; accuracy and drift are watched all the same"
    )


def secret_line(path: Path) -> str:
    """Say what the secret in file `path` is to those who run roles elsewhere."""
    return f"{path}; every score process of a deployment needs the same, or equal values get other hashes"


def unjudged_line(version: str, lacking: Iterable[str]) -> str:
    """Say why a challenger cannot be compared."""
    names = ", ".join(lacking)
    return (
        f"version {version} needs the personal columns {names}, which answers do not show, so it cannot be "
        "compared with the champion: deploy it without --challenger, or pack a model without them"
    )

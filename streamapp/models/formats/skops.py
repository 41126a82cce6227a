"""skops: scikit-learn's estimators without code: what a file may build is known before anything is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import skops.io

from streamapp.errors import IntegrityError
from streamapp.models.formats import Trust
from streamapp.models.formats.archive import check_archive, numbered, rewrite_archive
from streamapp.models.formats.predictor import adopt, predictor

__all__ = [
    "FILE",
    "LIBRARIES",
    "TOLERANCE",
    "adopt",
    "dump",
    "load",
    "predictor",
    "runs_code",
    "strange_types",
]

FILE = "model.skops"

LIBRARIES = ("skops",)

TOLERANCE = 1e-9

_ID = "__id__|file"
"""Keys after which a schema has addresses of objects, by which it tells what is shared."""


def runs_code(files: Mapping[str, bytes] | None) -> bool:
    """Return False: a file builds only types that are trusted here, whoever sealed it."""
    return False


def dump(estimator: Any) -> dict[str, bytes]:
    """Return the file that holds `estimator`; equal ones give equal bytes, unless they share otherwise."""
    return {FILE: _without_addresses(skops.io.dumps(estimator))}


def load(files: Mapping[str, bytes], trust: Trust) -> Any:
    """Return the estimator in `files`, of which there is one.

    Raises
    ------
    IntegrityError
        If it holds types that neither skops nor the operator trusts; nothing has been built then.
    """
    (data,) = files.values()
    found = strange_types(data)
    strange = [name for name in found if trust.types is not None and name not in trust.types]
    if strange:
        raise IntegrityError(
            "the skops file holds types that are not trusted here; if you know what they do, run `streamapp "
            f"keys trust-type {' '.join(strange)}`"
        )
    return skops.io.loads(data, trusted=found)


def strange_types(data: bytes) -> list[str]:
    """Return the types in a file that skops does not trust by itself; nothing is built."""
    check_archive(data)
    return list(skops.io.get_untrusted_types(data=data))


def _without_addresses(data: bytes) -> bytes:
    ranks: dict[str, str] = {}

    def edit(schema: str) -> str:
        ranks.update(numbered(schema, _ID))
        return re.sub(rf'(?<!\\)("(?:{_ID})": "?)(\d+)', lambda found: found[1] + ranks[found[2]], schema)

    def rename(name: str) -> str:
        stem, dot, end = name.partition(".")
        return f"{ranks.get(stem, stem)}{dot}{end}"

    return rewrite_archive(data, {"schema.json": edit}, rename)

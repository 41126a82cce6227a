"""Signatures from data: what a reference table and a fitted estimator say about inputs and outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np

from streamapp.errors import SignatureError
from streamapp.messages import Label
from streamapp.models.column import Array, Column, Dtype, as_label, is_missing
from streamapp.models.tables import read_column

__all__ = [
    "MAX_CATEGORIES",
    "check_choices",
    "infer_column",
    "infer_form",
    "infer_task",
    "knows_column",
    "learns_rows",
    "model_names",
    "named_alike",
    "renew_column",
]

MAX_CATEGORIES = 1_000
"""More levels than this are identifiers rather than categories, and are not listed."""

_KINDS: dict[str, Dtype] = {"b": "boolean", "i": "integer", "u": "integer", "f": "float", "U": "string"}


def model_names(model: Any, available: list[str]) -> tuple[list[str], bool]:
    """Return the columns that `model` was fitted on, in order, and whether it knows them by name.

    Raises
    ------
    SignatureError
        If the reference lacks one of them, or has another number of columns than an estimator without names.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        wanted = [str(name) for name in names]
        missing = [name for name in wanted if name not in set(available)]
        if missing:
            raise SignatureError(
                f"the model was fitted with column {missing[0]!r}, which the reference lacks "
                f"(it has {', '.join(available[:8])}{', …' if len(available) > 8 else ''})"
            )
        return wanted, True
    expected = getattr(model, "n_features_in_", None)
    if expected is not None and expected != len(available):
        raise SignatureError(
            f"the model was fitted on {expected} columns without names, the reference has {len(available)} "
            f"({', '.join(available[:8])}{', …' if len(available) > 8 else ''}); leave out what is no input"
        )
    return available, False


def knows_column(model: Any, name: str) -> bool:
    """Return whether `model` was fitted on a column of this name, and knows it."""
    names = getattr(model, "feature_names_in_", None)
    return names is not None and name in set(map(str, names))


def learns_rows(model: Any) -> bool:
    """Return whether `model` is one of river's: it learns from, and is asked, one dict at a time."""
    return callable(getattr(model, "learn_one", None))


def infer_form(model: Any, *, by_name: bool) -> Literal["frame", "matrix", "rows"]:
    """Return what `model` takes; of those that do not tell it is tried out when they are packed."""
    if learns_rows(model):
        return "rows"
    return "frame" if by_name or model is None else "matrix"


def infer_column(name: str, values: Any, *, closed: bool = False) -> Column:
    """Return the column that `values`, a pandas Series or an array, come from.

    Levels of strings are listed if there are at most twenty, or at most a thousand that stand for ten rows
    each on average, or if the column is to be `closed`: rarer ones may name people, and bundles travel.

    Raises
    ------
    SignatureError
        If values are of mixed or unsupported types, or infinite.
    """
    dtype, levels = _dtype(name, values)
    draft = Column(name, dtype, categories=levels, categorical_dtype=levels is not None)
    array = read_column(values, draft)
    missing = is_missing(array)
    if dtype != "string" and np.isinf(array).any():
        raise SignatureError(
            f"column {name!r} holds {int(np.isinf(array).sum())} infinite values, which requests cannot "
            "carry: drop those rows or mark the values as missing"
        )
    marker = _object_missing(values, missing)
    return renew_column(replace(draft, closed=closed, object_missing=marker), array)


def renew_column(column: Column, values: Array) -> Column:
    """Return `column` with range, open levels and nullability of `values` (n,), as they travel."""
    missing = is_missing(values)
    present = values[~missing]
    levels, observed = column.categories, None
    if column.dtype != "string" and len(present):
        observed = (float(present.min()), float(present.max()))
    if column.dtype == "string" and not column.categorical_dtype and not (column.closed and levels):
        seen = sorted(set(present.tolist()))
        most = MAX_CATEGORIES if column.closed else min(MAX_CATEGORIES, max(20, len(values) // 10))
        levels = tuple(seen) if len(seen) <= most else None
    nullable = column.nullable or bool(missing.any())
    return replace(column, nullable=nullable, categories=levels, range=observed)


def _dtype(name: str, values: Any) -> tuple[Dtype, tuple[Label, ...] | None]:
    """Return the kind of `values`, and its levels if it has pandas' category dtype."""
    if (categories := getattr(values.dtype, "categories", None)) is not None:
        return _dtype(name, categories)[0], tuple(as_label(value) for value in categories.tolist())
    kind = values.dtype.kind
    if kind in _KINDS:
        return _KINDS[kind], None
    if kind == "O":  # also pandas' string dtypes
        return _object_dtype(name, values), None
    remedy = "make it numbers (hour, weekday, age in days)" if kind in "Mm" else "make it numbers or strings"
    raise SignatureError(f"column {name!r} is of type {values.dtype}, which no request can carry; {remedy}")


def _object_dtype(name: str, values: Any) -> Dtype:
    import pandas as pd  # noqa: PLC0415

    objects = np.asarray(values, dtype=object)
    types = set(map(type, objects[~pd.isna(objects)]))
    kinds = {_KINDS.get(np.dtype(t).kind) for t in types}
    if not kinds:
        return "float"  # nothing but missing values: any number may come
    if len(kinds) == 1 and None not in kinds:
        return cast("Dtype", kinds.pop())
    if kinds == {"integer", "float"}:
        return "float"
    shown = ", ".join(sorted(t.__name__ for t in types)[:4])
    raise SignatureError(
        f"column {name!r} holds values of type {shown}; make it numbers, booleans or strings"
    )


def _object_missing(values: Any, missing: Array) -> Literal["nan", "none"] | None:
    if values.dtype != np.dtype(object) or not missing.any():
        return None
    first = np.asarray(values, dtype=object)[int(np.argmax(missing))]
    return "none" if first is None else "nan"


def infer_task(
    model: Any, y: Array | None, chosen: tuple[Label, ...] | None = None
) -> tuple[Literal["classification", "regression"], tuple[Label, ...] | None]:
    """Return the task, and the classes in the order of the estimator's probabilities.

    Parameters
    ----------
    model
        A fitted estimator, or None.
    y
        Labels (n,), used where the estimator has no ``classes_``: strings and booleans make a classification,
        and whatever a classifier of river, or a network with probabilities, is given.
    chosen
        The classes in that order, by whoever packs a model that does not tell.

    Raises
    ------
    SignatureError
        For several outputs, for classes that are no labels or not as many as the model has, and where neither
        model nor y tells.
    """
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list) and classes and not np.isscalar(classes[0]):
        raise SignatureError(
            f"the model has {len(classes)} outputs; a deployment predicts one (bundle one model for each)"
        )
    classes = _choose(model, classes, chosen)
    if learns_rows(model):
        from streamapp.models.formats.river import is_classifier  # noqa: PLC0415  # imports river

        if not is_classifier(model):
            return "regression", None
        if classes is None and y is not None:
            classes = _unique(y)
    if classes is None and y is not None and (_is_classifier(model) or _are_classes(y)):
        classes = _unique(y)
    _check_number(model, classes)
    if classes is not None:
        try:
            known = tuple(as_label(value) for value in np.asarray(classes).tolist())
        except TypeError as exc:
            raise SignatureError(f"class {exc}") from None
        is_network = hasattr(model, "n_probabilities")
        return "classification", named_alike(known, y.tolist() if is_network and y is not None else ())
    if model is None and y is None:
        raise SignatureError("neither a fitted model nor labels are given: the task cannot be told")
    return "regression", None


def _is_classifier(model: Any) -> bool:
    return getattr(model, "is_classifier", None) is True  # of a network; elsewhere it may be a method


def _are_classes(y: Array) -> bool:
    return y.dtype.kind in "bU" or any(isinstance(label, str | bool) for label in y.tolist())


def _choose(model: Any, told: Any, chosen: tuple[Label, ...] | None) -> Any:
    """Return the classes that count: a network may number them, an estimator knows what it was fitted on."""
    if chosen is None or told is None or hasattr(model, "n_probabilities"):
        return told if chosen is None else chosen
    raise SignatureError(
        f"the model tells its classes itself ({', '.join(map(str, list(told)[:8]))}): leave them out"
    )


def named_alike(classes: tuple[Label, ...], labels: Collection[Label]) -> tuple[Label, ...]:
    """Return `classes` as they are in `labels`, if they are: ONNX has 0 and 1 for False and True.

    Examples
    --------
    >>> named_alike((0, 1, 2), [True, False, 3])
    (False, True, 2)
    """
    known = {label: label for label in labels}
    return tuple(known.get(label, label) for label in classes)


def _check_number(model: Any, classes: Any) -> None:
    wanted = getattr(model, "n_probabilities", None)
    if wanted is None or classes is None or len(classes) == wanted:
        return
    shown = ", ".join(map(str, list(classes)[:5])) + (", …" if len(classes) > 5 else "")
    raise SignatureError(
        f"the model has {wanted} outputs, and there are {len(classes)} classes ({shown}): a deployment "
        "predicts one number, or one probability per class; give all classes in the order of the outputs "
        "(--classes A,B,C)"
    )


def _unique(y: Array) -> Array:
    try:
        return np.unique(y)
    except TypeError:
        kinds = ", ".join(sorted({type(label).__name__ for label in y.tolist()}))
        raise SignatureError(f"labels are of the types {kinds}; make them all of one") from None


def check_choices(
    columns: tuple[Column, ...],
    nullable: Any,
    closed: Any,
    bounds: Mapping[str, tuple[float | None, float | None]],
) -> None:
    """Raise SignatureError where a choice names a column that does not exist or cannot have it."""
    by_name = {column.name: column for column in columns}
    for option, names in (("nullable", nullable), ("closed", closed), ("bounds", bounds)):
        for name in names:
            if name not in by_name:
                raise SignatureError(
                    f"{option} names column {name!r}, which the model does not have "
                    f"(it has {', '.join(list(by_name)[:8])}{', …' if len(by_name) > 8 else ''})"
                )
    for name in closed:
        if by_name[name].dtype != "string":
            raise SignatureError(f"column {name!r} is {by_name[name].dtype}: only strings can be closed")
        if by_name[name].categories is None:
            raise SignatureError(
                f"column {name!r} has more than {MAX_CATEGORIES:,} levels and cannot be closed"
            )
    for name, (low, high) in bounds.items():
        if by_name[name].dtype not in {"float", "integer"}:
            raise SignatureError(f"column {name!r} is {by_name[name].dtype}: only numbers have bounds")
        if low is not None and high is not None and not low <= high:
            raise SignatureError(f"bounds of column {name!r}: {low} is above {high}; write LO:HI")

"""The signature of a model: its inputs and its outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from streamapp.errors import SignatureError
from streamapp.messages import Label
from streamapp.models.column import Array, Column, Columns, Dtype, Rows, is_missing
from streamapp.models.infer import (
    check_choices,
    infer_column,
    infer_form,
    infer_task,
    model_names,
    named_alike,
    renew_column,
)
from streamapp.models.inputs import ToInput, input_builder, to_list
from streamapp.models.personal import Personal, mark_personal, read_personal, without_facts
from streamapp.models.tables import as_table, read_column, read_rows

__all__ = ["Column", "Columns", "Dtype", "Rows", "Signature"]


@dataclass(frozen=True)
class Signature:
    """Names, order and kinds of a model's inputs; its task and classes.

    Attributes
    ----------
    columns
        In the order that the estimator was fitted with.
    task
        ``classification`` or ``regression``.
    classes
        In the order of the estimator's probabilities; None for regressors.
    input
        What the estimator takes: a ``frame`` (it knows its columns by name), a ``matrix``, or ``rows``, dicts
        (it learns from one row at a time).
    target
        Name of what is predicted, if known.
    personal
        Personal columns that are no inputs: requests may have them. Those that are inputs say so themselves.
    """

    columns: tuple[Column, ...]
    task: Literal["classification", "regression"]
    classes: tuple[Label, ...] | None = None
    input: Literal["frame", "matrix", "rows"] = "frame"
    target: str | None = None
    personal: tuple[str, ...] = ()

    @classmethod
    def infer(
        cls,
        X: Any,
        y: Array | None = None,
        model: Any = None,
        *,
        nullable: Collection[str] = (),
        closed: Collection[str] = (),
        bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
        target: str | None = None,
        personal: Personal = (),
        classes: tuple[Label, ...] | None = None,
    ) -> Self:
        """Return the signature that reference rows and a fitted estimator show.

        Parameters
        ----------
        X
            DataFrame or dict of arrays: the reference rows. Columns that the estimator was not fitted with
            are left out, if it knows its columns by name.
        y
            Labels (n,), object or float64 array.
        model
            Fitted estimator. Without one, the input is a frame.
        nullable
            Columns that may be missing, beside those that are missing somewhere in `X`.
        closed
            String columns that accept no other level than those in `X`.
        bounds
            Column to lowest and highest accepted number.
        target
            Name of the column of labels, if it has one.
        personal
            Columns whose values are personal, or column to what becomes of it: ``drop`` or ``hash``.
        classes
            In the order of the outputs of a network, which does not tell them; default: those in `y`, sorted.

        Raises
        ------
        SignatureError
            If data and model do not fit each other, or a choice names what is not there.

        Examples
        --------
        >>> X = {"temp": np.array([0.5, np.nan]), "wind": np.array([3, 4])}
        >>> signature = Signature.infer(X, np.ones(2))
        >>> [(column.name, column.dtype, column.nullable) for column in signature.columns]
        [('temp', 'float', True), ('wind', 'integer', False)]
        """
        table = as_table(X)
        names, by_name = model_names(model, list(table))
        if not names or not len(table[names[0]]):
            raise SignatureError("the reference has no rows, or no columns beside the target")
        bounds = bounds or {}
        inferred = tuple(infer_column(name, table[name], closed=name in closed) for name in names)
        check_choices(inferred, nullable, closed, bounds)
        columns = tuple(
            replace(
                column,
                nullable=column.nullable or column.name in nullable,
                closed=column.name in closed,
                bounds=bounds.get(column.name),
            )
            for column in inferred
        )
        task, known = infer_task(model, y, classes)
        columns, others = mark_personal(columns, read_personal(personal), list(table))
        return cls(columns, task, known, infer_form(model, by_name=by_name), target, others)

    def renewed(self, columns: Columns, model: Any) -> Signature:
        """Return the same signature for a model fitted anew on `columns`.

        Kinds, bounds and closed levels stay, what may be missing may still be; ranges and open levels are
        those of the new rows, classes those of `model`. The input is what `model` was fitted on, if it tells.
        """
        form = self.input
        if hasattr(model, "n_features_in_"):
            form = "frame" if hasattr(model, "feature_names_in_") else "matrix"
        return replace(
            self,
            input=form,
            columns=tuple(without_facts(renew_column(c, columns[c.name])) for c in self.columns),
            # A model that learns row by row has no list of its own, and goes on with what it was made for.
            classes=None if self.classes is None else self._classes_of(model),
        )

    def _classes_of(self, model: Any) -> tuple[Label, ...]:
        told = infer_task(model, None)[1]
        return (self.classes or ()) if told is None else named_alike(told, self.classes or ())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def withheld(self) -> tuple[str, ...]:
        """Inputs that are personal: no answer has them as the model saw them."""
        return tuple(column.name for column in self.columns if column.personal is not None)

    @property
    def marked(self) -> tuple[str, ...]:
        """All personal columns, whether they are inputs or not."""
        return self.withheld + self.personal

    @property
    def is_private(self) -> bool:
        """Whether requests may hold personal columns: then nothing repeats their bytes."""
        return bool(self.marked)

    @property
    def is_hashed(self) -> bool:
        """Whether answers have hashes of some columns: then these need a secret."""
        return any(column.personal == "hash" for column in self.columns)

    @cached_property
    def readable(self) -> Signature:
        """The same signature without the inputs that no answer has."""
        return replace(self, columns=tuple(c for c in self.columns if c.personal is None))

    def lacking(self, withheld: Collection[str]) -> tuple[str, ...]:
        """Return the inputs that are not in answers which have all columns but `withheld`."""
        return tuple(c.name for c in self.columns if c.personal is not None or c.name in withheld)

    @cached_property
    def _build(self) -> ToInput:
        return input_builder(self.columns, self.input)

    def to_input(self, columns: Columns) -> Any:
        """Return what the estimator was fitted on: a DataFrame, a matrix (n, k), or n dicts.

        Names, order, dtypes and categories are those of the training frame. Cost: 5 µs for a matrix or a
        frame of floats, about 100 µs for a frame of ten mixed columns; 0.1 µs per value of category dtype.
        """
        return self._build(columns)

    def from_frame(self, frame: Any) -> Columns:
        """Return the columns of a DataFrame or a dict of arrays; columns that are no inputs are left out.

        Raises
        ------
        SignatureError
            If a column is absent, or holds values of another kind.
        """
        table = as_table(frame)
        absent = [name for name in self.names if name not in table]
        if absent:
            raise SignatureError(
                f"column {absent[0]!r} is not in the rows (they have {', '.join(list(table)[:8])})"
            )
        return {column.name: read_column(table[column.name], column) for column in self.columns}

    def from_rows(self, rows: Rows) -> Columns:
        """Return the columns of rows as they stand in requests and answers; None or absent is missing.

        Raises
        ------
        SignatureError
            If a value is of another kind.
        """
        return {column.name: read_rows(rows, column) for column in self.columns}

    def from_fitting_rows(self, rows: Rows, *, checked: bool) -> tuple[Columns, npt.NDArray[np.bool_]]:
        """Return the columns of those rows that fit, (k,) each, and which of the n rows these are, (n,).

        A row fits if its values are of the right kinds and, where `checked`, pass :meth:`check`.
        """
        fits = np.ones(len(rows), dtype=np.bool_)
        try:
            return self._columns(rows, checked=checked), fits
        except SignatureError:
            for i, row in enumerate(rows):
                try:
                    self._columns([row], checked=checked)
                except SignatureError:
                    fits[i] = False
        return self.from_rows([row for row, fit in zip(rows, fits, strict=True) if fit]), fits

    def _columns(self, rows: Rows, *, checked: bool) -> Columns:
        columns = self.from_rows(rows)
        if checked:
            self.check(columns)
        return columns

    def to_rows(self, columns: Columns) -> Rows:
        """Return rows as they stand in requests and answers: the opposite of :meth:`from_rows`."""
        lists = [to_list(columns[column.name], column) for column in self.columns]
        return [dict(zip(self.names, values, strict=True)) for values in zip(*lists, strict=True)]

    def check(self, columns: Columns) -> None:
        """Raise SignatureError where a value is missing that must not be, or is outside bounds or levels."""
        for column in self.columns:
            _check(columns[column.name], column)

    def to_dict(self) -> dict[str, Any]:
        """Return the signature as JSON-able fields."""
        return {
            "task": self.task,
            "classes": self.classes,
            "input": self.input,
            "target": self.target,
            "columns": [column.to_dict() for column in self.columns],
            **({"personal": self.personal} if self.personal else {}),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the signature of :meth:`to_dict`'s fields, as they come back from JSON."""
        classes = fields["classes"]
        return cls(
            tuple(Column.from_dict(column) for column in fields["columns"]),
            fields["task"],
            None if classes is None else tuple(classes),
            fields["input"],
            fields["target"],
            tuple(fields.get("personal", ())),
        )


def _check(values: Array, column: Column) -> None:
    missing = is_missing(values)
    if not column.nullable and missing.any():
        raise SignatureError(
            f"column {column.name!r} is missing in {int(missing.sum())} of {len(values)} rows (first: row "
            f"{int(np.argmax(missing))}), and never was in the reference rows; allow it with "
            f"nullable ({column.name!r}), or fill it in"
        )
    if column.closed and column.categories is not None:
        known = set(column.categories)
        for value in values[~missing].tolist():
            if value not in known:
                raise SignatureError(f"column {column.name!r} holds {value!r}, which its closed levels lack")
    low, high = column.bounds or (None, None)
    present = values[~missing]
    for outside in (present < low if low is not None else None, present > high if high is not None else None):
        if outside is not None and outside.any():
            value = present[int(np.argmax(outside))]
            raise SignatureError(
                f"column {column.name!r} holds {value:g}, outside its bounds {low} to {high}"
            )

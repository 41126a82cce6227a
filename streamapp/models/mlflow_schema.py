"""The signatures of MLflow's models, held against reference rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from streamapp.errors import SignatureError
from streamapp.models.infer import infer_column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MlflowSchema"]

_KINDS = {
    "boolean": "boolean",
    "integer": "integer",
    "long": "integer",
    "float": "float",
    "double": "float",
    "string": "string",
}


class _Column(NamedTuple):
    """A column as a signature has it; without a name it counts by its place."""

    name: str | None
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class MlflowSchema:
    """Inputs and output of a signature.

    Attributes
    ----------
    inputs
        Columns; None if it has tensors.
    width
        Number of columns, if it has one tensor of rank 2.
    output
        Type of the output; None if it is a tensor.
    """

    inputs: tuple[_Column, ...] | None
    width: int | None = None
    output: str | None = None

    @classmethod
    def parse(cls, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> Self:
        """Return the schema in a signature's parts; SignatureError if a deployment cannot have it."""
        if len(outputs) > 1:
            raise SignatureError(
                f"the MLflow signature has {len(outputs)} outputs; a deployment predicts one number or class"
            )
        told = outputs[0]["type"] if outputs else "tensor"
        output = None if told == "tensor" else str(told)
        if any(each["type"] == "tensor" for each in inputs):
            shape = inputs[0].get("tensor-spec", {}).get("shape", []) if len(inputs) == 1 else []
            return cls(None, shape[1] if len(shape) == 2 and shape[1] > 0 else None, output)
        columns = tuple(
            _Column(each.get("name"), str(each["type"]), bool(each.get("required", True))) for each in inputs
        )
        for place, column in enumerate(columns):
            if column.type not in _KINDS:
                raise SignatureError(
                    f"column {column.name or place!r} is of type {column.type} in the MLflow signature, "
                    "which no request can carry; make it numbers, booleans or strings"
                )
        return cls(columns, None, output)

    @property
    def nullable(self) -> list[str]:
        """Columns that may be missing."""
        return [column.name for column in self.inputs or () if column.name and not column.required]

    def fit(self, X: pd.DataFrame, y: pd.Series[Any]) -> pd.DataFrame:
        """Return the reference's columns as the signature has them, in its order.

        Whole numbers become floats where it wants these, as a CSV file does not tell one from the other.

        Raises
        ------
        SignatureError
            If a column is absent or of another type, or the target is.
        """
        is_text = all(isinstance(label, str) for label in y)
        if self.output is not None and is_text != (self.output == "string"):
            raise SignatureError(
                f"the MLflow signature predicts {self.output}, and target {y.name!r} holds {y.tolist()[0]!r}"
            )
        wanted = self.width if self.inputs is None else len(self.inputs)
        by_place = self.inputs is None or any(column.name is None for column in self.inputs)
        if by_place and wanted is not None and wanted != X.shape[1]:
            raise SignatureError(
                f"the MLflow signature has {wanted} columns without names, the reference has {X.shape[1]} "
                f"({', '.join(map(str, X.columns[:8]))}); leave out what is no input"
            )
        if self.inputs is None:
            return X
        names = list(X.columns) if by_place else [str(column.name) for column in self.inputs]
        for name in names:
            if name not in X.columns:
                raise SignatureError(
                    f"the MLflow signature has column {name!r}, which the reference lacks (it has "
                    f"{', '.join(map(str, X.columns[:8]))})"
                )
        return X[names].assign(
            **{name: _fit(X[name], column) for name, column in zip(names, self.inputs, strict=True)}
        )


def _fit(values: pd.Series[Any], column: _Column) -> pd.Series[Any]:
    wanted, found = _KINDS[column.type], infer_column(str(values.name), values).dtype
    if wanted == found:
        return values
    if (wanted, found) == ("float", "integer"):
        return values.astype(float)
    # A column of whole numbers with gaps comes from a CSV file as floats.
    if (wanted, found) == ("integer", "float") and (values.dropna() % 1 == 0).all():
        return values.astype("Int64")
    raise SignatureError(
        f"column {values.name!r} is {column.type} in the MLflow signature, and {found} in the reference"
    )

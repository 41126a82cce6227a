"""From a matrix or a frame to the tensors that a network takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from streamapp.errors import BundleError
from streamapp.models.column import Array

__all__ = ["Inputs", "read_inputs"]


class Inputs(NamedTuple):
    """How the inputs of a network are made.

    Attributes
    ----------
    tensors
        From a matrix (n, k), or from a frame if there are names, to tensors by the name of the input.
    names
        Of the columns, if each is an input; None if all of them are one.
    width
        Number of columns, if they are one input and it tells.
    """

    tensors: Callable[[Any], dict[str, Array]]
    names: tuple[str, ...] | None
    width: int | None


def read_inputs(told: Mapping[str, tuple[str | None, Sequence[Any]]], what: str) -> Inputs:
    """Return how inputs are made that are of these dtypes and shapes.

    Parameters
    ----------
    told
        Name of each input to its dtype, ``string`` for text, None for what is no tensor, and its shape.
    what
        The network, for the message.

    Raises
    ------
    BundleError
        If they are neither one matrix nor one column each.

    Examples
    --------
    >>> inputs = read_inputs({"X": ("float32", [None, 2])}, "network")
    >>> inputs.tensors(np.eye(2))["X"].dtype, inputs.names, inputs.width
    (dtype('float32'), None, 2)
    """
    is_plain = all(dtype is not None for dtype, _ in told.values())
    if is_plain and len(told) == 1:
        ((name, (dtype, shape)),) = told.items()
        if len(shape) == 2:
            width = shape[1] if isinstance(shape[1], int) and shape[1] > 0 else None
            return Inputs(lambda X: {name: _cast(X, str(dtype), "a column")}, None, width)
    if is_plain and all(len(shape) == 1 or tuple(shape[1:]) == (1,) for _, shape in told.values()):
        columns = {name: (str(dtype), len(shape)) for name, (dtype, shape) in told.items()}
        return Inputs(_column_tensors(columns), tuple(columns), None)
    shown = ", ".join(f"{name!r} of shape {list(shape)}" for name, (_, shape) in told.items())
    raise BundleError(
        f"the {what} takes {shown}; a deployment gives one matrix of all columns, or one input per column"
    )


def _column_tensors(columns: Mapping[str, tuple[str, int]]) -> Callable[[Any], dict[str, Array]]:
    """Return the function from a frame to a tensor per column: (n,) for rank 1, (n, 1) for rank 2."""

    def build(X: Any) -> dict[str, Array]:
        built = {}
        for name, (dtype, rank) in columns.items():
            # Through object where there is text: of pandas' category dtype codes would come.
            wanted = object if dtype == "string" else None
            values = _cast(X[name].to_numpy(dtype=wanted), dtype, f"column {name!r}")
            built[name] = values[:, None] if rank == 2 else values
        return built

    return build


def _cast(values: Array, dtype: str, what: str) -> Array:
    if dtype == "string":
        values = np.asarray(values, dtype=object)
        _require_present((values == None) | (values != values), what, "text")  # noqa: E711, PLR0124
        return values
    if not dtype.startswith("float"):
        _require_present(np.isnan(np.asarray(values, dtype=np.float64)), what, dtype)
    return np.asarray(values).astype(dtype)


def _require_present(missing: Array, what: str, dtype: str) -> None:
    if missing.any():
        row = int(np.argwhere(missing)[0][0])
        raise ValueError(f"{what} is missing in row {row}, and a tensor of {dtype} cannot say so: fill it in")

"""What a request asks for, told by its shape: native, V2 (``inputs``) or V1 (``instances``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from streamapp.messages import OutputName, RejectionCode
from streamapp.models.column import Row
from streamapp.serving.faults import Fault, Misfit, quote, type_name
from streamapp.serving.tensors import read_tensors

if TYPE_CHECKING:
    from streamapp.models.signature import Signature

__all__ = ["ALL_OUTPUTS", "V1", "V2", "Asked", "Shaped", "find_rows"]

ALL_OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)

_SHAPE = '{"id": …, "features": {"COLUMN": VALUE, …}}'


class Asked(NamedTuple):
    """How the answer to a request that is not native is to be written."""

    dialect: Literal["v1", "v2"]
    outputs: tuple[OutputName, ...] = ALL_OUTPUTS
    """Only V2 can ask for less than all."""


V1, V2 = Asked("v1"), Asked("v2")


class Shaped(NamedTuple):
    """The rows of a request, not judged by the signature yet."""

    rows: list[Row]
    asked: Asked | None
    """None: a native request."""


def find_rows(body: object, signature: Signature | None, *, max_rows: int) -> Shaped | Fault:
    """Return the rows in the body of a request, or what is wrong with its shape.

    Parameters
    ----------
    body
        What its JSON says.
    signature
        Names the columns of rows without names. None, while there is no model: then a V1 or V2 request has
        no rows.
    max_rows
        Most that one request may have.
    """
    try:
        return _find_rows(body, signature, max_rows)
    except Misfit as misfit:
        return misfit.fault


def _find_rows(body: object, signature: Signature | None, max_rows: int) -> Shaped:
    if not isinstance(body, dict):
        raise Misfit(RejectionCode.NOT_AN_OBJECT, f"the request is {type_name(body)}: send {_SHAPE}")
    if "features" in body:
        features = body["features"]
        if not isinstance(features, dict):
            what = f"features is {type_name(features)}: send an object of column and value"
            raise Misfit(RejectionCode.WRONG_TYPE, what)
        return Shaped([features], None)
    if "inputs" in body:
        asked = Asked("v2", _outputs(body.get("outputs"), signature))
        return Shaped(
            [] if signature is None else _bounded(read_tensors(body["inputs"], signature), max_rows), asked
        )
    if "instances" in body:
        return Shaped(
            [] if signature is None else _bounded(_instances(body["instances"], signature), max_rows), V1
        )
    raise Misfit(RejectionCode.BAD_SHAPE, f"the request has no features: send {_SHAPE}")


def _bounded(rows: list[Row], max_rows: int) -> list[Row]:
    if len(rows) > max_rows:
        what = f"the request has {len(rows)} rows, more than max_request_rows = {max_rows}"
        raise Misfit(RejectionCode.TOO_LARGE, f"{what}: send several requests")
    return rows


def _outputs(asked: object, signature: Signature | None) -> tuple[OutputName, ...]:
    if not asked and (asked is None or isinstance(asked, list)):
        return ALL_OUTPUTS
    if not isinstance(asked, list) or not all(isinstance(each, dict) and "name" in each for each in asked):
        raise Misfit(
            RejectionCode.WRONG_TYPE,
            f"outputs is {type_name(asked)}: send an array of objects with a name, or leave it out for all",
        )
    there = ALL_OUTPUTS[:1] if signature is not None and signature.classes is None else ALL_OUTPUTS
    for each in asked:
        if each["name"] not in there:
            what = f"outputs asks for {quote(each['name'])}: ask for {' or '.join(there)}, or leave it out"
            raise Misfit(RejectionCode.BAD_SHAPE, what)
    names = {each["name"] for each in asked}
    return tuple(name for name in ALL_OUTPUTS if name in names)


def _instances(instances: Any, signature: Signature) -> list[Row]:
    if not isinstance(instances, list):
        what = f"instances is {type_name(instances)}: send an array with a row each"
        raise Misfit(RejectionCode.WRONG_TYPE, what)
    if not instances:
        raise Misfit(RejectionCode.BAD_SHAPE, "instances is empty: send one row at least")
    names = [column.name for column in signature.columns]
    return [_instance(each, names, at if len(instances) > 1 else None) for at, each in enumerate(instances)]


def _instance(instance: Any, names: list[str], at: int | None) -> Row:
    if isinstance(instance, dict):
        return instance
    values = instance if isinstance(instance, list) else [instance]
    if len(values) != len(names):
        what = f"{len(values)} values" if isinstance(instance, list) else type_name(instance)
        raise Misfit(
            RejectionCode.BAD_SHAPE,
            f"the instance is {what}: send an object of column and value, or an array with the "
            f"{len(names)} columns in the order of the signature",
            row=at,
        )
    return dict(zip(names, values, strict=True))

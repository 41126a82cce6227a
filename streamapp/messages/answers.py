"""Answers in any dialect, read as native ones: what comes after serving knows one kind of row."""

from __future__ import annotations

from typing import Any

from streamapp.errors import MessageError

__all__ = ["is_native", "native_answers", "request_offset"]

_MISFITS = (KeyError, TypeError, ValueError, AttributeError, IndexError)
_PASSED_ON = ("review_probability", "review_dropped")
_BEHIND_MODEL = b'"},"prediction":'
_HEAD_BYTES = 256


def is_native(value: bytes) -> bool:
    """Return whether an answer is native for sure, without parsing it.

    Inside a text of JSON these quotes would be escaped, so only a column of such a name makes it doubtful.
    Serving writes one prediction right behind the model, which spares most answers being looked through.
    """
    return value.find(_BEHIND_MODEL, 0, _HEAD_BYTES) > 0 or (
        b'"outputs":' not in value and b'"predictions":' not in value
    )


def native_answers(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an answer row by row, each as a native answer would say it.

    Parameters
    ----------
    fields
        Of a prediction in any dialect, or of a rejection, which is always native.

    Raises
    ------
    MessageError
        Code ``wrong-type``, if it looks like V1 or V2 and its parts do not fit together.

    Examples
    --------
    >>> answer = {"id": "r", "predictions": [1.5, 2.0], "model": {}, "request": {}, "predicted_at": "t"}
    >>> [one["prediction"] for one in native_answers(answer)]
    [1.5, 2.0]
    """
    if "model" in fields and "predictions" not in fields:
        return [fields]
    try:
        if "predictions" in fields:
            return _of_v1(fields)
        if "model_name" in fields:
            return _of_v2(fields)
    except _MISFITS as exc:
        raise MessageError("wrong-type", f"an answer whose parts do not fit together: {exc!r}") from exc
    return [fields]


def request_offset(fields: dict[str, Any]) -> int:
    """Return the offset of the request of an answer in any dialect; KeyError or TypeError if it says none."""
    offset = fields["parameters" if "model_name" in fields else "request"]["offset"]
    if type(offset) is not int:
        raise TypeError(f"offset {offset!r}")
    return offset


def _of_v1(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return _rows(
        fields["predictions"],
        fields.get("probabilities"),
        fields.get("features"),
        head={"id": fields["id"], "model": fields["model"]},
        tail={"request": fields["request"], "predicted_at": fields["predicted_at"]} | _passed_on(fields),
    )


def _of_v2(fields: dict[str, Any]) -> list[dict[str, Any]]:
    about = fields["parameters"]
    outputs = {output["name"]: output["data"] for output in fields["outputs"]}
    probabilities = None
    if (flat := outputs.get("probabilities")) is not None:
        names = list(map(str, about["classes"]))
        probabilities = [
            dict(zip(names, flat[at : at + len(names)], strict=True))
            for at in range(0, len(flat), len(names))
        ]
    return _rows(
        outputs["prediction"] if "prediction" in outputs else about["prediction"],
        probabilities,
        about.get("features"),
        head={
            "id": fields["id"],
            "model": {"name": fields["model_name"], "version": fields["model_version"]},
        },
        tail={
            "request": {name: about[name] for name in ("topic", "partition", "offset", "timestamp")},
            "predicted_at": about["predicted_at"],
        }
        | _passed_on(fields),
    )


def _rows(
    predictions: list[Any],
    probabilities: list[Any] | None,
    features: list[Any] | None,
    *,
    head: dict[str, Any],
    tail: dict[str, Any],
) -> list[dict[str, Any]]:
    rows = [head | {"prediction": prediction} for prediction in predictions]
    for name, values in (("probabilities", probabilities), ("features", features)):
        if values is not None:
            for row, value in zip(rows, values, strict=True):
                row[name] = value
    return [row | tail for row in rows]


def _passed_on(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in _PASSED_ON if name in fields}

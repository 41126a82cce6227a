"""What the gateway itself has to know of a body: its id. The rest is left to SCORE, and stays as it is."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from streamapp.errors import MessageError

__all__ = ["native_id", "v2_id"]


class _Native(msgspec.Struct):
    id: str | int | None = None


class _V2(msgspec.Struct):
    inputs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    id: str | None = None


_B = TypeVar("_B", bound=msgspec.Struct)
_NATIVE, _V2_BODY = msgspec.json.Decoder(_Native), msgspec.json.Decoder(_V2)


def native_id(body: bytes) -> str | None:
    """Return the id of a native request, an integer as its decimal text; None if it has none.

    Raises
    ------
    MessageError
        ``not-json``, ``not-an-object`` or ``wrong-type``.

    Examples
    --------
    >>> native_id(b'{"id": 17, "features": {"temp": 0.24}}')
    '17'
    """
    id = _decode(_NATIVE, body).id
    return None if id is None else str(id)


def v2_id(body: bytes) -> str | None:
    """Return the id of a V2 request; None if it has none.

    Raises
    ------
    MessageError
        As of :func:`native_id`; ``bad-shape`` if there are no `inputs`.
    """
    found = _decode(_V2_BODY, body)
    if found.inputs is msgspec.UNSET:
        raise MessageError(
            "bad-shape",
            "there is no 'inputs': a V2 request has a list of tensors there; POST /predict takes others",
        )
    return found.id


def _decode(decoder: msgspec.json.Decoder[_B], body: bytes) -> _B:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as exc:
        if str(exc).endswith("`$.id`"):
            raise MessageError("wrong-type", f"id: {exc}", feature="id") from exc
        raise MessageError("not-an-object", f"the body: {exc}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise MessageError("not-json", f"the body is no UTF-8 JSON: {exc}") from exc
    except RecursionError as exc:
        raise MessageError("not-json", "the body is nested too deeply") from exc

"""JSON as exactly as it was written: the slow reader beside the fast one."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["read_exactly"]


def read_exactly(value: bytes) -> tuple[Any, bool] | None:
    """Return the JSON in `value` with exact integers, and whether it held NaN or Infinity, or None.

    Notes
    -----
    The fast parser turns integers beyond 64 bits into floats, and refuses numbers beyond the largest double;
    here the latter are infinite floats. Integers of 310 digits or more are, too: their exact value is of no
    use to anybody, and making it takes quadratic time.

    Examples
    --------
    >>> read_exactly(b"[1e400, 18446744073709551616]")
    ([inf, 18446744073709551616], False)
    """
    literal = False

    def constant(name: str) -> float:
        nonlocal literal
        literal = True
        return float(name)

    def integer(digits: str) -> int | float:
        return int(digits) if len(digits) < 310 else math.copysign(math.inf, -1 if digits[0] == "-" else 1)

    try:
        return json.loads(value.decode(), parse_constant=constant, parse_int=integer), literal
    except (ValueError, RecursionError):
        return None

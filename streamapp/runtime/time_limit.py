"""A time limit for code that cannot be asked to stop: a model's call."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["TimeLimitExceeded", "time_limit"]

_AGAIN_S = 1.0  # a library may lose the exception, for example in a destructor


class TimeLimitExceeded(BaseException):
    """Raised inside the code that takes too long; no ``except Exception`` of a model's keeps it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitExceeded in the block once it has run for `seconds`. For the main thread.

    A timer's signal interrupts it, so nothing must be handed to another thread, which would cost more than
    most calls and could not be stopped either. Compiled code that does not return to the interpreter is
    interrupted when it does.
    """
    is_open = True

    def interrupt(number: int, frame: FrameType | None) -> None:
        if is_open:  # the signal may arrive when the block has just ended
            raise TimeLimitExceeded(f"it took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        is_open = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

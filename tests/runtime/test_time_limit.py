from __future__ import annotations

import contextlib
import signal
import time

import pytest

from streamapp.runtime.time_limit import TimeLimitExceeded, time_limit


def spin(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize("hang", [spin, time.sleep])
def test_what_takes_too_long_is_interrupted(hang: object) -> None:
    began = time.monotonic()
    with pytest.raises(TimeLimitExceeded, match=r"longer than 0\.1 s"), time_limit(0.1):
        hang(30)  # type: ignore[operator]
    assert time.monotonic() - began < 10


def test_code_that_keeps_every_exception_is_interrupted() -> None:
    def stubborn() -> None:
        while True:
            with contextlib.suppress(Exception):
                time.sleep(30)

    with pytest.raises(TimeLimitExceeded), time_limit(0.1):
        stubborn()


def test_what_is_quick_is_left_alone_and_nothing_stays_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(30):
        assert sum(range(10)) == 45
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_error_of_the_block_passes() -> None:
    with pytest.raises(KeyError), time_limit(30):
        raise KeyError
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

from __future__ import annotations

from streamapp.dashboard.reading import FOLLOWED
from streamapp.runtime.acls import ACCESS


def test_what_is_read_is_what_a_viewer_may_read() -> None:
    assert set(FOLLOWED) == set(ACCESS["viewer"].reads)

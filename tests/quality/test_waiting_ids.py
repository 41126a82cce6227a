from __future__ import annotations

from streamapp.quality import waiting_ids
from streamapp.quality.waiting_ids import WaitingIds


def test_an_id_that_is_waited_for_is_always_among_them() -> None:
    ids = WaitingIds([b"a"])
    ids.add(b"b")
    assert [each in ids for each in (b"a", b"b", b"c")] == [True, True, False]
    ids.clear()
    assert b"a" not in ids


def test_beyond_the_limit_every_id_may_be_among_them_until_none_is() -> None:
    ids = WaitingIds(b"%d" % i for i in range(waiting_ids.LIMIT + 1))
    assert b"%d" % waiting_ids.LIMIT in ids
    assert b"another" in ids
    ids.clear()
    assert b"another" not in ids

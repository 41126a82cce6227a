from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamapp.demo.stream import in_stream_order


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 60)), max_size=60))
def test_each_label_is_sent_once_as_soon_as_stream_time_passes_it(flights: list[tuple[int, int]]) -> None:
    flights.sort()
    asked = np.array([at for at, _ in flights], dtype=np.int64)
    known = np.array([at + delay for at, delay in flights], dtype=np.int64)
    events = list(in_stream_order(asked, known))
    assert [row for is_label, row in events if not is_label] == list(range(len(flights)))
    assert sorted(row for is_label, row in events if is_label) == list(range(len(flights)))
    now, labelled = -1, set()
    for is_label, row in events:
        time = int(known[row] if is_label else asked[row])
        assert time >= now
        now = time
        if is_label:
            labelled.add(row)
        else:
            assert labelled == {other for other in range(len(flights)) if known[other] <= now}

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamapp.messages import (
    answer_id,
    caused_id,
    event_headers,
    event_time_ms,
    header,
    labelled_id,
    trace_headers,
)

FIVE_MINUTES_MS = 5 * 60 * 1000
times = st.integers(0, 4_000_000_000_000)


def test_headers_are_those_of_cloudevents_in_binary_mode() -> None:
    assert event_headers("bikes", "streamapp.alert.v1", "a1", 4) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"a1"),
        ("ce_source", b"/streamapp/bikes"),
        ("ce_type", b"streamapp.alert.v1"),
        ("ce_time", b"1970-01-01T00:00:00.004Z"),
        ("content-type", b"application/json"),
    ]


@given(time_ms=times, timestamp_ms=times)
def test_event_time_is_ce_time_unless_it_lies_ahead_of_the_record(time_ms: int, timestamp_ms: int) -> None:
    headers = event_headers("bikes", "t", "i", time_ms)
    ahead = time_ms - timestamp_ms > FIVE_MINUTES_MS
    assert event_time_ms(headers, timestamp_ms) == (timestamp_ms if ahead else time_ms, ahead)


@given(value=st.binary(max_size=30), timestamp_ms=times)
def test_no_header_can_raise(value: bytes, timestamp_ms: int) -> None:
    time_ms, _ = event_time_ms([("ce_time", value)], timestamp_ms)
    assert time_ms <= timestamp_ms + FIVE_MINUTES_MS


def test_without_ce_time_the_records_own_time_counts_and_nothing_was_replaced() -> None:
    assert event_time_ms([("other", b"x")], 7) == (7, False)


def test_of_headers_with_one_name_the_last_counts() -> None:
    assert header([("a", b"1"), ("b", b"2"), ("a", b"3")], "a") == b"3"
    assert header([("a", b"1")], "A") is None


def test_trace_context_is_carried() -> None:
    headers = [("traceparent", b"00-1"), ("x", b"y"), ("tracestate", b"s")]
    assert trace_headers(headers) == [("traceparent", b"00-1"), ("tracestate", b"s")]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a.requests", "a.requests-1"]), st.integers(0, 12), st.integers(0, 12))
    )
)
def test_answer_ids_differ_where_positions_do(positions: list[tuple[str, int, int]]) -> None:
    of_one_topic = {position for position in positions if position[0] == "a.requests"}
    assert len({answer_id(*position) for position in of_one_topic}) == len(of_one_topic)


def test_ids_depend_on_their_causes_alone_and_keep_them_apart() -> None:
    assert caused_id("input", "temp", 1) == caused_id("input", "temp", 1)
    assert caused_id("ab", "c") != caused_id("a", "bc")
    assert labelled_id("bikes.requests-0-1", 0, 12) != labelled_id("bikes.requests-0-1", 0, 13)

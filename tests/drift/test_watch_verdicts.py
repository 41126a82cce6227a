from __future__ import annotations

from collections.abc import Iterable

from streamapp.drift import Watch
from streamapp.messages import Alert, Distribution, Verdict
from tests.drift.logs import V1, log, profile_of
from tests.drift.streams import distribution, panes, rows


def folded(watch: Watch, history: Iterable[Distribution]) -> list[Alert]:
    return [alert for each in history for alert in watch.fold(each, profile_of)]


def test_quiet_rows_stay_before_an_alert_on_outputs_as_long_as_it_lasts() -> None:
    watch = Watch("bikes")
    folded(watch, log("v1", 0, 0, 150))
    said = folded(watch, log("v1", 0, 9_600, 20, shift=1.0))
    assert not any(alert.kind == "output" for alert in said), "the outputs do not follow this shift"
    assert watch.quiet.own is not None
    assert watch.quiet.own.span.partitions[0][1] > 7_500
    (at, alert), *later = outputs_flipped(watch, 10_880, 200)
    assert (alert.kind, alert.state) == ("output", "opened")
    assert at < 11_500
    assert watch.quiet.own.span.partitions[0][1] < 10_880
    assert all(each.state == "updated" for _, each in later)
    assert watch.quiet.own.span.events >= 4_000


def outputs_flipped(watch: Watch, first: int, count: int) -> list[tuple[int, Alert]]:
    """Fold panes with the outputs of the other class, and return what is said of outputs, and where."""
    columns, p = rows(9, 64 * count)
    said = []
    for pane in panes(
        V1, (columns, p[:, ::-1] ** 2 / (p[:, ::-1] ** 2).sum(axis=1, keepdims=True)), first=first
    ):
        each = distribution("v1", pane)
        said += [
            (each.next_offset, alert) for alert in watch.fold(each, profile_of) if alert.kind == "output"
        ]
    return said


def test_a_verdict_only_gets_graver_while_the_alert_lasts() -> None:
    watch = Watch("bikes")
    folded(watch, log("v1", 0, 0, 50))
    (_, alert), *_ = outputs_flipped(watch, 3_200, 20)
    nothing, unexplained = Verdict(cause="no-verdict"), Verdict(cause="unexplained", unexplained=0.8)
    inputs, more = Verdict(cause="inputs", unexplained=0.1), Verdict(cause="inputs", unexplained=0.2)
    changed = Verdict(cause="model-changed", since={"0": 12})
    assert watch.monitor is not None
    judged = [nothing, inputs, nothing, more, unexplained, inputs, changed, nothing]
    kept = [nothing, inputs, inputs, more, *[unexplained] * 4]
    for verdict, expected in zip(judged, kept, strict=True):
        alert = watch.with_verdict(alert, verdict)
        assert alert.verdict == expected
        (own,) = [each for each in watch.monitor.open_alerts if each.kind == "output"]
        assert own.verdict == expected

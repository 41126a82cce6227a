from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from streamapp.messages import Alert
from streamapp.models import Baseline, Segments
from streamapp.models.losses import Floats
from streamapp.models.segments import SegmentColumn
from streamapp.quality import LabelledRows, losses_of
from streamapp.quality.accuracy_watch import AccuracyWatch

SEGMENTS = Segments((SegmentColumn("airport", "string", ("EWR", "LGA", "JFK")),))


def rows(n: int, seed: int, jfk: float = 0.1, first: int = 0, bare: bool = False) -> LabelledRows:
    """A labelled row a second; a tenth of them at JFK, with an error of its own."""
    rng = np.random.default_rng(seed)
    airports = rng.choice(["EWR", "LGA", "JFK"], n, p=[0.5, 0.4, 0.1])
    wrong = rng.random(n) < np.where(airports == "JFK", jfk, 0.1)
    records = []
    for i, (airport, is_wrong) in enumerate(zip(airports.tolist(), wrong.tolist(), strict=True), first):
        row: dict[str, Any] = {
            "id": f"r-{i}", "model": {"name": "flights", "version": "v1"}, "label": "yes",
            "prediction": "no" if is_wrong else "yes", "features": None if bare else {"airport": airport},
            "source": "system", "labelled_at": i, "revision": 0,
            "request": {"topic": "flights.requests", "partition": i % 2, "offset": i, "timestamp": 0},
        }  # fmt: skip
        records.append(orjson.dumps(row))
    return LabelledRows.read(records, range(first, first + n), [1_000 * i for i in range(first, first + n)])


def losses(each: LabelledRows) -> Floats:
    return losses_of(each, "zero-one", None, ("no", "yes"))


def watch(baseline: Baseline | None) -> AccuracyWatch:
    return AccuracyWatch("flights", "v1", "zero-one", baseline, false_alarm_every=10_000, segments=SEGMENTS)


def holdout() -> Baseline:
    each = rows(4_000, 99)
    return Baseline.of_losses("zero-one", losses(each), SEGMENTS.of(each.features))


def judge(watch: AccuracyWatch, each: LabelledRows) -> list[Alert]:
    return [change.alert for change in watch.judge(each, losses(each)) if change.alert is not None]


def test_the_alert_names_the_segment_and_its_rows() -> None:
    own = watch(holdout())
    assert judge(own, rows(300, 1)) == []
    bad = rows(1_500, 2, jfk=0.9, first=300)
    alert = judge(own, bad)[0]
    assert (alert.kind, alert.subject, alert.severity) == ("accuracy", "airport=JFK", "critical")
    (feature,) = alert.features
    assert (feature.name, feature.aspect) == ("airport", "loss")
    assert 0.6 < feature.effect < 1.0
    assert alert.window is not None
    which = f"the last {alert.window.events} labelled rows with airport=JFK"
    assert alert.summary == f"100 % of the answers were wrong over {which}, 9.0 % on the holdout"
    at = [start for start, _ in alert.window.partitions.values()]
    assert all(start > 250 for start in at)
    jfk = [row is not None and row["airport"] == "JFK" for row in bad.features]
    assert alert.opened_at in set(bad.times_ms[jfk].tolist())


def test_the_first_rows_become_a_baseline_of_each_segment() -> None:
    own = watch(None)
    assert judge(own, rows(2_000, 3)) == []
    alert = judge(own, rows(1_500, 4, jfk=0.9, first=2_000))[0]
    assert alert.subject == "airport=JFK"
    assert alert.summary.endswith("on its first 2,000 labelled rows")


def test_rows_without_features_are_of_no_segment() -> None:
    own = watch(holdout())
    alert = judge(own, rows(1_000, 5, jfk=0.9, bare=True))
    assert {each.subject for each in alert} <= {"zero-one"}


def test_batches_and_restarts_change_no_alert() -> None:
    """Also where the baseline comes from the first rows, and is cut in its middle."""
    each = rows(4_500, 6)
    bad = rows(1_500, 7, jfk=0.8, first=4_500)
    whole = watch(None)
    expected = judge(whole, each) + judge(whole, bad)
    assert [alert.state for alert in expected][:1] == ["opened"]
    own, found = watch(None), []
    for part, size in ((each, 700), (bad, 333)):
        for start, end in pairwise([*range(0, len(part), size), len(part)]):
            found += judge(own, part.take(np.arange(start, end)))
            own = AccuracyWatch.restore(orjson.loads(orjson.dumps(own.snapshot())), "flights")
    assert found == expected
    assert own.snapshot() == whole.snapshot()

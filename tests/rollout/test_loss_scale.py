"""The scale of a regressor's loss where no bundle says it: from the champion's first labelled rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from streamapp.models import Predictions, Rows, Segments, loss_scale
from streamapp.models.segments import SegmentColumn
from streamapp.quality import LabelledRows
from streamapp.quality.labelled_rows import errors_of
from streamapp.rollout import Candidate, Judge, Judged

from .conftest import MINUTE_MS, SETTINGS, baseline

FIRST = 2_000


def candidate(version: str, **fields: Any) -> Candidate:
    """A regressor without a holdout; its answers stand in the column of its name."""

    def predict(rows: Rows) -> Predictions:
        return Predictions(np.array([row[version] for row in rows]))

    given: dict[str, Any] = {"predict": predict, "loss": "absolute"} | fields
    return Candidate(version=version, **given)


def log(
    n: int, *, spread: float = 1.0, first: int = 0, version: str = "old", **spreads: float
) -> list[bytes]:
    """Records whose label is 0: the answers are the errors, as wide as `spread`, others' as `spreads` say."""
    rng = np.random.default_rng(first)
    columns = {
        name: rng.normal(0.0, width, n).tolist() for name, width in {version: spread, **spreads}.items()
    }
    return [
        orjson.dumps(
            {
                "model": {"version": version}, "prediction": columns[version][i], "label": 0.0,
                "features": {"hub": "ab"[i % 2], **{name: each[i] for name, each in columns.items()}},
                "source": "system", "labelled_at": (first + i + 30) * MINUTE_MS, "revision": 0,
                "request": {"partition": 0, "offset": first + i, "timestamp": 0},
            }
        )
        for i in range(n)
    ]  # fmt: skip


def rows(records: list[bytes], start: int = 0, end: int | None = None) -> LabelledRows:
    chosen = records[start:end]
    offsets = range(start, start + len(chosen))
    return LabelledRows.read(chosen, offsets, [offset * MINUTE_MS for offset in offsets])


def judge_of(champion: Candidate, *challengers: Candidate, **settings: Any) -> Judge:
    judge = Judge("bikes", **(SETTINGS | settings))
    judge.follow(champion, {each.version: each for each in challengers})
    return judge


def scale_of(records: list[bytes]) -> float:
    errors = errors_of(rows(records))
    return loss_scale(np.zeros(len(errors)), errors)


def test_the_first_labelled_rows_say_which_error_counts_as_a_loss_of_1() -> None:
    judge, records = judge_of(candidate("old")), log(FIRST + 500)
    assert judge.fold(rows(records, 0, FIRST - 1)) == Judged()
    assert (judge.found_scale, judge.has_baseline, judge.quality) == (None, False, None)
    judge.fold(rows(records, FIRST - 1))
    assert judge.found_scale == ("old", scale_of(records[:FIRST]))
    assert judge.has_baseline, "of the same rows"
    assert judge.quality is not None
    assert judge.quality.rows == 500
    assert judge.quality.metrics["loss"] == pytest.approx(
        np.minimum(errors_of(rows(records, FIRST)) / scale_of(records[:FIRST]), 1.0).mean()
    )


def test_then_accuracy_is_watched_of_all_rows_and_of_segments() -> None:
    hubs = Segments((SegmentColumn("hub", "string", ("a", "b")),))
    judge = judge_of(candidate("old", segments=hubs))
    records = log(FIRST + 300) + log(300, spread=4.0, first=FIRST + 300)
    alert, *_ = judge.fold(rows(records)).alerts
    assert (alert.kind, alert.subject) == ("accuracy", "absolute")
    assert alert.summary.endswith("on its first 2,000 labelled rows")
    assert alert.opened_at > (FIRST + 300) * MINUTE_MS
    assert judge.quality is not None
    assert {(each.column, each.level) for each in judge.quality.segments} == {("hub", "a"), ("hub", "b")}


def test_and_challengers_are_compared_on_the_rows_after_it() -> None:
    judge = judge_of(candidate("old"), candidate("new"))
    decision = judge.fold(rows(log(FIRST + 600, new=0.2))).promoted
    assert decision is not None
    assert decision.version == "new"
    assert decision.offset == FIRST + decision.scores["rows"] - 1
    assert decision.scores["absolute"] < decision.scores["champion-absolute"] < 1.0


@pytest.mark.parametrize("cuts", [(1_000,), (FIRST,), (FIRST - 1, FIRST + 1), (500, 1_999, 2_100)])
@pytest.mark.parametrize("restarts", [False, True])
def test_it_depends_on_the_log_alone(cuts: tuple[int, ...], restarts: bool) -> None:
    """However that is cut, and whenever the process is started again."""
    records = log(FIRST + 400, new=1.0)
    settings = SETTINGS | {"gate_max_rows": 350}
    whole, cut = (judge_of(candidate("old"), candidate("new"), **settings) for _ in range(2))
    (expected,) = whole.fold(rows(records)).rejected
    assert expected.offset == FIRST + 349
    found = []
    for start, end in zip((0, *cuts), (*cuts, len(records)), strict=True):
        found += cut.fold(rows(records, start, end)).rejected
        if restarts:
            cut = Judge.restore(cut.snapshot(), "bikes", **settings)
            cut.follow(candidate("old"), {"new": candidate("new")})
    assert found == [expected]
    assert cut.found_scale == whole.found_scale == ("old", scale_of(records[:FIRST]))
    assert cut.quality == whole.quality


def test_only_first_labels_of_own_answers_that_are_numbers_count() -> None:
    others = log(100, spread=1e6, version="older")
    words = [orjson.dumps(orjson.loads(record) | {"label": "much"}) for record in log(100, first=100)]
    own = log(FIRST, first=300)
    corrected = [orjson.dumps(orjson.loads(record) | {"label": 1e6, "revision": 1}) for record in own[:100]]
    judge = judge_of(candidate("old"))
    judge.fold(rows([*others, *words, *own[:-1], *corrected]))
    assert judge.found_scale is None
    judge.fold(rows([*others, *words, *own[:-1], *corrected, own[-1]], 200 + FIRST - 1 + 100))
    assert judge.found_scale == ("old", scale_of(own))


def test_a_champion_that_is_never_wrong_has_a_scale_too() -> None:
    judge = judge_of(candidate("old"))
    judge.fold(rows(log(FIRST, spread=0.0)))
    assert judge.found_scale == ("old", 1.0)


def test_later_champions_keep_it_and_have_a_baseline_of_their_own() -> None:
    records = log(FIRST) + log(FIRST + 10, spread=3.0, first=FIRST, version="next")
    judge = judge_of(candidate("old"))
    judge.fold(rows(records, 0, FIRST))
    judge = Judge.restore(judge.snapshot(), "bikes", **SETTINGS)
    judge.follow(candidate("next"), {})
    assert judge.found_scale == ("next", scale_of(records[:FIRST]))
    judge.fold(rows(records, FIRST, FIRST + 100))
    assert not judge.has_baseline
    assert judge.quality is not None
    assert judge.quality.rows == 100, "its losses are known at once"
    judge.fold(rows(records, FIRST + 100))
    assert judge.has_baseline


def test_what_a_bundle_says_wins_and_is_kept() -> None:
    known = {"loss_scale": 5.0, "baseline": baseline(0.1)}
    judge = judge_of(candidate("old", **known))
    judge.fold(rows(log(10)))
    assert judge.found_scale is None
    assert judge.quality is not None
    judge.follow(candidate("next"), {})
    assert judge.found_scale == ("next", 5.0)


def test_a_promotion_without_a_gate_ends_the_search_for_it() -> None:
    """The rest of the rows is of a version that serves no more, wherever the batch ends."""
    judge = judge_of(candidate("old"), gate=False)
    records = log(FIRST + 10)
    judge.fold(rows(records, 0, 100))
    judge.follow(candidate("old"), {"new": candidate("new")})
    assert judge.fold(rows(records, 100)).promoted is not None
    judge.follow(candidate("new"), {})
    assert judge.found_scale is None


def test_rows_before_it_have_no_loss_when_they_are_read_again() -> None:
    """As learners do after a restart: what did not count then does not count now."""
    champion = candidate("old", loss_scale=2.0, losses_from=6)
    losses = champion.losses_of(rows(log(10)))
    assert np.isnan(losses).tolist() == [True] * 6 + [False] * 4

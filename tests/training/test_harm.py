from __future__ import annotations

import numpy as np
import pytest

from streamapp.models import Baseline
from streamapp.training import Harm, harm_of

USUAL = Baseline(1_000, "zero-one", 0.2, 0.16, ())


def harm(losses: object, at_ms: int = 100, baseline: Baseline | None = USUAL) -> Harm:
    each = np.asarray(losses, dtype=np.float64)
    return harm_of(at_ms, np.arange(len(each)), each, baseline)


def test_losses_within_the_usual_bound_are_no_harm() -> None:
    fine = np.tile([0.0, 0.0, 0.0, 0.0, 1.0], 80)
    assert harm(fine).verdict == "none"
    worse = np.tile([0.0, 0.0, 0.0, 1.0], 100)
    found = harm(worse)
    assert found.verdict == "some"
    assert found.why == "loss is 0.250 over 300 labelled rows since then, and usual are up to 0.224"


def test_only_requests_since_the_event_count_and_of_these_the_first() -> None:
    losses = np.zeros(1_000)
    losses[:100] = losses[400:] = 1.0
    assert harm(losses).verdict == "none"
    assert harm(losses, at_ms=101).verdict == "none"
    assert harm(losses, at_ms=250).verdict == "some"


@pytest.mark.parametrize(("rows", "verdict"), [(399, "unknown"), (400, "none")])
def test_too_few_labels_say_nothing(rows: int, verdict: str) -> None:
    found = harm(np.zeros(rows))
    assert found.verdict == verdict
    assert ("299 of 300 labels have come" in found.why) == (verdict == "unknown")


def test_rows_without_a_loss_do_not_count() -> None:
    losses = np.zeros(400)
    losses[-1] = np.nan
    assert harm(losses).verdict == "unknown"


def test_without_a_baseline_it_may_have_done_harm() -> None:
    assert harm([], baseline=None).verdict == "some"

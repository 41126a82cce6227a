from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from streamapp.demo.flights import Flights
from streamapp.demo.model import DEPLOYMENT, pack_january, pack_spoiled, year_day_ms
from streamapp.models import Bundle

FEBRUARY_MS = year_day_ms(2)


@pytest.fixture(scope="module")
def january(year: Flights) -> Flights:
    month = year.between(0, FEBRUARY_MS)
    few = slice(None, None, 9)
    return Flights(
        month.features.iloc[few].reset_index(drop=True),
        month.ids[few], month.labels[few], month.asked_ms[few], month.known_ms[few],
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle(january: Flights) -> Bundle:
    with threadpool_limits(1):  # many threads on a busy machine wait for each other
        return pack_january(january, known_by_ms=FEBRUARY_MS)


def test_the_newest_fifth_is_its_holdout_and_nothing_unknown_is_learned(
    january: Flights, bundle: Bundle
) -> None:
    manifest = bundle.manifest
    known = int((january.known_ms <= FEBRUARY_MS).sum())
    assert known < len(january)  # some are still in the air
    assert (manifest.name, manifest.loss) == (DEPLOYMENT, "brier")
    assert (manifest.reference_rows, manifest.holdout_rows) == (int(known * 0.8), known - int(known * 0.8))
    assert manifest.newest_training_data_at_ms is not None
    assert manifest.newest_training_data_at_ms <= FEBRUARY_MS


def test_it_answers_what_the_year_brings(bundle: Bundle, year: Flights) -> None:
    summer = year.between(year_day_ms(7), year_day_ms(7, 3))
    rows = bundle.signature.to_rows(bundle.signature.from_frame(summer.features))
    gap = {**rows[0], "temp": None, "dewp": None, "humid": None, "wind_speed": None, "precip": None}
    new = {**rows[1], "carrier": "ZZ", "dest": "XXX", "visib": None, "pressure": None}
    answers = bundle.predict([*rows[:50], gap, new])
    assert answers.probabilities is not None
    assert np.allclose(answers.probabilities.sum(axis=1), 1)
    assert set(answers.values.tolist()) <= {"late", "on-time"}


def test_the_same_month_gives_the_same_version(january: Flights, bundle: Bundle) -> None:
    with threadpool_limits(1):
        assert pack_january(january, known_by_ms=FEBRUARY_MS).version == bundle.version


def test_the_spoiled_model_passes_all_checks_and_is_worse(january: Flights, bundle: Bundle) -> None:
    with threadpool_limits(1):
        spoiled = pack_spoiled(january, known_by_ms=FEBRUARY_MS)
    spoiled.check_golden()
    assert spoiled.version != bundle.version
    assert spoiled.manifest.loss == bundle.manifest.loss
    assert spoiled.baseline is not None
    assert bundle.baseline is not None
    assert spoiled.baseline.mean > 1.5 * bundle.baseline.mean

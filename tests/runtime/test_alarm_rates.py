"""What rates of false alarms mean at the present rates of requests and labels."""

from __future__ import annotations

import numpy as np
import pytest

from streamapp.profile import ColumnPolicy, Profile
from streamapp.runtime.checks.alarms import (
    ACCURACY,
    DRIFT,
    Rate,
    accuracy_costs,
    drift_costs,
    judge_rate,
)
from streamapp.runtime.checks.arrivals import DAY_MS, Arrivals

HOUR_MS = 3_600_000


def judged(every: int, came: Arrivals, rate: Rate = DRIFT) -> tuple[str, str, str]:
    line = judge_rate(rate, every, came, lambda now, instead: f"costs of {instead:,} for {now:,}")
    return line.status, line.mistake, line.message


def steadily(per_s: float, over_ms: int = DAY_MS) -> Arrivals:
    return Arrivals(round(per_s * over_ms / 1_000), over_ms, over_ms)


def test_a_rate_of_false_alarms_is_said_in_time() -> None:
    assert judged(100_000, steadily(1)) == (
        "ok",
        "",
        "one false drift alarm in 28 hours, at 1 request a second in the last 24 hours",
    )
    assert judged(10_000, steadily(0.03), ACCURACY) == (
        "ok",
        "",
        "one false accuracy alarm in 4 days, at 1.8 labelled rows a minute in the last 24 hours",
    )
    assert judged(100_000, steadily(1, 3 * HOUR_MS))[2].endswith("in the last 3 hours")


def test_more_than_one_false_alarm_a_day_is_a_warning_with_the_value_for_one_a_week() -> None:
    assert judged(86_400, steadily(1))[0] == "ok"
    assert judged(86_399, steadily(1))[:2] == ("warn", "false-alarms")
    assert judged(100_000, steadily(1_000)) == (
        "warn",
        "false-alarms",
        "one false drift alarm in 2 minutes, at 1,000 requests a second in the last 24 hours: "
        "STREAMAPP_FALSE_ALARM_EVERY=600000000 for monitor sets it to one a week; costs of 600,000,000 "
        "for 100,000",
    )
    message = judged(10_000, steadily(1), ACCURACY)[2]
    assert "STREAMAPP_ACCURACY_FALSE_ALARM_EVERY=600000 for monitor" in message


@pytest.mark.parametrize("per_s", [0.3, 1.7, 2.3, 11.9, 99.0, 512.0, 54_321.0])
def test_the_value_for_one_a_week_is_short_and_a_week_or_nearly(per_s: float) -> None:
    line = judge_rate(ACCURACY, 100, steadily(per_s), accuracy_costs)
    weekly = line.figures["one_a_week"]
    assert len(str(weekly).rstrip("0")) <= 2
    assert weekly / per_s / 86_400 == pytest.approx(7, abs=1.5)
    assert judged(weekly, steadily(per_s), ACCURACY)[0] == "ok"


def test_what_is_not_known_is_not_said() -> None:
    assert judged(10_000, Arrivals(), ACCURACY) == (
        "ok",
        "",
        "one false accuracy alarm in 10,000 labelled rows; there were no labelled rows yet",
    )
    assert judged(100_000, Arrivals(0, over_ms=DAY_MS))[2].endswith("no requests in the last 24 hours")
    status, _, message = judged(100_000, Arrivals(200_000, over_ms=HOUR_MS, busy_ms=20_000))
    assert (status, message) == (
        "ok",
        "one false drift alarm in 100,000 requests; 200,000 requests within 20 seconds are not enough to "
        "tell how often that is",
    )


def test_programs_get_the_figures() -> None:
    line = judge_rate(DRIFT, 100_000, steadily(10), accuracy_costs)
    assert line.figures == {
        "setting": "false_alarm_every",
        "set_to": 100_000,
        "per_second": 10.0,
        "days_between": pytest.approx(0.1157, abs=1e-4),
        "one_a_week": 6_000_000,
    }
    assert judge_rate(DRIFT, 100_000, Arrivals(), accuracy_costs).figures["per_second"] is None


def test_what_rarer_false_alarms_cost_is_said_of_the_champion_as_far_as_it_is_known() -> None:
    columns = {"temp": np.linspace(0, 1, 1_000)}
    profile = Profile.fit(columns, ordered=False)
    unwatched = Profile.fit(columns, ordered=False, policy={"temp": ColumnPolicy(watch=False)})
    assert drift_costs(profile, 100_000, 1_000_000) == (
        "a drift then takes about 1.2 times as many requests to be found"
    )
    assert drift_costs(unwatched, 100, 200) == drift_costs(None, 100, 200) == "drift is found later then"
    assert accuracy_costs(10_000, 1_000_000) == (
        "labels that flip in a tenth of the rows are then found after about 1,170 labelled rows and not 360, "
        "and an alert closes after 4 days without an alarm"
    )

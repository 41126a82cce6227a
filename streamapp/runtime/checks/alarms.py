"""What the rates of false alarms, which count requests and labelled rows, mean in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from streamapp.drift.delay import delay_ratio
from streamapp.profile import Profile
from streamapp.quality.accuracy_watch import quiet_rows
from streamapp.quality.delay import measured_delay
from streamapp.runtime.checks.arrivals import DAY_MS, Arrivals, read_arrivals
from streamapp.runtime.checks.case import Case, Line
from streamapp.wording import at_rate, lasting, many

__all__ = ["ACCURACY", "DRIFT", "Rate", "accuracy_costs", "drift_costs", "false_alarms", "judge_rate"]

_WEEK_MS = 7 * DAY_MS
_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Rate:
    """A setting that says how often alarms may be false.

    Attributes
    ----------
    alarm
        Which alarms.
    setting
        Its name.
    noun
        What it counts.
    """

    alarm: str
    setting: str
    noun: str


DRIFT = Rate("drift", "false_alarm_every", "request")
ACCURACY = Rate("accuracy", "accuracy_false_alarm_every", "labelled row")


async def false_alarms(case: Case) -> list[Line]:
    """How often alarms are false at the present rates of requests and labels."""
    topics, settings = case.settings.topics, case.settings
    # Answers: requests have the times of clients, of all sorts.
    sources = case.existing(topics.predictions, topics.labelled)
    now_ms = time.time_ns() // 1_000_000
    came = await read_arrivals(case.connection, sources, now_ms=now_ms) if sources else {}
    requests, rows = (came.get(topic, Arrivals()) for topic in (topics.predictions, topics.labelled))
    profile = None if case.bundle is None else case.bundle.profile
    return [
        judge_rate(DRIFT, settings.false_alarm_every, requests, partial(drift_costs, profile)),
        judge_rate(ACCURACY, settings.accuracy_false_alarm_every, rows, accuracy_costs),
    ]


def judge_rate(rate: Rate, every: int, came: Arrivals, costs: Callable[[int, int], str]) -> Line:
    """Return what a setting means for people; a warning if that is more than one false alarm a day.

    Parameters
    ----------
    rate
        Which setting.
    every
        Its value.
    came
        What it counts, lately.
    costs
        Says what another value, with which they come once a week, would cost: called with this one and that.

    Examples
    --------
    >>> line = judge_rate(DRIFT, 100_000, Arrivals(86_400, DAY_MS, DAY_MS), accuracy_costs)
    >>> line.status, line.message
    ('ok', 'one false drift alarm in 28 hours, at 1 request a second in the last 24 hours')
    """
    set_to = f"one false {rate.alarm} alarm in {many(every, rate.noun)}"
    figures: dict[str, Any] = {"setting": rate.setting, "set_to": every, "per_second": came.per_s}
    if not came.records:
        when = f" in the last {lasting(DAY_MS)}" if came.over_ms else " yet"
        return Line("ok", f"{set_to}; there were no {rate.noun}s{when}", figures=figures)
    if came.per_s is None:
        within = f"{many(came.records, rate.noun)} within {lasting(came.busy_ms)}"
        return Line("ok", f"{set_to}; {within} are not enough to tell how often that is", figures=figures)
    between_ms = 1_000 * every / came.per_s
    figures["days_between"] = between_ms / DAY_MS
    means = (
        f"one false {rate.alarm} alarm in {lasting(between_ms)}, at {at_rate(came.per_s, rate.noun)} "
        f"in the last {lasting(came.over_ms)}"
    )
    if between_ms >= DAY_MS:
        return Line("ok", means, figures=figures)
    weekly = figures["one_a_week"] = _rounded(_WEEK_MS / 1_000 * came.per_s)
    remedy = f"STREAMAPP_{rate.setting.upper()}={weekly} for monitor sets it to one a week"
    return Line("warn", f"{means}: {remedy}; {costs(every, weekly)}", mistake="false-alarms", figures=figures)


def drift_costs(profile: Profile | None, every: int, instead: int) -> str:
    """Return what it costs to let drift alarms be false once in `instead` requests and not in `every`.

    Parameters
    ----------
    profile
        The champion's; None if it is not known.
    every, instead
        Requests per false alarm, now and then.
    """
    ratio = None if profile is None else delay_ratio(profile, every, instead)
    if ratio is None:
        return "drift is found later then"
    return f"a drift then takes about {ratio:.2g} times as many requests to be found"


def accuracy_costs(every: int, instead: int) -> str:
    """Return the same of alarms on labelled rows, of which `instead` come in a week."""
    before, after = measured_delay(every), measured_delay(instead)
    quiet = lasting(_WEEK_MS * quiet_rows(instead) / instead)
    return (
        f"labels that flip in a tenth of the rows are then found after about {after:,} labelled rows and not "
        f"{before:,}, and an alert closes after {quiet} without an alarm"
    )


def _rounded(number: float) -> int:
    """Return a number of one digit, or two, that is near to one of 1 or more."""
    power: float = 10 ** math.floor(math.log10(number))
    return round(power * min(_STEPS, key=lambda step: abs(math.log(step * power / number))))

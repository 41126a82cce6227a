"""The drift self-test: known drifts are put into recent rows, and the requests until an alert are counted.

Theory of operation. Recent traffic may drift already, and an alert that is open would hide the next one; so
two questions are asked apart. What do the recent rows, as they came, say against the model's own reference?
And how long would a drift away from how traffic is *now* take to be found? For the second the recent rows are
the whole population: a reference as large as the model's is drawn from them with replacement, and so are
quiet traffic and the rows that drift. Reference and stream then differ by nothing but what is injected, and
the reference has the noise of its size. Two halves of the recent rows would differ by themselves where
traffic moves, and a stream drawn again and again from one half would keep that half's difference for ever.

What is watched stays that of the model: kinds, bins and levels, the variance inflation of its ordered
reference, the budget of false alarms. Detector and alerts are those that run in production. Each run draws
all anew, fills the windows with quiet rounds, and injects one drift from the first row of a round on.

What it does not show: drawn rows do not depend on their neighbours, so real traffic is noisier than this;
partitions differ in keyed traffic; and the model is not asked again, so its outputs do not follow its inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from streamapp.drift.injections import Injection, injections
from streamapp.drift.monitor import DriftMonitor
from streamapp.drift.panes import PANE_ROWS
from streamapp.drift.rehearsal import MAX_REFERENCE, Population, Rehearsal
from streamapp.errors import ConfigError, ProfileError
from streamapp.messages import Alert
from streamapp.profile import ColumnPolicy, Columns, Profile, row_count
from streamapp.profile.recount import recount

__all__ = ["COLUMNS", "MIN_ROWS", "Detection", "SelfTest"]

MIN_ROWS = 1_000
COLUMNS = 20
"""So many columns are tested unless some are named."""
_GIVE_UP = 5
"""A drift that none of so many runs has found is not looked for any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How one drift was found.

    Attributes
    ----------
    subject, drift
        What drifted, and how.
    runs
        Runs that looked for it: fewer than asked for if the first five did not find it.
    found
        Runs in which the first alert named what drifted.
    median, p90
        Requests from the first drifted one until that alert opened; None if no run found it.
    kind, named
        Kind and subject that this alert had in most runs; None if no run found it.
    first
        Runs in which what drifted was the alert's subject: it was named before all others.
    other
        Runs in which an alert that does not name it opened before: a false alarm, or a side effect.
    """

    subject: str
    drift: str
    runs: int
    found: int
    median: int | None
    p90: int | None
    kind: str | None
    named: str | None
    first: int
    other: int


class SelfTest:
    """Measures how many requests a drift takes to be found, for this profile, these rows and these settings.

    Parameters
    ----------
    profile
        The model's reference.
    columns
        Recent rows in the order in which they came, (n,) each; n of 1,000 or more.
    outputs
        What the model said to them, (n,) values or labels or (n, k) probabilities; None: not tested.
    times_ms
        Their event times (n,), for what is said about them; None: row numbers.
    false_alarm_every, clear_after
        As of :class:`~streamapp.drift.DriftMonitor`.
    round_events
        Requests between two looks: those of a pane in each partition.
    names
        Columns to test; None: the first 20 that are watched.
    never_missing, closed
        Columns in which the model accepts no missing, and no unseen value: such requests are rejected before
        drift is looked for.
    runs
        Of each drift.
    limit
        Requests after which a run gives up.
    seed
        The same seed gives the same numbers.

    Raises
    ------
    ProfileError
        If there are too few rows, columns are absent, or outputs are not those of the profile.
    ConfigError
        If a number is out of its bounds, or a name is not that of a column.

    Notes
    -----
    All drifts of 20 columns take about 10 s, those of 20 columns among 100 (with all their pairs) about 50 s.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = {"temp": rng.normal(size=4000), "wind": rng.normal(size=4000)}
    >>> test = SelfTest(Profile.fit(rows, ordered=False), rows, runs=3)
    >>> test.now
    []
    >>> found = test.measure(next(each for each in test.injections if each.drift == "up by 1 sd"))
    >>> found.subject, found.found, found.kind, found.named, found.median
    ('temp', 3, 'input', 'temp', 64)
    """

    def __init__(
        self,
        profile: Profile,
        columns: Columns,
        outputs: np.ndarray | None = None,
        *,
        times_ms: np.ndarray | None = None,
        false_alarm_every: int = 100_000,
        clear_after: int = 5_000,
        round_events: int = PANE_ROWS,
        names: Collection[str] | None = None,
        never_missing: Collection[str] = (),
        closed: Collection[str] = (),
        runs: int = 10,
        limit: int = 10_000,
        seed: int = 0,
    ) -> None:
        DriftMonitor.check(false_alarm_every, clear_after)
        for name, value in (("round_events", round_events), ("runs", runs), ("limit", limit)):
            if value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")
        self.rows = row_count(columns)
        if self.rows < MIN_ROWS:
            raise ProfileError(
                f"{self.rows:,} recent rows; the self-test needs {MIN_ROWS:,} to draw traffic from"
            )
        if outputs is not None and len(outputs) != self.rows:
            raise ProfileError(f"{len(outputs)} outputs for {self.rows} rows; pass one per row")
        own = [column.name for column in profile.columns]
        if absent := [name for name in own if name not in columns]:
            raise ProfileError(f"columns {absent} of the profile are absent; pass all columns")
        if unknown := sorted(set(names or ()) - set(own)):
            raise ConfigError(f"there is no column {unknown[0]!r}; the model has {', '.join(own[:20])}")
        self.profile = profile
        policy, none = profile.policy, ColumnPolicy()
        watched = [name for name in own if policy.get(name, none).is_watched]
        self.names = watched[:COLUMNS] if names is None else [name for name in own if name in names]
        answered = None if profile.outputs is None else outputs
        self._population = Population({name: columns[name] for name in own}, answered, round_events)
        self._times_ms = times_ms
        self.reference_rows = min(profile.rows, MAX_REFERENCE)
        """Rows that each run's reference is drawn of."""
        self._refused = (frozenset(never_missing), frozenset(closed))
        self._every, self._clear_after = false_alarm_every, clear_after
        self._runs, self.limit, self._seed = runs, limit, seed
        self._ready: dict[int, Rehearsal] = {}

    @cached_property
    def now(self) -> list[Alert] | None:
        """Alerts that are open after the recent rows, as they came, against the model's own reference.

        None if that is compared by the hour of the day, and the rows' times are not known.
        """
        if self._times_ms is None and self.profile.is_seasonal:
            return None
        monitor = DriftMonitor(
            self.profile,
            false_alarm_every=self._every,
            clear_after=self._clear_after,
            active=frozenset({0}),
        )
        rows = replace(self._population, round_events=PANE_ROWS)  # large rounds would leave many rows over
        for pane in rows.rounds(self.profile, rows.columns, rows.outputs, self._times_ms):
            monitor.add(pane)
        return monitor.open_alerts

    @cached_property
    def injections(self) -> list[Injection]:
        """The drifts that there are to measure, column by column."""
        never_missing, closed = self._refused
        return injections(
            recount(self.profile, self._population.columns),
            self._population.columns,
            self._population.outputs,
            names=self.names,
            never_missing=never_missing,
            closed=closed,
        )

    def quiet(self) -> tuple[int, int]:
        """Return the alerts opened while nothing is injected, and the requests that they were opened in."""
        opened = events = 0
        for number in range(self._runs):
            played = list(self._rehearsal(number).play(None))
            opened += sum(len(alerts) for _, alerts in played)
            events += played[-1][0]
        return opened, events

    def measure(self, injection: Injection) -> Detection:
        """Return in how many runs, and after how many requests, `injection` is found."""
        delays: list[int] = []
        alerts: Counter[tuple[str, str]] = Counter()
        first = other = done = 0
        for number in range(self._runs):
            if done == _GIVE_UP and not delays:
                break
            done += 1
            alert, events = self._first_alert(number, injection)
            if alert is None:
                continue
            if not _names(alert, injection):
                other += 1
                continue
            delays.append(events)
            alerts[alert.kind, alert.subject] += 1
            first += _is_subject(alert, injection)
        kind, named = alerts.most_common(1)[0][0] if alerts else (None, None)
        return Detection(
            subject=injection.subject,
            drift=injection.drift,
            runs=done,
            found=len(delays),
            median=_quantile(delays, 0.5),
            p90=_quantile(delays, 0.9),
            kind=kind,
            named=named,
            first=first,
            other=other,
        )

    def _first_alert(self, number: int, injection: Injection) -> tuple[Alert | None, int]:
        """Return the first alert of a run, and the requests until then."""
        events = 0
        for events, opened in self._rehearsal(number).play(injection):
            if opened:  # of several kinds at once, one that names it
                return next((alert for alert in opened if _names(alert, injection)), opened[0]), events
        return None, events

    def _rehearsal(self, number: int) -> Rehearsal:
        if number not in self._ready:
            self._ready[number] = Rehearsal(
                self.profile,
                self._population,
                false_alarm_every=self._every,
                clear_after=self._clear_after,
                limit=self.limit,
                seed=(self._seed, number),
            )
        return self._ready[number]


def _names(alert: Alert, injection: Injection) -> bool:
    if injection.column is None:
        return alert.kind == "output"
    return any(_holds(alert, feature.name, injection.column) for feature in alert.features)


def _is_subject(alert: Alert, injection: Injection) -> bool:
    return injection.column is None or _holds(alert, alert.subject, injection.column)


def _holds(alert: Alert, name: str, column: str) -> bool:
    if alert.kind == "correlation" and "~" in name:
        return name.startswith(f"{column}~") or name.endswith(f"~{column}")
    return name == column


def _quantile(delays: list[int], share: float) -> int | None:
    return int(np.quantile(delays, share, method="inverted_cdf")) if delays else None

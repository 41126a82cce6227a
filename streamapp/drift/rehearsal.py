"""One run of the drift self-test: a reference, quiet traffic and a stream, all drawn from the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from streamapp.drift.alerts import AlertBook
from streamapp.drift.baseline import LIVE_ROWS
from streamapp.drift.detector import Detector
from streamapp.drift.injections import Injection
from streamapp.drift.scan import WINDOWS
from streamapp.drift.span import Pane, Span
from streamapp.messages import Alert
from streamapp.profile import Columns, Profile, row_count
from streamapp.profile.columns import take_rows
from streamapp.profile.recount import recount

__all__ = ["MAX_REFERENCE", "Population", "Rehearsal"]

MAX_REFERENCE = 20_000
"""A larger reference changes hardly anything: windows of independent rows have at most 2,560 events."""
_CHUNK_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Population:
    """Rows to draw from, and how many of them there are between two looks.

    Attributes
    ----------
    columns
        (n,) each.
    outputs
        (n,) or (n, k), or None.
    round_events
        Rows of a round.
    """

    columns: Columns
    outputs: np.ndarray | None
    round_events: int

    def take(self, at: np.ndarray) -> tuple[Columns, np.ndarray | None]:
        """Return the rows at these places, with their outputs."""
        return take_rows(self.columns, at), None if self.outputs is None else self.outputs[at]

    def draw(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        """Return places of `rows` rows, drawn with replacement."""
        return rng.integers(row_count(self.columns), size=rows)

    def draw_rounds(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        """Return places of `rows` rows or a few more, so that they make whole rounds."""
        return self.draw(rng, -(-rows // self.round_events) * self.round_events)

    def rounds(
        self,
        profile: Profile,
        columns: Columns,
        outputs: np.ndarray | None,
        times_ms: np.ndarray | None = None,
        *,
        first: int = 0,
    ) -> Iterator[Pane]:
        """Yield the whole rounds of some rows, each summed up as one pane.

        Parameters
        ----------
        profile
            They are summed up against it.
        columns, outputs
            The rows, in their order.
        times_ms
            Event times (n,); None: their numbers.
        first
            Number of the first row.
        """
        size = self.round_events
        for at in range(0, row_count(columns) - size + 1, size):
            part = {name: values[at : at + size] for name, values in columns.items()}
            own = None if outputs is None else outputs[at : at + size]
            begin, end = first + at, first + at + size
            times = (begin, end - 1)
            if times_ms is not None:
                times = int(times_ms[at : at + size].min()), int(times_ms[at : at + size].max())
            yield Pane(0, Span(*times, size, {0: (begin, end)}), profile.summarize(part, own))


class Rehearsal:
    """Plays streams against a reference of its own; drifts are compared on the same rows.

    Parameters
    ----------
    profile
        Of the model: its bins and its number of reference rows count, not its rows.
    population
        Recent rows.
    false_alarm_every, clear_after
        As of :class:`~streamapp.drift.DriftMonitor`.
    limit
        Rows of a stream.
    seed
        Of everything that is drawn.
    """

    def __init__(
        self,
        profile: Profile,
        population: Population,
        *,
        false_alarm_every: int,
        clear_after: int,
        limit: int,
        seed: tuple[int, ...],
    ) -> None:
        rng = np.random.default_rng(seed)
        reference, _ = population.take(population.draw(rng, min(profile.rows, MAX_REFERENCE)))
        self._profile = recount(profile, reference, _baseline(profile, population, rng))
        self._population, self._seed = population, seed
        self._every, self._clear_after = false_alarm_every, clear_after
        self._detector = Detector(self._profile, false_alarm_every)
        quiet = population.take(population.draw_rounds(rng, WINDOWS[-1]))
        self._quiet = list(population.rounds(self._profile, *quiet))
        self._stream = population.draw_rounds(rng, limit)

    def play(self, injection: Injection | None) -> Iterator[tuple[int, list[Alert]]]:
        """Yield, round by round, the rows since the onset of the drift and the alerts that opened.

        Parameters
        ----------
        injection
            The drift, from the first row on, after windows full of quiet rounds; None: none.
        """
        detector = self._detector.fresh()
        for pane in self._quiet:
            detector.push([pane])
        book = AlertBook(
            deployment="",
            model=None,
            false_alarm_every=self._every,
            clear_after=self._clear_after,
        )
        for pane in self._rounds(injection):
            detector.push([pane])
            alerts = book.observe(pane.span, detector.sightings(), detector.attribute)
            yield book.events, [alert for alert in alerts if alert.state == "opened"]

    def _rounds(self, injection: Injection | None) -> Iterator[Pane]:
        step = _CHUNK_ROUNDS * self._population.round_events
        label = "" if injection is None else f"{injection.subject} {injection.drift}"
        rng = np.random.default_rng([*self._seed, crc32(label.encode())])
        for at in range(0, len(self._stream), step):
            columns, outputs = self._population.take(self._stream[at : at + step])
            if injection is not None:
                columns, outputs = injection.change(columns, outputs, rng)
            yield from self._population.rounds(self._profile, columns, outputs, first=at)


def _baseline(profile: Profile, population: Population, rng: np.random.Generator) -> np.ndarray | None:
    """Draw as many outputs as the model's baseline has, or will have."""
    if population.outputs is None or profile.outputs is None:
        return None
    rows = int(profile.outputs.columns[0].counts.sum()) or LIVE_ROWS
    return np.asarray(population.outputs[population.draw(rng, min(rows, MAX_REFERENCE))])

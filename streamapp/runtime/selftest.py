"""The drift self-test of a deployment: its champion's profile, its newest answers, its settings."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamapp.drift.rounds import MAX_PANES, MIN_EVENTS
from streamapp.drift.selftest import MIN_ROWS, SelfTest
from streamapp.errors import ConfigError, MessageError
from streamapp.messages import Distribution
from streamapp.models import Bundle, Signature
from streamapp.profile.policy_text import parse_policy
from streamapp.profile.subjects import with_policy
from streamapp.runtime.answered_rows import AnsweredRows, read_newest, rows_of_answers
from streamapp.runtime.champion import inspect_champion
from streamapp.runtime.client import partition_counts
from streamapp.runtime.csv_rows import read_csv_rows
from streamapp.settings import Settings

__all__ = ["ROWS", "DriftTest", "prepare_drift_test"]

ROWS = 8_000
"""So many of the newest answers are read."""
_PANES = 64


@dataclass(frozen=True, slots=True)
class DriftTest:
    """A self-test, ready to measure.

    Attributes
    ----------
    test
        What measures.
    bundle
        The champion's.
    rows
        That it draws from.
    round_events
        Requests between two looks.
    """

    test: SelfTest
    bundle: Bundle
    rows: AnsweredRows
    round_events: int


async def prepare_drift_test(
    settings: Settings,
    *,
    file: Path | None = None,
    names: Collection[str] | None = None,
    look_every: int | None = None,
    runs: int = 10,
    seed: int = 0,
) -> DriftTest:
    """Return the self-test of what serves now.

    Parameters
    ----------
    settings
        Of the deployment; those of drift count.
    file
        CSV file to take rows from; None: the newest answers of the champion.
    names
        Columns to test; None: the first 20.
    look_every
        Requests between two looks; None: as the newest panes are.
    runs, seed
        As of :class:`~streamapp.drift.selftest.SelfTest`.

    Raises
    ------
    ConfigError
        If there is no champion, there are too few rows, or a column is not the model's.
    BundleError, IntegrityError
        If the champion's bundle is not as it was.
    BrokerError, StoreError
        If one of them does not answer.
    """
    topics = settings.topics
    bundle = await inspect_champion(settings)
    if file is None:
        records = await read_newest(settings.connection, topics.predictions, ROWS)
        rows = rows_of_answers(records, bundle.version, bundle.signature)
    else:
        rows = await asyncio.to_thread(_rows_of_file, file, bundle.signature)
    if len(rows) < MIN_ROWS:
        raise ConfigError(_too_few(rows, settings, bundle, file))
    round_events = look_every or await _round_events(settings)
    columns = bundle.signature.columns
    test = SelfTest(
        with_policy(bundle.profile, parse_policy(settings.drift), only_known=True),
        rows.columns,
        rows.outputs,
        times_ms=rows.times_ms if file is None else None,
        false_alarm_every=settings.false_alarm_every,
        clear_after=settings.clear_after,
        round_events=round_events,
        names=names,
        never_missing=[column.name for column in columns if not column.nullable],
        closed=[column.name for column in columns if column.closed],
        runs=runs,
        seed=seed,
    )
    return DriftTest(test, bundle, rows, round_events)


async def _round_events(settings: Settings) -> int:
    """Return the requests between two looks: as the newest panes are, else as the smallest ones would be."""
    topics = settings.topics
    counts = await partition_counts(settings.connection, [topics.requests, topics.distributions])
    partitions, events = counts.get(topics.requests, 1), settings.pane_events
    if topics.distributions in counts:
        panes = []
        for record in await read_newest(settings.connection, topics.distributions, _PANES):
            with suppress(MessageError):
                panes.append(Distribution.decode(record.value))
        if panes:
            partitions = len({pane.partition for pane in panes})
            events = int(np.median([pane.events for pane in panes]))
    return max(events * min(partitions, MAX_PANES), MIN_EVENTS)


def _rows_of_file(file: Path, signature: Signature) -> AnsweredRows:
    """Return the last rows of a CSV file that the model would accept."""
    rows = deque((row.features for row in read_csv_rows(str(file), signature=signature)), maxlen=ROWS)
    columns, fits = signature.from_fitting_rows(list(rows), checked=True)
    refused = int((~fits).sum())
    left_out = {"that the model would reject": refused} if refused else {}
    return AnsweredRows(columns, None, np.arange(len(rows) - refused), left_out=left_out)


def _too_few(rows: AnsweredRows, settings: Settings, bundle: Bundle, file: Path | None) -> str:
    why = ", ".join(f"{count:,} {reason}" for reason, count in rows.left_out.items())
    left_out = f" (left out: {why})" if why else ""
    if file is not None:
        return f"{file} has {len(rows):,} usable rows{left_out}; the drift test needs {MIN_ROWS:,}"
    if bundle.signature.withheld:
        names = ", ".join(bundle.signature.withheld)
        return (
            f"answers do not show the personal columns {names}, so the drift test has no rows: take some "
            "from a file with --rows FILE.csv"
        )
    remedy = (
        "run score without STREAMAPP_ANSWER_FEATURES=false"
        if rows.left_out.get("without features", 0) >= MIN_ROWS
        else "wait for more traffic"
    )
    return (
        f"{len(rows):,} of the newest answers in {settings.topics.predictions} can be used{left_out}; the "
        f"drift test needs {MIN_ROWS:,} of version {bundle.version} with features: {remedy}, or take rows "
        "from a file with --rows FILE.csv"
    )

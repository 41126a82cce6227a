"""One pane: a run of consecutive offsets of one partition answered by one version, and its bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import orjson

from streamapp.errors import ProfileError
from streamapp.messages import Distribution, format_time, parse_time
from streamapp.profile import Profile, Summary
from streamapp.serving.answers import Counted

__all__ = ["Pane", "read_pane"]

_FORMAT = 1
_MANY_ROWS = 64
_MOST_WAITING = 256


@dataclass(slots=True)
class Pane:
    """Counts and sums over the requests of a pane; grows until it is closed.

    Attributes
    ----------
    partition, version
        Whose pane it is.
    first_offset, next_offset
        The first request that is in it, and the first that is not any more.
    opened_at_ms
        Wall clock at its first request.
    from_ms, to_ms
        Earliest and latest event time.
    events, rejected, late, rows
        Requests, those of them that were rejected, those answered late, rows predicted.
    summary
        Of the rows; of a restored pane that was not continued yet, as it stands in its bytes; None without
        a model.
    """

    partition: int
    version: str
    first_offset: int
    next_offset: int
    opened_at_ms: int
    from_ms: int
    to_ms: int
    events: int
    rejected: int
    late: int
    rows: int
    summary: Summary | dict[str, Any] | None
    waiting: list[Counted] = field(default_factory=list)
    """Requests whose rows are not in the summary yet: a few rows take as long as some hundred."""
    profile: Profile | None = None
    """What the waiting rows are summed up against."""

    @classmethod
    def begin(
        cls, partition: int, version: str, counted: Counted, profile: Profile | None, now_ms: int
    ) -> Self:
        """Return a pane of the requests in `counted`, of which there must be at least one.

        Parameters
        ----------
        partition
            Theirs.
        version
            Of the model that answered them.
        counted
            The requests.
        profile
            Of that model, None while there is none.
        now_ms
            When it opens, by the wall clock.
        """
        return cls(
            partition,
            version,
            first_offset=int(counted.offsets[0]),
            next_offset=int(counted.offsets[-1]) + 1,
            opened_at_ms=now_ms,
            from_ms=int(counted.times_ms.min()),
            to_ms=int(counted.times_ms.max()),
            events=len(counted.offsets),
            rejected=int(counted.rejected.sum()),
            late=int(counted.late.sum()),
            rows=len(counted.row_records),
            summary=None if profile is None else profile.empty(),
            waiting=[counted],
            profile=profile,
        )

    def add(self, counted: Counted) -> None:
        """Count the requests in `counted`: at least one, all after those in the pane."""
        self.next_offset = int(counted.offsets[-1]) + 1
        self.from_ms = min(self.from_ms, int(counted.times_ms.min()))
        self.to_ms = max(self.to_ms, int(counted.times_ms.max()))
        self.events += len(counted.offsets)
        self.rejected += int(counted.rejected.sum())
        self.late += int(counted.late.sum())
        self.rows += len(counted.row_records)
        self.waiting.append(counted)
        if len(self.waiting) >= _MOST_WAITING or len(counted.row_records) >= _MANY_ROWS:
            self._sum_up()

    def continue_with(self, profile: Profile | None) -> None:
        """Make a restored summary one that can be added to.

        Raises
        ------
        ProfileError
            If it was not made against `profile`, or by a later version of this code.
        """
        if (profile is None) != (self.summary is None):
            raise ProfileError(f"the pane of {self.version} was begun with another idea of its profile")
        if profile is not None and isinstance(self.summary, dict):
            self.summary = Summary.from_dict(self.summary, profile.empty())
        self.profile = profile

    def distribution(self) -> Distribution:
        """Return what is published of the pane."""
        return Distribution(
            version=self.version,
            partition=self.partition,
            first_offset=self.first_offset,
            next_offset=self.next_offset,
            events=self.events,
            rejected=self.rejected,
            late=self.late,
            rows=self.rows,
            from_=self.from_ms,
            to=self.to_ms,
            summary=self._summary_fields(),
        )

    def to_bytes(self, *, closed: bool) -> bytes:
        """Return the pane as one JSON object: the fields of its distribution, and its state."""
        return orjson.dumps(
            {
                "v": _FORMAT,
                "closed": closed,
                "opened_at": format_time(self.opened_at_ms),
                "version": self.version,
                "partition": self.partition,
                "first_offset": self.first_offset,
                "next_offset": self.next_offset,
                "events": self.events,
                "rejected": self.rejected,
                "late": self.late,
                "rows": self.rows,
                "from": format_time(self.from_ms),
                "to": format_time(self.to_ms),
                "summary": self._summary_fields(),
            }
        )

    def _sum_up(self) -> None:
        """Put the rows that wait into the summary: summaries add up, so one of all is the sum of each."""
        waiting = [counted for counted in self.waiting if len(counted.row_records)]
        self.waiting = []
        if self.profile is None or not waiting:
            return
        assert isinstance(self.summary, Summary)
        columns, outputs = waiting[0].columns, waiting[0].outputs
        if len(waiting) > 1:
            columns = {
                name: np.concatenate([counted.columns[name] for counted in waiting]) for name in columns
            }
            said = [counted.outputs for counted in waiting if counted.outputs is not None]
            outputs = np.concatenate(said)
        self.summary = self.summary + self.profile.summarize(columns, outputs)

    def _summary_fields(self) -> dict[str, Any] | None:
        self._sum_up()
        return self.summary.to_dict() if isinstance(self.summary, Summary) else self.summary


def read_pane(data: bytes) -> tuple[Pane, bool]:
    """Return the pane of :meth:`Pane.to_bytes`, and whether it is closed.

    Raises
    ------
    ValueError
        If `data` is no pane, or of a later version of this code.
    """
    try:
        fields = orjson.loads(data)
        if fields["v"] != _FORMAT:
            raise ValueError(f"pane of format {fields['v']!r}; this version reads {_FORMAT}")
        kept = Distribution.parse(fields)
        pane = Pane(
            kept.partition,
            kept.version,
            kept.first_offset,
            kept.next_offset,
            parse_time(fields["opened_at"]),
            kept.from_,
            kept.to,
            kept.events,
            kept.rejected,
            kept.late,
            kept.rows,
            kept.summary,
        )
        return pane, bool(fields["closed"])
    except (KeyError, TypeError) as exc:
        raise ValueError(f"not a pane: {exc!r}") from exc

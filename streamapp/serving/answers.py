"""What a scorer makes of a batch: records to be sent, and what there is to count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamapp.messages import RejectionCode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from streamapp.messages import OutRecord
    from streamapp.models.column import Array
    from streamapp.profile import Columns

__all__ = ["Answers", "Counted", "Counters"]


@dataclass(frozen=True, slots=True)
class Counters:
    """Counts over one batch, for metrics; the fields speak for themselves and for answered rows alone.

    Attributes
    ----------
    predictions
        Requests that were predicted.
    rejections
        Code to requests that were rejected.
    rows
        Rows predicted.
    unknown_columns
        Values in columns that the model does not know; ignored.
    unknown_names
        A few names of such columns.
    unseen
        Column to values with a category that the reference had not.
    replaced_times
        Requests whose ``ce_time`` could not be used.
    """

    predictions: int
    rejections: dict[RejectionCode, int] = field(default_factory=dict)
    rows: int = 0
    unknown_columns: int = 0
    unknown_names: tuple[str, ...] = ()
    unseen: dict[str, int] = field(default_factory=dict)
    replaced_times: int = 0

    @property
    def requests(self) -> int:
        """All of them."""
        return self.predictions + sum(self.rejections.values())


@dataclass(frozen=True, slots=True)
class Counted:
    """What panes count of n requests.

    Attributes
    ----------
    offsets
        (n,), those of one partition ascending.
    times_ms
        Event times, (n,).
    rejected
        Which were rejected, (n,).
    late
        Which waited longer for their answer than they may, (n,).
    row_records
        Index of the request that each predicted row belongs to, (rows,), ascending.
    columns
        Those rows, (rows,) each; empty if there is none.
    outputs
        What the model said to them: (rows, k) probabilities, else (rows,) values; None if there is none.
    """

    offsets: NDArray[np.int64]
    times_ms: NDArray[np.int64]
    rejected: NDArray[np.bool_]
    late: NDArray[np.bool_]
    row_records: NDArray[np.intp]
    columns: Columns
    outputs: Array | None

    def since(self, offset: int) -> Counted:
        """Return the part with offsets from `offset` on."""
        if not len(self.offsets) or self.offsets[0] >= offset:
            return self
        return self.part(int(self.offsets.searchsorted(offset)), len(self.offsets))

    def part(self, begin: int, end: int) -> Counted:
        """Return the requests at these places."""
        if (begin, end) == (0, len(self.offsets)):
            return self
        first, last = self.row_records.searchsorted([begin, end]).tolist()
        return Counted(
            self.offsets[begin:end],
            self.times_ms[begin:end],
            self.rejected[begin:end],
            self.late[begin:end],
            self.row_records[first:last] - begin,
            {name: values[first:last] for name, values in self.columns.items()},
            None if self.outputs is None else self.outputs[first:last],
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """What a batch of requests comes to.

    Attributes
    ----------
    outputs
        One answer per request, in the same order and for the same partition, for ``predictions``.
    dead_letters
        One per rejected request, for ``dead-letters``.
    counters
        For metrics.
    counted
        For panes.
    """

    outputs: list[OutRecord]
    dead_letters: list[OutRecord]
    counters: Counters
    counted: Counted

"""A model that goes on learning is published as snapshots: which belong together, and which is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamapp.messages import Model, OffsetRange

__all__ = [
    "awaits_snapshot",
    "first_snapshot",
    "is_gone_back_to",
    "learned_on_trial",
    "learned_until",
    "next_snapshot",
    "original",
    "served_last",
]

_HAVE_SERVED = frozenset({"champion", "retired"})


def original(version: str, records: Mapping[str, Model]) -> str:
    """Return the version that `version` is a snapshot of, itself if it is none.

    Examples
    --------
    >>> fields = {"state": "champion", "bundle": "u", "sha256": "s", "format": "river"}
    >>> first = Model(version="a", **fields)
    >>> later = Model(version="b", caused_by="a", **fields)
    >>> original("b", {"a": first, "b": later}), original("a", {"a": first})
    ('a', 'a')
    """
    record = records.get(version)
    cause = None if record is None else record.caused_by
    return version if cause is None or cause not in records else cause


def learned_until(record: Model) -> int:
    """Return the offset after the last row that a version has learned from; 0 if none is known."""
    return max((part.end for part in record.training_data), default=0)


def is_gone_back_to(version: str, records: Mapping[str, Model]) -> bool:
    """Return whether a later snapshot than `version` has served: somebody did not want it."""
    return any(record.state in _HAVE_SERVED for record in _later(version, records))


def next_snapshot(champion: str, records: Mapping[str, Model]) -> Model | None:
    """Return the newest snapshot that is to take over from `champion`; None if there is none."""
    if is_gone_back_to(champion, records):
        return None
    waiting = [record for record in _later(champion, records) if record.state == "candidate"]
    return max(waiting, key=_progress, default=None)


def first_snapshot(first: str, records: Mapping[str, Model]) -> Model | None:
    """Return the earliest snapshot of `first` that has served; None if none has."""
    return min(_served(first, records), key=_progress, default=None)


def served_last(first: str, records: Mapping[str, Model]) -> str:
    """Return the newest snapshot of `first` that has served, itself if none has.

    Examples
    --------
    >>> fields = {"state": "retired", "bundle": "u", "sha256": "s", "format": "river"}
    >>> first = Model(version="a", **fields)
    >>> later = Model(version="b", caused_by="a", **fields)
    >>> served_last("a", {"a": first, "b": later}), served_last("a", {"a": first})
    ('b', 'a')
    """
    last = max(_served(first, records), key=_progress, default=None)
    return first if last is None else last.version


def learned_on_trial(record: Model, packed: Sequence[OffsetRange]) -> OffsetRange | None:
    """Return the rows that a version has learned as a challenger; None if it was none, or did not learn.

    Parameters
    ----------
    record
        To which JUDGE has added them when it won.
    packed
        What its bundle says to have been trained on.
    """
    return next((part for part in record.training_data if part not in packed), None)


def awaits_snapshot(first: str, packed: Sequence[OffsetRange], records: Mapping[str, Model]) -> bool:
    """Return whether `first` has won as a learner, and what has won is still to be published.

    Parameters
    ----------
    first
        No snapshot.
    packed
        As of :func:`learned_on_trial`.
    records
        All versions.
    """
    record = records.get(first)
    if record is None or learned_on_trial(record, packed) is None:
        return False
    return not _served(first, records)


def _served(first: str, records: Mapping[str, Model]) -> list[Model]:
    return [
        record
        for version, record in records.items()
        if version != first and record.state in _HAVE_SERVED and original(version, records) == first
    ]


def _progress(record: Model) -> tuple[int, str]:
    return learned_until(record), record.version


def _later(version: str, records: Mapping[str, Model]) -> list[Model]:
    """Return the snapshots that have learned more than `version`, of the model that it is of."""
    now, first = records.get(version), original(version, records)
    if now is None:
        return []
    # What has won was judged as a learner: a snapshot of the very rows of its trial is more than it is.
    least = learned_until(now) + (version != first)
    return [
        record
        for each, record in records.items()
        if each not in {first, version}
        and original(each, records) == first
        and learned_until(record) >= least
    ]

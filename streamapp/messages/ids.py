"""Ids that depend on what caused a message and on nothing else: a repeat has the same id."""

from __future__ import annotations

import hashlib

__all__ = ["answer_id", "caused_id", "labelled_id", "review_id"]


def answer_id(topic: str, partition: int, offset: int) -> str:
    """Return the ``ce_id`` of the answer to the request at this position.

    Examples
    --------
    >>> answer_id("bikes.requests", 3, 1201)
    'bikes.requests-3-1201'
    """
    return f"{topic}-{partition}-{offset}"


def labelled_id(answer: str, feedback_partition: int, feedback_offset: int, *, row: int | None = None) -> str:
    """Return the ``ce_id`` of the row that joins an answer with the feedback at this position.

    Parameters
    ----------
    answer
        The answer's own.
    feedback_partition, feedback_offset
        Where the feedback lies.
    row
        Which one, of a request with several.

    Examples
    --------
    >>> labelled_id("bikes.requests-3-1201", 3, 40), labelled_id("bikes.requests-3-1201", 3, 40, row=2)
    ('bikes.requests-3-1201+3-40', 'bikes.requests-3-1201/2+3-40')
    """
    which = "" if row is None else f"/{row}"
    return f"{answer}{which}+{feedback_partition}-{feedback_offset}"


def review_id(answer: str) -> str:
    """Return the ``ce_id`` of the record that asks a person to look at an answer, given the answer's."""
    return f"{answer}+review"


def caused_id(*causes: object) -> str:
    """Return a short id made from `causes`, in this order.

    Examples
    --------
    >>> caused_id("input", "temp", 100) == caused_id("input", "temp", 100)
    True
    """
    return hashlib.sha256("\x1f".join(map(str, causes)).encode()).hexdigest()[:16]

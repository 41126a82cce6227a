"""Which answers a person should look at: each is drawn by itself, with a probability that goes with it.

No clock and no random number: the draw is a hash of the answer's ``ce_id``, and what its probability follows
from is in the state of the join. So a repeat after a crash draws the same, with the same ids.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import orjson

from streamapp.messages import (
    OutRecord,
    Record,
    Review,
    event_headers,
    header,
    is_native,
    native_answers,
    review_id,
)
from streamapp.quality.entries import GivenAnswer
from streamapp.quality.novelty import Novelty
from streamapp.quality.review_rate import MOST_WEIGHT, ReviewRate

__all__ = ["Drawn", "ReviewSampler", "Sent", "as_sent", "read_sent", "uncertainty", "uniforms"]

Reason = Literal["random", "uncertain", "novel"]

_SCORED = 1 / 16
"""Of the answers that cannot be drawn, the part that is looked at for the mean scores."""

Sent = Mapping[str, tuple[float, int]]
"""What stands in ``review``: its ``ce_id`` to the probability, and to what was kept back."""


def uniforms(ce_id: bytes) -> tuple[float, float]:
    """Return two numbers in [0, 1) that are as good as random, and the same for the same `ce_id`."""
    digest = hashlib.blake2b(ce_id, digest_size=16, person=b"review").digest()
    return _fraction(digest[:8]), _fraction(digest[8:])


def _fraction(digest: bytes) -> float:
    return (int.from_bytes(digest) >> 11) / (1 << 53)


def uncertainty(probabilities: Sequence[float]) -> float:
    """Return the entropy of class probabilities (k,), as a share of the largest that k classes can have.

    Examples
    --------
    >>> uncertainty([0.5, 0.5]), uncertainty([1.0, 0.0]), round(uncertainty([0.83, 0.17]), 2)
    (1.0, 0.0, 0.66)
    """
    if len(probabilities) < 2:
        return 0.0
    entropy = 0.0 - sum(p * math.log(p) for p in probabilities if p > 0.0)
    return min(max(entropy / math.log(len(probabilities)), 0.0), 1.0)


class Drawn(NamedTuple):
    """An answer that was drawn: the answer with its probability, and the record for ``review``.

    `record` is None if it is kept back: by the cap, or because it would not fit into its topic.
    """

    answer: GivenAnswer
    record: OutRecord | None


class ReviewSampler:
    """Draws answers for review.

    Parameters
    ----------
    deployment
        Its name.
    rate
        How often; a new one, whose settings are taken and whose state is not.
    novelties
        Version to how far rows lie outside its reference, None where that cannot be known; looked at whenever
        needed, so that it may grow.
    max_bytes
        Most that a record may take in ``review``. None: everything fits.
    """

    def __init__(
        self,
        deployment: str,
        rate: ReviewRate,
        *,
        novelties: Mapping[str, Novelty | None] | None = None,
        max_bytes: int | None = None,
    ) -> None:
        self.rate = rate
        self._deployment = deployment
        self._novelties = novelties if novelties is not None else {}
        self._max_bytes = max_bytes

    def draw(self, answer: GivenAnswer, now_ms: int, rate: ReviewRate, unknown: set[str]) -> Drawn | None:
        """Return the answer if it is drawn, else None.

        Parameters
        ----------
        answer
            To one row, in any dialect. One to several rows is never drawn: its label is of all of them.
        now_ms
            Stream time before it.
        rate
            State, which moves.
        unknown
            Takes the version of an answer that `novelties` has no entry of; its row then counts as not novel.
        """
        number, other = uniforms(answer.ce_id)
        share = rate.share(now_ms)
        # Most answers could not be drawn whatever their scores are, and a part of them tells the mean scores.
        if number >= share * MOST_WEIGHT and other >= _SCORED:
            return None
        scores = self._scores(answer.value, unknown)
        if scores is None:
            return None
        parts = rate.weigh(share, *scores)
        # Rounded first: what travels is what was drawn with.
        probability = float(f"{sum(parts):.6g}")
        if number >= probability:
            return None
        reason: Reason = "random"
        if number >= parts.random:
            reason = "uncertain" if number < parts.random + parts.uncertain else "novel"
        return self._drawn(answer, now_ms, rate, reason, probability)

    def _scores(self, value: bytes, unknown: set[str]) -> tuple[float, float] | None:
        """Return how uncertain an answer is and how novel its row; None if it is not to one row."""
        try:
            (fields,) = native_answers(orjson.loads(value))
            version, probabilities = fields["model"]["version"], fields.get("probabilities")
            is_one = "prediction" in fields and fields["request"]["partition"] >= 0
            sure = uncertainty(list(probabilities.values())) if probabilities else 0.0
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if not is_one or not isinstance(version, str):
            return None
        if version not in self._novelties:
            unknown.add(version)
        novelty, features = self._novelties.get(version), fields.get("features")
        known = novelty is not None and isinstance(features, dict)
        return sure, novelty.share(features) if novelty is not None and known else 0.0

    def _drawn(
        self, answer: GivenAnswer, now_ms: int, rate: ReviewRate, reason: Reason, probability: float
    ) -> Drawn:
        if not rate.admit(now_ms):
            return Drawn(answer, None)
        dropped = rate.dropped(now_ms)
        value = _added(
            _as_native(answer.value), {"reason": reason, "probability": probability, "dropped": dropped}
        )
        headers = event_headers(
            self._deployment, Review.ce_type, review_id(answer.ce_id.decode()), answer.time_ms
        )
        record = OutRecord.of(0, answer.key, value, headers)
        if self._max_bytes is not None and record.is_larger_than(self._max_bytes):
            rate.keep_back(now_ms)
            return Drawn(answer, None)
        return Drawn(_labelled_with(answer, probability, dropped), record)


def read_sent(records: Iterable[Record], partition: int) -> dict[str, tuple[float, int]]:
    """Return what records of ``review`` say of answers in `partition`; what cannot be read is left out."""
    sent = {}
    for record in records:
        try:
            ce_id, fields = (
                (header(record.headers, "ce_id") or b"").decode(),
                orjson.loads(record.value or b""),
            )
            if fields["request"]["partition"] == partition:
                sent[ce_id] = float(fields["probability"]), int(fields.get("dropped", 0))
        except (ValueError, KeyError, TypeError):
            continue
    return sent


def as_sent(answer: GivenAnswer, sent: Sent) -> GivenAnswer:
    """Return `answer` saying what `sent` says of it, whatever was drawn now."""
    found = sent.get(review_id(answer.ce_id.decode()))
    return answer if found is None else _labelled_with(answer, *found)


def _labelled_with(answer: GivenAnswer, probability: float, dropped: int) -> GivenAnswer:
    fields = {"review_probability": probability, "review_dropped": dropped}
    return msgspec.structs.replace(answer, value=_added(answer.value, fields))


def _as_native(value: bytes) -> bytes:
    """Return an answer to one row as a native one, which is what ``review`` holds."""
    return value if is_native(value) else orjson.dumps(native_answers(orjson.loads(value))[0])


def _added(value: bytes, fields: dict[str, Any]) -> bytes:
    return value.rstrip()[:-1] + b"," + orjson.dumps(fields)[1:]

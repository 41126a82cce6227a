"""JOIN: answers and their labels, in either order, become labelled rows.

One :class:`Join` holds one partition of ``predictions`` and ``feedback``. Each call reads some records and
returns what they cause and a batch of writes; the caller delivers the first, awaits that, and then applies
the second. The batch also moves the positions up to which the topics were read. So a crash in between
repeats rows, each with the ``ce_id`` it had, and a crash after it repeats nothing.

Which answer a label belongs to: the one at the position that it names, if it names one; else the latest
answer to its id from before the label: event times are compared if the label says when it was given, else the
timestamps of the two records. If none lies before it, the earliest.

Which label counts: the latest one, but a system's never after a person's. What does not count is kept too.

How long things are kept: for a horizon of stream time after they arrived (:meth:`Join.expire`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import orjson

from streamapp.errors import ConfigError, MessageError
from streamapp.messages import (
    OutRecord,
    Record,
    dead_letter,
    header,
    record_bytes,
)
from streamapp.quality.entries import (
    META_KEY,
    Answer,
    Waiting,
    add_place,
    arrival_key,
    arrivals_before,
    drop_place,
    hash_id,
    index_key,
    waited_for,
    waiting_bounds,
)
from streamapp.quality.joined import JoinBatch, Joined, Positions
from streamapp.quality.matching import (
    FORWARDED,
    find_answer,
    first,
    given_label,
    labelled_row,
    target_partition,
)
from streamapp.quality.reading import Given, read_answer, read_feedback
from streamapp.quality.store import KeyValue
from streamapp.quality.stream_time import StreamTime
from streamapp.quality.waiting_ids import WaitingIds
from streamapp.topics import TopicNames

__all__ = ["MAX_FEEDBACK_BYTES", "Join", "JoinBatch", "Joined", "Positions"]

MAX_FEEDBACK_BYTES = 1 << 19
"""Largest feedback record that is joined. What is larger could not be forwarded with a header more."""


class Join:
    """Joins the answers and labels of one partition.

    Parameters
    ----------
    store
        Of this partition alone.
    deployment
        Its name.
    horizon_ms
        How long answers and waiting labels are kept, in stream time, > 0.
    partition
        Which one.
    partitions
        How many ``feedback`` has: labels are forwarded to none beyond. None if unknown: to none at all.
    siblings
        All joins of this process by partition, itself among them or not; looked at whenever needed, so that
        it may change. A label that lies on another partition than its answer is joined here and now if the
        process owns both.
    max_bytes
        Most that a record may take on the topics of labelled rows and of dead letters:
        ``max.message.bytes``. None: everything fits.

    Notes
    -----
    At any time one call's result is outstanding in all siblings together: apply it, or forget it and begin
    again, before the next call.
    """

    def __init__(
        self,
        store: KeyValue,
        deployment: str,
        horizon_ms: int,
        *,
        partition: int = 0,
        partitions: int | None = None,
        siblings: Mapping[int, Join] | None = None,
        max_bytes: int | None = None,
    ) -> None:
        if horizon_ms <= 0:
            raise ConfigError(f"label horizon {horizon_ms} ms must be above 0")
        self.store = store
        self.partition = partition
        self.partitions = partitions
        self.max_bytes = max_bytes
        self.generation = 0
        self.time = StreamTime()
        self.waiting = 0
        self._deployment = deployment
        self._horizon_ms = horizon_ms
        self._siblings = siblings if siblings is not None else {}
        self._positions = Positions()
        meta = store.get(META_KEY)
        if meta is not None:
            fields = orjson.loads(meta)
            self._positions = Positions(*fields["positions"])
            self.time = StreamTime.restore(fields["time"])
            self.waiting = fields["waiting"]
        self._waiting_ids = WaitingIds(waited_for(store) if self.waiting else ())

    def positions(self) -> Positions:
        """Return where reading goes on; what lies before is skipped."""
        return self._positions

    def answers(self, records: Iterable[Record]) -> Joined:
        """Read consecutive records of ``predictions``."""
        joined = Joined(self._begin())
        joined.batch.own_first = True
        for record in _unread(records, self._positions.predictions):
            joined.batch.positions = joined.batch.positions._replace(predictions=record.offset + 1)
            answer = self._read_answer(record, joined)
            # At once, so that the rows do not depend on how records came in batches.
            if answer is not None:
                self._wake(answer.id_hash, joined)
        return joined

    def feedback(self, records: Iterable[Record]) -> Joined:
        """Read consecutive records of ``feedback``."""
        joined = Joined(self._begin())
        for record in _unread(records, self._positions.feedback):
            joined.batch.positions = joined.batch.positions._replace(feedback=record.offset + 1)
            size = record_bytes(record.key, record.value, record.headers)
            if size > MAX_FEEDBACK_BYTES:
                message = f"the record takes {size} bytes, more than {MAX_FEEDBACK_BYTES}: send less"
                self._set_aside(record, "too-large", message, joined)
                continue
            try:
                given = read_feedback(record)
            except MessageError as exc:
                self._set_aside(record, exc.code, str(exc), joined)
                continue
            if given.is_replaced:
                joined.counts["wrong-clock"] += 1
            if not self._join(given, record, joined) and not self._forward(given, record, joined):
                self._wait(given, record, joined)
        return joined

    def expire(self, *, limit: int = 1_000) -> Joined:
        """Forget at most `limit` answers and waiting labels that arrived a horizon ago, oldest first.

        To be called when ``feedback`` was read to its end: else labels that are already there would miss
        their answers whenever one topic is read faster than the other.
        """
        joined = Joined(self._begin())
        if self.time.now_ms is None:
            return joined
        view = joined.batch.view(self.partition, self.store)
        start, end = arrivals_before(self.time.now_ms - self._horizon_ms)
        due = [key for key, _ in first(self.store.scan(start, end), limit)]
        for due_key in due:
            view.delete(due_key)
            key = due_key[9:]
            value = view.get(key)
            if value is None:
                continue
            view.delete(key)
            if key[:1] == b"a":
                answer = Answer.decode(key, value)
                joined.counts["unlabelled"] += not answer.labels
                index = index_key(answer.id_hash)
                left = drop_place(view.get(index), answer.place)
                if left is None:
                    view.delete(index)
                else:
                    view.put(index, left)
                continue
            joined.batch.waiting[self.partition] -= 1
            record = Waiting.decode(key, value)
            if not self._join(read_feedback(record), record, joined):
                message = (
                    "no request with this id was answered within the label horizon; "
                    "send id and key as in the request"
                )
                self._set_aside(record, "unknown-id", message, joined)
        return joined

    def apply(self, batch: JoinBatch) -> None:
        """Write a batch, now that what goes with it was delivered.

        Raises
        ------
        ConfigError
            If the batch is not the newest: it was made from a state that has been left.
        StoreError
            If the store refuses.
        """
        if batch.partition != self.partition or batch.generation != self.generation:
            raise ConfigError("a join batch was applied out of order: apply each before the next is made")
        # A crash may come between two of these writes. After it, a label that is read again is known to the
        # answer that it was joined with, wherever that is: so the answer is written before the label is left
        # behind, by a position that moves or a deletion of what waited.
        others = [self._siblings[partition] for partition in batch.views if partition != self.partition]
        for join in [self, *others] if batch.own_first else [*others, self]:
            if join is self:
                self._positions, self.time = batch.positions, batch.time
            join._write(batch)

    def _write(self, batch: JoinBatch) -> None:
        self.generation += 1
        self.waiting += batch.waiting[self.partition]
        if not self.waiting:
            self._waiting_ids.clear()
        meta = {"positions": list(self._positions), "time": self.time.snapshot(), "waiting": self.waiting}
        view = batch.views.get(self.partition)
        self.store.write({**(view.writes if view else {}), META_KEY: orjson.dumps(meta)})

    def _begin(self) -> JoinBatch:
        return JoinBatch(
            partition=self.partition, generation=self.generation, positions=self._positions, time=self.time
        )

    def _family(self) -> Iterator[Join]:
        yield self
        yield from (join for join in self._siblings.values() if join is not self)

    def _read_answer(self, record: Record, joined: Joined) -> Answer | None:
        answer = read_answer(record)
        if not isinstance(answer, Answer):
            joined.counts[answer] += 1
            return None
        joined.batch.time.see(answer.time_ms)
        view = joined.batch.view(self.partition, self.store)
        if view.get(answer.store_key) is not None:
            joined.counts["repeats"] += 1
            return None
        joined.counts["answers"] += 1
        index = index_key(answer.id_hash)
        view.put(index, add_place(view.get(index), answer.place))
        view.put(answer.store_key, answer.encode())
        view.put(arrival_key(self._arrival(joined, answer.time_ms), answer.store_key), b"")
        return answer

    def _arrival(self, joined: Joined, own_ms: int) -> int:
        now_ms = joined.batch.time.now_ms
        return own_ms if now_ms is None else now_ms

    def _wake(self, id_hash: bytes, joined: Joined) -> None:
        """Join the labels that waited for an id, here and in siblings."""
        for join in self._family():
            if id_hash not in join._waiting_ids:
                continue
            view = joined.batch.view(join.partition, join.store)
            for key, value in list(view.scan(*waiting_bounds(id_hash))):
                record = Waiting.decode(key, value)
                if self._join(read_feedback(record), record, joined):
                    view.delete(key)
                    view.delete(arrival_key(record.arrived_ms, key))
                    joined.batch.waiting[join.partition] -= 1

    def _join(self, given: Given, record: Record, joined: Joined) -> bool:
        """Join a label with its answer; return whether there is one."""
        for join in self._family():
            view = joined.batch.view(join.partition, join.store)
            answer = find_answer(view, given, join.partition)
            if answer is not None:
                self._count(answer, given, record, joined)
                view.put(answer.store_key, answer.encode())
                return True
        return False

    def _count(self, answer: Answer, given: Given, record: Record, joined: Joined) -> None:
        label = given_label(given, record)
        if label.offset <= answer.seen.get(label.partition, -1):
            joined.counts["repeated"] += 1
            return
        row = labelled_row(self._deployment, answer, label)
        if self.max_bytes is not None and (size := row.size_bytes) > self.max_bytes:
            message = f"its labelled row would take {size} bytes, more than the {self.max_bytes} of its topic"
            self._set_aside(record, "too-large", message, joined)
            return
        outranked = not label.by_person and any(known.by_person for known in answer.labels.values())
        answer.seen[label.partition] = label.offset
        answer.labels[label.source] = label
        if outranked:
            joined.counts["outranked"] += 1
            return
        joined.counts["corrected" if answer.revision else "joined"] += 1
        joined.rows.append(row)
        answer.revision += 1

    def _forward(self, given: Given, record: Record, joined: Joined) -> bool:
        """Send a label to the partition where its answer must be, once; return whether that was done."""
        if header(record.headers, FORWARDED) is not None:
            return False
        target = target_partition(given.feedback)
        if target is None or target == self.partition or target in self._siblings:
            return False
        if self.partitions is None or not 0 <= target < self.partitions:
            return False
        origin = f"{self.partition}-{record.offset}".encode()
        headers = [*record.headers, (FORWARDED, origin)]
        joined.forwards.append(OutRecord.of(target, record.key, record.value, headers))
        joined.counts["forwarded"] += 1
        return True

    def _wait(self, given: Given, record: Record, joined: Joined) -> None:
        waiting = Waiting(
            hash_id(given.request_id),
            self.partition,
            record.offset,
            record.timestamp,
            self._arrival(joined, given.time_ms),
            record.key,
            record.value,
            list(record.headers),
        )
        view = joined.batch.view(self.partition, self.store)
        self._waiting_ids.add(waiting.id_hash)
        view.put(waiting.store_key, waiting.encode())
        view.put(arrival_key(waiting.arrived_ms, waiting.store_key), b"")
        joined.batch.waiting[self.partition] += 1
        joined.counts["waiting"] += 1

    def _set_aside(self, record: Record, code: str, message: str, joined: Joined) -> None:
        topic = TopicNames(self._deployment).feedback
        joined.dead_letters.append(
            dead_letter(record, topic=topic, code=code, message=message, max_bytes=self.max_bytes)
        )
        joined.counts[code] += 1


def _unread(records: Iterable[Record], position: int | None) -> Iterator[Record]:
    return (record for record in records if position is None or record.offset >= position)

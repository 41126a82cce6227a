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

from collections.abc import Iterable, Iterator, Mapping, Sequence

from streamapp.errors import ConfigError, MessageError
from streamapp.messages import Framing, Record, dead_letter, record_bytes
from streamapp.quality.entries import (
    ANSWERS,
    LOGS,
    META_KEY,
    WAITING,
    Answer,
    GivenAnswer,
    Waiting,
    id_key,
    id_key_in,
    log_key,
    log_offset,
)
from streamapp.quality.expiry import due_entries
from streamapp.quality.joined import JoinBatch, Joined
from streamapp.quality.matching import choose_answer, forwarded, given_label, target_partition
from streamapp.quality.progress import Positions, Progress
from streamapp.quality.reading import Given, ReadAnswer, read_answer, read_feedback
from streamapp.quality.review import ReviewSampler, Sent, as_sent
from streamapp.quality.row_writer import RowWriter
from streamapp.quality.store import KeyValue
from streamapp.quality.stream_time import StreamTime
from streamapp.quality.view import View
from streamapp.topics import TopicNames

__all__ = ["LOGS", "MAX_FEEDBACK_BYTES", "Join", "JoinBatch", "Joined", "Positions"]

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
    sampler
        Draws answers for review; None: none are drawn.
    framing
        What may stand before the JSON of feedback, and is skipped.

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
        sampler: ReviewSampler | None = None,
        framing: Framing = "none",
    ) -> None:
        if horizon_ms <= 0:
            raise ConfigError(f"label horizon {horizon_ms} ms must be above 0")
        self.store = store
        self.partition = partition
        self.partitions = partitions
        self.max_bytes = max_bytes
        self.framing = framing
        self.is_private = False
        """Whether what is set aside may hold personal columns: dead letters then refer to it."""
        self.generation = 0
        self._deployment = deployment
        self._horizon_ms = horizon_ms
        self._sampler = sampler
        self._siblings = siblings if siblings is not None else {}
        self._rows = RowWriter(deployment, max_bytes)
        self._oldest = {log: log for log in LOGS}
        rate = None if sampler is None else sampler.rate
        self._progress = Progress.decode(store.get(META_KEY), partition=partition, rate=rate)

    def positions(self) -> Positions:
        """Return where reading goes on; what lies before is skipped."""
        return self._progress.positions

    @property
    def time(self) -> StreamTime:
        """Stream time of what was read."""
        return self._progress.time

    @property
    def waiting(self) -> int:
        """How many labels wait for their answer."""
        return self._progress.waiting

    def answers(self, records: Iterable[Record], *, sent: Sent | None = None) -> Joined:
        """Read consecutive records of ``predictions``.

        Where they were read before, and what that caused was delivered, `sent` is what then stood in
        ``review``: answers keep that probability even if settings or profiles have changed since.
        """
        joined = Joined(self._begin())
        batch, counts = joined.batch, joined.counts
        batch.own_first = True
        progress, view = batch.progress, batch.view(self.partition, self.store)
        time, read_to = progress.time, progress.positions.predictions
        read = []
        for record in _unread(records, read_to):
            read_to = record.offset + 1
            answer = read_answer(record)
            if isinstance(answer, ReadAnswer):
                read.append((record, answer, id_key(answer.request_id)))
            else:
                counts[answer] += 1
        view.load([key for _, _, key in read])
        family = self._family()
        waited_in = [join for join in family if join.waiting]
        for record, answer, key in read:
            before_ms = time.now_ms
            time.see(answer.time_ms)
            known = view.known(key)
            if known.answers and known.has(answer.time_ms, answer.offset):
                counts["repeats"] += 1
                continue
            known.add(Answer(answer.time_ms, answer.offset, record.offset, answer.timestamp_ms))
            view.change(key, known)
            given = GivenAnswer(key, answer.time_ms, answer.ce_id, record.key, record.value or b"")
            kept = given
            if before_ms is not None and progress.review is not None:
                kept = self._draw(given, before_ms, joined)
            if sent is not None:
                kept = as_sent(given, sent)
            view.put(log_key(ANSWERS, record.offset), kept.encode(time.now_ms))
            counts["answers"] += 1
            if waited_in:  # at once, so that the rows do not depend on how records came in batches
                self._wake(key, waited_in, family, joined)
        progress.positions = progress.positions._replace(predictions=read_to)
        return joined

    def feedback(self, records: Iterable[Record]) -> Joined:
        """Read consecutive records of ``feedback``."""
        joined = Joined(self._begin())
        progress = joined.batch.progress
        read_to = progress.positions.feedback
        read = []
        for record in _unread(records, read_to):
            read_to = record.offset + 1
            if (size := record_bytes(record.key, record.value, record.headers)) > MAX_FEEDBACK_BYTES:
                message = f"the record takes {size} bytes, more than {MAX_FEEDBACK_BYTES}: send less"
                self._set_aside(record, "too-large", message, joined)
                continue
            try:
                given = read_feedback(record, framing=self.framing)
            except MessageError as exc:
                self._set_aside(record, exc.code, str(exc), joined)
                continue
            read.append((record, given))
        view = joined.batch.view(self.partition, self.store)
        known = view.load([given.id_key for _, given in read])
        view.load_log([log_key(ANSWERS, each.answers[-1].position) for each in known if each.answers])
        family = self._family()
        for record, given in read:
            if given.is_replaced:
                joined.counts["wrong-clock"] += 1
            if self._join(given, record, family, joined) or self._forward(given, record, joined):
                continue
            self._wait(given.id_key, record, joined)
        progress.positions = progress.positions._replace(feedback=read_to)
        return joined

    def expire(self, *, now_ms: int | None = None, limit: int = 1_000) -> Joined:
        """Forget answers and waiting labels that arrived a horizon ago, oldest first.

        Parameters
        ----------
        now_ms
            Stream time to go by. All of ``feedback`` that was there at that time must have been read: else
            labels that are already there would miss their answers whenever one topic is read faster than the
            other. None: the stream time of what was read.
        limit
            Most answers, and most labels, that are forgotten at once, > 0.
        """
        joined = Joined(self._begin())
        now_ms = self.time.now_ms if now_ms is None else now_ms
        if now_ms is None:
            return joined
        before_ms, began_ms = now_ms - self._horizon_ms, self.time.began_ms or 0
        for log in LOGS:
            due = due_entries(self.store, log, self._oldest[log], before_ms, began_ms=began_ms, limit=limit)
            if due:
                joined.batch.oldest[log] = due[-1][0] + b"\0"
            if due and log == ANSWERS:
                self._forget([(log_offset(key), id_key_in(entry)) for key, entry in due], joined)
            elif due:
                self._give_up([(key, self._waiting(key, entry)) for key, entry in due], joined)
        return joined

    def _forget(self, due: list[tuple[int, bytes]], joined: Joined) -> None:
        """Forget the answers at these positions, to the ids with these keys."""
        view = joined.batch.view(self.partition, self.store)
        view.load([key for _, key in due])
        for position, key in due:
            view.put(log_key(ANSWERS, position), None)
            known = view.known(key)
            joined.counts["unlabelled"] += known.forget(position)
            view.change(key, known)

    def _give_up(self, due: list[tuple[bytes, Waiting]], joined: Joined) -> None:
        view, family = joined.batch.view(self.partition, self.store), self._family()
        for entry_key, record in due:
            view.put(entry_key, None)
            given = read_feedback(record, framing=self.framing)
            known = view.known(given.id_key)
            known.waiting = [offset for offset in known.waiting if offset != record.offset]
            view.change(given.id_key, known)
            joined.batch.waiting[self.partition] -= 1
            if not self._join(given, record, family, joined):
                message = (
                    "no request with this id was answered within the label horizon; "
                    "send id and key as in the request"
                )
                self._set_aside(record, "unknown-id", message, joined)

    def _waiting(self, key: bytes, entry: bytes) -> Waiting:
        return Waiting.decode(self.partition, log_offset(key), entry)

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
                self._progress = batch.progress
                self._oldest |= batch.oldest
            join._write(batch)

    def _write(self, batch: JoinBatch) -> None:
        self.generation += 1
        self._progress.waiting += batch.waiting[self.partition]
        view = batch.views.get(self.partition)
        writes = view.writes() if view else {}
        writes[META_KEY] = self._progress.encode()
        self.store.write(writes)

    def _begin(self) -> JoinBatch:
        return JoinBatch(self.partition, self.generation, self._progress)

    def _family(self) -> list[Join]:
        """Return the joins of this process, this one first."""
        return [self, *(join for join in self._siblings.values() if join is not self)]

    def _draw(self, given: GivenAnswer, now_ms: int, joined: Joined) -> GivenAnswer:
        """Draw an answer for review, or not, from what was known before it; return it as it is kept."""
        rate = joined.batch.progress.review
        if self._sampler is None or rate is None:
            return given
        drawn = self._sampler.draw(given, now_ms, rate, joined.unknown_versions)
        if drawn is None:
            return given
        joined.counts["reviewed" if drawn.record else "review-dropped"] += 1
        joined.reviews += [drawn.record] if drawn.record else []
        return drawn.answer

    def _wake(self, key: bytes, waited_in: Iterable[Join], family: Sequence[Join], joined: Joined) -> None:
        """Join the labels that waited for an id, here and in siblings."""
        for join in waited_in:
            view = joined.batch.view(join.partition, join.store)
            known = view.known(key)
            for offset in known.waiting[:]:
                entry_key = log_key(WAITING, offset)
                record = join._waiting(entry_key, view.entry(entry_key))
                if self._join(read_feedback(record, framing=self.framing), record, family, joined):
                    view.put(entry_key, None)
                    known.waiting.remove(offset)
                    view.change(key, known)
                    joined.batch.waiting[join.partition] -= 1

    def _join(self, given: Given, record: Record, family: Sequence[Join], joined: Joined) -> bool:
        """Join a label with its answer; return whether there is one."""
        for join in family:
            view = joined.batch.view(join.partition, join.store)
            known = view.known(given.id_key)
            answer = choose_answer(known.answers, given, join.partition)
            if answer is not None:
                if self._count(answer, given, record, view, joined):
                    view.change(given.id_key, known)
                return True
        return False

    def _count(self, answer: Answer, given: Given, record: Record, view: View, joined: Joined) -> bool:
        """Give an answer its label; return whether that changes what is known of it."""
        label = given_label(given, record)
        if answer.seen and answer.has_seen(label):
            joined.counts["repeated"] += 1
            return False
        kept = GivenAnswer.decode(view.entry(log_key(ANSWERS, answer.position)))
        try:
            rows = self._rows.write(kept, label, answer.revision)
        except MessageError as exc:
            self._set_aside(record, exc.code, str(exc), joined)
            return False
        if not answer.note(label):
            joined.counts["outranked"] += 1
            return True
        joined.counts["corrected" if answer.revision else "joined"] += 1
        joined.rows += rows
        answer.revision += 1
        return True

    def _forward(self, given: Given, record: Record, joined: Joined) -> bool:
        """Send a label to the partition where its answer must be, once; return whether that was done."""
        target = target_partition(given)
        if target is None or target == self.partition or target in self._siblings:
            return False
        if self.partitions is None or not 0 <= target < self.partitions:
            return False
        if (sent_on := forwarded(record, target)) is None:
            return False
        joined.forwards.append(sent_on)
        joined.counts["forwarded"] += 1
        return True

    def _wait(self, key: bytes, record: Record, joined: Joined) -> None:
        waiting = Waiting(
            self.partition, record.offset, record.timestamp, record.key, record.value, list(record.headers)
        )
        view = joined.batch.view(self.partition, self.store)
        known = view.known(key)
        known.wait(record.offset)
        view.change(key, known)
        view.put(log_key(WAITING, record.offset), waiting.encode(joined.batch.progress.time.now_ms))
        joined.batch.waiting[self.partition] += 1
        joined.counts["waiting"] += 1

    def _set_aside(self, record: Record, code: str, message: str, joined: Joined) -> None:
        topic = TopicNames(self._deployment).feedback
        joined.dead_letters.append(
            dead_letter(
                record,
                topic=topic,
                code=code,
                message=message,
                max_bytes=self.max_bytes,
                is_private=self.is_private,
            )
        )
        joined.counts[code] += 1


def _unread(records: Iterable[Record], position: int | None) -> Iterator[Record]:
    return (record for record in records if position is None or record.offset >= position)

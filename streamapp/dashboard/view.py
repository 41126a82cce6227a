"""What the page shows, as plain values: equal views are equal pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Accuracy",
    "Answer",
    "Bars",
    "Change",
    "Contact",
    "Drift",
    "Entry",
    "Evidence",
    "Feature",
    "Models",
    "Pair",
    "Point",
    "Tone",
    "Traffic",
    "VersionLine",
    "View",
    "WindowBars",
    "WindowPoint",
]

Tone = Literal["good", "attention", "bad", "unknown", "info"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the four answers at the top: a question, a word, a sentence."""

    question: str
    tone: Tone
    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Whether what is shown is up to date.

    Attributes
    ----------
    state
        ``live`` while what is read keeps up with what is written, ``reading`` while it does not; ``gone``
        while Kafka does not answer, ``failed`` after an error of this page, until it is tried again.
    at_ms
        Wall clock of the last answer of Kafka; None before the first.
    reason
        Of the last two.
    """

    state: Literal["reading", "live", "gone", "failed"]
    at_ms: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One stretch of wall clock time, from `at_ms` on.

    Attributes
    ----------
    answered, rejected
        Requests a second.
    latency_ms
        Median and 99th percentile of a sample; None without any.
    """

    at_ms: int
    answered: float
    rejected: float
    latency_ms: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many requests are answered, how fast, and how many wait.

    Attributes
    ----------
    per_s
        Over the last minute.
    rejected_share
        Over the last minute; 0 without requests.
    latency_ms
        Median and 99th percentile of a sample of the last minute's answers, from the request's timestamp to
        the answer's; None without any.
    waiting, partitions
        The fewest offsets of requests that were not answered at a time of the last ten seconds, None where
        that is not known, and of how many partitions. The mark of a transaction of clients is one, too.
    last_ms
        Wall clock of the newest answer; None before the first.
    points
        At most 90, the oldest first.
    width_s
        Of a point.
    """

    per_s: float = 0.0
    rejected_share: float = 0.0
    latency_ms: tuple[float, float] | None = None
    waiting: int | None = None
    partitions: int = 0
    last_ms: int | None = None
    points: tuple[Point, ...] = ()
    width_s: int = 0


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version as the page tells of it; times in milliseconds since the epoch, None where not known."""

    version: str
    state: str
    format: str
    since_ms: int | None
    trained_ms: int | None
    newest_data_ms: int | None
    note: str
    scores: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Models:
    """The champion, those that are compared with it, and how many others there are."""

    champion: VersionLine | None = None
    challengers: tuple[VersionLine, ...] = ()
    others: int = 0


@dataclass(frozen=True, slots=True)
class WindowPoint:
    """Accuracy, or loss, of one window of answers, with its 95 % interval."""

    from_ms: int
    to_ms: int
    mean: float
    low: float
    high: float
    coverage: float
    is_mature: bool


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the answers are right.

    Attributes
    ----------
    measure
        ``accuracy``, or the name of the loss.
    is_share
        Whether it is one, to be shown in percent; higher is then better.
    windows
        Of the answers of all versions, the oldest first; empty before the first label.
    own
        Of the champion's answers alone.
    on_holdout, holdout_interval
        The same measure on rows that the champion was not fitted on, and its 95 % interval; None without any.
    labelled
        Rows with labels that were read, whether they can be measured or not.
    awaited
        Labelled rows that alarms still wait for, to compare later ones with: 0 once they are on.
    read_from_ms
        Event time of the first labelled row that was read, where others came before it; else None.
    until_ms, overdue_ms
        Event time that labels have reached, and that of requests by which more should have come.
    rows
        The newest labelled rows, that `numbers` are about.
    numbers
        Further metrics by name.
    coverage
        Labelled share of the answers that they reach; None before the first label.
    label_age_ms
        Age by which half of the labels have come.
    estimate
        What confidence tells without labels: mean, bounds, and how far that is confirmed; where labels say
        otherwise, what they say. None where there is none.
    segments
        Loss by level of the segment columns, the worst first: name, loss, rows.
    unmeasured
        Why there are no windows of the champion.
    unreadable
        Why there is nothing, if that is not for want of labels.
    """

    measure: str = "accuracy"
    is_share: bool = True
    windows: tuple[WindowPoint, ...] = ()
    own: tuple[WindowPoint, ...] = ()
    on_holdout: float | None = None
    holdout_interval: tuple[float, float] | None = None
    labelled: int = 0
    awaited: int = 0
    read_from_ms: int | None = None
    until_ms: int | None = None
    overdue_ms: int | None = None
    rows: int = 0
    numbers: tuple[tuple[str, float], ...] = ()
    coverage: float | None = None
    label_age_ms: float | None = None
    estimate: tuple[float, float, float, str] | None = None
    segments: tuple[tuple[str, float, int], ...] = ()
    unmeasured: str = "no labels yet"
    unreadable: str = ""

    @property
    def mature(self) -> WindowPoint | None:
        """The newest window of the champion's answers whose labels are in."""
        return next((window for window in reversed(self.own) if window.is_mature), None)


@dataclass(frozen=True, slots=True)
class Bars:
    """A distribution then and now: shares in percent of the same bins.

    Attributes
    ----------
    name
        Of the column.
    labels
        Of the bins.
    then, now
        As many shares each.
    """

    name: str
    labels: tuple[str, ...]
    then: tuple[float, ...]
    now: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WindowBars:
    """The distributions of what an alert names, in its window.

    Attributes
    ----------
    bars
        None if nothing of the window is there.
    requests
        That they are of: fewer than the window has, if not all of it is there.
    """

    bars: tuple[Bars, ...] = ()
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A column or an output beside its reference.

    Attributes
    ----------
    size
        Cohen's effect size of what has changed most surely: .2 is small, .8 large.
    text
        The same for people.
    drifts
        Whether an open alert names it.
    """

    name: str
    kind: str
    size: float
    text: str
    drifts: bool
    bars: Bars


@dataclass(frozen=True, slots=True)
class Pair:
    """A correlation then and now."""

    first: str
    second: str
    then: float
    now: float
    drifts: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """The newest requests beside the reference.

    Attributes
    ----------
    requests
        That are compared; 0 while there are none.
    from_ms, to_ms
        Their event times.
    columns
        Those that drift first, then by size.
    outputs
        Empty where they are not compared.
    uncompared
        Why they are not.
    pairs
        The most changed ones, at most ten.
    watched_pairs
        How many there are.
    unreadable
        Why there is nothing, if that is for want of the bundle.
    """

    requests: int = 0
    from_ms: int | None = None
    to_ms: int | None = None
    columns: tuple[Change, ...] = ()
    outputs: tuple[Change, ...] = ()
    uncompared: str = ""
    pairs: tuple[Pair, ...] = ()
    watched_pairs: int = 0
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Feature:
    """A line of an alert: which column, what of it, how much, which part of the whole."""

    name: str
    aspect: str
    effect: str
    psi: str
    share: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands behind an entry of the timeline.

    Attributes
    ----------
    facts
        Name and value.
    features
        Of an alert, ranked.
    bars
        Distributions in the alert's window, as far as they are there.
    part
        Of how many of the window's requests they are, if not of all.
    related
        Ids of other entries, with what they are to this one.
    """

    facts: tuple[tuple[str, str], ...] = ()
    features: tuple[Feature, ...] = ()
    bars: tuple[Bars, ...] = ()
    part: str = ""
    related: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened.

    Attributes
    ----------
    id
        Of the entry, for good.
    at_ms
        In stream time, where the message says one.
    kind
        ``alert``, ``training``, ``promoted``, ``rejected`` or ``rolled back``.
    tone
        Of an alert that is over ``info``.
    title, text
        What, and why.
    state
        In a word.
    """

    id: str
    at_ms: int
    kind: str
    tone: Tone
    title: str
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class View:
    """The page of one deployment."""

    name: str
    contact: Contact
    answers: tuple[Answer, ...]
    traffic: Traffic
    models: Models
    accuracy: Accuracy
    drift: Drift
    timeline: tuple[Entry, ...]

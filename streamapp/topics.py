"""The topics of a deployment: the one table that creation, schemas and documents come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from streamapp.errors import ConfigError

__all__ = ["CHANGELOGS", "TOPICS", "Changelog", "Topic", "TopicNames", "check_name", "deployments_in"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the contract.

    Attributes
    ----------
    name
        What follows ``NAME.``.
    partitioned
        Whether it has as many partitions as ``requests``; else it has one, and is one ordered log.
    cleanup
        Kafka's ``cleanup.policy``.
    retention
        ``horizon``: at least the label horizon. ``long``: a year and at least the horizon.
        ``default``: the cluster's own.
    holds_requests
        Whether its records can be as large as the largest request or answer.
    messages
        Names of the message types in it (``streamapp.messages``).
    summary
        What is in it, for documents.
    key
        What the keys of its records are, for documents.
    reader
        The role, and so the consumer group, that takes what users write there; None if users only read it.
    reply
        The topic in which each of its records is answered.
    written
        Whether streamapp itself writes there; what it forwards or sends again does not count.
    """

    name: str
    messages: tuple[str, ...]
    summary: str
    key: str
    reader: str | None = None
    reply: str | None = None
    written: bool = True
    partitioned: bool = False
    cleanup: Literal["delete", "compact"] = "delete"
    retention: Literal["default", "horizon", "long"] = "default"
    holds_requests: bool = False


@dataclass(frozen=True, slots=True)
class Changelog:
    """The compacted topic that restores one Faust table of one role."""

    role: str
    table: str
    partitioned: bool = False


_REQUEST_KEY = "The request's key."
_ANY_KEY = "Any bytes, or none. Requests with the same key are answered in their order."

TOPICS: tuple[Topic, ...] = (
    Topic(
        "requests",
        ("request", "request-v2", "request-v1"),
        "Rows to be answered.",
        _ANY_KEY,
        reader="score",
        reply="predictions",
        written=False,
        partitioned=True,
        retention="horizon",
        holds_requests=True,
    ),
    Topic(
        "predictions",
        ("prediction", "prediction-v2", "prediction-v1", "rejection"),
        "One answer per request, in the request's partition. One that is repeated has the same ce_id.",
        _REQUEST_KEY,
        partitioned=True,
        retention="horizon",
        holds_requests=True,
    ),
    Topic(
        "feedback",
        ("feedback",),
        "Labels, late or early, from systems or from people.",
        _REQUEST_KEY,
        reader="monitor",
        written=False,
        partitioned=True,
        retention="horizon",
    ),
    Topic(
        "drift-alerts",
        ("alert",),
        "Alerts with a life: opened, updated, resolved.",
        "KIND/SUBJECT of the alert.",
        cleanup="compact",
    ),
    Topic(
        "retrain-events",
        ("retrain",),
        "Reasons to train a new model.",
        "The name of the deployment.",
        reader="train",
        retention="long",
    ),
    Topic(
        "decisions",
        ("decision",),
        "What became of each reason to train, and why.",
        "The name of the deployment.",
        retention="long",
    ),
    Topic(
        "models",
        ("model", "champion"),
        "Every version and its state, and which one is champion.",
        "A version, or the word champion for the pointer.",
        cleanup="compact",
    ),
    Topic(
        "labelled",
        ("labelled",),
        "Answers joined with their labels.",
        _REQUEST_KEY,
        retention="long",
        holds_requests=True,
    ),
    Topic(
        "distributions",
        ("distribution",),
        "Summaries of inputs and outputs that can be added up, one for each closed pane.",
        "VERSION/PARTITION/FIRST_OFFSET of the pane.",
        retention="long",
        holds_requests=True,
    ),
    Topic(
        "review",
        ("review",),
        "Answers that a person should look at, with the probability that they were drawn with.",
        _REQUEST_KEY,
        retention="horizon",
        holds_requests=True,
    ),
    Topic(
        "dead-letters",
        (),
        "What could not be processed: the original bytes and headers, and why.",
        "The original key.",
        retention="long",
        holds_requests=True,
    ),
    Topic(
        "redrives",
        ("redrive",),
        "Which dead letters were sent again, and where they lie now.",
        "The offset of the dead letter.",
        retention="long",
    ),
)

CHANGELOGS: tuple[Changelog, ...] = (
    Changelog("score", "panes", partitioned=True),
    Changelog("monitor", "folds"),
)


def check_name(name: str) -> str:
    """Return `name` if it can name a deployment, else raise :class:`~streamapp.errors.ConfigError`."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"deployment name {name!r} must be 1 to 100 letters, digits, '-' or '_', "
            "beginning with a letter or digit"
        )
    return name


def deployments_in(topics: Iterable[str]) -> list[str]:
    """Return the names of the deployments that `topics`, all that a cluster shows, are of; sorted.

    Those that have two of the topics that streamapp alone writes: anybody may have a ``shop.models``.

    Examples
    --------
    >>> deployments_in(["bikes.models", "bikes.distributions", "shop.models", "a.b.models"])
    ['bikes']
    """
    known = set(topics)
    names = (topic.removesuffix(".models") for topic in known if topic.endswith(".models"))
    return sorted(name for name in names if _NAME.fullmatch(name) and f"{name}.distributions" in known)


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Full names of a deployment's topics.

    Examples
    --------
    >>> TopicNames("bikes").requests
    'bikes.requests'
    >>> TopicNames("bikes").changelog("score", "panes")
    'bikes-score-panes-changelog'
    """

    deployment: str

    def __post_init__(self) -> None:
        check_name(self.deployment)

    def __getitem__(self, topic: str) -> str:
        return f"{self.deployment}.{topic}"

    @property
    def requests(self) -> str:
        """Prediction requests."""
        return self["requests"]

    @property
    def predictions(self) -> str:
        """One answer per request."""
        return self["predictions"]

    @property
    def feedback(self) -> str:
        """Labels."""
        return self["feedback"]

    @property
    def drift_alerts(self) -> str:
        """Alerts with a life."""
        return self["drift-alerts"]

    @property
    def retrain_events(self) -> str:
        """Reasons to train."""
        return self["retrain-events"]

    @property
    def decisions(self) -> str:
        """What became of reasons to train."""
        return self["decisions"]

    @property
    def models(self) -> str:
        """Versions, and the champion pointer."""
        return self["models"]

    @property
    def labelled(self) -> str:
        """Answers joined with their labels."""
        return self["labelled"]

    @property
    def distributions(self) -> str:
        """Summaries of closed panes."""
        return self["distributions"]

    @property
    def review(self) -> str:
        """Answers for people to look at."""
        return self["review"]

    @property
    def dead_letters(self) -> str:
        """What could not be processed."""
        return self["dead-letters"]

    @property
    def redrives(self) -> str:
        """Which dead letters were sent again."""
        return self["redrives"]

    def app_id(self, role: str) -> str:
        """Return the Faust app id, which is the consumer group, of `role`."""
        return f"{self.deployment}-{role}"

    def changelog(self, role: str, table: str) -> str:
        """Return the changelog of a role's table, named as Faust names it."""
        return f"{self.app_id(role)}-{table}-changelog"

    def __iter__(self) -> Iterator[str]:
        return (self[topic.name] for topic in TOPICS)

"""What everybody who comes to a deployment's topics must be allowed to do there, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from streamapp.settings import ROLES
from streamapp.topics import CHANGELOGS, TOPICS, TopicNames

__all__ = ["ACCESS", "Access", "Acl", "acls"]

Operation = Literal["Alter", "Create", "Delete", "Describe", "DescribeConfigs", "Read", "Write"]

_DESCRIBE = frozenset({"Alter", "Delete", "Read", "Write"})
"""From these Kafka infers Describe: https://kafka.apache.org/documentation/#operations_in_kafka"""

_ALL = tuple(topic.name for topic in TOPICS)


@dataclass(frozen=True, slots=True)
class Access:
    """What one of them does with topics, by their names without the deployment's.

    Attributes
    ----------
    purpose
        Who it is, in a few words.
    reads, writes
        Topics. Either lets Kafka show a topic, too.
    looks_at
        Topics of which it only asks how far they reach.
    """

    purpose: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    looks_at: tuple[str, ...] = ()


ACCESS: dict[str, Access] = {
    "score": Access(
        "the role score",
        reads=("requests", "models", "drift-alerts"),
        writes=("predictions", "distributions", "drift-alerts", "dead-letters"),
    ),
    "monitor": Access(
        "the role monitor",
        reads=("predictions", "feedback", "distributions", "labelled", "review", "models"),
        writes=("labelled", "feedback", "review", "drift-alerts", "retrain-events", "models", "dead-letters"),
    ),
    "train": Access(
        "the role train",
        reads=("retrain-events", "decisions", "labelled", "models"),
        writes=("decisions", "models"),
    ),
    "client": Access(
        "who asks, reads answers and sends labels",
        reads=("predictions", "models"),
        writes=("requests", "feedback"),
    ),
    "viewer": Access(
        "streamapp dashboard",
        reads=(
            "predictions",
            "labelled",
            "distributions",
            "drift-alerts",
            "retrain-events",
            "decisions",
            "models",
        ),
        looks_at=("requests",),
    ),
    "reviewer": Access("streamapp review", reads=("review", "feedback"), writes=("feedback",)),
    "operator": Access(
        "deploy, models, retrain, redrive, watch, replay, doctor",
        reads=_ALL,
        writes=("models", "retrain-events", "requests", "feedback", "redrives"),
    ),
    "owner": Access("streamapp delete", reads=("models",)),
}
"""All who come, and what for."""


class Acl(NamedTuple):
    """One operation on one resource."""

    resource: Literal["group", "topic", "transactional-id"]
    name: str
    operation: Operation


def acls(names: TopicNames, who: str) -> list[Acl]:
    """Return all that `who` needs, sorted by resource, operation and name.

    Parameters
    ----------
    names
        Of the deployment.
    who
        A key of :data:`ACCESS`.

    Examples
    --------
    >>> for acl in acls(TopicNames("bikes"), "reviewer"):
    ...     print(*acl)
    topic bikes.feedback Read
    topic bikes.review Read
    topic bikes.feedback Write
    """
    access = ACCESS[who]
    found = {Acl("topic", names[topic], "Read") for topic in access.reads}
    found |= {Acl("topic", names[topic], "Write") for topic in access.writes}
    found |= {Acl("topic", names[topic], "Describe") for topic in access.looks_at}
    if who in ROLES:
        found |= set(_of_role(names, who))
    elif who == "operator":
        found |= set(_of_operator(names))
    elif who == "owner":
        found |= set(_of_owner(names))
    shown = {acl.name for acl in found if acl.operation in _DESCRIBE}
    needed = (acl for acl in found if acl.operation != "Describe" or acl.name not in shown)
    return sorted(needed, key=lambda acl: (acl.resource, acl.operation, acl.name))


def _of_role(names: TopicNames, role: str) -> Iterator[Acl]:
    yield Acl("group", names.app_id(role), "Read")
    # At its start a role looks whether all topics are as they must be.
    yield from (Acl("topic", names[topic], "Describe") for topic in _ALL)
    # When `requests` is given partitions, these follow.
    yield from (Acl("topic", topic, "Alter") for topic in _partitioned(names, role))
    for changelog in (names.changelog(c.role, c.table) for c in CHANGELOGS if c.role == role):
        yield Acl("topic", changelog, "Read")
        yield Acl("topic", changelog, "Write")


def _of_owner(names: TopicNames) -> Iterator[Acl]:
    yield from (Acl("group", names.app_id(role), "Delete") for role in ROLES)
    yield from (Acl("topic", topic, "Delete") for topic in _everything(names))


def _everything(names: TopicNames) -> tuple[str, ...]:
    return (*names, *(names.changelog(c.role, c.table) for c in CHANGELOGS))


def _of_operator(names: TopicNames) -> Iterator[Acl]:
    for role in ROLES:
        yield Acl("group", names.app_id(role), "Describe")
    for topic in _everything(names):
        yield Acl("topic", topic, "Create")
        yield Acl("topic", topic, "Describe")
        yield Acl("topic", topic, "DescribeConfigs")
    yield Acl("transactional-id", names.app_id("redrive"), "Write")


def _partitioned(names: TopicNames, role: str) -> Iterator[str]:
    """Yield what must have as many partitions as `requests`."""
    yield from (names[t.name] for t in TOPICS if t.partitioned and names[t.name] != names.requests)
    yield from (names.changelog(c.role, c.table) for c in CHANGELOGS if c.partitioned and c.role == role)

"""What a deployment's topics should be like: partitions, retention, compaction, largest messages."""

from __future__ import annotations

from dataclasses import dataclass

from streamapp.topics import CHANGELOGS, TOPICS, Topic, TopicNames

__all__ = ["LOG_MESSAGE_BYTES", "TopicPlan", "answer_limit_bytes", "request_limit_bytes", "topic_plans"]

LOG_MESSAGE_BYTES = 16 << 20
"""Largest record batch of changelogs and `distributions`, whose values are summaries of all columns."""

_ENVELOPE_BYTES = 64 << 10  # key, headers, and what an answer adds to the input
_DAY_MS = 86_400_000


def request_limit_bytes(max_request_bytes: int) -> int:
    """Return `max.message.bytes` of `requests`: the largest value, its key and its headers."""
    return max_request_bytes + _ENVELOPE_BYTES


def answer_limit_bytes(max_request_bytes: int) -> int:
    """Return `max.message.bytes` of topics whose records repeat a request.

    Twice the request: an input grows when it is written again, `1` as `1.0` and absent columns as `null`.
    """
    return 2 * max_request_bytes + _ENVELOPE_BYTES


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it should be.

    Attributes
    ----------
    topic
        Full name.
    partitioned
        Whether it has as many partitions as `requests`; else it has one.
    config
        What differs from the cluster's defaults.
    """

    topic: str
    partitioned: bool
    config: dict[str, str]


def topic_plans(
    names: TopicNames, *, label_horizon_s: float, max_request_bytes: int, role: str | None = None
) -> list[TopicPlan]:
    """Return the plans of a deployment's topics and of its changelogs, in the order of their tables.

    Parameters
    ----------
    names
        Of the deployment.
    label_horizon_s
        How long answers are needed, at the least.
    max_request_bytes
        Largest value of a request.
    role
        Whose changelogs; None for those of all.
    """
    horizon_ms = int(label_horizon_s * 1_000)
    topics = [
        TopicPlan(names[t.name], t.partitioned, _config(t, horizon_ms, max_request_bytes)) for t in TOPICS
    ]
    changelog = {
        "cleanup.policy": "compact",
        "max.message.bytes": str(LOG_MESSAGE_BYTES),
        # Recovery reads all that is not compacted yet; only closed segments are ever compacted.
        "segment.bytes": str(2 * LOG_MESSAGE_BYTES),
        "segment.ms": str(600_000),
        "min.cleanable.dirty.ratio": "0.1",
        "max.compaction.lag.ms": str(3_600_000),
    }
    changelogs = [
        TopicPlan(names.changelog(c.role, c.table), c.partitioned, changelog)
        for c in CHANGELOGS
        if role in (None, c.role)
    ]
    return topics + changelogs


def _config(topic: Topic, horizon_ms: int, max_request_bytes: int) -> dict[str, str]:
    config: dict[str, str] = {"cleanup.policy": topic.cleanup}
    kept_ms = {
        "default": None,
        "horizon": max(horizon_ms, 7 * _DAY_MS),
        "long": max(horizon_ms, 365 * _DAY_MS),
    }
    if topic.cleanup == "compact":
        # The last record of a key tells how things are, those before it what happened.
        config["min.compaction.lag.ms"] = str(horizon_ms)
    elif (retention_ms := kept_ms[topic.retention]) is not None:
        config |= {"retention.ms": str(retention_ms), "retention.bytes": "-1"}
    if topic.name == "distributions":
        config["max.message.bytes"] = str(max(LOG_MESSAGE_BYTES, answer_limit_bytes(max_request_bytes)))
    elif topic.name == "requests":
        config["max.message.bytes"] = str(request_limit_bytes(max_request_bytes))
    elif topic.holds_requests:
        config["max.message.bytes"] = str(answer_limit_bytes(max_request_bytes))
    return config

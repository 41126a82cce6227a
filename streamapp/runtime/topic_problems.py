"""What is wrong with a deployment's topics, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from streamapp.connection import Connection
from streamapp.runtime.broker_errors import hidden_from
from streamapp.runtime.client import admin_client, all_partition_counts
from streamapp.runtime.topic_plans import TopicPlan, topic_plans
from streamapp.topics import TopicNames

__all__ = ["TopicProblem", "check_topics", "topic_problems"]

_TIMEOUT_S = 30.0


class TopicProblem(NamedTuple):
    """What is wrong with topics.

    Attributes
    ----------
    mistake
        Which one it is, as `doctor` names it.
    message
        A line with the remedy.
    """

    mistake: str
    message: str


async def check_topics(
    connection: Connection, names: TopicNames, *, role: str | None = None, timeout_s: float = _TIMEOUT_S
) -> list[str]:
    """Return the messages of :func:`topic_problems`."""
    found = await topic_problems(connection, names, role=role, timeout_s=timeout_s)
    return [problem.message for problem in found]


async def topic_problems(
    connection: Connection, names: TopicNames, *, role: str | None = None, timeout_s: float = _TIMEOUT_S
) -> list[TopicProblem]:
    """Return what is wrong with a deployment's topics, with the remedy; nothing if all is well.

    Parameters
    ----------
    connection, names
        How the cluster is reached, and of which deployment.
    role
        Whose changelogs; None for those of all.
    timeout_s
        After which the cluster counts as not answering.

    Raises
    ------
    BrokerError
        If the cluster does not answer.
    """
    async with admin_client(connection, timeout_s=timeout_s) as admin:
        existing = await all_partition_counts(admin)
    name = names.deployment
    plans = topic_plans(names, label_horizon_s=0, max_request_bytes=0, role=role)
    missing = [plan.topic for plan in plans if plan.topic not in existing]
    hidden = hidden_from(connection, name)
    if len(missing) == len(plans):
        nothing = f"there is no deployment {name} on {connection.bootstrap}{hidden}"
        return [TopicProblem("no-deployment", f"{nothing}: streamapp deploy {name} BUNDLE")]
    problems = []
    if missing:
        remedy = f"streamapp deploy {name} BUNDLE (creates topics that are missing)"
        problems.append(TopicProblem("missing-topic", f"{', '.join(missing)} missing{hidden}: {remedy}"))
    return problems + [found for plan in plans if (found := _unequal(plan, names, existing))]


def _unequal(plan: TopicPlan, names: TopicNames, existing: dict[str, int]) -> TopicProblem | None:
    """Return what is wrong with the number of partitions of an existing topic."""
    has, wanted = existing.get(plan.topic), existing.get(names.requests)
    if has is None:
        return None
    if not plan.partitioned:
        remedy = f"delete the topic, then streamapp deploy {names.deployment} BUNDLE"
        must = f"{plan.topic} has {has} partitions and must have 1, one ordered log: {remedy}"
        return None if has == 1 else TopicProblem("one-partition", must)
    if wanted is None or has == wanted:
        return None
    remedy = (
        f"streamapp run {names.deployment} (raises them at its start)"
        if has < wanted
        else f"give {names.requests} {has}, too"
    )
    return TopicProblem(
        "co-partitioning", f"{plan.topic} has {has} partitions, {names.requests} has {wanted}: {remedy}"
    )

"""A deployment's topics on a cluster: created, grown, checked. What Kafka refuses becomes one line here."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from streamapp.connection import Connection
from streamapp.errors import ConfigError
from streamapp.runtime.client import admin_client, all_partition_counts
from streamapp.runtime.topic_plans import TopicPlan, topic_plans
from streamapp.topics import TopicNames

__all__ = [
    "DEFAULT_PARTITIONS",
    "check_group",
    "create_topics",
    "grow_partitions",
    "topic_configs",
]

DEFAULT_PARTITIONS = 4

_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 0.05
_SEEN_WITHIN_S = 5.0
"""What another process has done is seen within this."""


async def create_topics(
    connection: Connection,
    names: TopicNames,
    *,
    partitions: int | None = None,
    label_horizon_s: float,
    max_request_bytes: int,
    replication_factor: int | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> list[str]:
    """Create the topics of a deployment that are missing, and return their names.

    Parameters
    ----------
    connection
        How the cluster is reached.
    names
        Of the deployment.
    partitions
        Of the partitioned topics. What an existing `requests` has, else 4.
    label_horizon_s
        How long answers are needed, at the least.
    max_request_bytes
        Largest value of a request.
    replication_factor
        None leaves it to the cluster.
    timeout_s
        After which the cluster counts as not answering.

    Raises
    ------
    ConfigError
        If `partitions` contradicts an existing `requests`, or is no number of partitions.
    BrokerError
        If the cluster does not answer, or refuses.
    """
    if partitions is not None and partitions < 1:
        raise ConfigError(f"--partitions {partitions}: a topic has at least 1")
    plans = topic_plans(names, label_horizon_s=label_horizon_s, max_request_bytes=max_request_bytes)
    async with admin_client(connection, timeout_s=timeout_s) as admin:
        existing = await all_partition_counts(admin)
        missing = [plan for plan in plans if plan.topic not in existing]
        # First of all `requests`, which decides: a user may just have created it, too lately to be seen yet.
        first = [plan for plan in missing if plan.topic == names.requests]
        created = await _create(admin, first, partitions or DEFAULT_PARTITIONS, replication_factor)
        count = (await _until_known(admin, [names.requests]))[names.requests]
        if partitions not in (None, count):
            raise ConfigError(
                f"--partitions {partitions}: {names.requests} exists with {count}; leave --partitions out"
            )
        rest = [plan for plan in missing if plan.topic != names.requests]
        created += await _create(admin, rest, count, replication_factor)
        await _until_known(admin, [plan.topic for plan in rest])
        return created


async def grow_partitions(
    connection: Connection, names: TopicNames, *, role: str | None = None, timeout_s: float = _TIMEOUT_S
) -> dict[str, int]:
    """Give `predictions`, `feedback` and the partitioned changelogs as many partitions as `requests` has.

    Parameters
    ----------
    connection, names
        As in :func:`create_topics`.
    role
        Whose changelogs; None for those of all.
    timeout_s
        After which the cluster counts as not answering.

    Returns
    -------
    dict
        The topics that grew, and what they have now.

    Raises
    ------
    BrokerError
        If the cluster does not answer, or refuses.
    """
    async with admin_client(connection, timeout_s=timeout_s) as admin:
        existing = await all_partition_counts(admin)
        wanted = existing.get(names.requests, 0)
        plans = topic_plans(names, label_horizon_s=0, max_request_bytes=0, role=role)
        grown = {p.topic: wanted for p in plans if p.partitioned and 0 < existing.get(p.topic, 0) < wanted}
        refused: InvalidPartitionsError | None = None
        for topic, count in grown.items():
            try:
                await admin.create_partitions(
                    {topic: NewPartitions(count)}, timeout_ms=int(timeout_s * 1_000)
                )
            except TopicAuthorizationFailedError:
                raise TopicAuthorizationFailedError(topic) from None  # its own text is about partitions
            except InvalidPartitionsError as exc:
                refused = exc  # another process has done the same, which is seen a moment later
        clock = asyncio.get_running_loop().time
        deadline = clock() + _SEEN_WITHIN_S
        while await _lacks(admin, grown):
            if refused is not None and clock() > deadline:
                raise refused
            await asyncio.sleep(_LOOK_EVERY_S)
        return grown


async def _lacks(admin: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> bool:
    """Whether a topic is still seen with fewer partitions than it is to have."""
    now = await all_partition_counts(admin) if wanted else {}
    return any(now.get(topic, 0) < count for topic, count in wanted.items())


async def topic_configs(
    connection: Connection, topics: Collection[str], keys: Collection[str], *, timeout_s: float = _TIMEOUT_S
) -> dict[str, dict[str, str]]:
    """Return the settings `keys` of each of `topics`, which there must be.

    Raises
    ------
    BrokerError
        If the cluster does not answer, or refuses.
    """
    found: dict[str, dict[str, str]] = {}
    async with admin_client(connection, timeout_s=timeout_s) as admin:
        wanted = dict.fromkeys(sorted(keys), "")
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic, wanted) for topic in topics]
        for response in await admin.describe_configs(resources):
            for code, message, _, topic, entries, *_ in response.resources:
                if code:
                    raise for_code(code)(f"{topic}: {message}")
                found[topic] = {entry[0]: entry[1] for entry in entries}
    return found


async def check_group(connection: Connection, group: str, *, timeout_s: float = _TIMEOUT_S) -> None:
    """Ask for the coordinator of a consumer group, as its members will: they would wait for it in silence.

    Raises
    ------
    BrokerError
        If the cluster does not answer, or denies us the group.
    """
    async with admin_client(connection, timeout_s=timeout_s) as admin:
        try:
            await admin.find_coordinator(group)
        except GroupAuthorizationFailedError:
            raise GroupAuthorizationFailedError(group) from None  # it does not say which
        except GroupCoordinatorNotAvailableError:
            pass  # a cluster makes ready for groups when it is asked for its first one


async def _create(
    admin: AIOKafkaAdminClient, plans: list[TopicPlan], partitions: int, replication_factor: int | None
) -> list[str]:
    """Create topics and return their names, without those that another process has created meanwhile."""
    factor = -1 if replication_factor is None else replication_factor
    try:
        return await _send_creation(admin, plans, partitions, factor)
    except InvalidReplicationFactorError:
        if replication_factor is not None:
            raise
        # Clusters before 2.4 know no default.
        brokers = len((await admin.describe_cluster())["brokers"])
        return await _send_creation(admin, plans, partitions, min(3, brokers))


async def _send_creation(
    admin: AIOKafkaAdminClient, plans: list[TopicPlan], partitions: int, replication_factor: int
) -> list[str]:
    if not plans:
        return []
    # aiokafka takes a factor of -1 only beside assignments, of which there may be none.
    assignments: dict[int, list[int]] | None = {} if replication_factor == -1 else None
    topics = [
        NewTopic(
            plan.topic, partitions if plan.partitioned else 1, replication_factor, assignments, plan.config
        )
        for plan in plans
    ]
    response = await admin.create_topics(topics)
    created = []
    for topic, code, message in response.topic_errors:
        error = for_code(code)
        if not code:
            created.append(topic)
        elif error is TopicAuthorizationFailedError:
            raise error(topic)
        elif error is not TopicAlreadyExistsError:
            raise error(f"{topic}: {message or error.description}")
    return created


async def _until_known(admin: AIOKafkaAdminClient, topics: list[str]) -> dict[str, int]:
    """Return the topics' numbers of partitions once all have leaders, a moment after their creation."""
    while True:
        described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
        if all(
            (partitions := described.get(topic)) and all(p["leader"] >= 0 for p in partitions)
            for topic in topics
        ):
            return {topic: len(described[topic]) for topic in topics}
        await asyncio.sleep(_LOOK_EVERY_S)

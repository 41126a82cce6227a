"""The broker, and whether the topics are as ``deploy`` makes them."""

from __future__ import annotations

from streamapp.runtime.admin import topic_configs
from streamapp.runtime.broker_errors import TIMEOUT_S
from streamapp.runtime.checks.case import Case, Line
from streamapp.runtime.client import admin_client, all_partition_counts
from streamapp.runtime.topic_plans import TopicPlan, topic_plans
from streamapp.runtime.topic_problems import topic_problems
from streamapp.wording import many

__all__ = ["broker", "topic_settings", "topics"]

_AT_LEAST = {
    "retention.ms": "retention",
    "retention.bytes": "retention",
    "min.compaction.lag.ms": "retention",
    "max.message.bytes": "message-size",
}
_NO_LIMIT = -1


async def broker(case: Case) -> list[Line]:
    """Whether the cluster answers."""
    async with admin_client(case.connection) as admin:
        brokers = len((await admin.describe_cluster())["brokers"])
        case.partitions = await all_partition_counts(admin)
    case.answers = True
    return [Line("ok", f"Kafka answers at {case.connection.bootstrap}: {many(brokers, 'broker')}")]


async def topics(case: Case) -> list[Line]:
    """Whether all topics are there, with the right numbers of partitions."""
    names = case.settings.topics
    if problems := await topic_problems(case.connection, names):
        return [Line("FAIL", problem.message, mistake=problem.mistake) for problem in problems]
    count = case.partitions[names.requests]
    return [
        Line(
            "ok",
            f"{len(_plans(case))} topics; requests, predictions and feedback have "
            f"{many(count, 'partition')}, the others one",
        )
    ]


async def topic_settings(case: Case) -> list[Line]:
    """Whether topics keep what must be kept, for as long and as large as it must be."""
    plans = [plan for plan in _plans(case) if plan.topic in case.partitions]
    wanted = {key for plan in plans for key in plan.config}
    found = await topic_configs(case.connection, [plan.topic for plan in plans], wanted, timeout_s=TIMEOUT_S)
    lines = [line for plan in plans for line in _compare(plan, found[plan.topic], case)]
    kept = [line for line in lines if line.status == "FAIL"]
    if not kept:
        lines.append(Line("ok", "clean-up policies are right: logs are kept in full, tables compacted"))
    return lines


def _plans(case: Case) -> list[TopicPlan]:
    settings = case.settings
    return topic_plans(
        settings.topics,
        label_horizon_s=settings.label_horizon_s,
        max_request_bytes=settings.max_request_bytes,
    )


def _compare(plan: TopicPlan, found: dict[str, str], case: Case) -> list[Line]:
    """Return what is wrong with the settings of one topic."""
    lines = []
    key = "cleanup.policy"
    if (has := found.get(key, "")) != plan.config[key]:
        harm = (
            "what it must keep for ever is deleted"
            if plan.config[key] == "compact"
            else "records of the same key are lost"
        )
        lines.append(
            Line(
                "FAIL",
                _remedy(plan, key, has, f"must have {plan.config[key]}, or {harm}", case),
                mistake="cleanup-policy",
            )
        )
    for key, mistake in _AT_LEAST.items():
        if key in plan.config and key in found:
            least, value = int(plan.config[key]), int(found[key])
            if value != _NO_LIMIT and (least == _NO_LIMIT or value < least):
                lines.append(
                    Line(
                        "warn",
                        _remedy(
                            plan,
                            key,
                            str(value),
                            "should have no limit" if least == _NO_LIMIT else f"should have {least} at least",
                            case,
                        ),
                        mistake=mistake,
                    )
                )
    return lines


def _remedy(plan: TopicPlan, key: str, has: str, should: str, case: Case) -> str:
    return (
        f"{plan.topic} has {key}={has} and {should}: kafka-configs.sh "
        f"--bootstrap-server {case.connection.bootstrap} "
        f"--alter --topic {plan.topic} --add-config {key}={plan.config[key]}"
    )

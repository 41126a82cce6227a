"""What must hold of a deployment whatever happened to its processes: its users' view, by a foreign client."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import orjson

from streamapp.messages import Distribution, answer_id
from tests.integration.deployment import PARTITIONS, Deployment
from tests.integration.running import until

__all__ = ["answered", "ce_id", "check_answered_once", "check_counted_once", "expected", "panes"]


def ce_id(message: Any) -> str:
    return str(dict(message.headers())["ce_id"].decode())


def answered(deployment: Deployment) -> set[str]:
    return {ce_id(message) for message in deployment.consume("predictions")}


def expected(deployment: Deployment, count: int) -> set[str]:
    """The ids of answers to the first `count` of ``requests()``."""
    topic = deployment.settings.topics.requests
    return {answer_id(topic, i % PARTITIONS, i // PARTITIONS) for i in range(count)}


def check_answered_once(deployment: Deployment, count: int, *, patience_s: float = 60.0) -> int:
    """Each request has one answer once repeats are dropped, which say the same; return how many repeats."""
    until(
        lambda: len(answered(deployment)) >= count, what=f"{count} requests answered", patience_s=patience_s
    )
    messages = deployment.consume("predictions")
    contents: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    for message in messages:
        said = orjson.loads(message.value())
        del said["predicted_at"]
        # It may have been asked in another batch, and products of matrices be rounded otherwise there.
        if "probabilities" in said:
            said["probabilities"] = {label: round(p, 12) for label, p in said["probabilities"].items()}
        # A newer version may answer a repeat.
        contents[ce_id(message), str(said.get("model"))].add(orjson.dumps(said))
    assert {each for each, _ in contents} == expected(deployment, count)
    assert all(len(each) == 1 for each in contents.values()), "a repeat says something else"
    return len(messages) - count


def panes(deployment: Deployment) -> list[Distribution]:
    """The panes over the distinct keys of ``distributions``."""
    by_key: dict[bytes, set[bytes]] = defaultdict(set)
    for record in deployment.consume("distributions"):
        by_key[record.key()].add(record.value())
    twice = [key for key, contents in by_key.items() if len(contents) > 1]
    assert not twice, f"published with two contents: {twice}"
    return [Distribution.decode(next(iter(contents))) for contents in by_key.values()]


def check_counted_once(
    deployment: Deployment, count: int, *, partitions: int = PARTITIONS, patience_s: float = 60.0
) -> None:
    """Each request is in exactly one pane over the distinct keys of ``distributions``."""
    until(
        lambda: sum(pane.events for pane in panes(deployment)) >= count,
        what=f"{count} requests in panes",
        patience_s=patience_s,
    )
    found = panes(deployment)
    for partition in range(partitions):
        runs = sorted((p.first_offset, p.next_offset) for p in found if p.partition == partition)
        assert [first for first, _ in runs] == [0, *(next_ for _, next_ in runs)][: len(runs)], (
            f"gaps or overlaps in partition {partition}: {runs}"
        )
    assert sum(pane.events for pane in found) == count

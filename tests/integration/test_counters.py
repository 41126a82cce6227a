"""What the roles count is what stands in the topics, record by record, over restarts."""

from __future__ import annotations

from collections import Counter
from functools import partial

import orjson

from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.counters import Counted, by_label, check_answers_reconcile, counted
from tests.integration.deployment import PARTITIONS, Deployment, Sending, labels, requests
from tests.integration.request_bytes import BAD, MAX_BYTES
from tests.integration.running import Running, until


def bad_requests() -> list[list[Sending]]:
    """All of them, the large ones alone: two in a batch would be more than the topic takes."""
    every = [
        Sending(value, key=name.encode(), partition=i % PARTITIONS) for i, (name, value, _) in enumerate(BAD)
    ]
    large = [each for each in every if len(each.value or b"") > MAX_BYTES // 4]
    return [[each for each in every if each not in large], *([each] for each in large)]


def odd_feedback(first: int) -> list[Sending]:
    """Feedback that is no label, is one for no request yet, or is a label that is known."""
    return [
        Sending(b"nonsense"),
        Sending(b'{"id": "ghost-%d", "label": "busy"}' % first),
        *labels(2, first=first),
        Sending(orjson.dumps({"id": f"r-{first}", "label": "calm"}), partition=first % PARTITIONS),
    ]


def is_settled(deployment: Deployment, sent: int) -> bool:
    """Whether all that was sent, and what came of it, is committed."""
    return deployment.committed("score", "requests") == sent and all(
        deployment.committed("monitor", topic) == deployment.count(topic)
        for topic in ("predictions", "feedback")
    )


def shows(running: Running, metric: str, value: float) -> bool:
    return running.metric(metric) == value


def test_counters_reconcile_with_the_topics_over_restarts(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1, commit_interval=0.2, max_request_bytes=MAX_BYTES)
    deployment.deploy(bundle, partitions=PARTITIONS)
    good = sent = 0
    total: Counted = Counter()
    for rounds, ends_in_order in enumerate((False, True), 1):
        roles = [deployment.start(role, instance="one") for role in ("score", "monitor")]
        for role in roles:
            role.wait_ready()
        deployment.produce("requests", requests(60, first=good))
        for batch in bad_requests():
            deployment.produce("requests", batch)
        deployment.produce("feedback", [*labels(40, first=good), *odd_feedback(good)])
        good, sent = good + 60, sent + 60 + len(BAD)
        until(partial(is_settled, deployment, sent), what="all is committed")
        until(partial(shows, roles[1], "streamapp_labels_waiting", rounds), what="the ghosts wait")
        for role in roles:
            total += counted(role.port)
            if ends_in_order:
                assert role.terminate() == 0, role.tail()
            else:
                role.kill()

    assert deployment.count("predictions") == sent, "nothing was under way when a process ended"
    check_answers_reconcile(deployment, total)
    letters = (dict(letter.headers()) for letter in deployment.consume("dead-letters"))
    refused = Counter(
        each["streamapp-error-code"]
        for each in letters
        if each["streamapp-source-topic"].decode() == deployment.settings.topics.feedback
    )
    outcomes = by_label(total, "requests_total")

    given = by_label(total, "labels_total")
    assert given.total() + rounds == deployment.count("feedback"), "a label of each round waits for its ghost"
    assert given["joined"] + given["corrected"] == deployment.count("labelled")
    assert given["not-json"] == refused[b"not-json"] == rounds
    assert by_label(total, "answers_total") == {
        "answers": outcomes["prediction"],
        "rejections": outcomes["rejection"],
    }

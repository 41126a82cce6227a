"""What the roles count is what stands in the topics, record by record, over restarts."""

from __future__ import annotations

from collections import Counter
from functools import partial

import orjson
from prometheus_client.parser import text_string_to_metric_families

from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment, Sending, labels, requests
from tests.integration.request_bytes import BAD, MAX_BYTES
from tests.integration.running import Running, until

Counted = Counter[tuple[str, ...]]


def read(running: Running) -> Counted:
    """All that a process counts: (name, values of labels...) to value."""
    families = text_string_to_metric_families(running.page("metrics")[1])
    return Counter(
        {
            (sample.name.removeprefix("streamapp_"), *sample.labels.values()): int(sample.value)
            for family in families
            if family.name.startswith("streamapp_") and family.type in {"counter", "histogram"}
            for sample in family.samples
            if not sample.name.endswith("_sum") and sample.value
        }
    )


def by_label(counted: Counted, name: str) -> Counter[str]:
    return Counter({key[1]: value for key, value in counted.items() if key[0] == name and len(key) > 1})


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
    counted: Counted = Counter()
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
            counted += read(role)
            if ends_in_order:
                assert role.terminate() == 0, role.tail()
            else:
                role.kill()

    answers = [orjson.loads(message.value()) for message in deployment.consume("predictions")]
    codes = Counter(answer["error"]["code"] for answer in answers if "error" in answer)
    outcomes = {"prediction": len(answers) - codes.total(), "rejection": codes.total()}
    assert by_label(counted, "requests_total") == outcomes
    assert by_label(counted, "rejections_total") == codes
    for histogram in ("request_latency_seconds", "request_queue_seconds"):
        assert counted[f"{histogram}_count",] == len(answers)
    assert len(answers) == sent, "nothing was under way when a process ended, so nothing was repeated"

    letters = Counter(
        (headers["streamapp-source-topic"].decode(), headers["streamapp-error-code"].decode())
        for headers in (dict(letter.headers()) for letter in deployment.consume("dead-letters"))
    )
    topics = deployment.settings.topics
    assert {code: n for (topic, code), n in letters.items() if topic == topics.requests} == codes

    given = by_label(counted, "labels_total")
    assert given.total() + rounds == deployment.count("feedback"), "a label of each round waits for its ghost"
    assert given["joined"] + given["corrected"] == deployment.count("labelled")
    assert given["not-json"] == letters[topics.feedback, "not-json"] == rounds
    assert by_label(counted, "answers_total") == {
        "answers": outcomes["prediction"],
        "rejections": outcomes["rejection"],
    }

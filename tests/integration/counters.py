"""What a role counts, and that it is what stands in the topics."""

from __future__ import annotations

from collections import Counter

import orjson
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.deployment import Deployment
from tests.integration.running import page

__all__ = ["Counted", "by_label", "check_answers_reconcile", "counted"]

Counted = Counter[tuple[str, ...]]


def counted(port: int) -> Counted:
    """All that a process counts: (name, values of labels...) to value."""
    families = text_string_to_metric_families(page(port, "metrics")[1])
    return Counter(
        {
            (sample.name.removeprefix("streamapp_"), *sample.labels.values()): int(sample.value)
            for family in families
            if family.name.startswith("streamapp_") and family.type in {"counter", "histogram"}
            for sample in family.samples
            if not sample.name.endswith("_sum") and sample.value
        }
    )


def by_label(found: Counted, name: str) -> Counter[str]:
    return Counter({key[1]: value for key, value in found.items() if key[0] == name and len(key) > 1})


def check_answers_reconcile(deployment: Deployment, found: Counted) -> None:
    """What ``score`` counted is what stands in ``predictions`` and, of requests, in ``dead-letters``."""
    answers = [orjson.loads(message.value()) for message in deployment.consume("predictions")]
    codes = Counter(answer["error"]["code"] for answer in answers if "error" in answer)
    outcomes = Counter({"prediction": len(answers) - codes.total(), "rejection": codes.total()})
    assert by_label(found, "requests_total") == outcomes
    assert by_label(found, "rejections_total") == codes
    for histogram in ("request_latency_seconds", "request_queue_seconds"):
        assert found[f"{histogram}_count",] == len(answers)
    letters = [dict(letter.headers()) for letter in deployment.consume("dead-letters")]
    source = deployment.settings.topics.requests.encode()
    kept = [each for each in letters if each["streamapp-source-topic"] == source]
    assert Counter(each["streamapp-error-code"].decode() for each in kept) == codes

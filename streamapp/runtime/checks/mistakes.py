"""The mistakes which ``streamapp doctor`` finds: stable ids, for programs and for looking them up."""

from __future__ import annotations

__all__ = ["MISTAKES"]

MISTAKES: dict[str, str] = {
    "no-broker": "no Kafka answers at the address, or it advertises one that cannot be reached",
    "no-access": "Kafka does not take the password or certificate, or an ACL is missing",
    "no-deployment": "nothing of that name was deployed on this cluster",
    "missing-topic": "a topic was deleted, or is newer than the deployment",
    "one-partition": "a topic that is one ordered log has several partitions",
    "co-partitioning": "`requests`, `predictions` and `feedback` have different numbers of partitions",
    "cleanup-policy": "a log is compacted, or a table is deleted from",
    "retention": "a topic keeps its records for too short a time, or too few of them",
    "message-size": "a topic takes smaller records than the largest request or answer",
    "no-store": "the store of bundles cannot be reached or read",
    "no-champion": "no version serves, or one that has no record",
    "bad-bundle": "the champion's bundle is gone or was changed",
    "no-trust": "the bundle can run code, and no key that is trusted here has sealed it",
    "other-versions": "the model was packed with other versions of its libraries",
    "no-baseline": "there are no holdout rows, and not enough live ones yet",
    "rejections": "many of the newest requests, or all of them, were rejected",
    "no-features": "answers leave the features out, or some of them: nothing can be learned",
    "no-secret": "the secret for hashes of personal columns is not here",
    "no-trainer": "the trainer, or joblib's backend, is not in this environment",
    "role-down": "nobody runs a role",
    "no-reader": "a role has fewer readers than partitions",
    "no-answers": "requests wait, and none has been answered for a minute",
    "clock-skew": "the clocks of two machines differ by seconds",
    "label-ids": "labels carry ids that no answer has",
    "label-partitions": "labels lie in other partitions than their answers",
    "label-values": "labels are no classes of the model, or no numbers where it predicts these",
    "false-alarms": "at the present rate more than one false alarm a day is to be expected",
    "unexpected": "something went wrong in a check itself: whether all is well there is not known",
}
"""Each mistake, by its id."""

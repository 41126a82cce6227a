"""A loop by hand with confluent-kafka: wait for one, take what is there, one call of the model, commit."""

from __future__ import annotations

import os
import signal
from typing import Any

import joblib
import numpy as np
import orjson
from confluent_kafka import Consumer, Producer

COLUMNS = [f"x{i}" for i in range(20)]
MOST = 500


def main() -> None:
    """Answer until SIGTERM."""
    model = joblib.load(os.environ["MODEL"])
    servers = os.environ["BOOTSTRAP"]
    producer = Producer({"bootstrap.servers": servers})
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": os.environ["GROUP"],
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    stopping: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    consumer.subscribe([os.environ["REQUESTS"]])
    while not stopping:
        first = consumer.poll(0.2)
        if first is None:
            continue
        messages = [first, *consumer.consume(MOST - 1, 0)]
        messages = [message for message in messages if message.error() is None]
        if messages:
            answer(model, producer, messages)
            consumer.commit(asynchronous=False)
    consumer.close()


def answer(model: Any, producer: Producer, messages: list[Any]) -> None:
    """Send the answers to `messages`, and wait until they are delivered."""
    failed: list[object] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failed.append(error)

    bodies = [orjson.loads(message.value()) for message in messages]
    rows = np.array([[body["features"][name] for name in COLUMNS] for body in bodies])
    for message, body, p in zip(messages, bodies, model.predict_proba(rows)[:, 0].tolist(), strict=True):
        value = orjson.dumps({"id": body["id"], "prediction": "busy" if p >= 0.5 else "calm", "busy": p})
        producer.produce(os.environ["ANSWERS"], value, message.key(), on_delivery=delivered)
    producer.flush()
    if failed:
        raise SystemExit(f"not delivered: {failed[0]}")


if __name__ == "__main__":
    main()

"""Answers in ``predictions``, as score writes them, for commands that read them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np

from streamapp.messages import event_headers
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer
from streamapp.topics import TopicNames

__all__ = ["write_answers"]


def write_answers(broker: Broker, name: str, version: str, count: int, *, with_features: bool = True) -> None:
    """Write `count` answers of `version` to four partitions in turn."""
    rng = np.random.default_rng(5)

    async def run() -> None:
        topic = TopicNames(name).predictions
        async with producer(broker.connection) as client:
            for i in range(count):
                temp, hour = rng.normal(), int(rng.integers(0, 24))
                busy = round(1 / (1 + np.exp(12 - hour)), 6)
                value: dict[str, Any] = {
                    "id": str(i),
                    "model": {"name": name, "version": version},
                    "prediction": "busy" if busy > 0.5 else "calm",
                    "probabilities": {"busy": busy, "calm": 1 - busy},
                    "request": {"topic": f"{name}.requests", "partition": i % 4, "offset": i // 4},
                }
                if with_features:
                    value["features"] = {"temp": temp, "hour": hour, "holiday": bool(rng.random() < 0.3)}
                headers = event_headers(name, "streamapp.prediction.v1", f"a{i}", 1_304_323_200_000 + i)
                await client.send(topic, json.dumps(value).encode(), partition=i % 4, headers=headers)

    asyncio.run(run())

"""A loop by hand with aiokafka: all that is there, one call of the model, all answers, commit.

It commits after each batch, or with ``COMMIT_S=1`` at most once a second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import joblib
import numpy as np
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

COLUMNS = [f"x{i}" for i in range(20)]
COMMIT_S = float(os.environ.get("COMMIT_S", "0"))


async def main() -> None:
    """Answer until SIGTERM."""
    model = joblib.load(os.environ["MODEL"])
    servers = os.environ["BOOTSTRAP"]
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    consumer = AIOKafkaConsumer(
        os.environ["REQUESTS"],
        bootstrap_servers=servers,
        group_id=os.environ["GROUP"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await producer.start()
    await consumer.start()
    committed = time.monotonic()
    while not stopping.is_set():
        fetched = await consumer.getmany(timeout_ms=200, max_records=1_000)
        records = [record for several in fetched.values() for record in several]
        if records:
            await answer(model, producer, records)
            if time.monotonic() - committed >= COMMIT_S:
                await consumer.commit()
                committed = time.monotonic()
    await consumer.commit()
    await consumer.stop()
    await producer.stop()


async def answer(model: Any, producer: Any, records: list[Any]) -> None:
    """Send the answers to `records`, and wait until they are delivered."""
    bodies = [orjson.loads(record.value) for record in records]
    rows = np.array([[body["features"][name] for name in COLUMNS] for body in bodies])
    deliveries = []
    for record, body, p in zip(records, bodies, model.predict_proba(rows)[:, 0].tolist(), strict=True):
        value = orjson.dumps({"id": body["id"], "prediction": "busy" if p >= 0.5 else "calm", "busy": p})
        deliveries.append(await producer.send(os.environ["ANSWERS"], value, key=record.key))
    await asyncio.gather(*deliveries)


if __name__ == "__main__":
    asyncio.run(main())

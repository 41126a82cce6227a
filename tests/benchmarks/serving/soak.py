"""Half an hour under load, with labels, while the world changes: ``python tests/benchmarks/serving/soak.py``.

Requests come at a steady rate, their labels a second later. After a third of the time inputs move and labels
follow another rule, after two thirds once more: alarms, trainings and promotions come of that. Each minute
says what was answered, how fast, what waits, and the memory of each process with its children. At the end
every request has one answer, every label is joined, nothing waits, and no role has ended on the way; else the
status is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import orjson
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from streamapp.runtime.broker import Broker
from streamapp.runtime.client import read_batches
from tests.benchmarks.peers.process import cpu_s
from tests.integration.conftest import make_bundle, making
from tests.integration.deployment import Deployment
from tests.integration.running import Running, lags, until

PARTITIONS = 4
LABEL_AFTER_S = 1.0
TICK_S = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


class World(threading.Thread):
    """Sends requests at a rate, and each one's label a second later."""

    def __init__(self, deployment: Deployment, *, rate: float, seconds: float) -> None:
        super().__init__(daemon=True)
        self.count, self.told = 0, 0
        self._topics, self._rate, self._seconds = deployment.settings.topics, rate, seconds
        self._producer = Producer(
            {
                "bootstrap.servers": deployment.bootstrap,
                "log_level": 2,  # at the end the broker goes before its client
                "linger.ms": 5,
                "queue.buffering.max.messages": 500_000,
            }
        )
        self._rng = np.random.default_rng(3)
        self._labels: list[str] = []

    def run(self) -> None:
        began = time.monotonic()
        while (now := time.monotonic() - began) < self._seconds:
            self._ask(int(now * self._rate), int(3 * now / self._seconds))
            self._tell(int((now - LABEL_AFTER_S) * self._rate))
            self._producer.poll(0)
            time.sleep(TICK_S)
        self._tell(self.count)
        self._producer.flush(60)

    def _ask(self, until_: int, era: int) -> None:
        for i in range(self.count, until_):
            temp, wind, noise = self._rng.normal(size=3).tolist()
            temp += 1.5 * era
            busy = (temp, wind, temp - wind)[era] + 0.5 * noise > 1.5 * (era == 2)
            self._labels.append("busy" if busy else "calm")
            value = orjson.dumps({"id": f"r-{i}", "features": {"temp": temp, "wind": wind}})
            self._producer.produce(self._topics.requests, value, b"k%d" % i, i % PARTITIONS)
        self.count = max(self.count, until_)

    def _tell(self, until_: int) -> None:
        for i in range(self.told, min(until_, self.count)):
            value = orjson.dumps({"id": f"r-{i}", "label": self._labels[i]})
            self._producer.produce(self._topics.feedback, value, b"k%d" % i, i % PARTITIONS)
        self.told = max(self.told, min(until_, self.count))


def latencies(running: Running) -> Counter[float]:
    """Return how many answers took at most so many seconds, by the role's histogram."""
    return Counter(
        {
            float(sample.labels["le"]): sample.value
            for family in text_string_to_metric_families(running.page("metrics")[1])
            if family.name == "streamapp_request_latency_seconds"
            for sample in family.samples
            if sample.name.endswith("_bucket")
        }
    )


def quantile_ms(counted: Mapping[float, float], q: float) -> float:
    """Return the quantile of a cumulative histogram in milliseconds, straight between its bounds."""
    bounds = sorted(counted)
    target, low, below = q * counted[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if counted[bound] >= target > below:
            share = (target - below) / (counted[bound] - below)
            return 1000 * (low if np.isinf(bound) else low + share * (bound - low))
        low, below = bound, counted[bound]
    return float("nan")


def resident_mb(pid: int) -> float:
    """Return the resident size of a process and of all that came from it."""
    mine = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return mine + sum(resident_mb(int(child)) for child in children)


def main() -> int:
    """Print a line per minute, and what has become of everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=1_000.0, help="requests a second")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Broker(data_dir=Path(folder) / "broker") as broker,
        making(broker, Path(folder)) as make,
    ):
        deployment = make()
        deployment.deploy(make_bundle(), partitions=PARTITIONS)
        roles = {role: deployment.start(role) for role in ("score", "monitor", "train")}
        for running in roles.values():
            running.wait_ready()
        assert broker.pid is not None
        pids = {role: running.process.pid for role, running in roles.items()} | {"broker": broker.pid}
        world = World(deployment, rate=chosen.rate, seconds=60 * chosen.minutes)
        print("minute  requests/s  p50 ms  p99 ms    lag " + "".join(f"{each:>9} MB  CPU" for each in pids))
        world.start()
        before, counted, spent = (
            0,
            latencies(roles["score"]),
            {name: cpu_s(pid) for name, pid in pids.items()},
        )
        for minute in range(1, int(chosen.minutes) + 1):
            time.sleep(60)
            if ended := [each for each in roles.values() if each.process.poll() is not None]:
                print(*(each.tail() for each in ended), "a role has ended", sep="\n")
                return 1
            now, seen = latencies(roles["score"]), world.count
            spent_now = {name: cpu_s(pid) for name, pid in pids.items()}
            fresh = {bound: now[bound] - counted[bound] for bound in now}
            waiting = sum(sum(lags(running.port)) for running in roles.values())
            sizes = "".join(
                f"{resident_mb(pid):12.0f} {(spent_now[name] - spent[name]) / 60:4.2f}"
                for name, pid in pids.items()
            )
            print(
                f"{minute:6} {(seen - before) / 60:11.0f} {quantile_ms(fresh, 0.5):7.0f} "
                f"{quantile_ms(fresh, 0.99):7.0f} {waiting:6.0f} {sizes}",
                flush=True,
            )
            before, counted, spent = seen, now, spent_now
        world.join()
        until(lambda: deployment.count("predictions") >= world.count, what="all answered")
        until(lambda: deployment.count("labelled") >= world.told, what="all joined")
        until(lambda: not any(sum(lags(each.port)) for each in roles.values()), what="nothing waits")
        _print_sizes(Path(folder), deployment, world.count)
        return _judge(deployment, world)


def _print_sizes(folder: Path, deployment: Deployment, requests: int) -> None:
    """Print what is on disk per request."""
    logs = folder / "broker" / "logs"
    sizes = {
        topic: sum(path.stat().st_size for path in logs.glob(f"{deployment.name}.{topic}-*/*.log"))
        for topic in ("requests", "predictions", "feedback", "labelled", "distributions")
    }
    sizes["store of monitor"] = sum(
        path.stat().st_size for path in (deployment.folder / "state").rglob("*") if path.is_file()
    )
    print("bytes per request:", {name: round(size / requests) for name, size in sizes.items()})


async def _ids(deployment: Deployment, topic: str) -> Counter[str]:
    found: Counter[str] = Counter()
    async for records in read_batches(deployment.settings.connection, topic):
        found.update(orjson.loads(record.value)["id"] for record in records)
    return found


def _judge(deployment: Deployment, world: World) -> int:
    answers = asyncio.run(_ids(deployment, deployment.settings.topics.predictions))
    joined = asyncio.run(_ids(deployment, deployment.settings.topics.labelled))
    models = {value["version"]: value["state"] for value in deployment.values("models") if "state" in value}
    alerts = Counter(each["kind"] for each in deployment.values("drift-alerts") if each["state"] == "opened")
    trained = sum(each["outcome"] == "trained" for each in deployment.values("decisions"))
    print(
        f"{world.count:,} requests: {len(answers):,} answered, {answers.total() - len(answers):,} repeats; ",
        end="",
    )
    print(f"{world.told:,} labels: {len(joined):,} joined, {joined.total() - len(joined):,} repeats")
    print(f"alerts {dict(alerts)}; {trained} trainings; versions {dict(Counter(models.values()))}")
    return 0 if len(answers) == world.count and len(joined) == world.told else 1


if __name__ == "__main__":
    sys.exit(main())

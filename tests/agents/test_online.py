"""What a champion has learned is published as soon as the store takes it."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from river import naive_bayes

from streamapp.agents.online import OnlineAgent
from streamapp.errors import StoreError
from streamapp.messages import Model, OffsetRange
from streamapp.models import Bundle
from streamapp.models.lineage import learned_until
from streamapp.quality import LabelledRows
from streamapp.runtime.host import Host
from tests.agents.conftest import Store
from tests.integration.conftest import draw
from tests.training.conftest import times_of, values_of

ROWS = 30


class Models:
    """What TRAIN knows of versions, and is told to write."""

    def __init__(self, champion: Model) -> None:
        self.serving = champion
        self.versions = {champion.version: champion}

    async def add(self, model: Model) -> None:
        self.versions[model.version] = model


class Labelled:
    """``labelled``, of which the first rows are there."""

    def __init__(self) -> None:
        X, y = draw(3, ROWS)
        self._rows = LabelledRows.read(values_of(X, y), range(ROWS), times_of(ROWS))
        self.end = 0

    async def bounds(self) -> tuple[int, int]:
        return 0, self.end

    async def table(self, start: int, end: int) -> LabelledRows:
        return self._rows.take(np.arange(start, end))


def learner() -> Bundle:
    X, y = draw(5, 100)
    model = naive_bayes.GaussianNB()
    for row, label in zip(X.to_dict("records"), y.tolist(), strict=True):
        model.learn_one({"temp": row["temp"], "wind": row["wind"]}, label)
    return Bundle.create(model, X, y, name="it", format="river", created_at_ms=1)


def test_a_snapshot_that_the_store_did_not_take_needs_no_further_row(store: Store) -> None:
    """One that has just won is due once, when it has learned the rows of its trial."""
    topic = store.settings.topics.labelled
    trial = OffsetRange(topic=topic, partition=0, start=0, end=ROWS)
    models: Any = Models(store.put(learner()).model_copy(update={"training_data": [trial]}))
    labelled: Any = Labelled()

    async def run() -> None:
        agent = OnlineAgent(Host(store.settings), models)
        await agent.go_on(labelled)
        labelled.end = ROWS
        store.leave()
        for _ in range(2):
            with pytest.raises(StoreError):
                await agent.go_on(labelled)
        assert len(models.versions) == 1
        store.come_back()
        await agent.go_on(labelled)
        await agent.go_on(labelled)

    asyncio.run(run())
    (published,) = models.versions.keys() - {models.serving.version}
    assert learned_until(models.versions[published]) == ROWS

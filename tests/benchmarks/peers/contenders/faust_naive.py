"""Faust as its documentation shows it: one record, one call of the model, one answer."""

from __future__ import annotations

import os
from typing import Any

import faust
import joblib

app = faust.App(os.environ["GROUP"], broker=f"kafka://{os.environ['BOOTSTRAP']}", datadir=os.environ["STATE"])
model = joblib.load(os.environ["MODEL"])
COLUMNS = [f"x{i}" for i in range(20)]


class Request(faust.Record, include_metadata=False):  # type: ignore[misc, call-arg]
    """A row to be answered."""

    id: str
    features: dict[str, float]


class Answer(faust.Record, include_metadata=False):  # type: ignore[misc, call-arg]
    """What the model says to it."""

    id: str
    prediction: str
    busy: float


requests = app.topic(os.environ["REQUESTS"], key_type=bytes, value_type=Request)
answers = app.topic(os.environ["ANSWERS"], key_type=bytes, value_type=Answer)


@app.agent(requests)  # type: ignore[untyped-decorator]
async def score(stream: Any) -> None:
    """Answer one request after the other."""
    async for key, request in stream.items():
        busy = float(model.predict_proba([[request.features[name] for name in COLUMNS]])[0, 0])
        await answers.send(key=key, value=Answer(request.id, "busy" if busy >= 0.5 else "calm", busy))


if __name__ == "__main__":
    app.main()

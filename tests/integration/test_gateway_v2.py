"""V2 by HTTP on a real deployment: rows in tensors, answered in tensors."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS
from tests.integration.running import until


def tensors(temp: list[Any], wind: list[Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": [len(data)], "datatype": "FP64", "data": data}
        for name, data in (("temp", temp), ("wind", wind))
    ]


def test_rows_in_v2_are_answered_in_v2(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    roles = [deployment.start("score"), deployment.start("monitor")]
    gateway = deployment.start_gateway("--timeout", "60")
    for role in roles:
        role.wait_ready()
    gateway.wait_ready("v2/health/ready")
    path = f"/v2/models/{deployment.name}"
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.port}", timeout=60) as client:
        asked = {"id": "three", "inputs": tensors([0.5, -2.0, 2.0], [0.5, 0.5, 0.5])}
        three = client.post(f"{path}/infer", json=asked)
        assert three.status_code == 200
        said = three.json()
        assert (said["id"], said["model_name"], said["model_version"]) == (
            "three",
            bundle.manifest.name,
            bundle.version,
        )
        outputs = {output["name"]: output for output in said["outputs"]}
        rows = [{"temp": temp, "wind": 0.5} for temp in (0.5, -2.0, 2.0)]
        expected = bundle.predict(rows)
        assert expected.probabilities is not None
        assert outputs["prediction"]["shape"] == [3]
        assert outputs["prediction"]["data"] == list(expected.values)
        assert outputs["probabilities"]["shape"] == [3, 2]
        assert outputs["probabilities"]["data"] == pytest.approx(expected.probabilities.ravel().tolist())
        metadata = client.get(path).json()["outputs"]
        assert [(one["name"], one["datatype"]) for one in metadata] == [
            (one["name"], one["datatype"]) for one in said["outputs"]
        ]
        by_version = client.post(
            f"{path}/versions/{bundle.version}/infer", json={"inputs": tensors([0.5], [0.5])}
        )
        assert by_version.status_code == 200
        assert by_version.json()["outputs"][0]["data"] == list(bundle.predict(rows[:1]).values)

        bad = client.post(f"{path}/infer", json={"id": "bad", "inputs": tensors([0.5, "warm"], [0.5, 0.5])})
        assert (bad.status_code, bad.json()["code"], bad.json()["row"]) == (400, "wrong-type", 1)
        short = client.post(f"{path}/infer", json={"id": "short", "inputs": tensors([0.5, 1.0], [0.5])})
        assert (short.status_code, short.json()["id"]) == (400, "short")
        assert deployment.count("dead-letters") == 2

        labels = ["busy", "calm", "busy"]
        assert client.post("/feedback", json={"id": "three", "label": labels}).status_code == 202
    until(lambda: deployment.count("labelled") == 3, what="three labels joined")
    assert sorted(row["label"] for row in deployment.values("labelled")) == sorted(labels)

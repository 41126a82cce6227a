"""The commands of docker-compose.yml, each with what its service sets, as processes of this machine."""

from __future__ import annotations

import subprocess
import sys

import httpx

from streamapp.models import Bundle
from streamapp.runtime.broker.properties import free_port
from tests.containers import environment, prepare, read_compose
from tests.integration.conftest import Make
from tests.integration.running import Running, until

WEB = ("STREAMAPP_WEB_PORT", "STREAMAPP_GATEWAY_PORT", "STREAMAPP_DASHBOARD_PORT")


def test_each_service_runs_and_is_healthy(make: Make, bundle: Bundle) -> None:
    deployment = make()
    deployment.deploy(bundle, partitions=2)
    compose = read_compose(DEPLOYMENT=deployment.name)
    config = deployment.folder / "config"
    config.mkdir()
    (config / "token").write_text("as-before\n", encoding="utf-8")
    prepare(compose, config)

    running: dict[str, Running] = {}
    for name, service in compose["services"].items():
        if "healthcheck" in service and service["image"] == "streamapp" and name != "score-2":  # as score-1
            port = free_port()
            env = environment(compose, name, deployment.folder)
            env |= dict.fromkeys(WEB, str(port))
            env["STREAMAPP_BOOTSTRAP"] = deployment.bootstrap
            line = [sys.executable, "-m", "streamapp", *service["command"]]
            running[name] = deployment.spawn(name, line, port, env)
    assert running.keys() >= {"score-1", "monitor", "train", "gateway", "dashboard"}

    def is_healthy(name: str) -> bool:
        service = compose["services"][name]
        port = service["ports"][0].rpartition(":")[2]
        _, python, *words = service["healthcheck"]["test"]
        assert python == "python"
        words = [word.replace(f"localhost:{port}", f"localhost:{running[name].port}") for word in words]
        return subprocess.run([sys.executable, *words], check=False, capture_output=True).returncode == 0

    for name, process in running.items():
        until(lambda name=name: is_healthy(name), what=process.tail)  # type: ignore[misc]
    running["gateway"].wait_ready("v2/health/ready")
    with httpx.Client(base_url=f"http://127.0.0.1:{running['gateway'].port}", timeout=60) as client:
        request = {"id": "r-1", "features": {"temp": 1.0, "wind": 0.5}}
        assert client.post("/predict", json=request).status_code == 401
        client.headers["authorization"] = "Bearer as-before"
        assert client.post("/predict", json=request).json()["id"] == "r-1"
        page = client.get(f"http://127.0.0.1:{running['dashboard'].port}/{deployment.name}")
        assert (page.status_code, deployment.name in page.text) == (200, True)
    for process in running.values():
        process.process.terminate()
    ended = {name: process.process.wait(timeout=30) for name, process in running.items()}
    assert ended == dict.fromkeys(running, 0)

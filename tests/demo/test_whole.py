"""The demo itself, on its first day: a broker, three roles, 900 flights."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest

from streamapp.cli.run import role_commands
from streamapp.demo.flights import Flights
from streamapp.demo.model import year_day_ms
from streamapp.demo.run import DemoOptions, run_demo

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]


def processes_with(text: str) -> list[str]:
    """Command lines of all processes that hold `text`."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if text in line:
            lines.append(line)
    return lines


def test_a_day_is_answered_labelled_and_reported_and_nothing_stays(
    tmp_path: Path, year: Flights, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    report = tmp_path / "report.json"
    said: list[str] = []
    options = DemoOptions(report=report, until_ms=year_day_ms(2, 2))
    run_demo(
        options,
        role_commands=lambda name, port: role_commands(name, web_port=port),
        say=said.append,
    )
    found = json.loads(report.read_text())
    flights = len(year.between(year_day_ms(2), year_day_ms(2, 2)))
    assert flights > 800
    counts = ("requests", "predictions", "labels", "labelled")
    assert {name: found[name] for name in counts} == dict.fromkeys(counts, flights)
    assert (found["rejections"], found["dead_letters"], found["retrains"]) == (0, 0, 0)
    # January's model alone has answered: what it said is what it says.
    assert found["error_adaptive"] == found["error_static"] > 0.05
    assert len(found["model_versions"]) == 1
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]

    text = "\n".join(said)
    (bootstrap,) = re.findall(r"127\.0\.0\.1:\d+", text)
    assert f"{flights:,} of {flights:,} labels joined" in text
    assert not processes_with(str(tmp_path))
    assert not processes_with(bootstrap)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert "Traceback" not in capfd.readouterr().err

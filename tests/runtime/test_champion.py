from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.errors import BrokerError, IntegrityError
from streamapp.messages import Alert, AlertKind, Champion, Model
from streamapp.models import Keys
from streamapp.runtime.champion import ServedModel, load_verified
from streamapp.runtime.models_log import ModelsLog
from streamapp.settings import Settings
from tests.integration.conftest import make_bundle


def test_a_record_names_the_version_that_lies_there(tmp_path: Path) -> None:
    """Else a pointer to one version would serve another, whose hash the record gives."""
    bundle, settings = make_bundle(), Settings.of(name="it", keys=tmp_path / "keys")
    record = bundle.record(bundle.save(tmp_path / "b", key=Keys(settings.keys).local()[0]), "champion")
    assert load_verified(record, settings).version == bundle.version
    other = record.model_copy(update={"version": "0123456789ab\x1b[2J"})
    with pytest.raises(IntegrityError, match=f"this is version {bundle.version}, and 0123456789ab") as caught:
        load_verified(other, settings)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ("bad", [5, 10, 20, 40, 60, 60, 5]),
        ("away", [5, 5, 5, 5, 5, 5, 5]),
        ("not-mounted", [5, 5, 5, 5, 5, 5, 5]),
    ],
)
def test_a_champion_that_is_bad_is_looked_at_more_and_more_rarely_until_models_says_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, waits: list[float]
) -> None:
    """A store that is away is asked as often as ever: the champion answers as soon as it is back."""
    settings = Settings.of(name="it", keys=tmp_path / "keys")
    bundle = make_bundle()
    record = bundle.record(bundle.save(tmp_path / "b", key=Keys(settings.keys).local()[0]), "champion")
    if fault == "bad":
        (tmp_path / "b" / "manifest.json").write_text("{}")
    else:
        (tmp_path / "b").rename(tmp_path / "elsewhere")
        if fault == "away":
            (tmp_path / "b").touch()
    alerts: list[Alert] = []
    asked: list[float] = []

    async def raise_alert(alert: Alert) -> None:
        alerts.append(alert)

    async def wait_for(changed: Any, timeout: float) -> None:  # asyncio's own name
        changed.close()
        asked.append(timeout)
        if len(asked) == len(waits):
            raise asyncio.CancelledError
        if len(asked) < len(waits) - 1:  # then models says something
            raise TimeoutError

    async def follow() -> None:
        host: Any = SimpleNamespace(topics=settings.topics)
        models = ModelsLog(host)
        models.versions[record.version], models.champion = record, Champion(version=record.version, at=0)
        models.caught_up.set()
        monkeypatch.setattr(asyncio, "wait_for", wait_for)
        await ServedModel(settings, models, raise_alert).run()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(follow())
    assert asked == waits
    assert [alert.state for alert in alerts] == ["opened"], "it is said once"


def refusal(version: str, kind: AlertKind = "model-refused") -> Alert:
    id_ = f"{kind}-{version}"
    return Alert(id=id_, state="opened", kind=kind, subject=version, summary="", opened_at=1, updated_at=1)


def serve(settings: Settings, record: Model, monkeypatch: pytest.MonkeyPatch, said: Any) -> list[Alert]:
    """Serve `record` with `said` (records, or an error) in ``drift-alerts``; return the alerts raised."""
    alerts: list[Alert] = []

    async def raise_alert(alert: Alert) -> None:
        alerts.append(alert)

    async def read_topic(connection: object, topic: str) -> list[Any]:
        assert topic == settings.topics.drift_alerts
        if isinstance(said, Exception):
            raise said
        return [SimpleNamespace(value=value) for value in said]

    async def follow() -> None:
        host: Any = SimpleNamespace(topics=settings.topics)
        models = ModelsLog(host)
        models.versions[record.version], models.champion = record, Champion(version=record.version, at=0)
        models.caught_up.set()
        served = ServedModel(settings, models, raise_alert)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(served.run(), 0.5)
        assert served.current is not None
        assert served.refused == 0

    monkeypatch.setattr("streamapp.runtime.champion.read_topic", read_topic)
    asyncio.run(follow())
    return alerts


def test_a_refusal_of_before_a_restart_ends_once_a_version_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A package that a model lacks is installed, and all is started again: nobody else ends the alert."""
    settings = Settings.of(name="it", keys=tmp_path / "keys")
    bundle = make_bundle()
    record = bundle.record(bundle.save(tmp_path / "b", key=Keys(settings.keys).local()[0]), "champion")
    gone, over, slow = refusal(record.version), refusal("0123456789ab"), refusal("", "latency")
    said = [gone, over, slow, over.resolved("cleared")]
    alerts = serve(settings, record, monkeypatch, [b"{", None, *(alert.encode() for alert in said)])
    assert [(alert.id, alert.state, alert.resolution) for alert in alerts] == [
        (gone.id, "resolved", "cleared")
    ]

    assert serve(settings, record, monkeypatch, BrokerError("denied the topic it.drift-alerts")) == []
    assert "stay open: denied the topic it.drift-alerts" in caplog.text

"""``streamapp replay``."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.options import bootstrap_option, drift_option, json_option, store_option, time_of
from streamapp.cli.progress import ProgressLine

if TYPE_CHECKING:
    from streamapp.drift import Period, Replay, Step
    from streamapp.messages import Model
    from streamapp.profile import ColumnPolicy, Profile
    from streamapp.settings import Settings

__all__ = ["command"]


@click.command("replay")
@click.argument("name")
@click.option(
    "--since",
    metavar="TIME",
    default="start",
    show_default=True,
    help="Show what was from TIME on, e.g. 2011-05-02T08:00:00Z: the time of the requests.",
)
@click.option("--until", metavar="TIME", help="Show what was before TIME.")
@click.option(
    "--false-alarm-every", type=int, metavar="N", help="Requests per false alarm.  [default: as recorded]"
)
@click.option(
    "--clear-after",
    type=int,
    metavar="N",
    help="Requests without drift that resolve an alert.  [default: as recorded]",
)
@drift_option
@bootstrap_option
@store_option
@json_option
def command(
    name: str,
    *,
    since: str,
    until: str | None,
    false_alarm_every: int | None,
    clear_after: int | None,
    drift: dict[str, ColumnPolicy],
    bootstrap: str,
    store: str,
    as_json: bool,
) -> None:
    """Run the drift engine again over the recorded distributions of deployment NAME.

    With the settings that it runs with, that gives the alerts that are recorded, and it is said whether it
    does; with others, those that they would have raised. Settings are taken from the newest recorded alert,
    and from the environment where there is none. Nothing is written. Everything recorded is judged, whatever
    --since: windows and open alerts need their past.

    \b
    With --json, an object per line, in the order of events:
      {"round": {"from", "to", "events", "partitions"}, "version", "window",
       "name", "aspect", "z", "threshold", "effect", "over"}
                         for each window (a length in events) of each round, what
                         came closest to an alarm; over: |z| beyond its threshold
                         (an alert also needs an effect that is worth one)
      {"alert": {...}, "ce_id"}  each message, as in NAME.drift-alerts
      {"summary": {...}}         what was judged, skipped, and is otherwise recorded

    \b
    Example:
      streamapp replay bikes --since 2011-05-02T08:00:00Z
      streamapp replay bikes --false-alarm-every 20000
      streamapp replay bikes --drift temp:floor=0.3 --drift serial:watch=false
      streamapp replay bikes --json | jq 'select(.over)'
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.drift import DriftMonitor, Period  # noqa: PLC0415  # not needed for --help
    from streamapp.settings import Settings  # noqa: PLC0415

    period = Period(
        None if since == "start" else time_of("--since", since),
        None if until is None else time_of("--until", until),
    )
    if period.is_empty:
        raise click.UsageError(f"--until {until} must be later than --since {since}")
    settings = Settings.of(name=name, bootstrap=bootstrap, store=store)
    # Refused before anything is read.
    DriftMonitor.check(
        settings.false_alarm_every if false_alarm_every is None else false_alarm_every,
        settings.clear_after if clear_after is None else clear_after,
    )
    asyncio.run(_replay(settings, period, false_alarm_every, clear_after, drift, as_json=as_json))


async def _replay(
    settings: Settings,
    period: Period,
    every: int | None,
    clear_after: int | None,
    drift: dict[str, ColumnPolicy],
    *,
    as_json: bool,
) -> None:
    from streamapp.cli.replay_summary import ReplaySummary  # noqa: PLC0415
    from streamapp.drift import Recorded, Replay  # noqa: PLC0415
    from streamapp.errors import ConfigError  # noqa: PLC0415
    from streamapp.profile.policy import override  # noqa: PLC0415
    from streamapp.profile.policy_text import parse_policy  # noqa: PLC0415
    from streamapp.runtime.client import latest_models, read_batches, read_topic  # noqa: PLC0415

    names = settings.topics
    profiles = _Profiles((await latest_models(settings.connection, names)).versions, settings)
    recorded = Recorded(await read_topic(settings.connection, names.drift_alerts))
    live = (
        recorded.false_alarm_every or settings.false_alarm_every,
        recorded.clear_after or settings.clear_after,
    )
    chosen = live[0] if every is None else every, live[1] if clear_after is None else clear_after
    live_policy = parse_policy(settings.drift) if recorded.policy is None else recorded.policy
    policy = override(live_policy, drift)
    replay = Replay(
        settings.name,
        profiles,
        false_alarm_every=chosen[0],
        clear_after=chosen[1],
        policy=policy,
        period=period,
        with_windows=as_json,
    )
    show, progress, seen = _show_json if as_json else _show, ProgressLine(), 0
    async with aclosing(read_batches(settings.connection, names.distributions)) as batches:
        async for batch in batches:
            if seen:  # a short log is one batch, and no time to speak of
                progress(f"{seen:,} panes")
            for record in batch:
                step = replay.fold(record.value)
                if step.alerts or step.windows:
                    progress.close()
                    show(step, replay)
            seen += len(batch)
    progress.close()
    if not seen:
        raise ConfigError(
            f"nothing is recorded in {names.distributions} yet: "
            f"streamapp run {settings.name} writes there what it answers"
        )
    summary = ReplaySummary(
        replay,
        recorded,
        period,
        chosen,
        is_live=chosen == live and policy == live_policy,
        missing=profiles.missing,
        policy=policy,
    )
    summary.check()
    click.echo(json.dumps({"summary": summary.to_dict()}) if as_json else summary.text())


class _Profiles:
    """Profiles of versions, from their bundles; no model is loaded.

    A bundle that no longer lies where ``models`` says is looked for in the store, by the end of its URL.
    """

    def __init__(self, versions: dict[str, Model], settings: Settings) -> None:
        self._versions = versions
        self._settings = settings
        self._profiles: dict[str, Profile | None] = {}
        self.missing: dict[str, str] = {}
        """Why there is none, by version."""

    def __call__(self, version: str) -> Profile | None:
        if version not in self._profiles:
            self._profiles[version] = self._read(version)
        return self._profiles[version]

    def _read(self, version: str) -> Profile | None:
        from streamapp.errors import StreamappError  # noqa: PLC0415
        from streamapp.models import Bundle  # noqa: PLC0415

        record = self._versions.get(version)
        if record is None:
            self.missing[version] = f"{self._settings.topics.models} has no record of it"
            return None
        in_store = "/".join([self._settings.store, *record.bundle.split("/")[-2:]])
        reasons = []
        for url in (record.bundle, in_store):
            try:
                return Bundle.inspect(url, trust=self._settings.keys, sha256=record.sha256).profile
            except StreamappError as exc:
                reasons.append(str(exc))
        self.missing[version] = reasons[0]
        return None


def _show(step: Step, _: Replay) -> None:
    from streamapp.cli.lines import line_of_alert  # noqa: PLC0415

    for alert in step.alerts:
        click.echo(line_of_alert(alert))


def _show_json(step: Step, replay: Replay) -> None:
    from streamapp.drift import event_id  # noqa: PLC0415

    if step.round is not None:
        span = step.round.window().model_dump(mode="json", by_alias=True)
        for window in step.windows:
            line: dict[str, Any] = {
                "round": span,
                "version": replay.version,
                "window": window.span.events,
                "name": window.name,
                "aspect": window.aspect,
                "z": round(window.z, 3),
                "threshold": round(window.threshold, 3),
                "effect": round(window.effect, 4),
                "over": abs(window.z) > window.threshold,
            }
            click.echo(json.dumps(line))
    for alert in step.alerts:
        fields = alert.model_dump(mode="json", by_alias=True)
        click.echo(json.dumps({"alert": fields, "ce_id": event_id(alert)}))

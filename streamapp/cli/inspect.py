"""``streamapp inspect``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli.options import json_option
from streamapp.errors import shown

if TYPE_CHECKING:
    from streamapp.drift.explain_policy import SubjectPolicy
    from streamapp.models import Bundle
    from streamapp.settings import Settings

__all__ = ["command"]

_LONGEST = 4_000


@click.command("inspect")
@click.argument("bundle")
@json_option
def command(bundle: str, *, as_json: bool) -> None:
    """Say what is in BUNDLE, a folder or an fsspec URL: signature, drift policy, training, hashes, seal.

    All hashes are verified; no code of the model is loaded. The drift policy is shown as it is in force here:
    STREAMAPP_FALSE_ALARM_EVERY and STREAMAPP_DRIFT win over the bundle.

    \b
    Of each column (and of correlations and outputs), for drift:
      tested   its aspects, and from how many rows of a window on each is judged
      64 rows  about the smallest change that the smallest window can show: an
               effect size, or in how many of its rows a share must be met
      floor    effect size below which nothing is drift
      budget   its part of the false alarms; all together 100 %
      |z|      the threshold, of a look after 64 requests

    \b
    Example:
      streamapp inspect bundles/bikes
      streamapp inspect s3://models/bikes/7c1f0d2a9b44 --json
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.drift.explain_policy import explain_policy  # noqa: PLC0415  # not needed for --help
    from streamapp.models import Bundle  # noqa: PLC0415
    from streamapp.profile.policy_text import parse_policy  # noqa: PLC0415
    from streamapp.settings import Settings  # noqa: PLC0415

    found = Bundle.inspect(bundle)
    settings = Settings.of(name=found.manifest.name)
    policy = explain_policy(
        found.profile, parse_policy(settings.drift), false_alarm_every=settings.false_alarm_every
    )
    fields = _fields(found, policy, settings)
    if as_json:
        click.echo(json.dumps(fields))
        return
    _say(found, fields, policy)


def _fields(bundle: Bundle, policy: list[SubjectPolicy], settings: Settings) -> dict[str, Any]:
    from streamapp.drift.explain_policy import SMALLEST  # noqa: PLC0415

    manifest, signature, seal = bundle.manifest, bundle.signature, bundle.packed.seal
    profiles = {column.name: column for column in bundle.profile.columns}
    return {
        **json.loads(manifest.encode()),
        "version": bundle.version,
        "bundle": bundle.url,
        "sha256": bundle.sha256,
        "task": signature.task,
        "target": signature.target,
        "classes": signature.classes,
        "input": signature.input,
        "personal": signature.personal,
        "columns": [
            column.to_dict() | {"kind": str(profiles[column.name].kind), "watched": profiles[column.name].why}
            for column in signature.columns
        ],
        "correlations": len(bundle.profile.pairs),
        "drift": {
            "false_alarm_every": settings.false_alarm_every,
            "window_rows": SMALLEST,
            "subjects": [asdict(each) for each in policy],
        },
        "season": _season(bundle),
        "segments": {column.name: column.levels for column in bundle.segments.columns},
        "golden_rows": len(bundle.golden.rows),
        "baseline": None
        if bundle.baseline is None
        else {key: value for key, value in bundle.baseline.to_dict().items() if key != "losses"},
        "seal": {"status": bundle.seal_status, "key": None if seal is None else seal.fingerprint},
        "warnings": bundle.warnings,
    }


def _say(bundle: Bundle, fields: dict[str, Any], policy: list[SubjectPolicy]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from streamapp.cli.policy_table import policy_tables  # noqa: PLC0415

    manifest, signature = bundle.manifest, bundle.signature
    classes = f" of {', '.join(map(str, signature.classes))}" if signature.classes else ""
    form = "rows" if signature.input == "rows" else f"a {signature.input}"
    facts = {
        "predicts": f"{signature.target or 'its target'}: {signature.task}{classes}",
        "format": f"{manifest.format}, takes {form} of {len(signature.columns)} columns",
        "packed": fields["created_at"] or "time not noted",
        "trained": fields["trained_at"] or "time not noted",
        "newest data": fields["newest_training_data_at"] or "time not noted",
        "trained on": "; ".join(
            f"{each.topic}/{each.partition} [{each.start}, {each.end})" for each in manifest.training_data
        )
        or "not from topics",
        "caused by": manifest.caused_by,
        "packed with": ", ".join(f"{name} {version}" for name, version in manifest.libraries.items()),
        "reference": f"{manifest.reference_rows:,} rows",
        "loss": manifest.loss + (f", scale {manifest.loss_scale:.4g}" if manifest.loss_scale else ""),
        "baseline": "none: from the first 2,000 live rows"
        if bundle.baseline is None
        else f"{bundle.baseline.mean:.4g} on {bundle.baseline.rows:,} holdout rows",
        "segments": "; ".join(f"{name}: {', '.join(levels)}" for name, levels in fields["segments"].items())
        or None,
        "drift": f"{len(signature.columns)} columns as below, {_correlations(bundle)}; one false alarm in "
        f"{fields['drift']['false_alarm_every']:,} requests (in how many days: streamapp doctor "
        f"{manifest.name})",
        "daily cycle": _season(bundle),
        "golden rows": str(len(bundle.golden.rows)),
        "personal": _personal(bundle),
        "seal": _seal_line(bundle),
    }
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 160  # a pipe has no width of its own
    console.print(Text(f"{manifest.name} {bundle.version}", style="bold"))
    for name, text in facts.items():
        if text is not None:
            console.print(Text(f"  {name:<12} {shown(text, _LONGEST)}"))
    table = Table("column", "type", "accepts", box=None, padding=(0, 2, 0, 2), header_style="bold")
    for column in fields["columns"]:
        table.add_row(Text(shown(column["name"])), column["dtype"], Text(shown(_accepts(column), _LONGEST)))
    console.print(table, soft_wrap=False)
    console.print()
    for part in policy_tables(policy, width=console.width):
        console.print(part, soft_wrap=False)
        console.print()
    for path, entry in sorted(manifest.files.items()):
        console.print(Text(f"  {entry.sha256}  {entry.bytes:>10,} bytes  {path}"))
    console.print(Text(f"  {bundle.sha256}  {len(manifest.encode()):>10,} bytes  manifest.json"))
    for warning in bundle.warnings:
        click.echo(f"warning: {warning}", err=True)


def _correlations(bundle: Bundle) -> str:
    mixtures = len(bundle.profile.mixtures)
    rest = f", {mixtures} random sums of numeric columns for the dependence of the others" if mixtures else ""
    return f"{len(bundle.profile.pairs)} correlations{rest}"


def _season(bundle: Bundle) -> str:
    from streamapp.profile.season_text import explain_season  # noqa: PLC0415

    return explain_season(bundle.profile)


def _personal(bundle: Bundle) -> str | None:
    signature = bundle.signature
    parts = [f"{column.name} ({column.personal})" for column in signature.columns if column.personal]
    parts += [f"{name} (no input)" for name in signature.personal]
    if signature.withheld:
        parts.append("answers do not show the inputs among them, so retraining and challengers are off")
    return "; ".join(parts) or None


def _seal_line(bundle: Bundle) -> str:
    seal = bundle.packed.seal
    if seal is None:
        return "none: formats that can run code will not be loaded"
    if bundle.seal_status == "trusted":
        return f"trusted, by key {seal.fingerprint}"
    return f"UNTRUSTED, by key {seal.fingerprint}: `streamapp keys trust FILE.pub` if you trust its holder"


def _accepts(column: dict[str, Any]) -> str:
    parts = ["missing"] if column["nullable"] else []
    if column["closed"] and column.get("personal"):
        parts.append(f"only its {len(column['categories'])} levels")
    elif column["closed"]:
        parts.append(f"only {', '.join(map(str, column['categories']))}")
    if column["bounds"]:
        low, high = column["bounds"]
        parts += [f"at least {low:g}"] if low is not None else []
        parts += [f"at most {high:g}"] if high is not None else []
    return "; ".join(parts) or "any"

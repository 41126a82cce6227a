"""Which version serves, whether its bundle can be trusted, and what is watched of it."""

from __future__ import annotations

import asyncio

from streamapp.errors import StreamappError
from streamapp.messages import Labelled, format_time, header, load_object
from streamapp.models import Bundle, Keys
from streamapp.models.folder import Folder
from streamapp.models.formats import load_format
from streamapp.models.loading import model_files, strange_types
from streamapp.profile import Profile
from streamapp.profile.season import is_cyclic
from streamapp.runtime.answered_rows import read_newest
from streamapp.runtime.checks.case import Case, Line
from streamapp.runtime.checks.offsets import offset_bounds
from streamapp.runtime.client import latest_models
from streamapp.wording import many

__all__ = ["baseline", "bundle", "champion", "store", "versions"]

_BASELINE_ROWS = 2_000


async def store(case: Case) -> list[Line]:
    """Whether the store answers, into which trainings put their bundles."""
    folder = await asyncio.to_thread(Folder, case.settings.store)
    await asyncio.to_thread(folder.read, f"{case.name}/none", limit=0)
    await asyncio.to_thread((folder / case.name).names)  # a bucket that does not exist answers to reading
    return [Line("ok", f"{folder.url} answers")]


async def champion(case: Case) -> list[Line]:
    """Whether `models` names a version that is known."""
    case.models = await latest_models(case.connection, case.settings.topics)
    pointer, serving = case.models.champion, case.models.serving
    if pointer is None:
        return [
            Line(
                "FAIL", f"no version is champion: streamapp deploy {case.name} BUNDLE", mistake="no-champion"
            )
        ]
    if serving is None:
        known = ", ".join(case.models.versions) or "none is known"
        return [
            Line(
                "FAIL",
                f"the champion is {pointer.version}, of which there is no record: "
                f"streamapp models {case.name} promote VERSION ({known})",
                mistake="no-champion",
            )
        ]
    others = many(len(case.models.versions) - 1, "other version")
    return [Line("ok", f"{serving.version}, since {format_time(pointer.at)[:19]}Z; {others}")]


async def bundle(case: Case) -> list[Line]:
    """Whether the champion's bundle is there, unchanged, and sealed by a key that is trusted."""
    serving = case.models.serving
    assert serving is not None
    elsewhere = f"streamapp models {case.name} rollback serves the version before it"
    try:
        found = await asyncio.to_thread(
            Bundle.inspect, serving.bundle, trust=case.settings.keys, sha256=serving.sha256
        )
        look = load_format(found.manifest.format).runs_code
        # In a thread: it may be TensorFlow that is imported.
        runs_code = await asyncio.to_thread(look, model_files(found.packed))
    except StreamappError as exc:
        remedy = f"put an unchanged copy of the bundle there; until then {elsewhere}"
        return [Line("FAIL", f"{serving.version} cannot be read: {exc}: {remedy}", mistake="bad-bundle")]
    case.bundle = found
    types = Keys(case.settings.keys).types()
    if strange := strange_types(found.manifest.format, model_files(found.packed), types):
        return [
            Line(
                "FAIL",
                f"{found.version} holds types that are not trusted here: if you know them, streamapp keys "
                f"trust-type {' '.join(strange)}; {elsewhere}",
                mistake="no-trust",
            )
        ]
    seal = found.packed.seal
    if found.seal_status == "trusted" and seal is not None:
        return [
            Line("ok", f"{found.manifest.format}, all hashes right, sealed by trusted key {seal.fingerprint}")
        ]
    if not runs_code:
        return [Line("ok", f"{found.manifest.format}, all hashes right")]
    how = "has no seal" if seal is None else f"is sealed by key {seal.fingerprint}, which is not trusted here"
    return [
        Line(
            "FAIL",
            f"{found.version} {how}, and {found.manifest.format} can run code: streamapp keys trust FILE.pub "
            f"if you trust its maker; {elsewhere}",
            mistake="no-trust",
        )
    ]


async def versions(case: Case) -> list[Line]:
    """Whether the model runs with the libraries that it was packed with."""
    assert case.bundle is not None
    if case.bundle.warnings:
        return [
            Line("warn", f"{warning}; pack it again here to be sure", mistake="other-versions")
            for warning in case.bundle.warnings
        ]
    packed = ", ".join(
        f"{name} {version}" for name, version in sorted(case.bundle.manifest.libraries.items())
    )
    return [Line("ok", f"packed with {packed}; what runs here is near enough")]


async def baseline(case: Case) -> list[Line]:
    """Whether there is something to compare outputs and losses with."""
    assert case.bundle is not None
    if case.bundle.baseline is not None:
        return [Line("ok", f"{case.bundle.baseline.rows:,} holdout rows: {_watched(case.bundle.profile)}")]
    answers, labelled = await _answers(case), await _labelled(case)
    if min(answers, labelled) >= _BASELINE_ROWS and not _awaits_scale(case):
        return [Line("ok", f"its first {_BASELINE_ROWS:,} live rows: {_watched(case.bundle.profile)}")]
    return [
        Line(
            "warn",
            f"no-baseline: packed without --holdout, so alerts on outputs are off until {_BASELINE_ROWS:,} "
            f"answers (about {answers:,} so far), on accuracy until {_BASELINE_ROWS:,} labelled rows "
            f"({labelled:,} so far): wait, or pack it with --holdout",
            mistake="no-baseline",
        )
    ]


def _watched(profile: Profile) -> str:
    outputs = profile.judged_outputs
    if (outputs is not None and outputs.has_baseline) or not is_cyclic(profile.season):
        return "outputs and accuracy are watched"
    why = "inputs have a daily cycle, and no holdout tells that of outputs"
    return f"accuracy is watched; outputs once live rows cover three days, since {why}"


def _awaits_scale(case: Case) -> bool:
    """Return whether monitor has yet to tell which error of a regressor counts as a loss of 1."""
    assert case.bundle is not None
    manifest, serving = case.bundle.manifest, case.models.serving
    knows = manifest.loss_scale is not None or (serving is not None and serving.loss_scale is not None)
    return manifest.loss == "absolute" and not knows


async def _answers(case: Case) -> int:
    """Return about how many requests the champion has answered in its reign."""
    serving = case.models.serving
    topic = case.settings.topics.requests
    if serving is None or not serving.since or not case.existing(topic):
        return 0
    bounds = await offset_bounds(case.connection, [topic])
    since = {int(partition): offset for partition, offset in serving.since.items()}
    return sum(max(end - since[at.partition], 0) for at, (_, end) in bounds.items() if at.partition in since)


async def _labelled(case: Case) -> int:
    """Return how many of the newest labelled rows are answers of the champion, first labels only."""
    topic = case.settings.topics.labelled
    if not case.existing(topic) or case.bundle is None:
        return 0
    count = 0
    for record in await read_newest(case.connection, topic, 2 * _BASELINE_ROWS):
        if header(record.headers, "ce_type") == Labelled.ce_type.encode():
            row = load_object(record.value)
            model = row.get("model")
            count += (
                isinstance(model, dict)
                and model.get("version") == case.bundle.version
                and not row.get("revision")
            )
    return count

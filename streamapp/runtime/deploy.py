"""What decides which version is served, from outside the roles: deploy, promote, roll back.

The pointer ``champion`` alone decides, and these commands write it themselves, so that the score role by
itself is enough to serve. A version's record is created here and not written again here: JUDGE, which reads
the same topic, says afterwards that the former champion has retired. Until it does, a record may call itself
champion while the pointer names another; :func:`effective_state` says what holds.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamapp.errors import ConfigError, StreamappError
from streamapp.messages import CHAMPION_KEY, Champion, Model, caused_id
from streamapp.models import Bundle, Keys, Store
from streamapp.models.personal import not_learned_line, secret_line, unjudged_line
from streamapp.rollout.states import effective_state
from streamapp.runtime.admin import create_topics
from streamapp.runtime.broker_errors import TIMEOUT_S
from streamapp.runtime.client import Models, Publication, latest_models, partition_counts, publish
from streamapp.settings import Settings
from streamapp.topics import TopicNames

__all__ = ["Deployed", "deploy", "effective_state", "promote", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What a deployment did.

    Attributes
    ----------
    version
        Of the bundle.
    state
        What it is now.
    bundle
        Absolute URL at which the store holds it.
    topics
        Those that were created.
    replaced
        The version that was champion before, None if there was none or it is the same.
    changed
        Whether anything was written to ``models``; a repetition changes nothing.
    notes
        What a person should know, a line each.
    """

    name: str
    version: str
    state: Literal["champion", "challenger"]
    bundle: str
    topics: tuple[str, ...]
    replaced: str | None
    changed: bool
    notes: tuple[str, ...] = ()


async def deploy(
    settings: Settings,
    bundle: Bundle | str | Path,
    *,
    challenger: bool = False,
    partitions: int | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Deployed:
    """Verify a bundle, create what topics are missing, store the bundle, make it champion or challenger.

    Doing it again changes nothing.

    Parameters
    ----------
    settings
        Name, brokers, store, keys, label horizon and largest request of the deployment.
    bundle
        Or where it lies.
    challenger
        Let the gate judge it against the champion, which goes on serving.
    partitions
        Of ``requests``, if it does not exist yet; default 4.
    timeout_s
        After which the cluster counts as not answering.

    Raises
    ------
    IntegrityError, BundleError, PredictionError
        If the bundle fails a check; nothing was written.
    ConfigError
        If there is no champion to challenge, or the version has been judged before.
    BrokerError, StoreError
        If one of them does not answer.
    """
    if not isinstance(bundle, Bundle):
        bundle = await asyncio.to_thread(Bundle.load, bundle, trust=settings.keys)
    await asyncio.to_thread(bundle.check_golden)
    names = settings.topics
    await partition_counts(
        settings.connection, (), timeout_s=timeout_s
    )  # to fail fast: creation takes longer
    created = await create_topics(
        settings.connection,
        names,
        partitions=partitions,
        label_horizon_s=settings.label_horizon_s,
        max_request_bytes=settings.max_request_bytes,
    )
    models = await latest_models(settings.connection, names, timeout_s=timeout_s)
    if challenger:
        _check_challenger(settings.name, bundle, models)
    notes = await asyncio.to_thread(_notes, settings, bundle, models)
    url = await asyncio.to_thread(_store, settings, bundle)
    now_ms = _now_ms()
    publications = []
    known = models.versions.get(bundle.version)
    if known is None or known.bundle != url:
        publications.append(
            _record(names, bundle.record(url, "challenger" if challenger else "champion"), now_ms)
        )
    before = models.champion.version if models.champion else None
    if not challenger and before != bundle.version:
        publications.append(_pointer(names, bundle.version, now_ms))
    await publish(settings.connection, settings.name, publications, timeout_s=timeout_s)
    return Deployed(
        name=settings.name,
        version=bundle.version,
        state="challenger" if challenger else "champion",
        bundle=url,
        topics=tuple(created),
        replaced=None if challenger or before == bundle.version else before,
        changed=bool(publications),
        notes=notes,
    )


async def promote(
    settings: Settings, version: str, *, timeout_s: float = TIMEOUT_S
) -> tuple[str | None, str]:
    """Point at `version`, of which the first digits are enough; return the champions before and after.

    Raises
    ------
    ConfigError
        If no version, or more than one, begins like that.
    """
    models = await latest_models(settings.connection, settings.topics, timeout_s=timeout_s)
    found = [known for known in models.versions if known.startswith(version)]
    if version in found:
        found = [version]
    if len(found) != 1:
        known = ", ".join(found or models.versions) or "none"
        problem = "is the beginning of more than one" if found else "is unknown"
        raise ConfigError(f"version {version!r} {problem}; choose one of: {known}")
    return await _point_at(settings, models, found[0], timeout_s=timeout_s)


async def rollback(settings: Settings, *, timeout_s: float = TIMEOUT_S) -> tuple[str | None, str]:
    """Point at the champion before the present one; return the champions before and after.

    Raises
    ------
    ConfigError
        If there was none.
    """
    models = await latest_models(settings.connection, settings.topics, timeout_s=timeout_s)
    former = _former(models)
    if former is None:
        raise ConfigError(
            f"{settings.name} has had no champion before this one: there is nothing to go back to"
        )
    return await _point_at(settings, models, former, timeout_s=timeout_s)


async def _point_at(
    settings: Settings, models: Models, version: str, *, timeout_s: float
) -> tuple[str | None, str]:
    before = models.champion.version if models.champion else None
    if before != version:
        pointer = _pointer(settings.topics, version, _now_ms())
        await publish(settings.connection, settings.name, [pointer], timeout_s=timeout_s)
    return before, version


def _former(models: Models) -> str | None:
    """Return the champion before this one: by the pointer's history, or by state where that is compacted."""
    now = models.champion.version if models.champion else None
    for pointer in reversed(models.pointers):
        if pointer.version != now and pointer.version in models.versions:
            return pointer.version
    served = [m for m in models.versions.values() if m.state in {"champion", "retired"} and m.version != now]
    return max(served, key=lambda model: model.trained_at or 0).version if served else None


def _check_challenger(name: str, bundle: Bundle, models: Models) -> None:
    if models.serving is None:
        raise ConfigError(f"{name} has no champion to challenge yet: deploy without --challenger")
    known = models.versions.get(bundle.version)
    state = effective_state(known, models.champion) if known else None
    if state not in {None, "candidate", "challenger"}:
        raise ConfigError(
            f"version {bundle.version} is {state} already; "
            f"streamapp models {name} promote {bundle.version} makes it champion without the gate"
        )
    if lacking := bundle.signature.lacking(models.serving.withheld):
        raise ConfigError(f"{name}: {unjudged_line(bundle.version, lacking)}")


def _notes(settings: Settings, bundle: Bundle, models: Models) -> tuple[str, ...]:
    """Compare the bundle with the deployment and with what serves now."""
    notes = list(bundle.warnings)
    if bundle.manifest.name != settings.name:
        notes.append(f"the bundle is named {bundle.manifest.name!r}; it serves here as {settings.name!r}")
    if not settings.answer_features:
        notes.append("answers leave the features out: nothing can be learned from them")
    notes += _privacy_notes(settings, bundle)
    if models.serving is None or models.serving.version == bundle.version:
        return tuple(notes)
    try:
        serving = Bundle.inspect(models.serving.bundle, trust=settings.keys)
    except StreamappError as exc:
        return (*notes, f"the champion {models.serving.version} cannot be compared with it: {exc}")
    if serving.signature.task != bundle.signature.task:
        raise ConfigError(
            f"{settings.name} answers a {serving.signature.task} and this is a {bundle.signature.task}: "
            "deploy it under another name"
        )
    if serving.signature.classes != bundle.signature.classes:
        notes.append(f"classes were {serving.signature.classes} and are {bundle.signature.classes} here")
    if serving.manifest.loss != bundle.manifest.loss:
        notes.append(f"the loss was {serving.manifest.loss} and is {bundle.manifest.loss} here")
    if open_ := set(serving.signature.marked) - set(bundle.signature.marked):
        notes.append(f"no longer personal, so written as they are: {', '.join(sorted(open_))}")
    new = {column.name for column in bundle.signature.columns if not column.nullable}
    if new := new - {column.name for column in serving.signature.columns}:
        notes.append(f"columns that requests must have from now on: {', '.join(sorted(new))}")
    return tuple(notes)


def _privacy_notes(settings: Settings, bundle: Bundle) -> list[str]:
    """Say what personal columns switch off, and make the secret of their hashes if there is none yet."""
    notes = []
    if withheld := bundle.signature.withheld:
        notes.append(not_learned_line(withheld))
    if bundle.signature.is_hashed:
        keys = Keys(settings.keys)
        _, is_new = keys.personal_secret()
        made = "made now" if is_new else "is there"
        notes.append(f"the secret that hashes personal columns {made}: {secret_line(keys.secret)}")
    return notes


def _store(settings: Settings, bundle: Bundle) -> str:
    key = Keys(settings.keys).local()[0] if bundle.packed.seal is None else None
    return Store(settings.store).put(bundle, key=key)


def _record(names: TopicNames, model: Model, now_ms: int) -> Publication:
    ce_id = caused_id("model", names.deployment, model.version, model.state, model.bundle)
    return Publication(
        topic=names.models, key=model.version.encode(), message=model, ce_id=ce_id, time_ms=now_ms
    )


def _pointer(names: TopicNames, version: str, now_ms: int) -> Publication:
    message = Champion(version=version, at=now_ms)
    ce_id = caused_id("champion", names.deployment, version, now_ms)
    return Publication(topic=names.models, key=CHAMPION_KEY, message=message, ce_id=ce_id, time_ms=now_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

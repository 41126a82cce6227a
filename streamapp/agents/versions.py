"""The versions of the model as the monitor role sees them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Self, TypeVar

from streamapp.errors import StreamappError
from streamapp.messages import Model
from streamapp.models import Baseline, Bundle, Signature
from streamapp.models.golden import Golden
from streamapp.models.lineage import original
from streamapp.models.loading import model_files
from streamapp.profile import Profile
from streamapp.runtime.host import Host
from streamapp.runtime.log_fields import cause
from streamapp.runtime.models_log import ModelsLog

__all__ = ["Versions", "Watched", "forget_oldest"]

_PATIENCE_S = 10.0
_RETRY_S = 5.0
"""Until a store that gave no answer is asked again."""
_GIVE_UP_S = 600.0
"""Until the store of a version that serves no more is asked no longer."""
_LOOK_AGAIN_S = 30.0
"""Until a champion is looked at again whose bundle was bad: all of it is read."""
_KEPT = 8
"""Versions of which something is kept: around a change answers of two or three are read at once."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class Watched(NamedTuple):
    """What is kept of a version for some time: not the bytes of its model."""

    profile: Profile
    signature: Signature
    golden: Golden
    baseline: Baseline | None
    files: frozenset[str]
    """SHA-256 of the model's own."""

    @classmethod
    def read(cls, url: str, **options: Any) -> Self:
        """Read what is kept of the bundle at `url`; options and errors as of ``Bundle.inspect``."""
        return cls.of(Bundle.inspect(url, **options))

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Return what is kept of `bundle`."""
        entries = bundle.manifest.files
        files = frozenset(entries[path].sha256 for path in model_files(bundle.packed))
        return cls(bundle.profile, bundle.signature, bundle.golden, bundle.baseline, files)

    def answers_as(self, other: Watched) -> bool:
        """Return whether it is known to answer as `other` does: the same model, or the same golden rows."""
        return self.files == other.files or self.golden.agrees(other.golden)


class Versions:
    """Reads the models log and caches what it needs of the bundles.

    Parameters
    ----------
    host
        Of the process.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.log = ModelsLog(host)
        self._bundles: dict[str, Bundle] = {}
        self._watched: dict[str, Watched | None] = {}
        self._refused_until: dict[str, float] = {}
        self._questions: dict[tuple[str, str], asyncio.Task[Any]] = {}
        host.task(self.log.run)

    async def record(self, version: str) -> Model | None:
        """Return the record of `version`, waiting a moment for it: it was written before it served."""
        await self.log.caught_up.wait()
        clock = asyncio.get_running_loop().time
        until = clock() + _PATIENCE_S
        while version not in self.log.versions and clock() < until:
            await asyncio.sleep(0.05)
        return self.log.versions.get(version)

    async def watched(self, version: str) -> Watched | None:
        """Return what is known of `version` without its model; None if it has no record, or a bad bundle.

        Either is final. As long as the store gives no answer it is asked again, also when whoever called has
        given up waiting: the next one may find it known. A version that serves no more is given up after a
        while, as its store may be gone for good.
        """
        if version in self._watched:
            self._watched[version] = found = self._watched.pop(version)  # the newest
            return found
        return await self._once("watched", version, self._inspect)

    async def _inspect(self, version: str) -> Watched | None:
        self._watched[version] = found = await self._read("watched", version, Watched.read)
        return found

    async def bundle(self, version: str) -> Bundle | None:
        """Return the bundle of `version`, verified and loaded; None if it has no record, or a bad bundle.

        The store is asked as by :meth:`watched`. But None is final only of a version that serves no more: a
        champion may be mended, or its key trusted, and is looked at again now and then.
        """
        if version in self._bundles:
            return self._bundles[version]
        clock = asyncio.get_running_loop().time
        looked = self._refused_until.get(version)
        if looked is not None and (clock() < looked or not self._serves(version)):
            return None
        return await self._once("judged", version, self._load)

    async def _load(self, version: str) -> Bundle | None:
        bundle = await self._read("judged", version, Bundle.load)
        if bundle is None:
            self._refused_until[version] = asyncio.get_running_loop().time() + _LOOK_AGAIN_S
        else:
            self._refused_until.pop(version, None)
            self._bundles[version] = bundle
        return bundle

    async def _once(self, what: str, version: str, ask: Callable[[str], Coroutine[Any, Any, T]]) -> T:
        """Return what `ask` finds, which goes on when whoever has called gives up, for the next one."""
        question = self._questions.get((what, version))
        if question is None:
            question = self._questions[what, version] = asyncio.create_task(ask(version))
            question.add_done_callback(lambda _: self._questions.pop((what, version), None))
        found: T = await asyncio.shield(question)
        return found

    async def _read(self, what: str, version: str, read: Callable[..., T]) -> T | None:
        await self.record(version)
        clock = asyncio.get_running_loop().time
        is_said, until = False, clock() + _GIVE_UP_S
        while (record := self.log.versions.get(version)) is not None:  # its bundle may lie elsewhere by now
            try:
                return await self._of_store(read, record)
            except StreamappError as exc:
                if not exc.retriable or (clock() >= until and not self._serves(version)):
                    log.warning("a version cannot be %s: %s", what, cause(exc), extra={"version": version})
                    return None
                if not is_said:
                    log.warning(
                        "the bundle of a version is waited for: %s", cause(exc), extra={"version": version}
                    )
                is_said = True
                await asyncio.sleep(_RETRY_S)
        log.warning("a version cannot be %s: it has no record", what, extra={"version": version})
        return None

    async def _of_store(self, read: Callable[..., T], record: Model) -> T:
        """Return what `read`, a reader of bundles, makes of that of `record`."""
        keys = self._host.settings.keys
        return await asyncio.to_thread(read, record.bundle, trust=keys, sha256=record.sha256)

    def _serves(self, version: str) -> bool:
        """Return whether `version` may be the champion, or what that is a snapshot of."""
        champion = self.log.champion
        return champion is None or version in {
            champion.version,
            original(champion.version, self.log.versions),
        }

    def known(self, version: str) -> Watched | None:
        """Return what :meth:`watched` has fetched of `version`, if it is not forgotten."""
        return self._watched.get(version)

    def profile_of(self, version: str) -> Profile | None:
        """Return the profile of `version` if :meth:`watched` has fetched it."""
        found = self.known(version)
        return None if found is None else found.profile

    async def answers_since(self, version: str, since: dict[int, int]) -> None:
        """Note the first request of each partition that `version` answered in its latest reign."""
        await self.record(version)
        named = {str(partition): offset for partition, offset in since.items()}
        await self.log.update(version, lambda record: record.model_copy(update={"since": named}))

    async def load(self, record: Model) -> Bundle:
        """Return the bundle of `record`, verified and loaded; raise StreamappError if that fails now."""
        if record.version not in self._bundles:
            self._bundles[record.version] = await self._of_store(Bundle.load, record)
        return self._bundles[record.version]

    def forget(self, keep: set[str]) -> None:
        """Let go of the bundles of all versions but `keep`."""
        for version in self._bundles.keys() - keep:
            del self._bundles[version]

    def forget_watched(self) -> None:
        """Forget what was fetched of all versions but the newest: one that learns is a new one ever again."""
        forget_oldest(self._watched)


def forget_oldest(known: dict[str, Any]) -> None:
    """Remove all entries but the newest, those that stand last; None takes no room, and stays."""
    held = [version for version, found in known.items() if found is not None]
    for version in held[:-_KEPT]:
        del known[version]

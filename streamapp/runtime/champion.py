"""The model that serves: loaded and verified beside the stream, swapped between two batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from streamapp.errors import BrokerError, ConfigError, IntegrityError, MessageError, StreamappError, shown
from streamapp.messages import Alert, Champion, Model, ModelRef, caused_id
from streamapp.models import Bundle, Keys
from streamapp.models.personal import secret_line
from streamapp.runtime.client import latest_models, read_topic
from streamapp.runtime.log_fields import cause
from streamapp.runtime.models_log import ModelsLog
from streamapp.settings import Settings

__all__ = ["ServedModel", "inspect_champion", "load_verified"]

_RETRY_S = 5.0
_LONGEST_RETRY_S = 60.0
"""Between two looks at a champion whose bundle is bad: each reads all of it."""

log = logging.getLogger(__name__)


def load_verified(record: Model, settings: Settings) -> Bundle:
    """Return the bundle of `record`: hashes and seal verified, loaded, golden rows answered as recorded.

    If it hashes personal columns, there is a secret for it: made now, if there was none.
    """
    bundle = Bundle.load(record.bundle, trust=settings.keys, sha256=record.sha256)
    if bundle.version != record.version:
        raise IntegrityError(
            f"{bundle.url}: this is version {bundle.version}, and {shown(record.version)} was announced"
        )
    bundle.check_golden()
    if bundle.signature.is_hashed:
        keys = Keys(settings.keys)
        _, is_new = keys.personal_secret()
        if is_new:
            log.warning("the secret that hashes personal columns is made now: %s", secret_line(keys.secret))
    return bundle


async def inspect_champion(settings: Settings) -> Bundle:
    """Return the champion's bundle as ``models`` and the store have it now, the model not loaded.

    Raises
    ------
    ConfigError
        If there is no champion.
    BundleError, IntegrityError
        If the bundle is not as it was.
    BrokerError, StoreError
        If one of them does not answer.
    """
    serving = (await latest_models(settings.connection, settings.topics)).serving
    if serving is None:
        raise ConfigError(f"{settings.name} has no champion yet: streamapp deploy {settings.name} BUNDLE")
    return await asyncio.to_thread(Bundle.inspect, serving.bundle, trust=settings.keys, sha256=serving.sha256)


class ServedModel:
    """Follows the champion pointer. A version that fails any check is refused, and the one before goes on.

    Parameters
    ----------
    settings
        Of the role.
    models
        The models log, run elsewhere.
    raise_alert
        Publishes an alert.
    """

    def __init__(
        self, settings: Settings, models: ModelsLog, raise_alert: Callable[[Alert], Awaitable[None]]
    ) -> None:
        self._settings = settings
        self._models = models
        self._raise_alert = raise_alert
        self._changed = asyncio.Event()
        self._refused: dict[str, Alert] = {}
        self._has_looked_back = False
        self._usable = asyncio.Event()
        self._retry_s = _RETRY_S
        self.current: Bundle | None = None
        self.deployed_at_ms = 0
        models.listen(self._on_record)

    @property
    def refused(self) -> int:
        """Versions that are refused now."""
        return len(self._refused)

    def _on_record(self, message: Model | Champion) -> None:
        self._changed.set()

    async def get(self) -> Bundle | None:
        """Return the model to answer with, waiting until there is one or rejecting was chosen."""
        await self._usable.wait()
        return self.current

    async def run(self) -> None:
        """Follow the pointer for ever."""
        await self._models.caught_up.wait()
        while True:
            self._changed.clear()
            settled = await self._follow()
            if self.current is not None or (
                self._models.champion is None and self._settings.no_model == "reject"
            ):
                self._usable.set()
            if settled and self.current is not None:
                await self._resolve()
            try:
                await asyncio.wait_for(self._changed.wait(), None if settled else self._retry_s)
                self._retry_s = _RETRY_S
            except TimeoutError:
                self._retry_s = min(2 * self._retry_s, _LONGEST_RETRY_S)

    async def _follow(self) -> bool:
        """Load what the pointer names; return whether there is nothing left to try."""
        pointer = self._models.champion
        if pointer is None or (self.current is not None and self.current.version == pointer.version):
            return True
        record = self._models.versions.get(pointer.version)
        reason = why = "no record of this version stands in the models topic"
        if record is not None:
            try:
                self.current = await asyncio.to_thread(load_verified, record, self._settings)
            except StreamappError as exc:
                reason, why = str(exc), cause(exc)
                if exc.retriable:  # to ask a store that is away costs nothing
                    self._retry_s = _RETRY_S
            else:
                log.info("this champion answers from now on", extra={"version": pointer.version})
                self.deployed_at_ms = self._models.pointed_at_ms
                return True
        await self._refuse(pointer, reason, why)
        if self.current is None:
            await self._fall_back(pointer.version)
        return False

    async def _fall_back(self, refused: str) -> None:
        for record in self._models.former_champions():
            if record.version == refused:
                continue
            try:
                self.current = await asyncio.to_thread(load_verified, record, self._settings)
            except StreamappError as exc:
                log.warning(
                    "an earlier champion cannot be served either: %s",
                    cause(exc),
                    extra={"version": record.version},
                )
            else:
                log.warning(
                    "an earlier champion answers, until %s can be loaded",
                    refused,
                    extra={"version": record.version},
                )
                return

    async def _refuse(self, pointer: Champion, reason: str, why: str) -> None:
        """Raise an alert with the reason; the log has what may be said there."""
        if pointer.version in self._refused:
            return
        reason = shown(reason, 2_000)  # it must fit into a message
        alert = Alert(
            id=caused_id("model-refused", pointer.version),
            state="opened",
            kind="model-refused",
            subject=pointer.version,
            severity="critical",
            model=ModelRef(name=self._settings.name, version=pointer.version),
            summary=f"version {pointer.version} is refused: {reason}",
            opened_at=pointer.at,
            updated_at=pointer.at,
        )
        self._refused[pointer.version] = alert
        log.error("the champion is refused: %s", why, extra={"version": pointer.version, "alert": alert.id})
        await self._raise_alert(alert)

    async def _resolve(self) -> None:
        """End the alerts on versions that were refused, also by a process that has ended since."""
        if not self._has_looked_back:
            self._has_looked_back = True
            await self._look_back()
        for version, alert in list(self._refused.items()):
            del self._refused[version]
            await self._raise_alert(alert.resolved("cleared"))

    async def _look_back(self) -> None:
        """Find alerts that are open: what a version lacked is often there only after a restart."""
        try:
            records = await read_topic(self._settings.connection, self._settings.topics.drift_alerts)
        except BrokerError as exc:
            log.warning("alerts of before on refused versions stay open: %s", cause(exc))
            return
        latest: dict[str, Alert] = {}
        for record in records:
            with suppress(MessageError):
                alert = Alert.decode(record.value)
                latest[alert.id] = alert
        for alert in latest.values():
            if alert.kind == "model-refused" and alert.state != "resolved":
                self._refused.setdefault(alert.subject, alert)

"""Bundles, fetched beside the reading: a store that is slow or away keeps no record waiting for long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.state import DeploymentState
from streamapp.messages import Model
from streamapp.runtime.log_fields import cause

__all__ = ["Fetcher"]

_PATIENCE_S = 5.0
_RETRY_S = 10.0
_MOST_S = 300.0

log = logging.getLogger(__name__)


class Fetcher:
    """Tells a state what is known of versions, and tries again, ever less often, where a bundle is not there.

    Parameters
    ----------
    state
        Told.
    read
        Reads the bundle of a version; in a thread.
    on_late
        Told the version of what came after it had been waited for.
    patience_s
        How long :meth:`fetch` waits at the most.
    retry_s
        After which a bundle is tried again first.
    """

    def __init__(
        self,
        state: DeploymentState,
        read: Callable[[Model], KnownVersion],
        on_late: Callable[[str], None],
        *,
        patience_s: float = _PATIENCE_S,
        retry_s: float = _RETRY_S,
    ) -> None:
        self._state = state
        self._read = read
        self._on_late = on_late
        self._patience_s = patience_s
        self._retry_s = retry_s
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def fetch(self, models: Sequence[Model]) -> None:
        """Fetch the bundles of versions that are not known; return when that is done or has taken too long.

        Of each version something is known to the state then, if only that there is nothing yet.
        """
        if not models:
            return
        firsts = {model.version: self._begin(model) for model in models}
        await asyncio.wait(firsts.values(), timeout=self._patience_s)
        for version, first in firsts.items():
            if not first.done():
                self._state.know(version, f"the bundle of {version} has not come yet: its store is slow")
                first.cancel()

    async def close(self) -> None:
        """Fetch nothing any more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self, model: Model) -> asyncio.Future[None]:
        """Begin to fetch, and return what is done after the first attempt."""
        if (had := self._tasks.get(model.version)) is not None:  # the state has forgotten the version
            had.cancel()
        first = asyncio.get_running_loop().create_future()
        self._tasks[model.version] = asyncio.create_task(self._keep_trying(model, first))
        return first

    async def _keep_trying(self, model: Model, first: asyncio.Future[None]) -> None:
        version, wait_s, said = model.version, self._retry_s, ""
        while True:
            found, why = await asyncio.to_thread(self._attempt, model)
            missing = f"the bundle of {version} cannot be read here: {why}"
            self._state.know(version, missing if found is None else found)
            is_late = first.done()
            if not is_late:
                first.set_result(None)
            if found is not None:
                if is_late:
                    self._on_late(version)
                return
            if why != said:
                log.warning("a version cannot be compared: %s", why, extra={"version": version})
                said = why
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _MOST_S)
            if not self._state.misses(version):  # forgotten
                return

    def _attempt(self, model: Model) -> tuple[KnownVersion | None, str]:
        """Return what is known of a version, or else why it is not."""
        try:
            return self._read(model), ""
        except Exception as exc:  # whatever is in a bundle, the page goes on
            return None, cause(exc)

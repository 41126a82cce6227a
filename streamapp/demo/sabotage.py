"""A mistake in the middle of the demo: somebody makes a spoiled model champion by hand."""

from __future__ import annotations

import asyncio

from streamapp.demo.record import Record, Tell
from streamapp.models import Bundle
from streamapp.runtime.deploy import deploy
from streamapp.settings import Settings

__all__ = ["is_time", "sabotage"]

_LOOK_EVERY_S = 0.2
_FROM, _UNTIL = 0.5, 0.75


async def sabotage(settings: Settings, spoiled: Bundle, record: Record, tell: Tell) -> None:
    """Deploy the spoiled model once it is time; then do nothing, until cancelled."""
    while not is_time(record):
        await asyncio.sleep(_LOOK_EVERY_S)
    tell(
        record.now_ms,
        "sabotage",
        f"{spoiled.version}, fitted on labels the wrong way round, is deployed by hand",
    )
    await deploy(settings, spoiled)
    await asyncio.Event().wait()


def is_time(record: Record) -> bool:
    """Return whether half of the flights were asked about, and no challenger could win before the guard.

    A challenger that is on trial just then would beat the spoiled model, too, and there would be nothing to
    go back from. From three quarters on there is no more time to wait.
    """
    n = len(record.flights)
    if record.requests < _FROM * n:
        return False
    on_trial = any(model.state == "challenger" for model in record.models.values())
    return not on_trial or record.requests >= _UNTIL * n

"""Waiting for the store: a fold does not go on without what it compares with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streamapp.errors import StoreError
from streamapp.runtime.host import Host

__all__ = ["Patience"]

_LOOK_EVERY_S = 1.0

T = TypeVar("T")


class Patience:
    """Waits as long as the store is away, and says for which version.

    A fold must say the same whenever it reads its log. It waits before its turn, so that what others have
    done is saved, and committed, meanwhile.

    Parameters
    ----------
    host
        Of the process.

    Attributes
    ----------
    waits_for
        Version whose bundle the store has not given yet; None while nothing is waited for.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.waits_for: str | None = None

    async def ask(self, question: Callable[[str], Awaitable[T]], version: str) -> T:
        """Return what `question` says of `version`, asked again until it says something.

        Parameters
        ----------
        question
            Of :class:`~streamapp.agents.versions.Versions`; it may be given up, and asked again.
        version
            Which one.

        Raises
        ------
        StoreError
            If partitions move before there is an answer: a rebalance waits for the records that wait here,
            and what was not judged must not be committed.
        """
        try:
            while True:
                try:
                    return await asyncio.wait_for(question(version), _LOOK_EVERY_S)
                except TimeoutError:
                    if self._host.app.rebalancing:
                        raise StoreError(
                            f"the store that has the bundle of version {version} is away, and partitions move"
                        ) from None
                    self.waits_for = version
        finally:
            self.waits_for = None

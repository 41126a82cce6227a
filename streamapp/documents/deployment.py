"""What documents say of one deployment: its champion, its partitions, its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamapp.models import Bundle
from streamapp.runtime.champion import inspect_champion
from streamapp.runtime.client import existing_topics
from streamapp.settings import Settings

__all__ = ["Deployment", "read_deployment"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as its documents show it.

    Attributes
    ----------
    settings
        Its name, brokers, label horizon and largest request.
    bundle
        The champion's; its model need not be loaded.
    partitions
        Full name of each topic to the number of its partitions.
    """

    settings: Settings
    bundle: Bundle
    partitions: Mapping[str, int]


async def read_deployment(settings: Settings) -> Deployment:
    """Return the deployment as it is now; its model is not loaded.

    Raises
    ------
    ConfigError
        If it has no champion.
    BundleError, IntegrityError
        If the champion's bundle is not as it was.
    BrokerError, StoreError
        If one of them does not answer, or a topic is missing.
    """
    bundle = await inspect_champion(settings)
    return Deployment(settings, bundle, await existing_topics(settings.connection, list(settings.topics)))

"""What there is of a deployment, and how all of it is deleted.

Groups go first: Kafka refuses to delete one that has members, so that nothing is taken from a role that was
started meanwhile. Topics go last: what else there is of the deployment is found from them, also by a second
try.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    NoError,
    NonEmptyGroup,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from streamapp.errors import BrokerError, ConfigError, StoreError
from streamapp.models import Store
from streamapp.models.folder import Folder
from streamapp.runtime.client import admin_client, all_partition_counts, latest_models
from streamapp.runtime.groups import delete_group, find_group
from streamapp.runtime.topic_plans import topic_plans
from streamapp.settings import ROLES, Settings
from streamapp.topics import TopicNames, deployments_in

__all__ = ["Holdings", "delete_deployment", "find_holdings"]

_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Holdings:
    """What there is of a deployment.

    Attributes
    ----------
    topics
        Full names, changelogs among them.
    groups
        Consumer groups of the roles.
    members
        Who is in them now, for people.
    folders
        Of state, on this machine.
    bundles
        URLs of its versions' bundles that can be deleted.
    kept
        URLs of the others, and why they stay.
    """

    topics: tuple[str, ...]
    groups: tuple[str, ...]
    members: tuple[str, ...]
    folders: tuple[Path, ...]
    bundles: tuple[str, ...]
    kept: dict[str, str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to delete."""
        return not (self.topics or self.groups or self.folders or self.bundles)


async def find_holdings(settings: Settings, *, bundles: bool = False) -> Holdings:
    """Return what there is of a deployment on the cluster, in the store and on this machine.

    A bundle is the deployment's own if it lies in the store as ``STORE/BUNDLE/VERSION``, and no other
    deployment that the cluster shows has it: ``models`` may name any folder that somebody wrote there. As
    long as one of the others cannot be read, all bundles are kept.

    Parameters
    ----------
    settings
        Of the deployment.
    bundles
        Whether to look for bundles, which means to read the ``models`` of all deployments of the cluster.

    Raises
    ------
    BrokerError
        If the cluster does not answer, or refuses.
    """
    names = settings.topics
    async with admin_client(settings.connection, timeout_s=_TIMEOUT_S) as admin:
        existing = await all_partition_counts(admin)
        groups = [await find_group(admin, names.app_id(role)) for role in ROLES]
    plans = topic_plans(names, label_horizon_s=0, max_request_bytes=0)
    folder = settings.state_dir / settings.name
    found, kept = await _sorted_bundles(settings, existing) if bundles else ([], {})
    return Holdings(
        topics=tuple(plan.topic for plan in plans if plan.topic in existing),
        groups=tuple(group.name for group in groups if group.exists),
        members=tuple(f"{group.name} at {member}" for group in groups for member in group.members),
        folders=(folder,) if folder.is_dir() else (),
        bundles=tuple(found),
        kept=kept,
    )


async def delete_deployment(settings: Settings, holdings: Holdings) -> None:
    """Delete what was found.

    Parameters
    ----------
    settings
        Of the deployment.
    holdings
        What to delete.

    Raises
    ------
    ConfigError
        If somebody is in one of its groups; nothing was deleted.
    BrokerError, StoreError
        If one of them does not answer, or refuses. A second try deletes the rest.
    """
    if holdings.members:
        raise ConfigError(_alive(settings.name, ", ".join(holdings.members)))
    async with admin_client(settings.connection, timeout_s=_TIMEOUT_S) as admin:
        for group in holdings.groups:
            try:
                await delete_group(admin, group)
            except NonEmptyGroup:
                raise ConfigError(_alive(settings.name, f"somebody in {group}")) from None
    for url in holdings.bundles:
        await asyncio.to_thread(Folder(url).delete_all)
    for folder in holdings.folders:
        try:
            await asyncio.to_thread(shutil.rmtree, folder)
        except OSError as exc:
            raise StoreError(f"{folder} cannot be deleted: {exc.strerror}") from exc
    async with admin_client(settings.connection, timeout_s=_TIMEOUT_S) as admin:
        await _delete_topics(admin, holdings.topics)


def _alive(name: str, who: str) -> str:
    return (
        f"{name} is run by {who}: end it first (a process that has ended counts for some seconds, until its "
        "session is over)"
    )


async def _sorted_bundles(settings: Settings, topics: Collection[str]) -> tuple[list[str], dict[str, str]]:
    """Return the URLs of the bundles that can be deleted, and those of the others with the reason."""
    if settings.topics.models not in topics:
        return [], {}
    versions = await _bundles(settings, settings.name)
    others: dict[str, str] = {}
    unread: dict[str, str] = {}
    for name in deployments_in(topics):
        if name != settings.name:
            try:
                others |= dict.fromkeys(await _bundles(settings, name), name)
            except BrokerError as exc:
                unread[name] = str(exc)
    store = await asyncio.to_thread(Store, settings.store)
    found, kept = [], {}
    for url, version in versions.items():
        if url in others:
            kept[url] = f"{others[url]} has it, too"
        elif not _lies_in(store, url, version):
            kept[url] = f"it does not lie in {store.url}"
        elif not await _exists(url):
            continue
        elif unread:  # what another deployment serves is not deleted for want of a right to know it
            kept[url] = f"{', '.join(unread)} may have it, too: {next(iter(unread.values()))}"
        else:
            found.append(url)
    return found, kept


async def _bundles(settings: Settings, deployment: str) -> dict[str, str]:
    """Return URL and version of a deployment's bundles."""
    models = await latest_models(settings.connection, TopicNames(deployment))
    return {model.bundle: version for version, model in models.versions.items()}


def _lies_in(store: Store, url: str, version: str) -> bool:
    part = url.removeprefix(f"{store.url}/").removesuffix(f"/{version}")
    return url == store.url_of(part, version) and re.fullmatch(r"[\w-][\w.-]*", part) is not None


async def _exists(url: str) -> bool:
    return bool(await asyncio.to_thread(lambda: Folder(url).names()))


async def _delete_topics(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Delete topics, and wait until the cluster shows them no more."""
    if not topics:
        return
    response = await admin.delete_topics(list(topics))
    for topic, code in response.topic_error_codes:
        error = for_code(code)
        if error is TopicAuthorizationFailedError:
            raise error(topic)
        if error not in {NoError, UnknownTopicOrPartitionError}:
            raise error(f"{topic} was not deleted")
    while (await all_partition_counts(admin)).keys() & set(topics):
        await asyncio.sleep(_LOOK_EVERY_S)

"""From settings to a role: its Faust app with its agents."""

from __future__ import annotations

from typing import Any

from streamapp.runtime.host import Host
from streamapp.settings import Settings

__all__ = ["create_app", "create_host"]


def create_host(settings: Settings) -> Host:
    """Return the host of ``settings.role`` with the agents of that role.

    Parameters
    ----------
    settings
        Of the deployment and the role.
    """
    host = Host(settings)
    match settings.role:
        case "score":
            from streamapp.agents.score import Score  # noqa: PLC0415  # a role imports what it runs

            Score(host)
        case "monitor":
            from streamapp.agents.monitor import Monitor  # noqa: PLC0415

            Monitor(host)
        case "train":
            from streamapp.agents.train import Train  # noqa: PLC0415

            Train(host)
    return host


def create_app(settings: Settings) -> Any:
    """Return the ``faust.App`` of ``settings.role``, for those who add agents of their own.

    Parameters
    ----------
    settings
        Of the deployment and the role.
    """
    return create_host(settings).app

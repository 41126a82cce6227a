"""Five files of glue, one per agent, and the factory of the role that they make up."""

from __future__ import annotations

from streamapp.agents.app import create_app, create_host

__all__ = ["create_app", "create_host"]

from __future__ import annotations

from typing import Any

from streamapp.messages import Model

__all__ = ["model"]


def model(version: str, **fields: Any) -> Model:
    """A version as it stands in `models`; its bundle is nowhere."""
    return Model.parse(
        {
            "version": version,
            "state": "champion",
            "bundle": "file:///nowhere",
            "sha256": "0" * 64,
            "format": "joblib",
            **fields,
        }
    )

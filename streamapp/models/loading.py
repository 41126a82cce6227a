"""From the bytes of a model to the model: only what may be loaded, and in one line why it could not be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamapp.errors import BundleError, IntegrityError, StreamappError
from streamapp.models.formats import load_format
from streamapp.models.manifest import Manifest
from streamapp.models.packed import Packed
from streamapp.models.seal import Keys, SealStatus

__all__ = ["check_trust", "load_model"]


def check_trust(packed: Packed, status: SealStatus, keys: Keys) -> None:
    """Raise IntegrityError if loading can run code and no trusted key has sealed the bundle.

    Parameters
    ----------
    packed
        The bundle.
    status
        Of its seal.
    keys
        Those that were looked at, for the message.
    """
    format_name = packed.manifest.format
    if not load_format(format_name).RUNS_CODE or status == "trusted":
        return
    danger = f"{packed.url}: loading {format_name} can run code, and the bundle "
    if packed.seal is None:
        raise IntegrityError(
            f"{danger}has no seal: pack it with `streamapp bundle`, or let its maker save it again"
        )
    raise IntegrityError(
        f"{danger}is sealed by key {packed.seal.fingerprint}, which is not trusted here ({keys.folder}): if "
        "you trust its holder, run `streamapp keys trust FILE.pub` with that key"
    )


def load_model(manifest: Manifest, files: Mapping[str, bytes], *, where: str | None) -> Any:
    """Return the estimator in a bundle's model files.

    Parameters
    ----------
    manifest
        Of the bundle, which may be trusted.
    files
        Path to bytes: the model's own.
    where
        The bundle's URL, for the message.

    Raises
    ------
    BundleError
        If it cannot be loaded, whatever its classes raise.
    """
    try:
        return load_format(manifest.format).load(dict(files))
    except StreamappError:
        raise
    except Exception as exc:  # what a model's classes raise when they are not as they were
        packed_with = ", ".join(f"{name} {v}" for name, v in sorted(manifest.libraries.items()))
        raise BundleError(
            f"{where or manifest.name}: the model cannot be loaded: {type(exc).__name__}: {exc}; "
            f"it was packed with {packed_with}"
        ) from exc

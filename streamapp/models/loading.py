"""From the bytes of a model to the model: only what may be loaded, and in one line why it could not be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamapp.errors import BundleError, IntegrityError, StreamappError, in_one_line, shown
from streamapp.messages import Label
from streamapp.models.formats import Predict, load_format
from streamapp.models.manifest import Manifest
from streamapp.models.packed import Header
from streamapp.models.seal import Keys, SealStatus

__all__ = ["check_trust", "load_model"]


def check_trust(header: Header, status: SealStatus, keys: Keys) -> None:
    """Raise IntegrityError if loading can run code and no trusted key has sealed the bundle.

    A format that this version does not read is a BundleError.

    Parameters
    ----------
    header
        Of the bundle.
    status
        Of its seal.
    keys
        Those that were looked at, for the message.
    """
    format_name = header.manifest.format
    try:
        is_harmless = not load_format(format_name).RUNS_CODE
    except BundleError as exc:
        raise BundleError(f"{header.folder.url}: {exc}") from None
    if is_harmless or status == "trusted":
        return
    danger = f"{header.folder.url}: loading {format_name} can run code, and the bundle "
    if header.seal is None:
        raise IntegrityError(
            f"{danger}has no seal: pack it with `streamapp bundle`, or let its maker save it again"
        )
    raise IntegrityError(
        f"{danger}is sealed by key {header.seal.fingerprint}, which is not trusted here ({keys.folder}): if "
        "you trust its holder, run `streamapp keys trust FILE.pub` with that key"
    )


def load_model(
    manifest: Manifest, files: Mapping[str, bytes], classes: tuple[Label, ...] | None, *, where: str | None
) -> tuple[Any, Predict]:
    """Return the estimator in a bundle's model files, and the function that answers with it.

    Parameters
    ----------
    manifest
        Of the bundle, which may be trusted.
    files
        Path to bytes: the model's own.
    classes
        Of a classifier.
    where
        The bundle's URL, for the message.

    Raises
    ------
    BundleError
        If it cannot be loaded, whatever its classes raise, or is no model.
    """
    try:
        format_ = load_format(manifest.format)
        estimator = format_.load(dict(files))
        return estimator, format_.predictor(estimator, classes)
    except StreamappError:
        raise
    except Exception as exc:  # what a model's classes raise when they are not as they were
        packed_with = ", ".join(f"{name} {v}" for name, v in sorted(manifest.libraries.items()))
        raise BundleError(
            f"{where or manifest.name}: the model cannot be loaded: {shown(in_one_line(exc), 1_000)}; "
            f"it was packed with {packed_with}"
        ) from exc

"""From the bytes of a model to the model: only what may be loaded, and in one line why it could not be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from streamapp.errors import BundleError, IntegrityError, StreamappError, in_one_line, shown
from streamapp.messages import Label
from streamapp.models.formats import Predict, Trust, load_format
from streamapp.models.packed import OWN, Header, Packed
from streamapp.models.seal import Keys, SealStatus

__all__ = ["check_trust", "load_model", "model_files", "remedy_of", "strange_types"]


def model_files(packed: Packed) -> dict[str, bytes]:
    """Return the model's own files, by path."""
    return {path: data for path, data in packed.files.items() if path not in OWN}


def check_trust(
    header: Header, status: SealStatus, keys: Keys, files: Mapping[str, bytes] | None = None
) -> None:
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
    files
        The model's own, for formats of which some can run code; None before they are read.
    """
    format_name = header.manifest.format
    try:
        runs_code = load_format(format_name).runs_code
        if status == "trusted" or not runs_code(files):
            return
    except (BundleError, IntegrityError) as exc:
        raise type(exc)(f"{header.folder.url}: {exc}") from None
    danger = f"{header.folder.url}: loading {format_name} can run code, and the bundle "
    if header.seal is None:
        raise IntegrityError(
            f"{danger}has no seal: pack it with `streamapp bundle`, or let its maker save it again"
        )
    raise IntegrityError(
        f"{danger}is sealed by key {header.seal.fingerprint}, which is not trusted here ({keys.folder}): if "
        "you trust its holder, run `streamapp keys trust FILE.pub` with that key"
    )


def strange_types(format_name: str, files: Mapping[str, bytes], trusted: Collection[str] = ()) -> list[str]:
    """Return the types in a skops model that neither skops nor `trusted` allows; none for other formats."""
    if format_name != "skops":
        return []
    from streamapp.models.formats.skops import strange_types as find  # noqa: PLC0415

    (data,) = files.values()
    return [name for name in find(data) if name not in trusted]


def load_model(packed: Packed, classes: tuple[Label, ...] | None, trust: Trust) -> tuple[Any, Predict]:
    """Return the estimator in a bundle's model files, and the function that answers with it.

    Parameters
    ----------
    packed
        The bundle, which may be loaded.
    classes
        Of a classifier.
    trust
        Whether code in its files may run, and which types.

    Raises
    ------
    BundleError
        If it cannot be loaded, whatever its classes raise, or is no model.
    IntegrityError
        If it holds what is not trusted here, or reaches for other files.
    """
    manifest, where = packed.manifest, packed.url or packed.manifest.name
    try:
        format_ = load_format(manifest.format)
        estimator = format_.load(model_files(packed), trust)
        return estimator, format_.predictor(estimator, classes)
    except IntegrityError as exc:
        raise IntegrityError(f"{where}: {exc}") from None
    except StreamappError:
        raise
    except Exception as exc:  # what a model's classes raise when they are not as they were
        packed_with = ", ".join(f"{name} {v}" for name, v in sorted(manifest.libraries.items()))
        raise BundleError(
            f"{where}: the model cannot be loaded: {shown(in_one_line(exc), 1_000)}; "
            f"it was packed with {packed_with}{'' if (remedy := remedy_of(exc)) is None else f'; {remedy}'}"
        ) from exc


def remedy_of(exc: Exception) -> str | None:
    """Return what helps a model that could not be loaded, if that is to be told from `exc`.

    Examples
    --------
    >>> remedy_of(ModuleNotFoundError("No module named 'ours'", name="ours"))
    'install ours, or start this where it lies: in its folder, or with that in PYTHONPATH'
    """
    if not isinstance(exc, ModuleNotFoundError) or exc.name is None:
        return None
    package = exc.name.partition(".")[0]
    return f"install {package}, or start this where it lies: in its folder, or with that in PYTHONPATH"

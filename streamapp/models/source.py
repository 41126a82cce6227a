"""Model files and folders as others have written them: which format, and the bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from streamapp.errors import BundleError, ConfigError, StreamappError, in_one_line
from streamapp.models.formats import Trust, load_format
from streamapp.models.formats.recognise import sniff
from streamapp.models.loading import remedy_of
from streamapp.models.manifest import check_path
from streamapp.models.mlflow import ML_MODEL, MlflowModel
from streamapp.models.mlflow_schema import MlflowSchema

__all__ = ["Source", "read_source"]

_SAVED_MODEL = "saved_model.pb"


class Source(NamedTuple):
    """What a file or a folder holds.

    Attributes
    ----------
    path
        Of the model itself, which lies within an MLflow directory.
    format
        One of ``FORMATS``.
    files
        The bundle's paths to bytes.
    schema
        The signature that an MLflow directory has for it, if it has one.
    """

    path: Path
    format: str
    files: dict[str, bytes]
    schema: MlflowSchema | None = None

    def load(self, trust: Trust) -> Any:
        """Return the model; raise BundleError if it cannot be loaded, whatever its classes raise."""
        try:
            return load_format(self.format).load(self.files, trust)
        except StreamappError as exc:
            raise type(exc)(f"{self.path}: {exc}") from None
        except Exception as exc:  # whatever the model's classes raise
            raise BundleError(
                f"{self.path} cannot be loaded as {self.format}: {in_one_line(exc)}; "
                f"{remedy_of(exc) or 'load it with the Python and the packages that it was made with'}"
            ) from exc


def read_source(path: Path, format_name: str | None = None) -> Source:
    """Return what the model file, SavedModel or MLflow directory `path` holds; nothing is loaded.

    Parameters
    ----------
    path
        File or folder.
    format_name
        Of a file that does not tell by its content.

    Raises
    ------
    BundleError
        If it is no model, or of a format or an MLflow flavour that this version does not read.
    ConfigError
        If it cannot be read.
    """
    if (path / ML_MODEL).is_file():
        found = MlflowModel.read(path)
        inner = read_source(next(_models_below(found.data), found.data))
        return inner._replace(schema=found.schema)
    if path.is_dir():
        if not (path / _SAVED_MODEL).is_file():
            raise BundleError(
                f"{path} is a folder without {_SAVED_MODEL} or {ML_MODEL}: neither a SavedModel nor an "
                "MLflow model; name the model's file"
            )
        return Source(path, "tensorflow", _read_folder(path))
    data = _read(path)
    try:
        name = sniff(data)
    except BundleError as exc:
        if format_name is None:
            raise BundleError(f"{path}: {exc}") from None
        name = format_name
    return Source(path, name, {load_format(name).FILE: data})


def _models_below(path: Path) -> Iterator[Path]:
    """Yield the models of Keras or TensorFlow in a folder of MLflow's."""
    if path.is_dir():
        yield from sorted(path.rglob("*.keras"))
        yield from (each.parent for each in sorted(path.rglob(_SAVED_MODEL)))


def _read_folder(path: Path) -> dict[str, bytes]:
    files = {}
    root = load_format("tensorflow").FILE
    for each in sorted(path.rglob("*")):
        if each.is_file():
            name = f"{root}/{each.relative_to(path).as_posix()}"
            try:
                check_path(name)
            except ValueError as exc:
                raise BundleError(f"{path}: {exc}: rename it, or save the model again") from None
            files[name] = _read(each)
    return files


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"model {path} cannot be read: {exc.strerror or exc}") from exc

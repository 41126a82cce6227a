"""The manifest of a bundle: what it is, what it was made of, and the hash of each of its files."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections import Counter
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
)

from streamapp import __version__
from streamapp.errors import BundleError, IntegrityError, StreamappError, shown
from streamapp.messages import OffsetRange, Time
from streamapp.topics import check_name

__all__ = [
    "BUNDLE_FORMAT",
    "FileEntry",
    "Manifest",
    "canonical",
    "check_path",
    "library_versions",
    "version_warnings",
]

BUNDLE_FORMAT = 1
"""Version of the bundle's own layout."""

_PARTS = {
    "scikit-learn": 2,
    "numpy": 1,
    "river": 2,
    "skops": 2,
    "onnxruntime": 2,
    "keras": 2,
    "tensorflow": 2,
    "python": 2,
}
"""Library to how many parts of its version must be equal for answers to be so."""

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_MAX_FILES = 1_000
_MAX_LIBRARIES = 100

_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!-]{0,63}$")]
"""What is shown as it stands: a name or a version, and nothing that a terminal would obey."""


def check_path(path: str) -> str:
    """Return `path`; raise ValueError unless it can be that of a file in a bundle."""
    if len(path) > 200 or not _PATH.fullmatch(path):
        raise ValueError(f"file path {path!r} is not plain and relative")
    return path


class FileEntry(BaseModel):
    """Hash and size of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=1 << 40)


class Manifest(BaseModel):
    """What a bundle is. Its bytes, canonical JSON, are what version and seal are made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=())

    bundle_format: Literal[1] = 1
    name: str
    task: Literal["classification", "regression"]
    format: _Word = Field(description="Of the model files.")
    files: dict[Annotated[str, AfterValidator(check_path)], FileEntry] = Field(max_length=_MAX_FILES)
    libraries: dict[_Word, _Word] = Field(
        max_length=_MAX_LIBRARIES, description="Versions that the model was packed with."
    )
    created_at_ms: Time | None = Field(default=None, alias="created_at")
    trained_at_ms: Time | None = Field(default=None, alias="trained_at")
    newest_training_data_at_ms: Time | None = Field(default=None, alias="newest_training_data_at")
    training_data: list[OffsetRange] = []
    reference_rows: int = Field(ge=1)
    holdout_rows: int = Field(default=0, ge=0)
    loss: _Word
    loss_scale: float | None = Field(default=None, gt=0, description="Error that counts as a loss of 1.")
    caused_by: str | None = Field(
        default=None, description="The retrain event it was trained for, or the version it is a snapshot of."
    )

    _data: bytes | None = PrivateAttr(default=None)
    """The bytes that it was read from: a later version may write the same fields otherwise."""

    @cached_property
    def sha256(self) -> str:
        """Hash of the manifest's bytes, which hold the hashes of all other files."""
        return hashlib.sha256(self.encode()).hexdigest()

    @property
    def version(self) -> str:
        """The version of the bundle: the first 12 hex digits of :attr:`sha256`."""
        return self.sha256[:12]

    def encode(self) -> bytes:
        """Return the manifest's bytes: as read, or keys sorted, two spaces, a line feed at the end."""
        if self._data is not None:
            return self._data
        fields = self.model_dump(mode="json", by_alias=True)
        return orjson.dumps(
            fields, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )

    @classmethod
    def decode(cls, data: bytes, *, where: str) -> Self:
        """Return the manifest in `data`, that came from `where`.

        Raises
        ------
        BundleError
            If it is no manifest, or one of another bundle format.
        IntegrityError
            If it names a file outside the bundle, or a field twice.
        """
        try:
            fields = orjson.loads(data)
            _check_keys(data)
        except (orjson.JSONDecodeError, RecursionError) as exc:
            raise BundleError(f"{where}: manifest.json is no JSON: {exc}") from None
        except _RepeatedKeyError as exc:
            raise IntegrityError(
                f"{where}: manifest.json names {exc} twice, so that it says two things; pack the model again"
            ) from None
        if not isinstance(fields, dict) or "bundle_format" not in fields:
            raise BundleError(f"{where}: manifest.json is not that of a bundle")
        if fields["bundle_format"] != BUNDLE_FORMAT:
            raise BundleError(
                f"{where}: bundle format {shown(repr(fields['bundle_format']))}; this version of streamapp "
                f"reads {BUNDLE_FORMAT}: pack the model again, or run another version"
            )
        try:
            manifest = cls.model_validate(fields)
            check_name(manifest.name)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_context=False)[0]
            field = shown(".".join(map(str, first["loc"])))
            kind = IntegrityError if field.startswith("files") else BundleError
            raise kind(f"{where}: manifest.json: {field}: {shown(first['msg'])}") from None
        except StreamappError as exc:
            raise BundleError(f"{where}: manifest.json: {shown(str(exc))}") from None
        manifest._data = data
        return manifest


class _RepeatedKeyError(Exception):
    """A key that stands twice in one object; the text shows it."""


def _check_keys(data: bytes) -> None:
    """Raise _RepeatedKeyError if readers could differ in which of two values they take."""

    def check(pairs: list[tuple[str, Any]]) -> None:
        (key, count), *_ = Counter(key for key, _ in pairs).most_common(1) or [("", 0)]
        if count > 1:
            raise _RepeatedKeyError(shown(repr(key)))

    json.loads(data, object_pairs_hook=check)


def library_versions(*others: str) -> dict[str, str]:
    """Return the versions of what a model's answers depend on; of `others` too, if they are installed."""
    libraries = {name: _version(name) for name in ("numpy", "scikit-learn", *others)}
    found = {name: version for name, version in libraries.items() if version is not None}
    return found | {"python": platform.python_version(), "streamapp": __version__}


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    for distribution in (name, f"{name}-cpu"):  # TensorFlow comes under either name
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def version_warnings(libraries: dict[str, str]) -> tuple[str, ...]:
    """Return one line for each library whose version differs so much that answers may."""
    here = library_versions(*(name for name in _PARTS if name in libraries))
    return tuple(
        f"packed with {name} {libraries[name]}, and {here.get(name, 'none')} runs here: golden rows tell if "
        "it matters"
        for name, count in _PARTS.items()
        if name in libraries and libraries[name].split(".")[:count] != here.get(name, "").split(".")[:count]
    )


def canonical(fields: Any) -> bytes:
    """Return `fields` as canonical JSON, the form of a bundle's own files."""
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)

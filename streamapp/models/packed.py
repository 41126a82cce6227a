"""A bundle as bytes: verified in full before anything in it is interpreted, written manifest last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamapp.errors import BundleError, IntegrityError, StoreError, shown
from streamapp.models.folder import Folder
from streamapp.models.manifest import Manifest
from streamapp.models.seal import Seal

__all__ = [
    "BASELINE",
    "GOLDEN",
    "MANIFEST",
    "MAX_UNTRUSTED",
    "OWN",
    "PROFILE",
    "SEAL",
    "SEGMENTS",
    "SIGNATURE",
    "Header",
    "Packed",
    "read_header",
    "read_packed",
    "write_packed",
]

MANIFEST = "manifest.json"
SEAL = "seal.json"

MAX_UNTRUSTED = 1 << 30
"""Bytes of all files together that are read without a trusted seal."""

SIGNATURE = "signature.json"
PROFILE = "profile.json"
GOLDEN = "golden.json"
BASELINE = "baseline.json"
SEGMENTS = "segments.json"

OWN = frozenset({SIGNATURE, PROFILE, GOLDEN, BASELINE, SEGMENTS})
"""Files that the manifest names and that are not the model's."""

_MAX_MANIFEST = 1 << 20
_MAX_SEAL = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """The bytes of a bundle whose hashes have been verified.

    Attributes
    ----------
    manifest
        What it is.
    files
        Path to bytes.
    seal
        Its signature fits the manifest; whether its key is trusted is another question.
    url
        Where it was read from, if from somewhere.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    seal: Seal | None = None
    url: str | None = None

    def sealed(self, seal: Seal) -> Packed:
        """Return the same bundle under `seal`."""
        return replace(self, seal=seal)


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """Manifest and seal of a bundle, which fit each other; no other file has been read.

    Attributes
    ----------
    folder
        Where the bundle lies.
    manifest
        What it says that it is.
    seal
        Its signature fits the manifest; whether its key is trusted is another question.
    """

    folder: Folder
    manifest: Manifest
    seal: Seal | None


def read_header(url: str | os.PathLike[str], *, sha256: str | None = None) -> Header:
    """Return manifest and seal of the bundle at `url`, the seal's signature verified.

    Parameters
    ----------
    url
        Folder of the bundle.
    sha256
        What the manifest's hash must be, if a bundle was announced there.

    Raises
    ------
    BundleError
        If there is no bundle, and none was announced, or one of another format version.
    IntegrityError
        If manifest or seal are not what they must be, or do not fit each other.
    StoreError
        If the store does not answer, or has nothing where a bundle was announced: an empty folder is all that
        is left of a store that is not mounted.
    """
    folder = Folder(url)
    where = folder.url
    data = folder.read(MANIFEST, limit=_MAX_MANIFEST)
    if data is None:
        folder.names()  # a store that is not there at all says so
        if sha256 is not None:
            raise StoreError(
                f"no bundle at {where}, where version {sha256[:12]} was announced: mount the store, or put "
                "the bundle back"
            )
        raise BundleError(f"no bundle at {where}: it has no {MANIFEST}; make one with `streamapp bundle`")
    if len(data) > _MAX_MANIFEST:
        raise IntegrityError(
            f"{where}: {MANIFEST} is larger than {_MAX_MANIFEST:,} bytes, and no manifest is"
        )
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise IntegrityError(
            f"{where}: the manifest's hash is {found[:12]}…, and {sha256[:12]}… was announced"
        )
    seal = _read_seal(folder, data)
    return Header(folder, Manifest.decode(data, where=where), seal)


def read_packed(header: Header, *, is_trusted: bool) -> Packed:
    """Return the bundle of `header`, all hashes verified: the bytes that are returned are those hashed.

    Parameters
    ----------
    header
        Of :func:`read_header`.
    is_trusted
        Whether a trusted key has sealed it. Without that its size is bounded: it is read into memory.

    Raises
    ------
    IntegrityError
        If a file is missing, or there is one too many, or one is larger than may be or has another hash.
    StoreError
        If the store does not answer.
    """
    folder, manifest = header.folder, header.manifest
    total = sum(entry.bytes for entry in manifest.files.values())
    if total > MAX_UNTRUSTED and not is_trusted:
        raise IntegrityError(
            f"{folder.url}: the manifest tells of {total:,} bytes, and without the seal of a trusted key "
            f"{MAX_UNTRUSTED:,} are the most; see `streamapp keys`"
        )
    _check_names(folder, manifest)
    files = {path: _read_file(folder, path, manifest) for path in manifest.files}
    return Packed(manifest, files, header.seal, folder.url)


def _read_seal(folder: Folder, manifest: bytes) -> Seal | None:
    data = folder.read(SEAL, limit=_MAX_SEAL)
    if data is None:
        return None
    seal = Seal.decode(data[:_MAX_SEAL], where=folder.url)
    seal.verify(manifest, where=folder.url)
    return seal


def _check_names(folder: Folder, manifest: Manifest) -> None:
    expected = {*manifest.files, MANIFEST}
    found = folder.names() - {SEAL}
    if missing := sorted(expected - found):
        raise IntegrityError(f"{folder.url}: {missing[0]} is missing; copy the bundle whole")
    if strange := sorted(found - expected):
        raise IntegrityError(
            f"{folder.url}: {shown(strange[0])} is not in the manifest; remove it, or pack the model again"
        )


def _read_file(folder: Folder, path: str, manifest: Manifest) -> bytes:
    entry = manifest.files[path]
    data = folder.read(path, limit=entry.bytes)
    if data is None:
        raise IntegrityError(f"{folder.url}: {path} is missing; copy the bundle whole")
    if len(data) != entry.bytes:
        size = "more" if len(data) > entry.bytes else f"{len(data):,}"
        raise IntegrityError(f"{folder.url}: {path} has {size} bytes where the manifest says {entry.bytes:,}")
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise IntegrityError(f"{folder.url}: {path} was changed: its hash is not that of the manifest")
    return data


def write_packed(packed: Packed, url: str | os.PathLike[str]) -> str:
    """Write a bundle to the folder `url` and return its absolute URL.

    The manifest comes last: what was cut short is no bundle yet. Writing the same bundle again changes
    nothing; another bundle in the folder is replaced.

    Raises
    ------
    BundleError
        If the folder holds files that are no bundle's.
    StoreError
        If the store refuses.
    """
    folder = Folder(url)
    data = packed.manifest.encode()
    former = folder.read(MANIFEST, limit=_MAX_MANIFEST)
    present = folder.names()
    if former == data and present >= set(packed.files):
        if packed.seal is not None and folder.read(SEAL, limit=_MAX_SEAL) != packed.seal.encode():
            folder.write(SEAL, packed.seal.encode())
        return folder.url
    own = {*packed.files, MANIFEST, SEAL}
    if former is not None:
        own |= set(Manifest.decode(former, where=folder.url).files)
    # Files of this bundle may be there: another writer is at work, or died in it.
    if strange := sorted(present - own):
        raise BundleError(
            f"{folder.url} is not empty and holds no bundle ({strange[0]}): choose another folder"
        )
    if former is not None:
        folder.delete(MANIFEST)
    for name in sorted(present - set(packed.files)):
        folder.delete(name)
    for name, content in packed.files.items():
        folder.write(name, content)
    if packed.seal is not None:
        folder.write(SEAL, packed.seal.encode())
    folder.write(MANIFEST, data)
    return folder.url

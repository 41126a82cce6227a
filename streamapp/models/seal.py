"""Seals: ed25519 signatures over manifests, and the folder of keys that this machine has and trusts.

A folder holds ``NAME.pub`` files, the keys that are trusted, and perhaps ``local.key``, the private key that
seals what is packed here; and ``trusted-types.txt``, what skops files may build. Formats that can run code
load only under the seal of a trusted key: whoever can write to the store must not thereby be able to run code
on those who read from it. ``personal.secret`` has no part in that: it makes the hashes of personal columns.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import orjson

from streamapp.errors import ConfigError, IntegrityError
from streamapp.models.trusted_types import TYPES, add_types, read_types
from streamapp.settings import config_dir

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["Keys", "PublicKey", "Seal", "SealStatus", "default_keys"]

SealStatus = Literal["trusted", "untrusted", "none"]

_LOCAL = "local"
_SECRET_BYTES = 32


def default_keys() -> Path:
    """Return the folder of keys: ``$STREAMAPP_KEYS``, or ``keys`` in the user's config directory."""
    named = os.environ.get("STREAMAPP_KEYS")
    return Path(named) if named else config_dir() / "keys"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that can verify seals.

    Attributes
    ----------
    raw
        Its 32 bytes.
    path
        The file that it comes from, if from one.
    """

    raw: bytes
    path: Path | None = None

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits to tell keys apart."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the key in a file, PEM or one line of OpenSSH.

        Raises
        ------
        ConfigError
            If the file cannot be read or holds no ed25519 public key.
        """
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key  # noqa: PLC0415

        data = _read(path)
        try:
            key = load_ssh_public_key(data) if data.startswith(b"ssh-") else load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            hint = "; it is a private key, never hand that out" if b"PRIVATE KEY" in data else ""
            raise ConfigError(f"{path} holds no ed25519 public key (PEM or OpenSSH){hint}")
        return cls(key.public_bytes_raw(), path)


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature over a manifest's bytes.

    Attributes
    ----------
    key
        The public key, 32 bytes.
    signature
        64 bytes.
    """

    key: bytes
    signature: bytes

    @property
    def fingerprint(self) -> str:
        """Of the key that made it."""
        return PublicKey(self.key).fingerprint

    @classmethod
    def make(cls, manifest: bytes, key: Path) -> Self:
        """Return the seal over `manifest` by the private key in file `key`."""
        private = _read_private(key)
        return cls(private.public_key().public_bytes_raw(), private.sign(manifest))

    def verify(self, manifest: bytes, *, where: str) -> None:
        """Raise IntegrityError unless this seal was made over `manifest`."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(self.signature, manifest)
        except InvalidSignature:
            raise IntegrityError(
                f"{where}: the seal does not fit the manifest: one of them was changed"
            ) from None

    def encode(self) -> bytes:
        """Return the bytes of ``seal.json``."""
        fields = {
            "algorithm": "ed25519",
            "key": self.key.hex(),
            "signature": base64.b64encode(self.signature).decode(),
        }
        return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def decode(cls, data: bytes, *, where: str) -> Self:
        """Return the seal in `data`; raise IntegrityError if there is none."""
        try:
            fields = orjson.loads(data)
            key = bytes.fromhex(fields["key"])
            signature = base64.b64decode(fields["signature"], validate=True)
            fits = fields["algorithm"] == "ed25519" and len(key) == 32 and len(signature) == 64
        except (ValueError, KeyError, TypeError):
            fits = False
        if not fits:
            raise IntegrityError(f"{where}: seal.json holds no ed25519 seal")
        return cls(key, signature)


class Keys:
    """A folder of keys.

    Parameters
    ----------
    folder
        Default: :func:`default_keys`. It is made when the first key is.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_keys()

    @property
    def private(self) -> Path:
        """The file of the local private key."""
        return self.folder / f"{_LOCAL}.key"

    def list(self) -> list[PublicKey]:
        """Return the trusted keys, by file name; errors as in :meth:`PublicKey.read`."""
        try:
            paths = sorted(self.folder.glob("*.pub"))
        except OSError as exc:
            raise ConfigError(f"keys in {self.folder} cannot be listed: {exc.strerror}") from exc
        return [PublicKey.read(path) for path in paths]

    def status(self, seal: Seal | None) -> SealStatus:
        """Return what `seal`, which has been verified, is worth here."""
        if seal is None:
            return "none"
        return "trusted" if any(key.raw == seal.key for key in self.list()) else "untrusted"

    def types(self) -> frozenset[str]:
        """Return the dotted names of the types that skops files may build, beside those that skops trusts."""
        return read_types(self.folder / TYPES)

    def trust_types(self, names: Iterable[str]) -> None:
        """Let skops files build the types `names` from now on; ConfigError if one is no dotted name."""
        with self._writing():
            add_types(self.folder / TYPES, names)

    def local(self) -> tuple[Path, bool]:
        """Return the file of the local private key, and whether it had to be made (and trusted) now."""
        if self.private.exists():
            return self.private, False
        self.new()
        return self.private, True

    @property
    def secret(self) -> Path:
        """The file of the secret that makes the hashes of personal columns, as hex digits."""
        return self.folder / "personal.secret"

    def personal_secret(self) -> tuple[bytes, bool]:
        """Return the secret that makes the hashes of personal columns, and whether it had to be made now.

        Raises
        ------
        ConfigError
            If the file cannot be read or written, or holds something else.
        """
        is_new = False
        if not self.secret.exists():
            with self._writing():  # if another process is quicker, its secret counts
                is_new = _write_private(self.secret, secrets.token_hex(_SECRET_BYTES).encode())
        try:
            secret = bytes.fromhex(_read(self.secret).decode("ascii"))
        except ValueError:
            secret = b""
        if len(secret) < _SECRET_BYTES:
            raise ConfigError(
                f"{self.secret} holds no secret, which is {2 * _SECRET_BYTES} hex digits or more: copy it "
                "from where the deployment is scored, or delete the file to have another one made"
            )
        return secret, is_new

    def local_fingerprint(self) -> str | None:
        """Return the fingerprint of the local key, None if there is none."""
        if not self.private.exists():
            return None
        return PublicKey(_read_private(self.private).public_key().public_bytes_raw()).fingerprint

    def new(self) -> PublicKey:
        """Make a new local key and trust it; an earlier one stays trusted, and is kept under another name."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        key = Ed25519PrivateKey.generate()
        public = PublicKey(key.public_key().public_bytes_raw())
        with self._writing():
            if self.private.exists():
                former = PublicKey(_read_private(self.private).public_key().public_bytes_raw())
                self.private.rename(self.folder / f"{_LOCAL}-{former.fingerprint}.key")
            # The public half first: seals of a private key that exists are trusted here.
            made = self._write_public(key.public_key(), f"{_LOCAL}-{public.fingerprint}")
            if not _write_private(self.private, _pem(key)):
                Path(made.path or "").unlink()  # another process was quicker: its key is the local one
                made = PublicKey(_read_private(self.private).public_key().public_bytes_raw())
        return made

    def trust(self, path: str | os.PathLike[str]) -> PublicKey:
        """Trust the public key in file `path` from now on, and return it."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        key = PublicKey.read(Path(path))
        known = next((each for each in self.list() if each.raw == key.raw), None)
        if known is not None:
            return known
        name = Path(path).stem
        if (self.folder / f"{name}.pub").exists():
            name = f"{name}-{key.fingerprint}"
        with self._writing():
            return self._write_public(Ed25519PublicKey.from_public_bytes(key.raw), name)

    def _write_public(self, key: Ed25519PublicKey, name: str) -> PublicKey:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        path = self.folder / f"{name}.pub"
        path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        path.chmod(0o600)
        return PublicKey(key.public_bytes_raw(), path)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            yield
        except OSError as exc:
            raise ConfigError(
                f"keys cannot be written to {self.folder}: {exc.strerror}; "
                "set STREAMAPP_KEYS to another folder"
            ) from exc


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"key file {path} cannot be read: {exc.strerror}") from exc


def _read_private(path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds no ed25519 private key (PEM without a password)")
    return key


def _pem(key: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_private(path: Path, data: bytes) -> bool:
    """Write what nobody else may read unless the file exists already; return whether it was written."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        # With its mode from the first moment, and under its name only when complete.
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        part.unlink(missing_ok=True)
    return True

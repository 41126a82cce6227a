"""One folder on any fsspec store: the only place of this package that reads and writes."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamapp.errors import BundleError, ConfigError, StoreError, StreamappError
from streamapp.models import s3
from streamapp.models.plain_files import plain_names, read_plain
from streamapp.models.urls import expand_url, scheme_of, without_secrets

__all__ = ["Folder"]

_PART = re.compile(r"\.\d+\.part$")

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free space, or choose another store",
    errno.EDQUOT: "the disk quota is used up: free space, or choose another store",
    errno.EROFS: "the file system is read-only: choose another store",
    errno.EACCES: "no permission: choose another place, or let this user in",
    errno.EPERM: "no permission: choose another place, or let this user in",
    errno.ENOTDIR: "a file stands where a folder is needed: choose another place",
    errno.EISDIR: "a folder stands where a file is needed: choose another place",
}


class Folder:
    """A folder, which need not exist yet.

    Parameters
    ----------
    url
        fsspec URL, or a path.

    Raises
    ------
    ConfigError
        If there is no such kind of store, or the package that speaks to it is not installed.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        from fsspec.core import url_to_fs  # noqa: PLC0415

        self.url = expand_url(url)
        options = s3.OPTIONS if self.is_s3 else {}
        try:
            self._fs, self._root = url_to_fs(self.url, **options)
        except (ValueError, ImportError) as exc:
            install = "; for S3: pip install 'streamapp[s3]'" if self.is_s3 else ""
            raise ConfigError(
                f"store {self.url}: {exc}; known without more are paths, file:// and memory://{install}"
            ) from exc
        except Exception as exc:
            raise StoreError(f"store {self.url} cannot be opened: {_first_line(exc)}") from exc
        if self.is_s3:
            self._fs.retries = s3.TRIES

    def __truediv__(self, name: str) -> Folder:
        return Folder(f"{self.url}/{name}")

    @property
    def is_local(self) -> bool:
        """Whether it lies in this machine's file system."""
        return scheme_of(self.url) == "file"

    @property
    def is_s3(self) -> bool:
        """Whether it lies in a bucket of S3, or of a server that speaks like it."""
        return scheme_of(self.url) == "s3"

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def read(self, name: str, *, limit: int) -> bytes | None:
        """Return at most `limit` + 1 bytes of a file, None if there is none.

        Raises
        ------
        IntegrityError
            If it is a link, or no plain file.
        StoreError
            If the store does not answer.
        """
        with self._mapped(f"read {name}"):
            if self.is_local:
                return read_plain(self._root, name, limit=limit)
            try:
                with self._fs.open(self._path(name), "rb") as file:
                    return bytes(file.read(limit + 1))
            except FileNotFoundError:
                return None

    def names(self) -> set[str]:
        """Return the paths of all files in it, relative to it; empty if it does not exist.

        Files that are just being written (see :meth:`write`) are not there yet.
        """
        with self._mapped("list"):
            if self.is_local and os.path.isdir(self._root):
                return {path for path in plain_names(self._root) if not _PART.search(path)}
            self._fs.invalidate_cache()
            prefix = self._path("")
            found = {path.removeprefix(prefix) for path in self._fs.find(self._root)}
        # A file in the folder's place is listed as itself.
        if self._root in found:
            raise BundleError(f"{self.url} is a file; a bundle is a folder")
        # Consoles mark folders by empty objects with such names.
        return {path for path in found if path and not path.endswith("/")}

    def write(self, name: str, data: bytes) -> None:
        """Write a file; a reader sees the old one or the new one, none in between."""
        path = self._path(name)
        with self._mapped(f"write {name}"):
            if not self.is_s3:  # which has no folders, and would make a bucket of any name
                self._fs.makedirs(self._fs._parent(path), exist_ok=True)
            if not self.is_local:
                self._fs.pipe_file(path, data)  # object stores show an object when it is complete
                return
            part = f"{path}.{os.getpid()}.part"
            Path(part).unlink(missing_ok=True)
            try:
                with open(part, "xb") as file:  # never through a link that somebody has left there
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(part, path)
            finally:
                Path(part).unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Delete a file if it is there."""
        with self._mapped(f"delete {name}"):
            try:
                self._fs.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def delete_all(self) -> None:
        """Delete the folder with all that is in it, if it is there."""
        with self._mapped("delete"):
            try:
                self._fs.rm(self._root, recursive=True)
            except FileNotFoundError:
                return

    @contextmanager
    def _mapped(self, action: str) -> Iterator[None]:
        """Turn whatever a store raises into one line that says what to do."""
        try:
            yield
        except StreamappError:
            raise
        except OSError as exc:
            remedy = _REMEDIES.get(exc.errno or 0) or self._remedy(exc)
            raise StoreError(f"{self.url}: cannot {action}: {remedy}") from exc
        except Exception as exc:  # each kind of store has errors of its own
            raise StoreError(f"{self.url}: cannot {action}: {self._remedy(exc)}") from exc

    def _remedy(self, exc: Exception) -> str:
        return (s3.remedy(exc) if self.is_s3 else None) or _first_line(exc)


def _first_line(exc: BaseException) -> str:
    lines = without_secrets(str(exc)).strip().splitlines()
    return f"{type(exc).__name__}: {lines[0]}" if lines else type(exc).__name__

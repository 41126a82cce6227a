"""Files of this machine, read only where they are what they seem: no links, pipes or devices."""

from __future__ import annotations

import errno
import os
import stat

from streamapp.errors import IntegrityError

__all__ = ["plain_names", "read_plain"]


def read_plain(root: str, name: str, *, limit: int) -> bytes | None:
    """Return at most `limit` + 1 bytes of the file `name` below the folder `root`, None if there is none.

    Each part of `name` is opened from its folder and no link is followed, so that what is checked is what is
    read. A pipe would be waited for without end.

    Raises
    ------
    IntegrityError
        If a part of `name` is a link, or the file is no plain file.
    OSError
        If it cannot be read.
    """
    *folders, last = name.split("/")
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in folders:
                folder = _enter(folder, part)
            file = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise _not_plain(root, name, "is a symbolic link") from None
        raise
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise _not_plain(root, name, "is no file")
        with os.fdopen(file, "rb", closefd=False) as opened:
            # Not limit + 1 alone: that many bytes would be set aside at once.
            return opened.read(min(limit, found.st_size) + 1)
    finally:
        os.close(file)


def _enter(folder: int, name: str) -> int:
    """Return the folder `name` in `folder`, which is closed."""
    if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    os.close(folder)
    return inner


def plain_names(root: str) -> set[str]:
    """Return the paths of all that is no folder below `root`, relative to it; empty if it does not exist.

    Folders that are links are named and not entered.
    """
    found = set()
    for folder, folders, files in os.walk(root, onerror=_raise):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found |= {os.path.relpath(os.path.join(folder, name), root) for name in files + links}
    return found


def _raise(exc: OSError) -> None:
    if not isinstance(exc, FileNotFoundError):
        raise exc


def _not_plain(root: str, name: str, what: str) -> IntegrityError:
    return IntegrityError(f"file://{root}: {name} {what}; a bundle holds plain files only")

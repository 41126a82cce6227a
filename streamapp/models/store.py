"""Where bundles of all versions lie: ``STORE/NAME/VERSION`` on any fsspec store."""

from __future__ import annotations

import os
from pathlib import Path

from streamapp.errors import IntegrityError
from streamapp.models.bundle import Bundle
from streamapp.models.folder import Folder
from streamapp.models.urls import expand_url

__all__ = ["Store", "expand_url"]


class Store:
    """A folder of bundles.

    Parameters
    ----------
    url
        fsspec URL (``file://``, ``s3://``, …) or a path.

    Raises
    ------
    ConfigError
        If there is no such kind of store, or the package that speaks to it is not installed.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self._folder = Folder(url)

    @property
    def url(self) -> str:
        """Absolute URL of the store."""
        return self._folder.url

    def url_of(self, name: str, version: str) -> str:
        """Return the absolute URL at which a version lies, or would."""
        return f"{self.url}/{name}/{version}"

    def put(self, bundle: Bundle, *, key: Path | None = None) -> str:
        """Store a bundle and return its absolute URL. Storing it again changes nothing.

        Parameters
        ----------
        bundle
            Made here or loaded.
        key
            File of the private key that seals it. Default: the seal that it has, else the local key.

        Raises
        ------
        StoreError
            If the store cannot be written, in one line that says why.
        """
        return bundle.save(self.url_of(bundle.manifest.name, bundle.version), key=key)

    def get(self, name: str, version: str, *, trust: str | os.PathLike[str] | None = None) -> Bundle:
        """Return a stored bundle, loaded; errors as in :meth:`streamapp.models.Bundle.load`.

        A bundle of another name or version in its place is an IntegrityError, whoever has sealed it.
        """
        bundle = Bundle.load(self.url_of(name, version), trust=trust)
        if (bundle.manifest.name, bundle.version) != (name, version):
            raise IntegrityError(
                f"{bundle.url}: this is {bundle.manifest.name} {bundle.version}; put {name} {version} there"
            )
        return bundle

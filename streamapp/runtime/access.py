"""Who is let in by HTTP: by token, and from where."""

from __future__ import annotations

import hmac
import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from streamapp.errors import ConfigError
from streamapp.settings import Settings

__all__ = ["Served", "check_bind", "is_authorized", "is_local", "read_token"]

Served = Literal["gateway", "dashboard"]
"""What is served, as its settings begin."""


def is_authorized(token: str | None, authorization: str) -> bool:
    """Return whether the header `authorization` brings `token`; None asks for none.

    Examples
    --------
    >>> is_authorized("s3cret", "Bearer s3cret"), is_authorized("s3cret", "Bearer guess")
    (True, False)
    """
    if token is None:
        return True
    scheme, _, given = authorization.partition(" ")
    # Compared in a time that does not tell how much of it is right.
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return same and scheme.lower() == "bearer"


def read_token(settings: Settings, server: Served) -> str | None:
    """Return the token that requests have to bring, from the environment or a file; None if there is none.

    Parameters
    ----------
    settings
        That name it.
    server
        Whose: each has one of its own.

    Raises
    ------
    ConfigError
        If it is empty, has spaces, or its file cannot be read.
    """
    secret: SecretStr | None = getattr(settings, f"{server}_token")
    file: Path | None = getattr(settings, f"{server}_token_file")
    if secret is not None:
        source, token = f"STREAMAPP_{server.upper()}_TOKEN", secret.get_secret_value()
    elif file is not None:
        source = f"token file {file}"
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = getattr(exc, "strerror", None) or "it is no text"
            raise ConfigError(f"{source} cannot be read: {reason}") from None
    else:
        return None
    if not token or not token.isascii() or any(char.isspace() for char in token):
        raise ConfigError(
            f"{source} must be one word of ASCII characters, for example of: openssl rand -hex 32"
        )
    return token


def check_bind(bind: str, token: str | None, server: Served) -> None:
    """Refuse to listen for other machines without a token.

    Raises
    ------
    ConfigError
        Naming both remedies.
    """
    if token is None and not is_local(bind):
        raise ConfigError(
            f"--bind {bind} lets other machines in: set STREAMAPP_{server.upper()}_TOKEN or "
            "--token-file FILE, or listen on 127.0.0.1"
        )


def is_local(host: str) -> bool:
    """Return whether `host`, a name or an address, is this machine and nothing else.

    Examples
    --------
    >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0"), is_local("example.org")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

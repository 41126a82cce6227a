"""Secrets, certificates and keys, out of the files that settings name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from streamapp.errors import ConfigError

__all__ = ["secret", "tls_context"]


def secret(name: str, given: SecretStr | None, file: Path | None) -> SecretStr | None:
    """Return the secret that the setting `name` gives, or `file`, or None.

    Raises
    ------
    ConfigError
        If both do, or the file does not hold one line.
    """
    if file is None:
        return given or None
    if given:
        raise ConfigError(f"{name} and {name}_file are both set: leave one of them out")
    with _reading(f"{name}_file", file):
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    if not text or "\n" in text:
        raise ConfigError(f"{name}_file {file} must hold the secret in its one line")
    return SecretStr(text)


def tls_context(
    authorities: Path | None, certificate: Path | None, key: Path | None, password: SecretStr | None
) -> ssl.SSLContext:
    """Return what verifies brokers, and shows them our certificate if there is one.

    Parameters
    ----------
    authorities
        PEM of those that are trusted; None for the system's.
    certificate, key
        PEM of our own; without `key` the first file holds both.
    password
        Of the key.

    Raises
    ------
    ConfigError
        If a file cannot be read, or does not hold what it should.
    """
    with _reading("ssl_cafile", authorities):
        context = ssl.create_default_context(cafile=authorities)
    if certificate is None:
        if key is not None:
            raise ConfigError("ssl_keyfile is set without its certificate: set STREAMAPP_SSL_CERTFILE")
        return context
    for name, file in (("ssl_certfile", certificate), ("ssl_keyfile", key or certificate)):
        with _reading(name, file):  # OpenSSL does not say which of the two it could not open
            file.read_bytes()
    try:
        # A password in any case: without one OpenSSL would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password.get_secret_value() if password else "")
    except ssl.SSLError as exc:
        raise ConfigError(_why_not(exc, certificate, key)) from None
    return context


def _why_not(exc: ssl.SSLError, certificate: Path, key: Path | None) -> str:
    if exc.reason == "KEY_VALUES_MISMATCH":
        return f"ssl_keyfile {key or certificate} is not the key of the certificate in {certificate}"
    holder = (key or certificate).read_text(errors="replace")
    if "PRIVATE KEY" not in holder:
        remedy = "name the PEM file that does" if key else "set STREAMAPP_SSL_KEYFILE to the file that does"
        return f"{'ssl_keyfile' if key else 'ssl_certfile'} {key or certificate} has no private key: {remedy}"
    if "ENCRYPTED" in holder:
        return (
            f"the private key in {key or certificate} does not open with this password: "
            "set STREAMAPP_SSL_KEY_PASSWORD_FILE or STREAMAPP_SSL_KEY_PASSWORD"
        )
    return f"ssl_certfile {certificate} holds no certificate in PEM, or its key is damaged"


@contextmanager
def _reading(name: str, file: Path | None) -> Iterator[None]:
    """Turn what goes wrong with the file of a setting into one line."""
    try:
        yield
    except ssl.SSLError as exc:
        raise ConfigError(f"{name} {file} holds no certificate in PEM ({exc.reason or exc})") from None
    except OSError as exc:
        raise ConfigError(f"{name} {file} cannot be read: {exc.strerror or exc}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name} {file} is not text in UTF-8") from None

"""What is particular to S3: bounded waiting, and what to do about its errors."""

from __future__ import annotations

from typing import Any

__all__ = ["OPTIONS", "TRIES", "remedy"]

OPTIONS: dict[str, Any] = {
    "config_kwargs": {
        "connect_timeout": 5,
        "read_timeout": 15,
        "retries": {"mode": "standard", "total_max_attempts": 2},
    },
    # Versions come from other processes: what was listed once says nothing about now.
    "use_listings_cache": False,
}
"""Storage options of s3fs. Everything else comes from the environment, as for any client of S3."""

TRIES = 2
"""How often s3fs tries, around the client's own attempts: a store that is gone is given up after a minute,
where the defaults would wait for ten."""

_ACCESS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to credentials that may list, read, "
    "write and delete there"
)
_ANSWER = "the store does not answer: look at the network and at AWS_ENDPOINT_URL"

_REMEDIES = {
    "PermissionError": f"the store refuses: {_ACCESS}",
    "NoCredentialsError": f"there are no credentials: {_ACCESS}",
    "PartialCredentialsError": f"half of the credentials is missing: {_ACCESS}",
    "ProfileNotFound": f"AWS_PROFILE names no profile: {_ACCESS}",
    "ParamValidationError": "no bucket can have this name: write s3://BUCKET/FOLDER",
    "FileNotFoundError": "there is no such bucket: create it, or choose another store",
    "ConnectionError": _ANSWER,
    "HTTPClientError": _ANSWER,  # the client's base of most that goes wrong on the way
    "ClientPayloadError": _ANSWER,
    "IncompleteReadError": _ANSWER,
    "TimeoutError": _ANSWER,
}


def remedy(exc: BaseException) -> str | None:
    """Return what to do about an error of s3fs or its client, None if that is not known."""
    return next((_REMEDIES[kind.__name__] for kind in type(exc).__mro__ if kind.__name__ in _REMEDIES), None)

"""Every error that streamapp raises, as one tree.

    StreamappError
    ├── ConfigError                  a wrong setting, option or argument: refuse to start
    ├── MessageError                 this message can never succeed: dead letter, go on
    ├── ModelError
    │   ├── BundleError              not a bundle, or not one that this version can read
    │   ├── IntegrityError           hash, manifest or seal do not match: nothing was loaded
    │   ├── SignatureError           rows or model do not fit the signature
    │   └── PredictionError          the estimator raised, or answered something else than it must
    ├── ProfileError                 a reference that no drift can be measured against
    ├── TrainingError                a training that gave no model
    │   └── TrainingEndedError       its process was ended, or died: the trainer has said nothing
    └── InfrastructureError          retriable: wait, try again, give up after a bound
        ├── BrokerError
        │   └── AccessError          Kafka does not let us in, or denies something
        ├── StoreError
        ├── BusyError            more is asked for than may be in flight
        └── AnswerTimeoutError   no answer in time; it may still come

Outcomes (drift found, challenger rejected, label late) are not errors.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AccessError",
    "AnswerTimeoutError",
    "BrokerError",
    "BundleError",
    "BusyError",
    "ConfigError",
    "InfrastructureError",
    "IntegrityError",
    "MessageError",
    "ModelError",
    "PredictionError",
    "ProfileError",
    "SignatureError",
    "StoreError",
    "StreamappError",
    "TrainingEndedError",
    "TrainingError",
    "in_one_line",
    "shown",
]


class StreamappError(Exception):
    """Base of the tree, never raised itself. Its text names the value, the bound and the remedy."""

    code: ClassVar[str] = "error"
    retriable: ClassVar[bool] = False


class ConfigError(StreamappError, ValueError):
    """A setting, option or argument is wrong."""

    code = "config"


class MessageError(StreamappError, ValueError):
    """A message that can never be processed.

    Parameters
    ----------
    code
        Stable code: goes to rejections, dead letters and metrics.
    message
        What was wrong, and what would be right.
    feature
        The column at fault, if one is.
    """

    def __init__(self, code: str, message: str, *, feature: str | None = None) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # an instance's code is finer than its class's
        self.message = message
        self.feature = feature


class ModelError(StreamappError):
    """Something about a model or its bundle."""

    code = "model"


class BundleError(ModelError, ValueError):
    """Not a bundle, or not one that this version can read."""

    code = "bundle"


class IntegrityError(ModelError):
    """Hash, manifest or seal do not match; nothing was deserialised."""

    code = "integrity"


class SignatureError(ModelError, ValueError):
    """Rows, or the model itself, do not fit the signature."""

    code = "signature"


class PredictionError(ModelError):
    """The estimator raised, or returned something that is no answer."""

    code = "model-failed"


class ProfileError(StreamappError, ValueError):
    """A reference that no drift can be measured against."""

    code = "profile"


class TrainingError(StreamappError):
    """A training that gave no model."""

    code = "training"


class TrainingEndedError(TrainingError):
    """A training whose process was ended, or died; its trainer has said nothing."""


class InfrastructureError(StreamappError):
    """Broker or store did not do what was asked; it may do so later."""

    code = "infrastructure"
    retriable = True


class BrokerError(InfrastructureError):
    """Kafka cannot be reached, or refused."""

    code = "broker"


class AccessError(BrokerError):
    """Kafka does not let us in, or an access control list lacks something."""

    code = "access"


class StoreError(InfrastructureError):
    """The bundle store cannot be read or written."""

    code = "store"


class BusyError(InfrastructureError):
    """More is asked for at once than may be in flight."""

    code = "busy"


class AnswerTimeoutError(InfrastructureError):
    """No answer came in time; it may still come.

    Parameters
    ----------
    message
        How long was waited, and for what.
    position
        Partition and offset of the request, if Kafka has it.
    """

    code = "timeout"

    def __init__(self, message: str, *, position: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.position = position


def shown(text: str, limit: int = 300) -> str:
    """Return `text` from outside as one line that fits into a message, and that no terminal obeys.

    The middle is left out of what is longer than `limit` characters.

    Examples
    --------
    >>> shown("0123456789", 5), shown("a" + chr(27) + "[2J"), shown("two" + chr(10) + "lines")
    ('01…89', 'a�[2J', 'two lines')
    """
    text = " ".join(text.splitlines())
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-(limit // 2) :]}"
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def in_one_line(exc: BaseException) -> str:
    """Return what kind of error `exc` is and what it says, without line breaks.

    Examples
    --------
    >>> in_one_line(ValueError("too   many"))
    'ValueError: too many'
    """
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}"

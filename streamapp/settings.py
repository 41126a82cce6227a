"""Settings of a deployment's roles: one class, from arguments or the environment (``STREAMAPP_…``)."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from streamapp.connection import ConnectionSettings
from streamapp.errors import ConfigError
from streamapp.topics import TopicNames, check_name

__all__ = ["ROLES", "WEB_PORT", "Role", "Settings", "config_dir", "data_dir"]

Role = Literal["score", "monitor", "train"]
ROLES: tuple[Role, ...] = ("score", "monitor", "train")

WEB_PORT = 6066
"""Where the first of :data:`ROLES` has its web pages; the others have the ports that follow."""

_DAY_S = 86_400


def data_dir() -> Path:
    """Return the folder for what streamapp keeps: ``$XDG_DATA_HOME/streamapp`` or its usual default."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "streamapp"


def config_dir() -> Path:
    """Return the folder for what its user decides: ``$XDG_CONFIG_HOME/streamapp`` or its usual default."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "streamapp"


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Settings(ConnectionSettings):
    """Everything that can be set. Each field is also an environment variable: ``STREAMAPP_`` and its name."""

    model_config = SettingsConfigDict(
        env_prefix="STREAMAPP_", env_ignore_empty=True, frozen=True, extra="forbid"
    )

    name: str = Field(description="The deployment.")
    role: Role = "score"

    # Where
    store: str = Field(
        default_factory=lambda: (data_dir() / "bundles").as_uri(),  # noqa: PLW0108
        description="fsspec URL of bundles.",
    )
    keys: Path = Field(default_factory=lambda: config_dir() / "keys", description="Folder of keys for seals.")
    state_dir: Path = Field(
        default_factory=lambda: data_dir() / "state", description="Folder of JOIN's stores."
    )
    web_bind: str = Field(default="127.0.0.1", description="Address that the web pages listen on.")
    web_port: int | None = Field(default=None, description="Default: score 6066, monitor 6067, train 6068.")
    instance: str | None = Field(default=None, description="Static member id; default HOST-ROLE-WEBPORT.")

    # Serving
    max_request_bytes: int = Field(default=1 << 20, gt=0, description="Largest value of a request.")
    max_request_rows: int = Field(
        default=1_000, gt=0, description="Most rows of a request, in the dialects V2 and V1."
    )
    request_framing: Literal["none", "confluent"] = Field(
        default="none",
        description="What to skip before the JSON of requests and feedback: a schema id, or none.",
    )
    answer_features: bool = Field(
        default=True, description="Repeat the input in answers (needed to learn from them)."
    )
    no_model: Literal["wait", "reject"] = Field(
        default="wait", description="What becomes of requests while there is no model."
    )
    predict_timeout: float = Field(
        default=10.0, gt=0, le=30, description="Seconds for a call of the model; then smaller ones are tried."
    )
    pane_events: int = Field(default=64, gt=0, description="Requests that close a pane of distributions.")
    pane_seconds: float = Field(default=5.0, gt=0, description="Age that closes a pane.")
    commit_interval: float = Field(
        default=0.5, gt=0, le=10, description="Seconds between commits; what a crash repeats."
    )

    # Logs and traces
    log_format: Literal["console", "json"] = Field(
        default="console", description="Lines for people, or one JSON object a line."
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lowered)] = Field(
        default="info", description="Least level of what is logged."
    )
    traces: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of requests without a trace context that get one; 0: no traces at all.",
    )

    # Drift
    false_alarm_every: int = Field(default=100_000, gt=0, description="Requests per false drift alarm.")
    accuracy_false_alarm_every: int = Field(
        default=10_000, gt=0, description="Labelled rows per false alarm of accuracy and target."
    )
    drift: str = Field(
        default="", description="Choices for columns, over those in bundles: COLUMN:OPTION=VALUE ..."
    )
    clear_after: int = Field(
        default=5_000, gt=0, description="Requests, or labelled rows, without drift that resolve an alert."
    )
    no_data_after_s: float | None = Field(
        default=3_600,
        gt=0,
        description="Seconds without an answered request, once there was one, that are an alert, wall clock.",
    )

    latency_limit_s: float | None = Field(
        default=60, gt=0, description="Seconds that a request may wait; more than 1 % late are an alert."
    )

    # Labels
    label_horizon_s: float = Field(
        default=30 * _DAY_S, gt=0, description="How late a label may come, event time."
    )
    join_memory_mb: int = Field(
        default=128, gt=0, description="Memory of JOIN's stores, all partitions of a process together, MiB."
    )
    review_per_hour: float = Field(
        default=1.0, ge=0, lt=1e6, description="Answers drawn for people to look at, stream time; 0: none."
    )
    review_cap_per_hour: int | None = Field(
        default=None, gt=0, description="At most so many; default: far above what is drawn by chance."
    )

    # Retraining and rollout
    retrain_every_s: float | None = Field(default=None, gt=0, description="Schedule, in stream time.")
    retrain_every_rows: int = Field(
        default=2_000, ge=0, description="Schedule, in labelled rows since the last reason to train; 0: none."
    )
    retrain_cooldown_rows: int = Field(
        default=2_000, ge=0, description="New labelled rows between trainings, but after alarms."
    )
    retrain_cooldown_s: float = Field(default=0.0, ge=0, description="The same in seconds of stream time.")
    trainings_per_day: int = Field(
        default=24, gt=0, description="Trainings in a day of stream time; half of them are for alarms."
    )
    training_windows: tuple[int, ...] = Field(
        default=(2_000, 8_000),
        description="Newest labelled rows to try, beside all and those since a change: the best is taken.",
    )
    training_min_rows: int = Field(default=500, gt=0, description="Fewer labelled rows give no model.")
    training_rows: int = Field(
        default=100_000, gt=0, description="At most this many of the newest labelled rows."
    )
    training_window_s: float | None = Field(
        default=None, gt=0, description="At most this old, in stream time."
    )
    online: bool = Field(
        default=True, description="Whether challengers of the format river learn while they are judged."
    )
    online_snapshot_rows: int = Field(
        default=1_000, gt=0, description="Labelled rows after which an online champion is published anew."
    )
    trainer: str = Field(
        default="refit", description="refit the champion's estimator, or package.module:function."
    )
    training_timeout_s: float = Field(default=3_600, gt=0, description="Seconds that a training may take.")
    training_memory_mb: float | None = Field(
        default=None, gt=0, description="Million bytes of memory that a training may use."
    )
    training_backend: str = Field(
        default="loky", description="Where joblib's parallel calls go: loky, threading, dask, ray."
    )
    dask_address: str | None = Field(
        default=None,
        description="Dask's scheduler, for that backend; default: threads of the training process.",
    )
    gate: bool = Field(
        default=True, description="Compare a challenger with the champion; off: promote it at once."
    )
    gate_alpha: float = Field(
        default=0.05, gt=0, lt=1, description="Chance to promote a model that is no better."
    )
    gate_margin: float = Field(
        default=0.0, gt=-1, lt=1, description="By how much loss it must be better; negative: may be worse."
    )
    gate_margin_in_alarm: float = Field(
        default=-0.01, gt=-1, lt=1, description="The same while accuracy is in alarm, if that is less."
    )
    gate_min_rows: int = Field(
        default=0,
        ge=0,
        description="Labelled rows before which no challenger is decided on: some days, where days differ.",
    )
    gate_max_rows: int = Field(
        default=10_000, gt=0, description="Labelled rows after which an undecided challenger is rejected."
    )
    gate_segment_margin: float | None = Field(
        default=0.05, ge=0, lt=1, description="By how much loss it may be worse in a segment."
    )
    gate_segment_rows: int = Field(
        default=100, ge=2, description="Labelled rows of a segment from which on that counts."
    )
    gate_latency_ratio: float = Field(
        default=3.0, ge=1, description="How many times the champion's time a challenger may take to predict."
    )
    gate_latency_ms: float = Field(
        default=100.0, ge=0, description="Milliseconds for a hundred rows that it may take in any case."
    )
    keep_champions: int = Field(default=2, ge=0, le=10, description="Former champions that may come back.")
    rollback_alpha: float = Field(
        default=0.01, gt=0, lt=1, description="Chance to roll back a new champion that is no worse."
    )
    rollback_rows: int = Field(
        default=5_000, ge=0, description="Labelled rows for which the one before watches it; 0: none."
    )
    rollback_cooldown_rows: int = Field(
        default=2_000, ge=0, description="Labelled rows until a version that was rolled back may come back."
    )

    # Age
    stale_after_s: float | None = Field(
        default=None, gt=0, description="Age of its newest data at which a champion is stale, wall clock."
    )
    retrain_age_s: float | None = Field(
        default=None, gt=0, description="Age of its newest data at which a training is due, wall clock."
    )

    # HTTP
    gateway_bind: str = Field(
        default="127.0.0.1", description="Address that the gateway listens on; any other needs a token."
    )
    gateway_port: int = Field(default=8000, ge=0, le=65_535, description="Its port; 0 takes a free one.")
    gateway_timeout_s: float = Field(
        default=10.0, gt=0, le=300, description="Seconds that a request waits for its answer."
    )
    gateway_in_flight: int = Field(
        default=1_000, gt=0, description="Requests that may wait at once; one more is refused."
    )
    gateway_token: SecretStr | None = Field(
        default=None, description="What requests have to bring as bearer token."
    )
    gateway_token_file: Path | None = Field(default=None, description="File that holds that token.")
    dashboard_bind: str = Field(
        default="127.0.0.1", description="Address that the dashboard listens on; any other needs a token."
    )
    dashboard_port: int = Field(default=8080, ge=0, le=65_535, description="Its port; 0 takes a free one.")
    dashboard_token: SecretStr | None = Field(
        default=None, description="What a browser has to bring once, as ?token=TOKEN."
    )
    dashboard_token_file: Path | None = Field(default=None, description="File that holds that token.")

    @classmethod
    def of(cls, **values: object) -> Self:
        """Return settings from `values` (those that are None are left to the environment and the defaults).

        Raises
        ------
        ConfigError
            Naming the setting, its value and the bound.
        """
        try:
            settings = cls(**{key: value for key, value in values.items() if value is not None})  # type: ignore[arg-type]
        except ValidationError as exc:
            first = exc.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            given = "" if "password" in where else f" = {first['input']!r}"
            raise ConfigError(f"setting {where}{given}: {first['msg']}") from None
        check_name(settings.name)
        return settings

    @property
    def topics(self) -> TopicNames:
        """Full names of the topics."""
        return TopicNames(self.name)

    @property
    def port(self) -> int:
        """The web port: as set, else the role's own."""
        return self.web_port if self.web_port is not None else WEB_PORT + ROLES.index(self.role)

    @property
    def member_id(self) -> str:
        """Static member id of the consumer group: the same after a restart."""
        return self.instance or f"{socket.gethostname()}-{self.role}-{self.port}"

    @property
    def app_id(self) -> str:
        """Faust app id, which is the consumer group."""
        return self.topics.app_id(self.role)

"""One role as a process: logging, signals, a bounded end, and a watchdog."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
import time

import faust

from streamapp.runtime.broker_errors import denial
from streamapp.runtime.host import EXIT_RETRY, Host
from streamapp.runtime.log_fields import cause
from streamapp.runtime.logs import LogStyle, set_up_logging
from streamapp.runtime.ownership import Growth
from streamapp.runtime.progress import Progress
from streamapp.runtime.web import WebServer

__all__ = ["run"]

GRACE_S = 10.0
"""Between the signal to stop and the hard end: whatever is not committed then is replayed."""

_WATCH_EVERY_S = 5.0
_COLLECT_EVERY = 100_000
"""Containers made and not freed between two runs of the collector: more than one batch holds."""

log = logging.getLogger(__name__)


class _Worker(faust.Worker):  # type: ignore[misc]
    """Faust's worker without its spinner and without seconds of politeness at the end."""

    host: Host

    async def start(self) -> None:
        try:
            await super().start()
        except Exception as exc:
            # No broker, above all. Faust would print a traceback and end as if all were well.
            self.host.fatal(f"role {self.host.settings.role} could not start", exc)

    def _on_sigint(self) -> None:
        self._on_sigterm()

    def _on_sigterm(self) -> None:
        log.info("asked to stop: committing what is done")
        _end_hard_in(GRACE_S)
        super()._on_sigterm()

    def _setproctitle(self, info: str, *, ident: str = "streamapp") -> None:
        return None

    def _shutdown_loop(self) -> None:
        # All services have stopped and offsets are committed. What Faust does from here on is to wait two
        # seconds for tasks that nobody needs.
        if exc := self.crash_reason:
            why = denial(exc, self.host.settings.connection) or cause(exc)
            log.critical("ended: %s", why, exc_info=exc)
        else:
            log.info("role %s has stopped", self.host.settings.role)
        self.host.end()
        logging.shutdown()
        sys.stdout.flush()
        os._exit(EXIT_RETRY if self.crash_reason else 0)


def run(host: Host, *, supervised: bool = False) -> None:
    """Run a role in this process until SIGTERM or Ctrl-C; does not return.

    Parameters
    ----------
    host
        Of the role, with its agents.
    supervised
        Whether a supervisor puts the role before each line of the log.

    Raises
    ------
    ConfigError
        If its web port is taken.
    """
    settings = host.settings
    set_up_logging(LogStyle.of(settings), names_role=not supervised)
    WebServer(settings.web_bind, settings.port, host.health, host.metrics, host.pages).start()
    Progress(host)
    Growth(host)
    threading.Thread(target=_watch, args=(host,), name="watchdog", daemon=True).start()
    if settings.role != "train":  # whose models live in processes of their own
        threading.Thread(target=_import_early, name="imports", daemon=True).start()
    worker = _Worker(
        host.app,
        quiet=True,
        redirect_stdouts=False,
        override_logging=False,
        loop=asyncio.get_event_loop_policy().get_event_loop(),
    )
    worker.spinner, worker.host = None, host
    _calm_collector()
    log.info("role %s of %s starts, with Kafka at %s", settings.role, settings.name, settings.bootstrap)
    worker.execute_from_commandline()


def _watch(host: Host) -> None:
    while True:
        time.sleep(_WATCH_EVERY_S)
        reason = host.health.must_give_up()
        if reason is not None:
            log.critical("%s; exiting to start again", reason)
            logging.shutdown()
            os._exit(EXIT_RETRY)


def _end_hard_in(seconds: float) -> None:
    def end() -> None:
        time.sleep(seconds)
        log.warning("not stopped within %g s: ending now, what was not committed will be replayed", seconds)
        logging.shutdown()
        os._exit(0)

    threading.Thread(target=end, daemon=True).start()


def _import_early() -> None:
    """Import what nearly every model needs while the group is joined: either takes a second."""
    import sklearn.pipeline  # noqa: F401, PLC0415


def _calm_collector() -> None:
    """Keep the collector of reference cycles from walking, every few requests, all that was ever imported.

    Batches leave no cycles behind: counting references frees them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 20, 20)

"""Apache Kafka as a child process: started, waited for, stopped, and never left behind."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from streamapp.connection import Connection
from streamapp.errors import BrokerError
from streamapp.runtime.broker import jars
from streamapp.runtime.broker.child import GuardedChild
from streamapp.runtime.broker.folder import Folder
from streamapp.runtime.broker.probe import answering_cluster
from streamapp.runtime.broker.properties import (
    HOST,
    free_port,
    is_free,
    listened_ports,
    server_properties,
    write_properties,
)
from streamapp.runtime.broker.reasons import Failure, explain

__all__ = ["Broker"]

# The quick compiler alone: half the processor time of a start, and no slower on two cores (measured). A class
# archive (CDS) would save one second of two, for 64 MB of disk and eight seconds of preparation.
_JVM = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
_START_S, _STOP_S = 90.0, 20.0
_ATTEMPTS = 4


class Broker:
    """One Kafka broker and controller on the loopback interface, for as long as this process lives.

    Starting again after :meth:`kill` or :meth:`terminate` keeps port and data. What Kafka has to say goes to
    `broker.log` in the data directory.

    Parameters
    ----------
    port
        Port for clients; 0 takes a free one.
    data_dir
        Where topics and messages stay. One broker at a time can use it.
    ephemeral
        Without `data_dir`: whether the data go when the broker stops, or stay in the user's data directory.
    properties
        Further properties of the server. Listeners are added to the broker's own, anything else replaces it.
    jvm_options
        Further options of the Java machine; a later one outweighs an earlier one.
    on_progress
        Told what is going on, a line at a time, while there is something to wait for.

    Raises
    ------
    ConfigError, BrokerError
        From :meth:`start`, with one line that says what is wrong and what to do.

    Examples
    --------
    >>> with Broker() as broker:  # doctest: +SKIP
    ...     print(broker.bootstrap)
    127.0.0.1:23817
    """

    def __init__(
        self,
        *,
        port: int = 0,
        data_dir: Path | str | None = None,
        ephemeral: bool = True,
        properties: Mapping[str, str] | None = None,
        jvm_options: Sequence[str] = (),
        on_progress: jars.Progress | None = None,
    ) -> None:
        self.port = port
        self._port_is_given = port != 0
        self._folder = Folder(data_dir, ephemeral=ephemeral)
        self._properties = dict(properties or {})
        self._jvm_options = tuple(jvm_options)
        self._say = on_progress or (lambda _: None)
        self._child: GuardedChild | None = None
        self._log_start = 0

    @property
    def bootstrap(self) -> str:
        """What clients connect to, `HOST:PORT`."""
        return f"{HOST}:{self.port}"

    @property
    def connection(self) -> Connection:
        """The same for this package's own clients."""
        return Connection(self.bootstrap)

    @property
    def data_dir(self) -> Path:
        """Where topics and messages are."""
        return self._folder.path

    @property
    def log_file(self) -> Path:
        """Where the broker's warnings go."""
        return self._folder.log

    @property
    def pid(self) -> int | None:
        """Process id of the running Java machine, None if none runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.pid is not None

    def start(self) -> Self:
        """Start the broker and return once it answers."""
        if self.is_running:
            return self
        try:
            self._start()
        except BaseException as exc:
            path = self.data_dir
            self.stop()
            if isinstance(exc, OSError):
                what = ": ".join(str(each) for each in (exc.filename, exc.strerror or exc) if each)
                raise BrokerError(f"cannot start Kafka with data directory {path}: {what}") from exc
            raise
        return self

    def wait(self, timeout: float | None = None) -> None:
        """Return when the process has ended by itself.

        Raises
        ------
        BrokerError
            With the reason that its log gives.
        TimeoutError
            If it still runs after `timeout` seconds.
        """
        if self._child is None:
            return
        status = self._child.wait(timeout)
        if status is None:
            raise TimeoutError(f"the broker still runs after {timeout} s")
        raise BrokerError(str(self._explain(self.port, status)))

    def terminate(self) -> None:
        """Shut the broker down in order; its data stay, also ephemeral ones, for the next :meth:`start`."""
        if self._child is not None and self.is_running:
            self._child.terminate()
            self._child.wait(_STOP_S)
        self.kill()

    def kill(self) -> None:
        """End the broker as a crash would (SIGKILL); its data stay for the next :meth:`start`."""
        self._end_child()
        self._folder.close()

    def stop(self) -> None:
        """Shut the broker down in order; ephemeral data are removed."""
        self.terminate()
        self._folder.remove()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _start(self) -> None:
        """Launch the broker, again where a free port was taken meanwhile or a jar is damaged."""
        java, class_path = jars.java(), jars.class_path(on_progress=self._say)
        self._folder.open()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._launch(java, class_path)
            except Failure as failure:
                self._end_child()
                may_help = failure.is_jars or (failure.is_port and not self._port_is_given)
                if attempt == _ATTEMPTS or not may_help:
                    raise BrokerError(str(failure)) from None
                if failure.is_jars:
                    self._say("a jar of Kafka is damaged: fetching it again")
                    class_path = jars.repair(on_progress=self._say)
            else:
                return

    def _launch(self, java: Path, class_path: Sequence[Path]) -> None:
        port = self.port or free_port()
        folder = self._folder
        config = folder.path / "server.properties"
        properties = server_properties(
            port=port,
            controller_port=free_port(besides=(port,)),
            log_dir=folder.topics,
            extra=self._properties,
        )
        for taken in (each for each in listened_ports(properties) if not is_free(each)):
            raise BrokerError(
                f"port {taken} on {HOST} is taken: stop what listens there, "
                "or choose another with --port (0 takes a free one)"
            )
        write_properties(properties, config)
        self._log_start = folder.log.stat().st_size if folder.log.exists() else 0
        command = [str(java), *_JVM, *self._jvm_options, "-cp", os.pathsep.join(map(str, class_path))]
        if folder.cluster is None:
            self._format(command, config)
        self._child = GuardedChild(
            [*command, "kafka.Kafka", str(config)],
            log=folder.log,
            cwd=folder.path,
            fds=[folder.lock_fd],
            removed=folder.path if folder.is_ephemeral else None,
        )
        self._await_answer(self._child, port)
        self.port = port

    def _format(self, command: Sequence[str], config: Path) -> None:
        """Prepare a new data directory: once, so that it keeps its cluster id."""
        # A hexadecimal id is as good as Kafka's own, and never begins with a dash.
        format_it = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-c", str(config)]
        with self._folder.log.open("ab") as log:
            done = subprocess.run(
                [*command, *format_it, "-t", uuid.uuid4().hex[:22]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            raise self._explain(self.port, done.returncode)

    def _await_answer(self, child: GuardedChild, port: int) -> None:
        deadline = time.monotonic() + _START_S
        cluster = self._folder.cluster
        while answering_cluster(HOST, port) != cluster:  # another's broker may have taken the port meanwhile
            status = child.poll()
            if status is not None:
                raise self._explain(port, status)
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not answer within {_START_S:.0f} s; see {self.log_file}")
            time.sleep(0.05)

    def _explain(self, port: int, status: int) -> Failure:
        return explain(
            self.log_file,
            self.data_dir,
            port,
            status,
            since=self._log_start,
            keeps_log=not self._folder.is_ephemeral,
        )

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None

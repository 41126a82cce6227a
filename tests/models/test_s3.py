"""Bundles on S3: kept and found again, and a store that fails is one line, soon."""

from __future__ import annotations

import socketserver
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from s3fs import S3FileSystem

from streamapp.errors import BundleError, StoreError
from streamapp.models import Bundle, Store, s3
from streamapp.models.folder import Folder
from tests.s3_server import SECRET, S3Server, as_client


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    server = S3Server()
    server.put("models")
    yield server
    server.stop()


@pytest.fixture
def server(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    as_client(monkeypatch, running.url)
    return running


def test_a_bundle_is_kept_listed_replaced_and_deleted(
    server: S3Server, bundle: Bundle, matrix: tuple[np.ndarray, np.ndarray]
) -> None:
    store = Store("s3://models/kept/")
    where = store.put(bundle)
    assert where == f"s3://models/kept/bikes/{bundle.version}" == store.put(bundle)
    loaded = Bundle.load(where, sha256=bundle.sha256)
    loaded.check_golden()
    assert (loaded.version, loaded.url, loaded.seal_status) == (bundle.version, where, "trusted")
    folder = Folder(where)
    assert folder.names() == {*bundle.manifest.files, "manifest.json", "seal.json"}
    other = Bundle.create(bundle.estimator, *matrix, name="bikes", format="pickle", created_at_ms=1)
    other.save(where)
    assert Bundle.load(where).version == other.version
    assert "model.joblib" not in folder.names()
    for name in folder.names():
        folder.delete(name)
    folder.delete("none")
    with pytest.raises(BundleError, match="no bundle at s3://models/kept"):
        Bundle.load(where)


def test_what_was_cut_short_is_no_bundle_and_can_be_put_again(server: S3Server, bundle: Bundle) -> None:
    where = Store("s3://models/cut").put(bundle)
    Folder(where).delete("manifest.json")
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        Bundle.load(where)
    Store("s3://models/cut").put(bundle)
    Bundle.load(where).check_golden()


def test_what_another_process_writes_is_seen(server: S3Server, bundle: Bundle) -> None:
    folder = Folder("s3://models/fresh")
    assert folder.names() == set()
    assert folder.read("a", limit=9) is None
    Folder("s3://models/fresh").write("a", b"1")
    assert (folder.names(), folder.read("a", limit=9)) == ({"a"}, b"1")
    Folder("s3://models/fresh").write("a", b"22")
    assert folder.read("a", limit=9) == b"22"
    assert folder.read("a", limit=0) == b"2"


def test_a_folder_that_a_console_has_made_is_empty(server: S3Server) -> None:
    server.put("models/made/by/hand/")
    folder = Folder("s3://models/made/by/hand")
    assert folder.names() == set()
    folder.write("a", b"")
    assert (folder.names(), Folder("s3://models/made").names()) == ({"a"}, {"by/hand/a"})


def test_a_bucket_that_does_not_exist_is_not_made(server: S3Server, bundle: Bundle) -> None:
    for act in (lambda: Store("s3://typo/x").put(bundle), lambda: Bundle.load("s3://typo/x")):
        with pytest.raises(StoreError, match=r"s3://typo/x.*: there is no such bucket: create it") as caught:
            act()
        assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="cannot write a: there is no such bucket"):
        Folder("s3://typo/x").write("a", b"")
    with pytest.raises(StoreError, match="no bucket can have this name"):
        Folder("s3://Not_One!/x").write("a", b"")


def _says(act: Callable[[], object]) -> str:
    """What a command would say, after a look at all that a traceback would show."""
    with pytest.raises(StoreError) as caught:
        act()
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_credentials_that_are_wrong_or_absent_are_named_and_not_shown(
    server: S3Server, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.checking_credentials():
        said = _says(lambda: Bundle.load("s3://models/x"))
        assert said.startswith(
            "s3://models/x: cannot read manifest.json: the store refuses: set AWS_ACCESS_KEY_ID"
        )
        assert "the store refuses" in _says(lambda: Folder("s3://models/x").write("a", b""))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    S3FileSystem.clear_instance_cache()
    assert "there are no credentials: set AWS_ACCESS_KEY_ID" in _says(lambda: Bundle.load("s3://models/x"))


class _Failing(socketserver.BaseRequestHandler):
    """A store that breaks off: what it sends of each answer before it closes, or waits."""

    head = b""
    waits = False

    def handle(self) -> None:
        with suppress(OSError):
            asked = self.request.recv(65_536)
            self.request.sendall(self.head)
            if asked.startswith(b"HEAD") and self.head:
                return
            if self.waits:
                self.request.recv(1)  # until the client has had enough


@contextmanager
def _failing(head: bytes, *, waits: bool) -> Iterator[str]:
    handler = type("Handler", (_Failing,), {"head": head, "waits": waits})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://me:{SECRET}@127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


_HALF = b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: "x"\r\nConnection: close\r\n\r\n{'


@pytest.mark.parametrize(
    ("head", "waits"),
    [(b"", True), (b"", False), (_HALF, True), (_HALF, False), (b"garbage\r\n\r\n", False)],
    ids=["never answers", "hangs up", "stops in the middle", "hangs up in the middle", "speaks otherwise"],
)
def test_a_store_that_breaks_off_is_one_line_soon(
    head: bytes, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"connect_timeout": 0.3, "read_timeout": 0.3, "retries": {"total_max_attempts": 1}}
    monkeypatch.setitem(s3.OPTIONS, "config_kwargs", quick)
    monkeypatch.setattr(s3, "TRIES", 1)
    with _failing(head, waits=waits) as endpoint:
        as_client(monkeypatch, endpoint)
        said = _says(lambda: Bundle.load("s3://models/x"))
    assert said.startswith("s3://models/x: cannot read manifest.json: the store does not answer")
    assert "AWS_ENDPOINT_URL" in said


def test_a_store_that_is_gone_is_one_line(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    as_client(monkeypatch, "http://127.0.0.1:9")
    for act in (lambda: Bundle.load("s3://models/x"), lambda: Store("s3://models").put(bundle)):
        assert "cannot read manifest.json: the store does not answer: look at the network" in _says(act)


def test_waiting_is_bounded_by_what_the_client_is_told(server: S3Server) -> None:
    Folder("s3://models/x").read("none", limit=0)
    fs = Folder("s3://models/x")._fs
    assert fs.retries == s3.TRIES
    told = fs.s3.meta.config
    assert (told.connect_timeout, told.read_timeout) == (5, 15)
    assert told.retries["total_max_attempts"] == 2

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from streamapp.errors import BundleError, ConfigError, StoreError
from streamapp.models import Bundle, Keys, Store, expand_url
from streamapp.models.folder import Folder


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"memory://{tmp_path.name}" if request.param == "memory" else str(tmp_path / "my store")


def test_a_bundle_lies_under_name_and_version(bundle: Bundle, url: str) -> None:
    store = Store(url)
    where = store.put(bundle)
    assert where == f"{store.url}/bikes/{bundle.version}" == store.put(bundle)
    for loaded in (Bundle.load(where, sha256=bundle.sha256), store.get("bikes", bundle.version)):
        loaded.check_golden()
        assert (loaded.version, loaded.url) == (bundle.version, where)


def test_what_was_cut_short_is_no_bundle_and_can_be_put_again(bundle: Bundle, url: str) -> None:
    where = Store(url).put(bundle)
    fs, path = fsspec.core.url_to_fs(where)
    fs.rm_file(f"{path}/manifest.json")
    fs.rm_file(f"{path}/golden.json")
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        Bundle.load(where)
    Store(url).put(bundle)
    Bundle.load(where).check_golden()


def test_where_a_bundle_was_announced_nothing_is_a_store_that_is_away(bundle: Bundle, url: str) -> None:
    """An empty folder is what is left of a store that is not mounted: whoever follows `models` waits."""
    where = Store(url).url_of("bikes", bundle.version)
    for read in (Bundle.inspect, Bundle.load):
        with pytest.raises(
            StoreError, match=f"no bundle at .*, where version {bundle.version} was announced"
        ):
            read(where, sha256=bundle.sha256)
        with pytest.raises(BundleError, match=r"no manifest\.json"):
            read(where)


def test_another_writers_unfinished_file_disturbs_nobody(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "b")
    (tmp_path / "b" / "model.joblib.123.part").write_text("half")
    Bundle.load(tmp_path / "b")


def test_a_bundle_moves_between_stores_with_its_seal(bundle: Bundle, tmp_path: Path) -> None:
    first = Store(tmp_path / "a").put(bundle)
    second = Store(f"memory://{tmp_path.name}").put(Bundle.inspect(first))
    assert Bundle.load(second).version == bundle.version


@pytest.mark.parametrize(
    ("given", "absolute"),
    [
        ("/a/b", "file:///a/b"),
        ("/a b/../c/", "file:///a b/../c".replace("/a b/..", "")),
        ("file:///a/b/", "file:///a/b"),
        ("s3://bucket/x/", "s3://bucket/x"),
        (Path("/a"), "file:///a"),
        ("x", f"file://{os.getcwd()}/x"),
        ("~/x", f"file://{Path.home()}/x"),
    ],
)
def test_urls_are_absolute(given: str, absolute: str) -> None:
    assert expand_url(given) == absolute


@pytest.mark.parametrize(
    ("url", "says"), [("no-such://x", "Protocol not known: no-such"), ("", "an empty path names no folder")]
)
def test_unknown_kinds_of_store_are_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Store(url)


def test_a_file_in_the_way_is_one_line(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="a file stands where a folder is needed") as caught:
        Store(tmp_path / "file").put(bundle)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_line_and_leaves_no_bundle(bundle: Bundle, tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk: the write fails in its middle.
    key, _ = Keys().local()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    try:
        with pytest.raises(StoreError, match="cannot write") as caught:
            bundle.save(tmp_path / "b", key=key)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("b/*.part"))
    with pytest.raises(BundleError):
        Bundle.load(tmp_path / "b")
    bundle.save(tmp_path / "b")
    Bundle.load(tmp_path / "b")


def test_no_permission_is_one_line(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "b")
    sealed = Bundle.load(tmp_path / "b")
    (tmp_path / "locked").mkdir(mode=0o500)
    root = os.geteuid() == 0  # who may write everywhere
    if root:
        os.seteuid(65_534)
    try:
        with pytest.raises(StoreError, match="no permission: choose another place"):
            Store(tmp_path / "locked").put(sealed)
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EIO, "Input/output error")],
)
def test_what_the_system_says_becomes_advice(tmp_path: Path, number: int, says: str) -> None:
    class Failing(LocalFileSystem):  # type: ignore[misc]
        def makedirs(self, path: str, exist_ok: bool = False) -> None:
            raise OSError(number, os.strerror(number))

    folder = Folder(tmp_path)
    folder._fs = Failing()
    with pytest.raises(StoreError, match=f"cannot write x: .*{says}"):
        folder.write("x", b"")


def test_a_full_device_is_named(bundle: Bundle) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StoreError, match="/dev/full"):
        Store("/dev/full").put(bundle)

"""Attacks on a bundle: each spoils a good one, in whose model a canary sits that sings if it is loaded."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from streamapp.errors import BundleError, IntegrityError, StreamappError
from streamapp.models import Bundle, Keys, Seal

__all__ = ["ATTACKS", "Attack", "Canary", "Target", "check_refused", "make_target"]


class Canary:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@dataclass(frozen=True)
class Target:
    """A bundle's folder that is about to be spoiled, its own keys, and those of an attacker."""

    folder: Path
    song: Path
    """The file that the canary makes."""
    trusted: Path
    """Private key, trusted where the bundle is loaded."""
    stranger: Path
    """Private key, trusted nowhere."""

    def manifest(self) -> dict[str, Any]:
        """The fields of the manifest as it stands."""
        fields: dict[str, Any] = json.loads((self.folder / "manifest.json").read_bytes())
        return fields

    def put(self, path: str, data: bytes, *, key: Path | None) -> None:
        """Put a file into the folder and into the manifest, sealed by `key`."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(data)
        fields = self.manifest()
        fields["files"][path] = {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
        self.write(fields, key=key)

    def write(self, fields: dict[str, Any] | bytes, *, key: Path | None) -> None:
        """Write a manifest, sealed by `key`, or by nobody."""
        data = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        (self.folder / "manifest.json").write_bytes(data)
        (self.folder / "seal.json").unlink(missing_ok=True)
        if key is not None:
            (self.folder / "seal.json").write_bytes(Seal.make(data, key).encode())


def make_target(bundle: Bundle, folder: Path) -> Target:
    """Return a bundle with a canary in its model, all of whose hashes fit, under a seal that is trusted."""
    song = folder / "song"
    target = Target(folder / "packed", song, Keys().local()[0], Keys(folder / "stranger").local()[0])
    bundle.save(target.folder)
    target.put("model.joblib", pickle.dumps(Canary(song)), key=target.trusted)
    return target


class Attack(NamedTuple):
    """What is done to a bundle, and how that is refused."""

    name: str
    spoil: Callable[[Target], object]
    error: type[StreamappError]
    says: str


def check_refused(attack: Attack, target: Target) -> None:
    """Spoil the bundle: it is refused in one line, looked at safely, and no canary sings."""
    attack.spoil(target)
    with pytest.raises(attack.error) as caught:
        Bundle.load(target.folder)
    said = str(caught.value)
    assert attack.says in said
    assert said.isprintable()
    assert len(said) < 1_000
    assert target.folder.as_uri() in said
    try:
        found = Bundle.inspect(target.folder)
    except attack.error:
        pass
    else:  # seals and formats are no matter to those who only look
        assert found.estimator is None
    assert not target.song.exists()


def _flip(path: Path, at: int = 40) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def _changed(path: str) -> Attack:
    """The same number of bytes, one of them another."""
    return Attack(
        f"changed {path}", lambda t: _flip(t.folder / path), IntegrityError, f"{path} was changed: its hash"
    )


def _named(name: str, path: str) -> Attack:
    """The model under a path that leads elsewhere, sealed as it should be."""

    def spoil(target: Target) -> None:
        fields = target.manifest()
        fields["files"][path] = fields["files"].pop("model.joblib")
        target.write(fields, key=target.trusted)

    return Attack(name, spoil, IntegrityError, "is not plain and relative")


def _says(
    name: str, change: Callable[[dict[str, Any]], object], error: type[StreamappError], says: str
) -> Attack:
    """A manifest that says something else, sealed as it should be."""

    def spoil(target: Target) -> None:
        fields = target.manifest()
        change(fields)
        target.write(fields, key=target.trusted)

    return Attack(name, spoil, error, says)


def _holds(name: str, path: str, data: Callable[[Any], Any], says: str = "cannot be read") -> Attack:
    """A file of the bundle's own with absurd content, hashed and sealed as it should be."""

    def spoil(target: Target) -> None:
        new = data(json.loads((target.folder / path).read_bytes()))
        target.put(path, new if isinstance(new, bytes) else json.dumps(new).encode(), key=target.trusted)

    return Attack(name, spoil, BundleError, says)


def _unsealed(target: Target) -> None:
    (target.folder / "seal.json").unlink()


def _stranger(target: Target) -> None:
    target.write(target.manifest(), key=target.stranger)


def _borrowed_key(target: Target) -> None:
    """The key that is trusted, over a signature by another."""
    manifest = (target.folder / "manifest.json").read_bytes()
    own, other = Seal.make(manifest, target.trusted), Seal.make(manifest, target.stranger)
    (target.folder / "seal.json").write_bytes(Seal(own.key, other.signature).encode())


def _seal_of_another(target: Target) -> None:
    seal = Seal.make(b'{"bundle_format": 1, "name": "harmless"}', target.trusted)
    (target.folder / "seal.json").write_bytes(seal.encode())


def _flipped_signature(target: Target) -> None:
    fields = json.loads((target.folder / "seal.json").read_bytes())
    text = fields["signature"]
    fields["signature"] = ("B" if text[0] == "A" else "A") + text[1:]
    (target.folder / "seal.json").write_text(json.dumps(fields))


def _another_models_manifest(target: Target) -> None:
    """Manifest and seal of a model that is trusted, laid over the files of this one."""
    fields = target.manifest()
    fields["name"] = "fraud"
    fields["files"]["model.joblib"]["sha256"] = sha256(b"the model of fraud").hexdigest()
    target.write(fields, key=target.trusted)


def _own_keys(target: Target) -> None:
    """A trust list that travels with the bundle, and is even listed in its manifest."""
    for public in target.stranger.parent.glob("*.pub"):
        target.put("keys/trusted.pub", public.read_bytes(), key=target.stranger)


def _unlisted_keys(target: Target) -> None:
    shutil.copytree(target.stranger.parent, target.folder / "keys", ignore=shutil.ignore_patterns("*.key"))


def _linked_file(target: Target) -> None:
    path = target.folder / "model.joblib"
    path.rename(target.folder.parent / "elsewhere")
    path.symlink_to(target.folder.parent / "elsewhere")


def _linked_folder(target: Target) -> None:
    target.put("parts/more.bin", b"more", key=target.trusted)
    (target.folder / "parts").rename(target.folder.parent / "parts")
    (target.folder / "parts").symlink_to(target.folder.parent / "parts")


def _pipe(target: Target) -> None:
    """Opening it would wait for a writer who never comes."""
    (target.folder / "model.joblib").unlink()
    os.mkfifo(target.folder / "model.joblib")


def _folder_for_file(target: Target) -> None:
    (target.folder / "model.joblib").unlink()
    (target.folder / "model.joblib").mkdir()


def _large_manifest(target: Target) -> None:
    os.truncate(target.folder / "manifest.json", 100 << 20)


def _large_seal(target: Target) -> None:
    os.truncate(target.folder / "seal.json", 100 << 20)


def _grown(target: Target) -> None:
    """A gigabyte where some hundred bytes are stated."""
    os.truncate(target.folder / "model.joblib", 1 << 30)


def _depth_bomb(target: Target) -> None:
    target.write(b'{"bundle_format": 1, "files": ' * 20_000, key=target.trusted)


def _keys_twice(target: Target) -> None:
    """Whoever takes the first value reads another format than whoever takes the last."""
    data = (target.folder / "manifest.json").read_bytes()
    target.write(b'{"format": "pickle", ' + data.lstrip()[1:], key=target.trusted)


def _compressed_bomb(target: Target) -> None:
    """A model of 30 kB that would be 30 MB, under a seal that is not trusted."""
    target.put("model.joblib", zlib.compress(bytes(30 << 20)), key=target.stranger)


def _renamed_format(target: Target) -> None:
    fields = target.manifest()
    fields["format"] = "river"
    target.write(fields, key=None)


_ENTRY = {"sha256": "0" * 64, "bytes": 0}


def _columns(fields: dict[str, Any], count: int) -> dict[str, Any]:
    one = fields["columns"][0]
    return {**fields, "columns": [{**one, "name": f"c{i}"} for i in range(count)]}


def _with(**changed: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda fields: {**fields, **changed}


def _many_bins(fields: dict[str, Any]) -> dict[str, Any]:
    """A daily cycle of a billion parts, of which there are no counts."""
    return {
        **fields,
        "format": 3,
        "season": {"parts": 10**9, "columns": ["x0"], "bins": [1], "counts": [[1]], "why_not": ""},
    }


ATTACKS: tuple[Attack, ...] = (
    Attack("no seal", _unsealed, IntegrityError, "has no seal"),
    Attack("sealed by a stranger", _stranger, IntegrityError, "not trusted here"),
    Attack("a trusted key over a stranger's signature", _borrowed_key, IntegrityError, "seal does not fit"),
    Attack("the seal of another manifest", _seal_of_another, IntegrityError, "seal does not fit"),
    Attack("a flipped signature", _flipped_signature, IntegrityError, "seal does not fit"),
    Attack("a seal of 100 MB", _large_seal, IntegrityError, "holds no ed25519 seal"),
    Attack("a trust list in the bundle", _own_keys, IntegrityError, "not trusted here"),
    Attack("an unlisted trust list in the bundle", _unlisted_keys, IntegrityError, "is not in the manifest"),
    *map(_changed, ("model.joblib", "profile.json", "signature.json", "golden.json", "baseline.json")),
    Attack("a file is missing", lambda t: (t.folder / "baseline.json").unlink(), IntegrityError,
           "baseline.json is missing"),
    Attack("a file too many", lambda t: (t.folder / "sitecustomize.py").write_text("import os"),
           IntegrityError, "sitecustomize.py is not in the manifest"),
    Attack("a file with a name that clears screens", lambda t: (t.folder / "a\x1b[2J\n").write_text(""),
           IntegrityError, "a\N{REPLACEMENT CHARACTER}"),
    _named("a path that climbs", "../packed/model.joblib"),
    _named("a path that climbs in its middle", "parts/../../model.joblib"),
    _named("an absolute path", "/etc/passwd"),
    _named("a path with backslashes", "..\\model.joblib"),
    _named("a hidden path", ".git/hooks/model.joblib"),
    _named("a path with a NUL", "model.joblib\0"),
    Attack("a link for a file", _linked_file, IntegrityError, "model.joblib is a symbolic link"),
    Attack("a link for a folder", _linked_folder, IntegrityError, "is missing"),
    Attack("a pipe for a file", _pipe, IntegrityError, "model.joblib is no file"),
    Attack("a folder for a file", _folder_for_file, IntegrityError, "model.joblib is missing"),
    Attack("a manifest of 100 MB", _large_manifest, IntegrityError, "larger than 1,048,576 bytes"),
    Attack("a gigabyte where bytes are stated", _grown, IntegrityError, "model.joblib has more bytes where"),
    _says("a terabyte where bytes are", lambda m: m["files"]["model.joblib"].update(bytes=1 << 40),
          IntegrityError, "where the manifest says 1,099,511,627,776"),
    _says("more bytes than numbers hold", lambda m: m["files"]["model.joblib"].update(bytes=1 << 62),
          IntegrityError, "less than or equal"),
    _says("thousands of files", lambda m: m["files"].update({f"f{i}": _ENTRY for i in range(5_000)}),
          IntegrityError, "at most 1000"),
    Attack("nested without end", _depth_bomb, BundleError, "no JSON"),
    Attack("a field that stands twice", _keys_twice, IntegrityError, "'format' twice"),
    _says("a format of the future", lambda m: m.update(bundle_format=2), BundleError, "bundle format 2"),
    _says("a bundle format of a megabyte", lambda m: m.update(bundle_format="9" * 1_000_000), BundleError,
          "bundle format"),
    _says("an unknown format", lambda m: m.update(format="exec"), BundleError, "'exec' is not supported"),
    _says("a format that is a path", lambda m: m.update(format="../evil"), BundleError, "format"),
    _says("libraries that clear screens", lambda m: m["libraries"].update(numpy="1\x1b[2J"), BundleError,
          "libraries"),
    Attack("another format than the files have", _renamed_format, IntegrityError,
           "loading river can run code"),
    Attack("the manifest of another model", _another_models_manifest, IntegrityError,
           "model.joblib was changed"),
    Attack("a model that unpacks to a thousand times its size", _compressed_bomb, IntegrityError,
           "not trusted here"),
    _holds("a compressed profile", "profile.json", lambda f: gzip.compress(json.dumps(f).encode())),
    _holds("a profile of 40 MB", "profile.json", lambda _: bytes(40 << 20), "are the most"),
    _holds("a profile of a billion bins", "profile.json", _many_bins, "counts by the hour of shape"),
    _holds("a profile of other columns", "profile.json", _with(columns=[]), "not the same"),
    _holds("a profile whose inflations are a matrix", "profile.json", _with(factor=[[1.0]]),
           "inflations of shapes"),
    _holds("numbers that no integer holds", "profile.json", _with(rows=1e21), "1e+21 rows"),
    _holds("ten thousand columns and one", "signature.json", lambda f: _columns(f, 10_001), "10,001 columns"),
    _holds("a signature nested without end", "signature.json", lambda _: b"[" * 100_000),
    _holds("golden rows that are none", "golden.json", _with(rows=[1, 2, 3])),
    _holds("golden rows of other columns", "golden.json", _with(rows=[{"x0": "text"}]), "x0"),
    _holds("a baseline of text", "baseline.json", _with(rows="many", mean=None)),
)  # fmt: skip
"""In the order of what is looked at. Those that only one format makes possible are in hostile_formats.py."""

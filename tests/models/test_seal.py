from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from streamapp.errors import ConfigError, IntegrityError
from streamapp.models import Bundle, Keys, Seal


def test_the_first_key_is_made_once_trusted_and_private(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "deep" / "keys")
    path, is_new = keys.local()
    assert is_new
    assert keys.local() == (path, False)
    assert [stat.S_IMODE(each.stat().st_mode) for each in keys.folder.iterdir()] == [0o600, 0o600]
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert keys.status(Seal.make(b"manifest", path)) == "trusted"
    assert [key.fingerprint for key in keys.list()] == [keys.local_fingerprint()]


def test_a_new_key_seals_and_the_former_stays_trusted(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    former = Seal.make(b"manifest", keys.local()[0])
    made = keys.new()
    assert keys.local_fingerprint() == made.fingerprint != former.fingerprint
    assert keys.status(former) == "trusted"
    assert keys.status(Seal.make(b"manifest", keys.private)) == "trusted"
    assert not keys.local()[1]


def test_a_colleagues_key_is_trusted_once(tmp_path: Path) -> None:
    colleague, mine = Keys(tmp_path / "a"), Keys(tmp_path / "b")
    seal = Seal.make(b"manifest", colleague.local()[0])
    assert mine.status(seal) == "untrusted"
    public = colleague.list()[0].path
    assert public is not None
    assert mine.trust(public) == mine.trust(public)
    assert mine.status(seal) == "trusted"
    assert mine.local_fingerprint() is None
    assert mine.status(None) == "none"


def test_keys_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        raw = ed25519.Ed25519PrivateKey.generate().public_key()
        (tmp_path / folder / "key.pub").write_bytes(raw.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
        keys.trust(tmp_path / folder / "key.pub")
    assert len({key.raw for key in keys.list()}) == 2


def test_what_is_no_public_key_is_refused(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    private, _ = keys.local()
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "ec.pub").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "text.pub").write_text("hello")
    with pytest.raises(ConfigError, match="never hand that out"):
        keys.trust(private)
    for name in ("ec.pub", "text.pub"):
        with pytest.raises(ConfigError, match="no ed25519 public key"):
            keys.trust(tmp_path / name)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        keys.trust(tmp_path / "none.pub")
    with pytest.raises(ConfigError, match="no ed25519 private key"):
        Seal.make(b"manifest", tmp_path / "text.pub")


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="set STREAMAPP_KEYS to another folder"):
        Keys(tmp_path / "file" / "keys").local()


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_seal_fits_what_it_was_made_over_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, manifest: bytes, other: bytes
) -> None:
    key = Keys(tmp_path_factory.getbasetemp() / "shared-keys").local()[0]
    seal = Seal.decode(Seal.make(manifest, key).encode(), where="here")
    seal.verify(manifest, where="here")
    if other != manifest:
        with pytest.raises(IntegrityError, match="here: the seal does not fit"):
            seal.verify(other, where="here")


def test_a_bundle_is_sealed_by_the_key_that_is_named_and_keeps_its_seal(
    bundle: Bundle, tmp_path: Path
) -> None:
    maker = Keys(tmp_path / "maker")
    bundle.save(tmp_path / "a", key=maker.local()[0])
    with pytest.raises(IntegrityError, match="not trusted here"):
        Bundle.load(tmp_path / "a")
    loaded = Bundle.load(tmp_path / "a", trust=maker.folder)
    loaded.save(tmp_path / "b")
    assert (tmp_path / "a/seal.json").read_bytes() == (tmp_path / "b/seal.json").read_bytes()
    loaded.save(tmp_path / "b", key=Keys().local()[0])
    assert Bundle.load(tmp_path / "b").version == bundle.version


def test_the_secret_is_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    secret, is_new = keys.personal_secret()
    assert (len(secret), is_new) == (32, True)
    assert keys.personal_secret() == (secret, False)
    assert stat.S_IMODE(keys.secret.stat().st_mode) == 0o600
    assert Keys(tmp_path / "other").personal_secret()[0] != secret
    assert keys.list() == []  # it has no part in seals


@pytest.mark.parametrize(
    "held", ["", "abcd", "no hex, but long enough to be the digits of a secret, or longer"]
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, held: str) -> None:
    keys = Keys(tmp_path)
    keys.secret.write_text(held)
    with pytest.raises(ConfigError, match=r"personal\.secret holds no secret, .* copy it"):
        keys.personal_secret()

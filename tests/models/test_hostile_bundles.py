"""Bundles that somebody has spoiled: each is refused in one line, and nothing of its model is ever loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import streamapp.models.bundle
from streamapp.errors import BundleError, IntegrityError
from streamapp.models import Bundle, Keys, Store
from streamapp.models.packed import MAX_UNTRUSTED, read_packed
from tests.models.hostile import ATTACKS, Attack, Target, check_refused
from tests.models.hostile_formats import FORMAT_ATTACKS, TENSORFLOW_ATTACKS, Loud


def test_the_canary_sings_where_nothing_is_spoiled(target: Target) -> None:
    with pytest.raises(BundleError, match="no attribute 'predict'"):  # what it loads is no model
        Bundle.load(target.folder)
    assert target.song.exists()


def test_there_are_twenty_attacks_and_more_with_names_of_their_own() -> None:
    attacks = ATTACKS + FORMAT_ATTACKS + TENSORFLOW_ATTACKS
    assert len({attack.name for attack in attacks}) == len(attacks) >= 20


@pytest.mark.parametrize("attack", ATTACKS + FORMAT_ATTACKS, ids=lambda attack: attack.name)
def test_it_is_refused_in_one_line_and_nothing_is_loaded(attack: Attack, target: Target) -> None:
    check_refused(attack, target)


def test_the_canary_of_skops_sings_where_its_type_is_trusted(target: Target) -> None:
    next(attack for attack in FORMAT_ATTACKS if "type" in attack.name).spoil(target)
    Keys().trust_types([f"{Loud.__module__}.Loud"])
    with pytest.raises(BundleError, match="no attribute 'predict'"):
        Bundle.load(target.folder)
    assert target.song.exists()


def test_what_was_announced_is_what_is_loaded(target: Target) -> None:
    with pytest.raises(IntegrityError, match="and 000000000000… was announced"):
        Bundle.load(target.folder, sha256="0" * 64)
    assert not target.song.exists()


def test_a_store_returns_what_was_asked_for(
    bundle: Bundle, matrix: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    """Another model, sealed by a trusted key, lies where one of ours was."""
    store, other = Store(tmp_path), Bundle.create(bundle.estimator, *matrix, name="fraud")
    other.save(store.url_of("bikes", bundle.version))
    with pytest.raises(
        IntegrityError, match=rf"this is fraud {other.version}; put bikes {bundle.version} there"
    ):
        store.get("bikes", bundle.version)


def test_what_is_verified_is_what_is_loaded(
    target: Target, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's file is exchanged between the two."""
    good = target.folder.parent / "good"
    bundle.save(good)

    def read_and_swap(*arguments: Any, **options: Any) -> Any:
        packed = read_packed(*arguments, **options)
        shutil.copy(target.folder / "model.joblib", good / "model.joblib")
        return packed

    monkeypatch.setattr(streamapp.models.bundle, "read_packed", read_and_swap)
    Bundle.load(good).check_golden()
    assert not target.song.exists()
    with pytest.raises(IntegrityError, match=r"model\.joblib has"):
        Bundle.load(good)


def test_without_a_trusted_seal_its_size_is_bounded(target: Target) -> None:
    fields = target.manifest()
    fields["files"]["model.joblib"]["bytes"] = MAX_UNTRUSTED
    for key in (None, target.stranger):
        target.write(fields, key=key)
        with pytest.raises(
            IntegrityError, match="without the seal of a trusted key 1,073,741,824 are the most"
        ):
            Bundle.inspect(target.folder)


def test_what_is_not_trusted_is_not_even_read(target: Target) -> None:
    """A bundle without its files is refused for its seal: no byte of them was asked for."""
    target.write(target.manifest(), key=target.stranger)
    for name in target.manifest()["files"]:
        (target.folder / name).unlink()
    with pytest.raises(IntegrityError, match="not trusted here"):
        Bundle.load(target.folder)


def test_a_link_left_for_a_writer_is_not_written_through(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 1234)
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "model.joblib.1234.part").symlink_to(tmp_path / "victim")
    bundle.save(tmp_path / "b")
    assert (tmp_path / "victim").read_text() == "kept"
    assert json.loads((tmp_path / "b" / "manifest.json").read_bytes())["name"] == "bikes"

"""Which .keras files need a seal: told from their configuration, without Keras."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from streamapp.errors import IntegrityError
from streamapp.models.formats import Trust, load_format


def archive(config: Any) -> dict[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("config.json", json.dumps(config))
    return {"model.keras": buffer.getvalue()}


def of(**layer: Any) -> dict[str, Any]:
    """A model with one layer deep in it."""
    known = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, "registered_name": None}
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"layers": [known, {"config": {"inner": [known | layer]}}]},
    }


@pytest.mark.parametrize(
    ("layer", "runs_code"),
    [
        ({}, False),
        ({"module": "keras.src.ops.numpy", "class_name": "NanToNum", "registered_name": "NanToNum"}, False),
        ({"class_name": "Lambda"}, True),
        ({"config": {"activation": {"class_name": "__lambda__", "config": {"value": "4wE..."}}}}, True),
        ({"class_name": "TFSMLayer"}, True),
        ({"class_name": "TorchModuleWrapper"}, True),
        ({"module": "os", "class_name": "system"}, True),
        ({"module": "keras.utils", "class_name": "get_file"}, True),
        ({"module": "keras", "class_name": "utils"}, True),
        ({"module": "keras.layers", "class_name": "Dense", "registered_name": "Mine>Dense"}, True),
        ({"module": "kerasevil", "class_name": "Dense"}, True),
        ({"module": "builtins", "class_name": "eval"}, True),
        ({"module": None, "class_name": "Mine", "registered_name": "Mine>Mine"}, True),
        ({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, True),
        ({"class_name": "StringLookup", "config": {"vocabulary": ["a", "b"]}}, False),
        ({"class_name": "TextVectorization", "config": {"idf_weights": "/etc/passwd"}}, True),
    ],
)
def test_what_names_code_or_files_needs_a_seal(layer: dict[str, Any], runs_code: bool) -> None:
    assert load_format("keras").runs_code(archive(of(**layer))) is runs_code


# ids of our own: an archive holds the second it was made in, and workers collect in different ones
@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04", archive({})["model.keras"][:30]],
    ids=["nothing", "signature alone", "cut header"],
)
def test_a_file_that_cannot_be_looked_into_is_damaged(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="is damaged, so what it holds cannot be told"):
        load_format("keras").runs_code({"model.keras": data})


@pytest.mark.parametrize("format_name", ["keras", "skops"])
def test_a_small_archive_of_something_large_is_not_unpacked(
    format_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamapp.models.formats.archive._MOST", 100_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("config.json", "metadata.json", "schema.json"):
            file.writestr(name, b" " * 100_000)
    format_ = load_format(format_name)
    look: Any = format_.runs_code if format_name == "keras" else lambda files: format_.load(files, Trust())
    with pytest.raises(IntegrityError, match=r"has [\d,]+ bytes and would unpack to 300,000"):
        look({"m": buffer.getvalue()})

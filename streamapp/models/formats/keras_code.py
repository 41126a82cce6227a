"""What a .keras file names in its configuration: code, files outside, or nothing but known layers."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from streamapp.errors import IntegrityError
from streamapp.models.formats.archive import check_archive

__all__ = ["runs_code"]

_CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
"""Layers of Keras itself that hold code, or take it from a file outside."""
_MODULES = re.compile(
    r"keras\.(activations|constraints|initializers|layers|losses|metrics|optimizers(\.schedules)?|regularizers"
    r"|src\.(models|ops)\.\w+)"
)
"""Modules of which a model is built. Others, keras.utils to begin with, have functions that fetch files."""
_ROOT = {"DTypePolicy", "DTypePolicyMap", "Functional", "Model", "Sequential"}
"""What a model is built of from the package itself."""
_MARKS = {"__keras_tensor__", "__numpy__", "__slice__", "__tensor__", "__tuple__", "__ellipsis__"}
"""How a configuration writes plain values."""
_PATHS = {"vocabulary", "idf_weights"}
"""Settings of layers that are read from a file, any file, if they are its name."""


def runs_code(files: Mapping[str, bytes] | None) -> bool | None:
    """Return whether the configuration names code: lambdas, classes that are not of Keras, files outside."""
    if files is None:
        return None
    (data,) = files.values()
    check_archive(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as exc:
        raise IntegrityError(f"the .keras file is damaged, so what it holds cannot be told: {exc}") from None
    return any(_is_code(each) for each in _objects(config))


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    if isinstance(config, dict):
        yield config
    if isinstance(config, dict | list):
        for part in config.values() if isinstance(config, dict) else config:
            yield from _objects(part)


def _is_code(fields: dict[str, Any]) -> bool:
    if any(isinstance(fields.get(name), str) for name in _PATHS):
        return True
    if "class_name" not in fields:
        return False
    module, name = fields.get("module"), fields["class_name"]
    if module is None:
        return name not in _MARKS
    known = name in _ROOT if module == "keras" else _MODULES.fullmatch(str(module)) is not None
    return not known or name in _CODE or fields.get("registered_name") not in {None, name}

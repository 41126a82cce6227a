"""MLflow's model directories, read without MLflow: which model lies where, and the signature that it has.

What an ``MLmodel`` file may hold is described in MLflow's documentation under "MLflow Models" and "Model
Signatures and Input Examples".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, Self

from streamapp.errors import BundleError, ConfigError
from streamapp.models.mlflow_schema import MlflowSchema

__all__ = ["ML_MODEL", "MlflowModel"]

ML_MODEL = "MLmodel"

_FLAVOURS = {"sklearn": "pickled_model", "onnx": "data", "keras": "data", "tensorflow": "data"}
"""Flavour to the field that names its file or folder."""


class MlflowModel(NamedTuple):
    """What an ``MLmodel`` file says: where the model lies, and its signature."""

    data: Path
    schema: MlflowSchema | None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what the file in `folder` says.

        Raises
        ------
        BundleError
            If it cannot be understood, or has no flavour that this version reads.
        SignatureError
            If no deployment can have its signature.
        """
        import yaml  # noqa: PLC0415

        where = folder / ML_MODEL
        try:
            fields = yaml.safe_load(where.read_text(encoding="utf-8"))
            flavours = dict(fields["flavors"])
            name = next((each for each in _FLAVOURS if each in flavours), None)
            signature = fields.get("signature") or {}
            inputs, outputs = (json.loads(signature.get(part) or "[]") for part in ("inputs", "outputs"))
        except OSError as exc:
            raise ConfigError(f"{where} cannot be read: {exc.strerror}") from exc
        except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as exc:
            first = str(exc).splitlines()[0]
            raise BundleError(f"{where} is no description of an MLflow model: {first}") from None
        if name is None:
            shown = ", ".join(each for each in flavours if each != "python_function") or "python_function"
            raise BundleError(
                f"{where} has flavour {shown}, and this version reads {', '.join(_FLAVOURS)}: log the "
                "model in one of these"
            )
        data = folder / str(flavours[name].get(_FLAVOURS[name], ""))
        if not data.resolve().is_relative_to(folder.resolve()) or not data.exists():
            raise BundleError(f"{where} names {data}, which is not in that folder: copy it whole")
        return cls(data, MlflowSchema.parse(inputs, outputs) if inputs else None)

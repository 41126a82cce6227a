"""The bundle of a model that has gone on learning: as it was, but for the model and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from streamapp.messages import OffsetRange
from streamapp.models.bundle import Bundle
from streamapp.models.formats import IN_MEMORY, load_format
from streamapp.models.golden import Golden
from streamapp.models.manifest import FileEntry, Manifest, canonical
from streamapp.models.packed import GOLDEN, Packed

__all__ = ["snapshot"]


def snapshot(
    bundle: Bundle,
    model: Any,
    *,
    at_ms: int,
    newest_label_ms: int | None,
    training_data: Sequence[OffsetRange],
    caused_by: str,
) -> Bundle:
    """Return `bundle` with `model` in place of its own, after its golden rows were answered.

    Signature, profile and baseline stay: drift and accuracy go on being measured against what they were.

    Parameters
    ----------
    bundle
        What `model` began as.
    model
        Of the same format. It is written, and not changed.
    at_ms
        What the bundle will say of when it was made, milliseconds since the epoch.
    newest_label_ms
        When the newest label was given that it has learned.
    training_data
        All that it has learned from.
    caused_by
        The version that it is a snapshot of.

    Raises
    ------
    PredictionError
        If it does not answer the golden rows, or not with finite numbers.
    IntegrityError
        If what was written answers them otherwise.
    """
    format_ = load_format(bundle.manifest.format)
    classes, rows = bundle.signature.classes, bundle.golden.rows
    X = bundle.signature.to_input(bundle.signature.from_rows(rows))
    golden = Golden.of(rows, format_.predictor(model, classes)(X))
    model_files = format_.dump(model)
    files = {**bundle.packed.files, **model_files, GOLDEN: canonical(golden.to_dict())}
    fields = bundle.manifest.model_dump() | {
        "files": {
            path: FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
            for path, data in sorted(files.items())
        },
        "created_at_ms": at_ms,
        "trained_at_ms": at_ms,
        "newest_training_data_at_ms": newest_label_ms,
        "training_data": list(training_data),
        "caused_by": caused_by,
    }
    written = format_.load(model_files, IN_MEMORY)
    predictor = format_.predictor(written, classes)
    golden.check(predictor(X))
    return replace(
        bundle,
        packed=Packed(Manifest(**fields), files),
        golden=golden,
        estimator=written,
        predictor=predictor,
        seal_status="none",
    )

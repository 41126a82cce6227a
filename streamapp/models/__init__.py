"""Models as they are packed, verified, loaded and asked: bundles, signatures, formats, seals, losses."""

from __future__ import annotations

from streamapp.models.baseline import Baseline, CalibrationBin, SegmentBaseline
from streamapp.models.bundle import Bundle
from streamapp.models.column import Column, Columns, Rows
from streamapp.models.formats import FORMATS
from streamapp.models.formats.recognise import sniff
from streamapp.models.golden import Golden
from streamapp.models.losses import LOSSES, absolute, brier, loss_scale, losses, zero_one
from streamapp.models.manifest import Manifest
from streamapp.models.predictions import Predictions
from streamapp.models.seal import Keys, PublicKey, Seal
from streamapp.models.segments import Segments
from streamapp.models.signature import Signature
from streamapp.models.store import Store, expand_url

__all__ = [
    "FORMATS",
    "LOSSES",
    "Baseline",
    "Bundle",
    "CalibrationBin",
    "Column",
    "Columns",
    "Golden",
    "Keys",
    "Manifest",
    "Predictions",
    "PublicKey",
    "Rows",
    "Seal",
    "SegmentBaseline",
    "Segments",
    "Signature",
    "Store",
    "absolute",
    "brier",
    "expand_url",
    "loss_scale",
    "losses",
    "sniff",
    "zero_one",
]

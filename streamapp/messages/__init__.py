"""Wire messages: one type per file, from which ``schemas/`` is generated.

Users write :class:`Request` and :class:`Feedback` (and may write :class:`Retrain`); everything else is
written by streamapp. The hot path encodes answers by hand (``serving/encode.py``); tests hold it to these.
"""

from __future__ import annotations

from streamapp.messages.alert import Alert, AlertKind, DriftedFeature, InputShare, Verdict, Window
from streamapp.messages.answers import is_native, native_answers, request_offset
from streamapp.messages.base import Message, Time, format_time, load_object, parse_time
from streamapp.messages.cloudevents import (
    MAX_AHEAD_MS,
    Header,
    event_headers,
    event_time_ms,
    header,
    said_time_ms,
    trace_headers,
)
from streamapp.messages.dead_letters import ERROR_CODE, OMITTED_BYTES, SHA256, SOURCE, dead_letter
from streamapp.messages.decision import DecisionRecord, Outcome, TriedWindow
from streamapp.messages.distribution import NO_VERSION, Distribution
from streamapp.messages.exact import read_exactly
from streamapp.messages.feedback import Feedback, FeedbackRequest
from streamapp.messages.framing import FRAMED, FRAMED_HINT, Framing, unframed
from streamapp.messages.ids import answer_id, caused_id, labelled_id, review_id
from streamapp.messages.labelled import Labelled
from streamapp.messages.model import CHAMPION_KEY, Champion, Model, ModelState
from streamapp.messages.prediction import (
    Label,
    ModelRef,
    Prediction,
    Rejection,
    RejectionCode,
    RejectionError,
    RequestRef,
)
from streamapp.messages.record_batch import encode_batches
from streamapp.messages.records import InRecord, OutRecord, Record, record_bytes, record_time
from streamapp.messages.redrive import DeadLetter, Redrive
from streamapp.messages.request import FeatureValue, Request
from streamapp.messages.retrain import OffsetRange, Retrain, RetrainReason
from streamapp.messages.review import Review
from streamapp.messages.v1 import PredictionV1, RequestV1
from streamapp.messages.v2 import OutputName, PredictionV2, RequestV2

__all__ = [
    "CHAMPION_KEY",
    "ERROR_CODE",
    "FRAMED",
    "FRAMED_HINT",
    "MAX_AHEAD_MS",
    "MESSAGES",
    "NO_VERSION",
    "OMITTED_BYTES",
    "SHA256",
    "SOURCE",
    "Alert",
    "AlertKind",
    "Champion",
    "DeadLetter",
    "DecisionRecord",
    "Distribution",
    "DriftedFeature",
    "FeatureValue",
    "Feedback",
    "FeedbackRequest",
    "Framing",
    "Header",
    "InRecord",
    "InputShare",
    "Label",
    "Labelled",
    "Message",
    "Model",
    "ModelRef",
    "ModelState",
    "OffsetRange",
    "OutRecord",
    "Outcome",
    "OutputName",
    "Prediction",
    "PredictionV1",
    "PredictionV2",
    "Record",
    "Redrive",
    "Rejection",
    "RejectionCode",
    "RejectionError",
    "Request",
    "RequestRef",
    "RequestV1",
    "RequestV2",
    "Retrain",
    "RetrainReason",
    "Review",
    "Time",
    "TriedWindow",
    "Verdict",
    "Window",
    "answer_id",
    "caused_id",
    "dead_letter",
    "encode_batches",
    "event_headers",
    "event_time_ms",
    "format_time",
    "header",
    "is_native",
    "labelled_id",
    "load_object",
    "native_answers",
    "parse_time",
    "read_exactly",
    "record_bytes",
    "record_time",
    "request_offset",
    "review_id",
    "said_time_ms",
    "trace_headers",
    "unframed",
]

MESSAGES: dict[str, type[Message]] = {
    "request": Request,
    "request-v2": RequestV2,
    "request-v1": RequestV1,
    "prediction": Prediction,
    "prediction-v2": PredictionV2,
    "prediction-v1": PredictionV1,
    "rejection": Rejection,
    "feedback": Feedback,
    "labelled": Labelled,
    "review": Review,
    "alert": Alert,
    "retrain": Retrain,
    "decision": DecisionRecord,
    "model": Model,
    "champion": Champion,
    "distribution": Distribution,
    "redrive": Redrive,
}
"""Every message type by name; adding one is one file and one line here."""

"""What labels say about answers: their join, accuracy with coverage, the alarm on losses."""

from __future__ import annotations

from streamapp.quality.accuracy import AccuracyWindow, Quality
from streamapp.quality.labelled_rows import LabelledRows, losses_of
from streamapp.quality.learner import OnlineLearner
from streamapp.quality.loss_monitor import LossMonitor

__all__ = ["AccuracyWindow", "LabelledRows", "LossMonitor", "OnlineLearner", "Quality", "losses_of"]

"""Fitting new versions: when, on which rows, in a process of its own."""

from __future__ import annotations

from streamapp.training.brakes import TrainingRules, Waiting
from streamapp.training.harm import Harm, harm_of
from streamapp.training.job import Job, Trained, TrainingOptions, train
from streamapp.training.limits import TrainingLimits
from streamapp.training.policy import Dropped, Plan, Start, plan_training
from streamapp.training.pool import TrainingPool
from streamapp.training.trainers import Trainer, load_trainer
from streamapp.training.trainers.function import TrainingData

__all__ = [
    "Dropped",
    "Harm",
    "Job",
    "Plan",
    "Start",
    "Trained",
    "Trainer",
    "TrainingData",
    "TrainingLimits",
    "TrainingOptions",
    "TrainingPool",
    "TrainingRules",
    "Waiting",
    "harm_of",
    "load_trainer",
    "plan_training",
    "train",
]

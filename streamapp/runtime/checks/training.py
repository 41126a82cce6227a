"""Whether trainings would find what they are set to use."""

from __future__ import annotations

import asyncio

from streamapp.runtime.checks.case import Case, Line
from streamapp.training.backends import check_backend
from streamapp.training.trainers import load_trainer

__all__ = ["trainer"]


async def trainer(case: Case) -> list[Line]:
    """Whether the trainer and joblib's backend are there, in this environment and working directory."""
    settings = case.settings
    found = await asyncio.to_thread(load_trainer, settings.trainer)
    await asyncio.to_thread(check_backend, settings.training_backend)
    return [Line("ok", f"{found.name}, with joblib's backend {settings.training_backend}")]

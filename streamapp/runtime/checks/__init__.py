"""What ``streamapp doctor`` looks at: a table of checks, each one function.

A check returns lines; what it raises is a line, too, and the others are made all the same. A new one is a
function in a module here and a line in :data:`CHECKS`, after those whose findings it needs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from streamapp.errors import AccessError, BrokerError, StreamappError, in_one_line
from streamapp.runtime.checks.alarms import false_alarms
from streamapp.runtime.checks.answers import answers, features
from streamapp.runtime.checks.case import Case, Line, Status
from streamapp.runtime.checks.cluster import broker, topic_settings, topics
from streamapp.runtime.checks.mistakes import MISTAKES
from streamapp.runtime.checks.privacy import privacy
from streamapp.runtime.checks.records import clocks, labels
from streamapp.runtime.checks.roles import roles
from streamapp.runtime.checks.serving import baseline, bundle, champion, store, versions
from streamapp.runtime.checks.training import trainer

__all__ = ["CHECKS", "MISTAKES", "Case", "Check", "Line", "Status", "run_checks"]


def _always(case: Case) -> bool:
    return True


def _broker_answers(case: Case) -> bool:
    return case.answers


def _is_deployed(case: Case) -> bool:
    return bool(case.existing(*case.settings.topics))


def _has_models(case: Case) -> bool:
    return bool(case.existing(case.settings.topics.models))


def _has_predictions(case: Case) -> bool:
    return bool(case.existing(case.settings.topics.predictions))


def _has_newest(case: Case) -> bool:
    return case.newest is not None


def _is_private(case: Case) -> bool:
    return case.bundle is not None and case.bundle.signature.is_private


def _has_record(case: Case) -> bool:
    return case.models.serving is not None


def _has_bundle(case: Case) -> bool:
    return case.bundle is not None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    Attributes
    ----------
    name
        In front of its lines.
    look
        Returns them.
    makes_sense
        Whether to look at all: what an earlier check has missed is not said again.
    mistake
        Which one it is if it raises a StreamappError that is not Kafka's doing.
    """

    name: str
    look: Callable[[Case], Awaitable[Sequence[Line]]]
    makes_sense: Callable[[Case], bool] = _always
    mistake: str = ""

    def of(self, exc: Exception) -> Line:
        """Return the line of what it has raised."""
        if not isinstance(exc, StreamappError):
            return Line(
                "FAIL",
                f"the check ended by an unexpected {in_one_line(exc)}: what it looks at is not known",
                mistake="unexpected",
            )
        mistake = self.mistake
        if isinstance(exc, BrokerError):
            mistake = "no-access" if isinstance(exc, AccessError) else "no-broker"
        return Line("FAIL", str(exc), mistake=mistake)


CHECKS: tuple[Check, ...] = (
    Check("broker", broker),
    Check("topics", topics, _broker_answers),
    Check("topic settings", topic_settings, _is_deployed),
    Check("store", store, mistake="no-store"),
    Check("champion", champion, _has_models),
    Check("bundle", bundle, _has_record, mistake="bad-bundle"),
    Check("versions", versions, _has_bundle),
    Check("baseline", baseline, _has_bundle),
    Check("privacy", privacy, _is_private),
    Check("answers", answers, _has_predictions),
    Check("features", features, _has_newest),
    Check("trainer", trainer, mistake="no-trainer"),
    Check("roles", roles, _is_deployed),
    Check("clocks", clocks, _is_deployed),
    Check("labels", labels, _is_deployed),
    Check("false alarms", false_alarms, _is_deployed),
)


async def run_checks(case: Case, checks: Sequence[Check] = CHECKS) -> AsyncIterator[Line]:
    """Yield what each check says, as soon as it is known.

    Parameters
    ----------
    case
        The deployment; it knows more afterwards.
    checks
        In their order.
    """
    for check in checks:
        if check.makes_sense(case):
            try:
                lines = await check.look(case)
            except Exception as exc:
                lines = [check.of(exc)]
            for line in lines:
                yield replace(line, check=check.name)

"""The alert of a rollback: it says what happened, and stays with nobody."""

from __future__ import annotations

from streamapp.messages import Alert, ModelRef, caused_id
from streamapp.rollout.judged import Decision

__all__ = ["SUBJECT", "rollback_alerts"]

SUBJECT = "rollback"
"""Of its alerts, which are of kind ``accuracy``."""


def rollback_alerts(deployment: str, decision: Decision, loss: str) -> list[Alert]:
    """Return the alert of a rollback, opened and resolved at once; none of another decision.

    The champion that was worse has gone with it, so that there is nothing left to be resolved later, and the
    kind stays free for what the losses of the other will say.

    Parameters
    ----------
    deployment
        Its name.
    decision
        Of JUDGE.
    loss
        Name of the loss that decided.

    Examples
    --------
    >>> scores = {"brier": 0.2, "champion-brier": 0.31, "rows": 240.0, "e-value": 112.0}
    >>> back = Decision("old", 60_000, 1_200, scores, "back: ...", rolled_back="new")
    >>> opened, resolved = rollback_alerts("bikes", back, "brier")
    >>> opened.summary
    'rolled back from new to old: over 240 labelled rows the brier loss of new is 0.3100, of old 0.2000'
    >>> opened.subject, resolved.state, resolved.resolution
    ('rollback', 'resolved', 'rebased')
    """
    worse = decision.rolled_back
    if worse is None:
        return []
    scores = decision.scores
    opened = Alert(
        id=caused_id("rollback", deployment, worse, decision.offset),
        state="opened",
        kind="accuracy",
        subject=SUBJECT,
        severity="critical",
        model=ModelRef(name=deployment, version=worse),
        summary=f"rolled back from {worse} to {decision.version}: over {scores['rows']:,.0f} labelled rows "
        f"the {loss} loss of {worse} is {scores[f'champion-{loss}']:.4f}, of {decision.version} "
        f"{scores[loss]:.4f}",
        opened_at=decision.at_ms,
        updated_at=decision.at_ms,
    )
    return [opened, opened.resolved("rebased")]

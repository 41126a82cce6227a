"""How large a change is, on one scale for means, shares and correlations; what is too small to matter."""

from __future__ import annotations

import numpy as np

from streamapp.messages.alert import Severity

__all__ = ["FLOOR", "severity_of", "sizes"]

FLOOR = 0.1
"""Smaller changes are no drift, however sure: .1 sd, 50 to 55 %, 0 to .25 %, a correlation of 0 to .1."""
_WARNING = 0.2
_CRITICAL = 1.0
_BACK = 0.75
"""A severity goes down only below this part of the bound that it went up at."""


def sizes(
    now: np.ndarray, before: np.ndarray, sd: np.ndarray, is_share: np.ndarray, is_pair: np.ndarray
) -> np.ndarray:
    """Return Cohen's effect sizes, never negative: d of means, h of shares, q of correlations.

    Parameters
    ----------
    now, before
        (n,) means, shares or correlations.
    sd
        (n,) of one row in the reference; used for means.
    is_share, is_pair
        (n,) what they are; neither is a mean.

    References
    ----------
    .. [1] J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, chapters 2, 4 and 6.

    Examples
    --------
    >>> no, yes = np.array([False]), np.array([True])
    >>> sizes(np.array([0.55]), np.array([0.5]), np.array([0.5]), yes, no).round(3).tolist()
    [0.1]
    """
    size = np.abs(now - before) / np.where(sd > 0, sd, 1)
    p, p0 = now[is_share], before[is_share]
    size[is_share] = np.abs(2 * np.arcsin(np.sqrt(p)) - 2 * np.arcsin(np.sqrt(p0)))
    r, r0 = np.clip(now[is_pair], -0.999, 0.999), np.clip(before[is_pair], -0.999, 0.999)
    size[is_pair] = np.abs(np.arctanh(r) - np.arctanh(r0))
    return np.asarray(size)


def severity_of(size: float, had: Severity | None = None) -> Severity:
    """Return the severity of an effect size: info below .2, warning, critical from 1 on.

    Parameters
    ----------
    size
        Of the largest drift now.
    had
        The severity so far: it goes down late, so that one on the border does not flicker.

    Examples
    --------
    >>> severity_of(0.8), severity_of(0.8, "critical"), severity_of(0.7, "critical")
    ('warning', 'critical', 'warning')
    """
    if size >= _CRITICAL * (_BACK if had == "critical" else 1):
        return "critical"
    return "warning" if size >= _WARNING * (_BACK if had in ("warning", "critical") else 1) else "info"

"""What becomes of personal columns, and what that switches off."""

from __future__ import annotations

from streamapp.models import Keys
from streamapp.models.personal import not_learned_line, secret_line
from streamapp.runtime.checks.case import Case, Line

__all__ = ["privacy"]


async def privacy(case: Case) -> list[Line]:
    """Say what becomes of personal columns, and what that switches off."""
    assert case.bundle is not None
    signature = case.bundle.signature
    lines = []
    if withheld := signature.withheld:
        lines.append(
            Line(
                "warn",
                f"{not_learned_line(withheld)}; a model without them has all of it",
                mistake="no-features",
            )
        )
    elif signature.is_private:
        names = ", ".join(signature.marked)
        lines.append(Line("ok", f"{names}: no inputs, and nothing that is written has them"))
    if signature.is_hashed:
        secret = Keys(case.settings.keys).secret
        if secret.exists():
            lines.append(Line("ok", f"the secret of hashes is {secret_line(secret)}"))
        else:
            lines.append(
                Line(
                    "warn",
                    f"no secret of hashes here, as the score role needs it: {secret_line(secret)}",
                    mistake="no-secret",
                )
            )
    return lines

"""Print what every model format does, and how far its answers are from those of the original model.

Each check is the one that the tests run (tests/models/conformance.py). A number is the largest difference
from the original's answers, over all rows and classes; "yes" is a check without one.

    python tests/benchmarks/models/conformance_table.py
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from streamapp.models import FORMATS
from tests.models.conformance import CHECKS, Check


def cell(check: Check, name: str, folder: Path) -> str:
    os.environ["STREAMAPP_KEYS"] = str(folder / "keys")
    try:
        difference = check(name, folder / "bundle")
    except AssertionError as exc:
        return f"NO: {str(exc).splitlines()[0] if str(exc) else 'does not hold'}"
    if difference is None:
        return "yes"
    return "0" if difference == 0 else f"{difference:.0e}"


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel("ERROR")  # many models in one process are no mistake here
    print(f"| check | {' | '.join(FORMATS)} |")
    print(f"|---|{'---|' * len(FORMATS)}")
    for label, check in CHECKS.items():
        cells = []
        for name in FORMATS:
            with tempfile.TemporaryDirectory() as folder:
                cells.append(cell(check, name, Path(folder)))
        print(f"| {label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

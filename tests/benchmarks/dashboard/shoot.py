"""Pictures of the dashboard in every state, wide and on a phone, light and dark; to be looked at.

    python tests/benchmarks/dashboard/shoot.py FOLDER

Needs Chromium (Debian's package chromium) on the path. Fails if a page scrolls sideways, asks another host
for anything, or has an error on its console.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.dashboard.chromium import browser
from tests.dashboard.scenes import SCENES
from tests.dashboard.served import StillBoards, serving

LOOKS: dict[str, dict[str, Any]] = {
    "wide-light": {"width": 1400, "height": 1000},
    "wide-dark": {"width": 1400, "height": 1000, "dark": True},
    "phone-light": {"width": 390, "height": 844, "phone": True},
    "phone-dark": {"width": 390, "height": 844, "phone": True, "dark": True},
}
FILLED = (
    "[...document.querySelectorAll('.chart svg')].filter(s => s.closest('.chart').offsetWidth)"
    ".every(s => s.getBBox().width > 0.8 * s.closest('.chart').offsetWidth)"
)
OPEN = "[...document.querySelectorAll('.entry')].find(e => /input alert|took over/.test(e.innerText)).click()"
READY = "document.querySelector('.answer .word strong')?.innerText && document.querySelectorAll('svg').length"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stories = {name: make(name) for name, make in SCENES.items()}
    with serving(StillBoards(stories)) as address, browser() as page:
        for scene in stories:
            for look, options in LOOKS.items():
                page.look(**options)
                began = time.perf_counter()
                page.open(f"{address}/{scene}", until=READY)
                seconds = time.perf_counter() - began
                page.wait(FILLED)
                time.sleep(0.5)
                (folder / f"{scene}-{look}.png").write_bytes(page.picture())
                wide = page.value(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                print(f"{scene:<12} {look:<12} ready after {seconds:.1f} s, {wide} px too wide")
                assert wide <= 0
                assert page.value(FILLED)
            if scene in {"drifting", "promoted"}:
                for look in ("wide-light", "phone-dark"):
                    page.look(**LOOKS[look])
                    page.open(f"{address}/{scene}", until=READY)
                    page.wait("document.querySelector('.entry')")
                    page.value(OPEN)
                    page.wait("document.querySelector('.evidence h2')")
                    time.sleep(0.6)
                    (folder / f"{scene}-evidence-{look}.png").write_bytes(page.picture(whole=False))
        elsewhere = {
            url
            for url in page.requests
            if urlsplit(url).netloc != urlsplit(address).netloc and not url.startswith(("data:", "about:"))
        }
        print(f"{len(page.requests)} requests, {len(elsewhere)} of them elsewhere; errors: {page.errors}")
        assert not elsewhere
        assert not page.errors


if __name__ == "__main__":
    main(Path(sys.argv[1]))

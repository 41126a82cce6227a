from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from streamapp.messages import Alert, DriftedFeature
from tests.dashboard.chromium import PATH, Page, browser
from tests.dashboard.scenes import NOW_MS, SCENES, Story, drifting, told
from tests.dashboard.served import StillBoards, serving

SCRIPT = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
READY = "document.querySelector('.answer .word strong')?.innerText && document.querySelector('.entry')"

needs_chromium = pytest.mark.skipif(PATH is None, reason="there is no chromium on the path")


def hostile() -> Story:
    """A deployment whose messages hold markup."""
    story = drifting("hostile")
    alert = Alert(
        id="x", state="opened", kind="missing", subject=SCRIPT, severity="critical", summary=SCRIPT,
        features=[DriftedFeature(name=SCRIPT, aspect="missing", effect=0.5, share=1.0)],
        opened_at=story.at_ms, updated_at=story.at_ms,
    )  # fmt: skip
    story.write("drift-alerts", alert.key, alert, story.at_ms + 1)
    return story


@pytest.fixture(scope="module")
def boards() -> StillBoards:
    return StillBoards({name: told(name) for name in SCENES} | {"hostile": hostile()})


@pytest.fixture(scope="module")
def address(boards: StillBoards) -> Iterator[str]:
    with serving(boards) as found:
        yield found


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture
def page(tab: Page) -> Page:
    tab.look(width=1400, height=1000)
    tab.requests.clear()
    tab.errors.clear()
    return tab


@pytest.mark.parametrize("scene", SCENES)
def test_each_state_has_its_page(scene: str, address: str) -> None:
    reply = httpx.get(f"{address}/{scene}")
    assert reply.status_code == 200
    for text in ("Is it healthy?", "Is it right?", "What changed?", "What was done?", "What happened"):
        assert text in reply.text
    assert f"<title>{scene}: streamapp</title>" in reply.text


def test_the_first_page_is_that_of_the_first_deployment(address: str) -> None:
    reply = httpx.get(f"{address}/", follow_redirects=True)
    assert str(reply.url) == f"{address}/calm"


def test_another_name_is_said_not_to_be_there(address: str) -> None:
    assert "No such deployment" in httpx.get(f"{address}/absent").text


def test_every_page_leads_to_the_others(address: str) -> None:
    text = httpx.get(f"{address}/drifting").text
    assert all(f"/{name}" in text for name in SCENES)


def test_no_correlation_is_minus_nothing(address: str) -> None:
    text = httpx.get(f"{address}/calm").text
    assert "temp ~ wind" in text
    assert "-0.00" not in text


def test_its_health_is_told_in_a_word(
    address: str, boards: StillBoards, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = httpx.get(f"{address}/health")
    assert (reply.status_code, reply.text) == (200, "ok\n")
    monkeypatch.setattr(boards, "_found_ms", NOW_MS)  # long ago
    reply = httpx.get(f"{address}/health")
    assert reply.status_code == 503
    assert re.fullmatch(r"Kafka was last reached at 2011-05-02T08:\S+Z\n", reply.text)


def test_without_deployments_it_says_how_to_get_one(
    address: str, boards: StillBoards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "names", ())
    reply = httpx.get(f"{address}/")
    assert reply.status_code == 200
    assert "streamapp deploy NAME BUNDLE creates one" in reply.text


def test_markup_in_messages_is_no_markup_of_the_page(address: str) -> None:
    text = httpx.get(f"{address}/hostile").text
    assert "document.title" in text
    assert SCRIPT not in text
    assert not re.search(r"<script>document|<img src=x", text)


def test_nothing_on_the_page_comes_from_elsewhere(address: str) -> None:
    text = httpx.get(f"{address}/drifting").text
    assert re.findall(r"(?:src|href)=\"(https?:)?//", text) == []


@needs_chromium
@pytest.mark.parametrize("scene", ["drifting", "no-data", "hostile"])
def test_the_browser_asks_no_other_host_and_has_no_errors(scene: str, address: str, page: Page) -> None:
    page.open(f"{address}/{scene}", until=READY)
    page.wait("document.querySelectorAll('svg').length >= 2")
    hosts = {urlsplit(url).netloc for url in page.requests if not url.startswith("data:")}
    assert hosts == {urlsplit(address).netloc}
    assert page.errors == []


@needs_chromium
def test_markup_is_shown_as_text_also_in_the_evidence(address: str, page: Page) -> None:
    page.open(f"{address}/hostile", until=READY)
    page.value("document.querySelector('.entry').click()")
    page.wait("document.querySelector('.evidence th[scope=row]')")
    assert page.value("document.querySelector('.evidence th[scope=row]').innerText") == SCRIPT
    assert page.value("document.title") == "hostile: streamapp"


@needs_chromium
@pytest.mark.parametrize("scene", ["drifting", "promoted", "no-data", "hostile"])
def test_a_phone_does_not_scroll_sideways(scene: str, address: str, page: Page) -> None:
    page.look(width=390, height=844, phone=True, dark=True)
    page.open(f"{address}/{scene}", until=READY)
    assert page.value("document.documentElement.scrollWidth") <= 390


@needs_chromium
def test_keys_reach_an_entry_open_and_close_it_and_come_back(address: str, page: Page) -> None:
    page.open(f"{address}/drifting", until=READY)
    page.press("Tab", 9)
    assert page.value("document.activeElement.innerText") == "To what happened"
    page.press("Enter", 13)
    page.press("Tab", 9)
    assert page.value("document.activeElement.className").startswith("entry")
    title = page.value("document.activeElement.querySelector('strong').innerText")
    page.press("Enter", 13)
    page.wait("document.querySelector('[role=dialog] .evidence h2')")
    assert page.value("document.querySelector('.evidence h2').innerText") == title
    page.wait("document.querySelector('[role=dialog]').contains(document.activeElement)")
    page.press("Escape", 27)
    page.wait("!document.querySelector('.evidence')")
    page.wait("document.activeElement.className.startsWith('entry')")


FILLED = """
(() => {
  const charts = [...document.querySelectorAll('.chart')].filter(chart => chart.offsetWidth);
  const reach = chart => {  // of the lines across it
    const boxes = [...chart.querySelectorAll('path')].map(path => path.getBBox());
    return Math.max(...boxes.filter(box => box.height < 1).map(box => box.x + box.width));
  };
  return charts.length >= 10
    && charts.every(chart => chart.offsetHeight >= 130 && reach(chart) > chart.offsetWidth - 40);
})()
"""


@needs_chromium
def test_charts_fill_their_place_whatever_the_window_was_before(address: str, page: Page) -> None:
    page.look(width=1, height=1)
    page.open(f"{address}/drifting", until="document.querySelectorAll('.chart svg').length >= 10")
    page.look(width=1400, height=1000)
    page.wait(FILLED)
    for width, height in ((390, 844), (844, 390)):
        page.look(width=width, height=height, phone=True)
        page.wait(f"innerWidth == {width} && {FILLED}")


@needs_chromium
def test_charts_fill_their_place_when_the_page_is_shown_late(address: str, page: Page) -> None:
    hide = (
        "new MutationObserver((_, seen) => {"
        "  if (document.body) { document.body.hidden = true; seen.disconnect(); }"
        "}).observe(document, {childList: true, subtree: true})"
    )
    script = page.call("Page.addScriptToEvaluateOnNewDocument", source=hide)
    page.open(f"{address}/drifting", until="document.querySelectorAll('.chart svg').length >= 10")
    page.call("Page.removeScriptToEvaluateOnNewDocument", **script)
    assert page.value("document.body.hidden && document.querySelector('.chart').offsetWidth") == 0
    page.value("document.body.hidden = false")
    page.wait(FILLED)


@needs_chromium
def test_a_picture_leaves_the_window_as_wide_as_it_is(address: str, page: Page) -> None:
    page.open(f"{address}/drifting", until=READY)
    page.value("widths = []; addEventListener('resize', () => widths.push(innerWidth))")
    for _ in range(3):
        page.picture()
    page.settle()
    assert page.value("innerHeight") == 1000
    assert set(page.value("widths")) == {1400}


@needs_chromium
def test_a_page_that_has_lost_the_dashboard_calls_itself_live_no_more(address: str, page: Page) -> None:
    status = "getComputedStyle(document.querySelector('[role=status]'), '::after').content"
    page.open(f"{address}/calm", until=READY)
    page.wait(f"window.did_handshake && {status} == 'none'")
    page.value("void socket.disconnect()")
    page.wait(f"{status}.includes('No contact with the dashboard')")
    assert page.value("getComputedStyle(document.querySelector('[role=status]')).fontSize") == "0px"
    page.value("void socket.connect()")
    page.wait(f"{status} == 'none'")


CONTRAST = """
(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = numbers(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('h1, h2, h3, p, dt, dd, th, td, a, button, span, strong, summary')]
    .filter(e => e.offsetWidth && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => {
      const pair = [light(numbers(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a);
      return [(pair[0] + 0.05) / (pair[1] + 0.05), e.innerText.slice(0, 40)];
    })
    .filter(([ratio]) => ratio < 4.5);
})()
"""


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("scene", ["calm", "drifting", "no-data"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(
    scene: str, dark: bool, address: str, page: Page
) -> None:
    page.look(width=1400, height=1000, dark=dark)
    page.open(f"{address}/{scene}", until=READY)
    assert page.value(CONTRAST) == []


@needs_chromium
def test_how_the_others_are_is_seen_and_heard(address: str, page: Page) -> None:
    page.open(f"{address}/calm", until=READY)
    words = "[...a.querySelectorAll('span')].map(part => part.textContent).join('')"
    assert page.value(f"[...document.querySelectorAll('nav a')].map(a => {words})") == [
        "calm, well",
        "drifting, bad",
        "promoted, well",
        "no-data, not known here yet",
        "broker-gone, bad",
        "stalled, bad",
        "hostile, bad",
    ]
    assert page.value("document.querySelector('nav a.bad i').innerText") == "error"


@needs_chromium
def test_many_deployments_leave_the_answers_where_they_are_seen(
    address: str, boards: StillBoards, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [f"store-{number}-recommendations-of-the-day" for number in range(30)]
    monkeypatch.setattr(boards, "names", (*boards.names, *others))
    page.look(width=390, height=844, phone=True)
    page.open(f"{address}/drifting", until=READY)
    assert page.value("document.querySelectorAll('nav a').length") > len(others)
    assert page.value("document.querySelector('.answer .word').getBoundingClientRect().top") < 300
    page.value("[...document.querySelectorAll('nav a')].at(-1).focus()")
    assert page.value("document.querySelector('nav').scrollTop") > 0  # a keyboard reaches the last one


@needs_chromium
@pytest.mark.parametrize(("scene", "has_early"), [("drifting", True), ("no-data", False)])
def test_a_window_whose_labels_are_still_out_has_its_number_too(
    scene: str, has_early: bool, address: str, page: Page
) -> None:
    page.open(f"{address}/{scene}", until=READY)
    figures = page.value("document.querySelector('.accuracy .figures').innerText").split("\n")
    assert ("newest, early" in figures) == has_early
    if has_early:
        assert float(figures[figures.index("newest, early") + 1].removesuffix(" %")) < 40


@needs_chromium
def test_landmarks_headings_and_charts_have_names(address: str, page: Page) -> None:
    page.open(f"{address}/drifting", until=READY)
    page.wait("document.querySelectorAll('svg').length >= 10")
    assert page.value("document.documentElement.lang") == "en-US"
    assert page.value("document.querySelectorAll('h1').length") == 1
    assert page.value("document.querySelectorAll('main').length") == 1
    nameless = (
        "[...document.querySelectorAll('section, [role=img], nav')]"
        ".filter(e => !(e.getAttribute('aria-label') "
        "|| document.getElementById(e.getAttribute('aria-labelledby'))?.innerText))"
        ".map(e => e.outerHTML.slice(0, 99))"
    )
    assert page.value(nameless) == []

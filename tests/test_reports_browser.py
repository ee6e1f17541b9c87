"""Reports in a real browser (chromium, no network): they open from disk, run their own script alone, print whole."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import CASES, HERE, SAMPLES, analyze_file, analyze_text
from support.pages import HOSTILE, OPTIONS
from test_reports_server_side import EXACT, OTHER, joined

from tracelens.reports import render

# Set where a browser must be there, so that a machine without one does not pass in silence.
REQUIRED = os.environ.get("TRACELENS_BROWSER_REQUIRED") == "1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCHEMES = ("light", "dark")
WIDTHS = (375, 1280)
TRACES = {
    "kex": SAMPLES / "no-common-kex.log",
    "login": SAMPLES / "wrong-password.log",
    "two": SAMPLES / "two-sessions.log",
    "timeout": min((CASES / "transport-timeout").iterdir()),
    "list": HERE / "data" / "pairs" / "ok-list.log.gz",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        if REQUIRED:
            pytest.fail("no chromium on this machine, and TRACELENS_BROWSER_REQUIRED is set")
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {name: folder / f"{name}.html" for name in [*TRACES, "hostile", "both", "many"]}
    for name, path in TRACES.items():
        made[name].write_text(render.html([analyze_file(path)], OPTIONS), encoding="utf-8")
    made["hostile"].write_text(render.html([analyze_text(HOSTILE)], OPTIONS), encoding="utf-8")
    documents = [analyze_file(path) for path in sorted(SAMPLES.iterdir())]
    made["both"].write_text(render.html([joined(folder, OTHER + EXACT)], OPTIONS), encoding="utf-8")
    made["many"].write_text(render.html(documents, OPTIONS), encoding="utf-8")
    return made


class Visit:
    """An open page, with whatever it asked for and said."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(path.as_uri())

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *exception: object) -> None:
        self.context.close()


@pytest.mark.parametrize("name", [*TRACES, "hostile", "both", "many"])
def test_opens_from_disk_asks_for_nothing_and_says_nothing(browser: Any, pages: dict[str, Path], name: str) -> None:
    for width in WIDTHS:
        with Visit(browser, pages[name], viewport={"width": width, "height": 900}) as visit:
            assert visit.requests == [pages[name].as_uri()]
            assert visit.said == []
            # Nothing makes the page wider than the window: what is wide scrolls in its own frame.
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            assert visit.page.evaluate("document.scripts.length") == 1


def test_a_hostile_banner_is_text(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["hostile"]) as visit:
        assert "<script>alert(1)</script>" in visit.page.inner_text("body")
        assert visit.page.locator("img").count() == 0
        assert visit.page.locator("a[href^=javascript]").count() == 0


def test_policy_stops_what_would_get_in_all_the_same(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["kex"]) as visit:
        visit.page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.owned = 1';"
            " document.body.append(s);"
            " const i = new Image(); i.src = 'http://127.0.0.1:9/x'; document.body.append(i); }"
        )
        assert visit.page.evaluate("window.owned") is None
        assert any("Content Security Policy" in text for text in visit.said)


def test_tables_sort_and_filter(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["many"]) as visit:
        table = visit.page.locator("#all table")
        rows = table.locator("tbody tr")
        before = rows.all_inner_texts()
        table.locator("thead button", has_text="Cause").click()
        causes = table.locator("tbody td:nth-child(4)").all_inner_texts()
        assert causes == sorted(causes)
        assert table.locator("th[aria-sort=ascending]").inner_text() == "Cause"
        table.locator("thead button", has_text="Cause").click()
        assert table.locator("tbody td:nth-child(4)").all_inner_texts() == sorted(causes, reverse=True)
        visit.page.locator("#all .filter input").fill("rsa-sha1")
        assert rows.locator("visible=true").count() == 1
        assert f"1 of {len(before)}" in visit.page.locator("#all .filter").inner_text()
        visit.page.locator("#all .filter input").fill("")
        assert rows.locator("visible=true").count() == len(before)


def test_everything_is_there_without_a_script(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["login"], java_script_enabled=False) as visit:
        text = visit.page.inner_text("body")
        for part in ("Who must act, and how", "Evidence", "What happened", "Logins", "Environment"):
            assert part in text
        assert visit.page.locator("svg .failing").first.is_visible()


def test_texts_of_the_chart_stand_beside_each_other(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["both"], viewport={"width": 1280, "height": 900}) as visit:
        boxes = visit.page.evaluate(
            "[...document.querySelectorAll('svg.both text')].map(e => e.getBBox())"
            ".map(b => [b.x, b.y, b.width, b.height])"
        )
        wide = visit.page.evaluate("document.querySelector('svg.both').viewBox.baseVal.width")
        assert all(x >= 0 and x + width <= wide for x, _, width, _ in boxes)
        crossing = [
            (a, b)
            for n, a in enumerate(boxes)
            for b in boxes[n + 1 :]
            if a[0] + 1 < b[0] + b[2] and b[0] + 1 < a[0] + a[2] and a[1] + 4 < b[1] + b[3] and b[1] + 4 < a[1] + a[3]
        ]
        assert crossing == []


def test_works_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["many"]) as visit:
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.className") == "skip"
        visit.page.keyboard.press("Enter")
        assert visit.page.evaluate("location.hash") == "#main"


@pytest.mark.parametrize("name", ["kex", "two", "both", "many"])
def test_prints_to_a4_whole(browser: Any, pages: dict[str, Path], tmp_path: Path, name: str) -> None:
    with Visit(browser, pages[name]) as visit:
        visit.page.emulate_media(media="print")
        # A4 is 210 mm wide, its margins 14 mm each: 688 CSS pixels. Nothing reaches past them.
        visit.page.set_viewport_size({"width": 688, "height": 1000})
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 688
        cut = visit.page.evaluate(
            "[...document.querySelectorAll('.scroll, td, th, code')].filter(e => e.scrollWidth > e.clientWidth + 1"
            " && getComputedStyle(e).display !== 'inline').map(e => e.className + ' ' + e.textContent.slice(0, 60))"
        )
        assert cut == []
        made = visit.page.pdf(prefer_css_page_size=True)
        assert made.startswith(b"%PDF")
        assert b"/Type /Page" in made or b"/Type/Page" in made


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["kex", "login", "both", "many", "hostile"])
def test_axe_finds_no_fault(browser: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for width in WIDTHS:
        with Visit(
            browser, pages[name], viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        ) as visit:
            found = axe.Axe().run(visit.page).response["violations"]
            serious = [
                (v["id"], [n["target"] for n in v["nodes"]][:3])
                for v in found
                if v["impact"] in ("serious", "critical")
            ]
            assert serious == []

"""The report of `--html` in a browser: every link works, rows can be filtered, it fits a phone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Browser
from tests.litmus.rows import row
from tests.report.elements import Elements

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
WHITE, DARK = "rgb(255, 255, 255)", "rgb(21, 24, 28)"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
MP = (["st x = 1", "st y = 1"], ["r0 = ld y", "r1 = ld x"])
MAP = {"x": "leaf(pa1)", "y": "leaf(pa2)"}
WRONG = """
from simbbm_scenarios.bbm_minimal import good
wrong = good.twin("It is caught.", expect="STUCK:terminates", drop=["change.dsb.ish"])
"""
SHOWN = "[...document.querySelectorAll('[data-row]')].filter(r => r.getClientRects().length).length"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with every part, and something in it that is not as expected."""
    home = tmp_path_factory.mktemp("report")
    (home / "mine.py").write_text(WRONG)
    wrong = row(*MP, condition="1:r0=1 & 1:r1=0", map=MAP, name="MP", verdict="forbidden")
    (home / "two.jsonl").write_text(json.dumps(wrong) + "\n")
    for code, command in (
        (1, "check mine.py bbm_minimal"),
        (0, "check bbm_minimal::live_change --kill-table --trials 6 --runs 20"),
        (0, "ablate bbm_minimal::good"),
        (1, "litmus two.jsonl"),
        (0, "stress bbm_minimal::live_change --runs 20"),
    ):
        args = [sys.executable, "-m", "simbbm", *command.split(), "--html", "site"]
        done = subprocess.run(args, cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
    return home / "site"


def test_every_link_leads_to_a_page_that_opens(browser: Browser, site: Path) -> None:
    pages = {site / "index.html"}
    for page in [*pages, *sorted((site / "counterexamples").glob("*.html"))]:
        browser.open(page)
        assert not browser.wrong()
        links = browser.js(
            "[...document.querySelectorAll('a')]"
            ".map(a => new URL(a.getAttribute('href'), location).href)"
        )
        for link in links:
            address, _, place = str(link).partition("#")
            file = Path(address.removeprefix("file://"))
            assert file.is_file(), (page, link)
            if file == page and not place.startswith("step-"):
                assert browser.js("document.getElementById(arguments[0]) !== null", place)
            if file.suffix == ".html":
                pages.add(file)

    assert {p.name for p in pages} == {p.name for p in site.rglob("*.html")}


def test_a_counterexample_is_one_click_away_and_back(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    browser.click(".findings a")
    assert browser.text("h1") == "mine.py::wrong"
    assert browser.text(".verdict") == "VIOLATED no_size_change_seen"
    browser.click(".beside a")
    assert browser.text("h1") == "simbbm report"


def test_it_opens_with_what_is_wrong_in_the_first_screen(browser: Browser, site: Path) -> None:
    for size in (DESKTOP, PHONE):
        browser.open(site / "index.html", size=size)
        bottom = browser.js("document.querySelector('.findings').getBoundingClientRect().bottom")
        assert bottom <= size[1]
    assert browser.texts(".findings li") == [
        "mine.py::wrong: VIOLATED:no_size_change_seen, expected STUCK:terminates",
        "MP: forbidden, reached",
    ]
    parts = browser.texts(".part b")
    assert parts == ["Verdicts", "Runs to detection", "Ablation", "Litmus tests", "Samples"]
    assert browser.js("document.title") == "simbbm: 2 not as expected"


def test_rows_are_filtered_with_keys_alone(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    every = browser.js(SHOWN)
    browser.keys("/")
    assert browser.js("document.activeElement.id") == "filter"
    browser.driver.switch_to.active_element.send_keys("bbm_minimal live_change")
    few = browser.js(SHOWN)
    assert 0 < few < every
    assert browser.text("#count") == f"{few} of {every} rows"
    assert browser.js("document.documentElement.dataset.theme") == "auto"  # no key of the page
    browser.driver.switch_to.active_element.send_keys("\ue00c")
    assert browser.js(SHOWN) == every
    browser.click("#unexpected")
    assert browser.texts("[data-row]:not([hidden]) th") == ["wrong", "MP"]


def test_plots_are_drawn_in_their_field(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    for selector in (".growth path", ".detection .curve", ".detection .field > svg"):
        boxes = browser.js(
            "[...document.querySelectorAll(arguments[0])]"
            ".map(e => e.getBoundingClientRect().toJSON())",
            selector,
        )
        assert boxes
        assert all(box["width"] > 20 for box in boxes), selector
    inside = browser.js(
        """[...document.querySelectorAll(".growth")].every(svg => {
          const outer = svg.getBoundingClientRect();
          const inner = svg.querySelector("path").getBoundingClientRect();
          const within = inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
          return within && inner.height > 10;
        })"""
    )
    assert inside


def test_light_and_dark(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    assert browser.js(BACKGROUND) == WHITE
    browser.open(site / "index.html", dark=True)
    assert browser.js(BACKGROUND) == DARK
    browser.keys("d")
    assert browser.js(BACKGROUND) == WHITE
    browser.keys("d")
    browser.keys("d")
    assert browser.text("#theme") == "theme: auto"


def test_it_fits_a_phone(browser: Browser, site: Path) -> None:
    pages = [site / "index.html", *sorted((site / "counterexamples").glob("*.html"))[:3]]
    for page in pages:
        for size in (PHONE, (320, 640), (768, 1024)):
            browser.open(page, size=size)
            assert browser.js("document.documentElement.scrollWidth") <= size[0]
    browser.open(site / "index.html", size=PHONE)
    narrow = browser.js(
        "[...document.querySelectorAll('caption, .verdicts td.message')]"
        ".map(e => e.getBoundingClientRect()).filter(b => b.height).map(b => b.width)"
    )
    assert min(narrow) > 200


def test_the_likelihood_of_a_failure_leads_to_the_steps_that_decide(
    browser: Browser, tmp_path: Path
) -> None:
    scenario = "linear_map_split::m10_no_dsb_after_tlbi"
    args = ("check", scenario, "-p", "cpus=2", "-p", "layout=pmd", "--html", "site")
    subprocess.run([sys.executable, "-m", "simbbm", *args], cwd=tmp_path, check=True)
    (page,) = (tmp_path / "site" / "counterexamples").glob("*.html")
    browser.open(page)
    last = browser.step()

    x = "Number(document.querySelector('#cursor').getAttribute('x'))"
    assert browser.js(x) == last + 1
    browser.keys("k")
    assert browser.js(x) == last
    titles = [t for t in Elements(page.read_text()).texts if t[0] == "title" and "\u2192" in t[1]]
    assert titles
    deciding = int(titles[-1][1].split()[1].rstrip(":"))
    browser.driver.execute_script(
        """document.querySelector(arguments[0]).dispatchEvent(
          new MouseEvent("click", { bubbles: true, cancelable: true, view: window }))""",
        f".likelihood svg a[href='#step-{deciding}'] rect",
    )
    browser.wait_for_step(deciding)
    assert browser.js(x) == deciding + 1

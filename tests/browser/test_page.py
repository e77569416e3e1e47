"""What the page of a counterexample shows while somebody steps through it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec
import pytest

import simbbm
from simbbm import discovery
from simbbm.core.system import Problem
from simbbm.explore.runs.replay import model_of
from simbbm.report.html.page import page, page_data, rendered
from tests.browser.conftest import PHONE, Browser
from tests.report.told import Told, told, told_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SPLIT = "linear_map_split::m02_first_to_arrive_splits"
LATE = "linear_map_split::m10_no_dsb_after_tlbi"
LOST = "linear_map_split::m14_plain_increment"
HOSTILE = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
DOWN, UP, HOME, END = "\ue015", "\ue013", "\ue011", "\ue010"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
WHITE, DARK = "rgb(255, 255, 255)", "rgb(21, 24, 28)"


@cache
def lasso() -> Told:
    """A run that goes round for ever: an abort handler that flushes and tries again."""
    found = simbbm.explore("conflict_aborts::handler_flushes", {"layout": "contpte"})
    assert found.witness is not None
    model = model_of(found.witness, discovery.find(found.witness.scenario))
    return told_of(found.witness, model)


def written(tmp_path: Path, run: Told, *, everything: bool = False) -> Path:
    path = tmp_path / "page.html"
    path.write_text(page(run.case(), everything=everything), encoding="utf-8")
    return path


def test_it_opens_at_the_failure(browser: Browser, tmp_path: Path) -> None:
    run = told(SPLIT)
    browser.open(written(tmp_path, run))
    problem = run.story.problem

    assert problem is not None
    assert browser.text("h1") == SPLIT
    assert browser.text(".verdict") == "VIOLATED no_size_change_seen"
    assert browser.texts(".told")[0] == problem.message.split("; ")[0]
    assert browser.step() == run.witness.steps - 1
    assert browser.texts(".row.last .number") == [str(run.witness.steps - 1)]
    bad = browser.texts(".cpu.bad h3")
    assert [text[:4] for text in bad] == [f"cpu{problem.cpu}"]
    assert len(browser.texts(".cpu.bad .conflict")) == 2
    (line,) = browser.texts("#step .disagree")
    assert line.startswith(f"cpu{problem.cpu} may hold entries that disagree: ")


def test_keys_step_forward_and_back(browser: Browser, tmp_path: Path) -> None:
    run = told(LOST)
    browser.open(written(tmp_path, run, everything=True))
    data = page_data(run.story, run.run)
    browser.keys(HOME)
    assert browser.step() == -1
    assert browser.text("#step") == "Before the first step"

    for step in range(6):
        browser.keys(DOWN if step % 2 else "j")
        text = data.values[data.events[step][2]].replace(" -> ", " \u2192 ")
        assert browser.step() == step
        assert browser.text("#step .what") == text
        where = data.kernel.get(data.values[data.events[step][3]])
        assert browser.texts("#step .kernel") == ([f" ({where})"] if where else [])
        assert browser.texts(".row.current .number") == [str(step)]
    assert data.kernel["stop_machine"] == "stop_machine.c"
    browser.keys(UP, "k")
    assert browser.step() == 3
    browser.keys(END)
    assert browser.step() == run.witness.steps - 1
    browser.keys(DOWN)
    assert browser.step() == run.witness.steps - 1


def test_buttons_and_the_slider_step_too(browser: Browser, tmp_path: Path) -> None:
    run = told(LOST)
    browser.open(written(tmp_path, run, everything=True), size=PHONE)
    browser.click("#back")
    assert browser.step() == run.witness.steps - 2
    browser.click("#first")
    assert browser.step() == -1
    browser.click("#forward")
    assert browser.step() == 0
    browser.click("#last")
    assert browser.step() == run.witness.steps - 1
    browser.js(
        "(s => { s.value = 7; s.dispatchEvent(new Event('input')); })(arguments[0])",
        slider(browser),
    )
    assert browser.step() == 7


def slider(browser: Browser) -> object:
    return browser.driver.find_element("css selector", "#slider")


@pytest.mark.parametrize("name", [SPLIT, LATE])
def test_tables_and_cpus_are_those_of_the_step(browser: Browser, tmp_path: Path, name: str) -> None:
    """Steps that write tables change the picture, forward and back, as the machine has it."""
    run = told(name)
    data = page_data(run.story, run.run)
    browser.open(written(tmp_path, run))
    last = data.steps - 1
    for step in (last, 0, last - 3, last // 2, last):
        browser.js("(location.hash = arguments[0])", f"#step-{step}")
        browser.wait_for_step(step)
        for box in data.boxes:
            track = data.tracks[f"t{box.address}"]
            value = max(
                (state, number)
                for state, number in zip(track[::2], track[1::2], strict=True)
                if state <= step + 1
            )[1]
            shown = browser.texts(f"[data-table='{box.address}'] .row title")
            assert len(shown) == len(data.values[value])
            for title, row in zip(shown, data.values[value], strict=True):
                assert row.text in title
                assert row.contiguous == title.endswith(", contiguous")
    assert browser.texts(".row.changed title")
    browser.keys(UP)
    assert not browser.texts(".row-block.changed title")


def test_a_link_opens_at_its_step_though_it_is_filtered(browser: Browser, tmp_path: Path) -> None:
    run = told(LATE)
    told_too = with_short_stretches(page_data(run.story, run.run).telling)
    hidden = next(n for n in range(20, 100) if n not in told_too)
    browser.open(written(tmp_path, run), f"#step-{hidden}")

    assert browser.step() == hidden
    assert browser.texts(".row.current .number") == [str(hidden)]
    assert browser.js("document.querySelector('#telling').checked")


def test_steps_in_the_paragraph_are_links(browser: Browser, tmp_path: Path) -> None:
    run = told(LATE)
    named = [int(n) for text in run.story.because for n in re.findall(r"step (\d+)", text)]
    browser.open(written(tmp_path, run))
    browser.click(f".why a[href='#step-{named[0]}']")

    browser.wait_for_step(named[0])
    assert browser.step() == named[0]


def with_short_stretches(telling: list[int]) -> list[int]:
    """What is between steps that tell is shown if it is three steps at most."""
    found: list[int] = []
    for before, step in zip([-1, *telling], telling, strict=False):
        found += range(before + 1 if step - before <= 4 else step, step + 1)
    return found


def test_filters(browser: Browser, tmp_path: Path) -> None:
    run = told(LATE)
    browser.open(written(tmp_path, run))
    data = page_data(run.story, run.run)
    rows = browser.texts(".row .number")
    assert set(map(int, rows)) <= set(with_short_stretches(data.telling))
    assert any("left out" in text for text in browser.texts(".caption.gap"))
    browser.keys("t")
    browser.keys(HOME)
    assert browser.texts(".row .number")[:5] == ["0", "1", "2", "3", "4"]
    browser.keys("h")
    assert not browser.texts(".row:not(.step) .number")
    browser.click("#whose label:nth-child(2) input")
    assert not [text for text in browser.texts(".row .hidden") if text.strip() == "cpu1"]
    assert [text.split()[0] for text in browser.texts(".cpu h3")] == ["cpu0", "cpu2"]


def test_arrows_lead_to_what_was_read(browser: Browser, tmp_path: Path) -> None:
    run = told(LOST)
    data = page_data(run.story, run.run)
    reads = next(a for a in data.arrows if a.how == "reads" and a.later > 50)
    browser.open(written(tmp_path, run, everything=True), f"#step-{reads.later}")

    assert f"reads from step {reads.earlier}" in browser.texts("#step .links button")
    assert browser.js("document.querySelectorAll('.arrow.reads.about').length")
    browser.click("#step .links button")
    assert browser.step() == reads.earlier
    assert f"read by step {reads.later}" in browser.texts("#step .links button")


def test_a_round_is_drawn_as_one_and_stepping_goes_round(browser: Browser, tmp_path: Path) -> None:
    run = lasso()
    loop = run.witness.loop
    browser.open(written(tmp_path, run))

    assert browser.js("document.querySelectorAll('.paper > .goes-round, .turn').length") == 2
    assert browser.texts(".caption.round") == ["from here on it goes round"]
    assert browser.step() == run.witness.steps - 1
    browser.keys(DOWN)
    assert browser.step() == loop


def test_light_and_dark(browser: Browser, tmp_path: Path) -> None:
    path = written(tmp_path, told(SPLIT))
    browser.open(path)
    assert browser.js(BACKGROUND) == WHITE
    browser.open(path, dark=True)
    assert browser.js(BACKGROUND) == DARK
    browser.click("#theme")
    assert browser.js(BACKGROUND) == WHITE
    browser.keys("d")
    assert browser.js(BACKGROUND) == DARK
    browser.keys("d")
    assert browser.text("#theme") == "theme: auto"


def test_it_fits_a_phone(browser: Browser, tmp_path: Path) -> None:
    path = written(tmp_path, told(SPLIT))
    for size in (PHONE, (320, 640), (768, 1024), (1440, 900)):
        browser.open(path, size=size)
        width = browser.js("document.documentElement.scrollWidth")
        assert width <= size[0]
        for button in ("#first", "#back", "#forward", "#last"):
            box = browser.js(
                "document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", button
            )
            assert box["right"] <= size[0]
            assert box["height"] >= (40 if size[0] < 600 else 32)
        assert browser.texts(".row.current .number")


def test_names_cannot_break_out(browser: Browser, tmp_path: Path) -> None:
    run = told(SPLIT)
    events = tuple(e._replace(text=HOSTILE, function=HOSTILE) for e in run.story.events)
    problem = Problem(HOSTILE, HOSTILE, 1)
    story = run.story._replace(
        events=events, problem=problem, because=(HOSTILE,), cpus=(HOSTILE,) * 3
    )
    browser.open(written(tmp_path, run._replace(story=story)))

    assert browser.js("window.ran") is None
    assert browser.text("#step .what") == HOSTILE
    assert HOSTILE in browser.texts(".why li")
    assert browser.texts(".cpu h3")[0].startswith(HOSTILE)


def test_long_runs_stay_small_and_quick(browser: Browser, tmp_path: Path) -> None:
    """5,000 steps: what is in the document are the rows that can be seen, and a step is drawn."""
    run = told(LOST)
    data = page_data(run.story, run.run, everything=True)
    times = 5_000 // data.steps + 1
    tracks = {
        name: [
            number + (turn * data.steps if i % 2 == 0 else 0)
            for turn in range(times)
            for i, number in enumerate(track)
        ]
        for name, track in data.tracks.items()
    }
    arrows = tuple(
        a._replace(later=a.later + turn * data.steps, earlier=a.earlier + turn * data.steps)
        for turn in range(times)
        for a in data.arrows
    )
    steps = data.steps * times
    many = msgspec.structs.replace(
        data, steps=steps, events=data.events * times, tracks=tracks, arrows=arrows
    )
    path = tmp_path / "page.html"
    path.write_text(rendered(run.story, many), encoding="utf-8")
    browser.open(path)

    assert browser.step() == steps - 1 >= 5_000 - 1
    assert len(browser.texts(".row")) < 100
    took = browser.js(
        """(() => {
          const began = performance.now();
          for (let i = 0; i < 200; i++)
            document.dispatchEvent(new KeyboardEvent("keydown", { key: "k" }));
          return (performance.now() - began) / 200;
        })()"""
    )
    assert browser.step() == steps - 201
    assert took < 50  # milliseconds a step, on a busy machine
    browser.js("(document.querySelector('#lanes').scrollTop = 40000)")
    browser.js("(new Promise(done => requestAnimationFrame(() => setTimeout(done, 50))))")
    numbers = list(map(int, browser.texts(".row .number")))
    assert numbers
    assert 500 < numbers[0] < 4_000
    assert len(browser.texts(".row")) < 100

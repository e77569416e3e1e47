"""Counterexamples as text: what each step says, what is left out, what fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

from simbbm import discovery
from simbbm.arm64.descriptor import INVALID_DESCRIPTOR, RO, RW, leaf, table
from simbbm.arm64.ops import CPU
from simbbm.arm64.registers import Tcr, Ttbr
from simbbm.arm64.translation.translate import Translation
from simbbm.arm64.translation.walks import CONFLICT, TRANSLATION, Fault
from simbbm.core.program import Step
from simbbm.core.trace import TraceEvent
from simbbm.explore.runs.replay import model_of
from simbbm.explore.runs.run import run_one
from simbbm.explore.witness.recording import Witness, witness_of
from simbbm.model import Model
from simbbm.report.columns import COLUMN_MIN, Line, render
from simbbm.report.folding import SHOWN_WHOLE, stretches
from simbbm.report.told.story import Story
from simbbm.report.told.telling import LAST_STEPS, tell
from simbbm.report.trace import instruction, value

SHARED = Model(discovery.find("bbm_minimal::good")).system.shared
X = next(address for address, name in SHARED.symbols.items() if name == "x")
PAGE = X // SHARED.geometry.page_words
PTE = next(address for address, name in SHARED.symbols.items() if name == "pte")


def holds(_: int, wanted: int) -> bool:
    """A predicate to wait for."""
    return bool(wanted)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (CPU.ldr(X), "ldr x"),
        (CPU.str(X, 3), "str x, 3"),
        (CPU.str(X, 0x30), "str x, 0x30"),
        (CPU.stlxr(X + 1, 1), "stlxr x:1, 1"),
        (CPU.str(PTE, INVALID_DESCRIPTOR), "str pte, invalid"),
        (CPU.str(PTE, leaf(1, RO)), "str pte, leaf(0x1, ro)"),
        (CPU.fill(PTE, leaf(0, RW), 1, 512), "fill pte, 512 entries from leaf(0x0) on"),
        (CPU.svc(3), "svc 3"),
        (CPU.ldaddal(X, -1), "ldaddal x, -1"),
        (CPU.dsb("ishst"), "dsb ishst"),
        (CPU.isb(), "isb"),
        (CPU.tlbi("vmalle1is"), "tlbi vmalle1is"),
        (CPU.tlbi("vae1is", PAGE, 5), "tlbi vae1is, x, asid 5"),
        (CPU.msr("ttbr1_el1", Ttbr(PTE, 7)), "msr ttbr1_el1, pte asid 7"),
        (CPU.msr("tcr_el1", Tcr(2, 3, epd0=True)), "msr tcr_el1, t0_bits=2 epd0"),
        (CPU.mrs("ttbr0_el1"), "mrs ttbr0_el1"),
        (CPU.mrs_mpidr(), "mrs mpidr_el1"),
        (CPU.wait(X, holds, 2), "wait x holds(2)"),
        (CPU.br(PAGE), "br x"),
        (CPU.eret(retry=False), "eret to the next"),
        (CPU.panic("out of tables"), "panic: out of tables"),
        (CPU.wfe(), "wfe"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_an_instruction_is_written_as_one_would(step: Step[object], text: str) -> None:
    assert text == instruction(SHARED, step.op)


@pytest.mark.parametrize(
    ("word", "text"),
    [(0, "0"), (9, "9"), (10, "0xa"), (-1, "-1"), (table(PTE), "table(pte)")],
)
def test_values(word: object, text: str) -> None:
    assert text == value(SHARED, word)


@pytest.mark.parametrize(
    ("way", "notes"),
    [
        (Translation(5, None, None, ""), []),
        (
            Translation(0, None, Fault(TRANSLATION, 2), "!translation2"),
            ["level 2 translation fault"],
        ),
        (
            Translation(5, None, None, "~0x5~early", early=True),
            ["gets page 0x5", "translated early"],
        ),
        (Translation(5, None, None, "~0x5(ro)", attributes=RO), ["gets page 0x5(ro)"]),
        (
            Translation(0, None, Fault(CONFLICT, 2), "!conflict2~conflict", conflict=True),
            ["level 2 conflict fault", "two entries match"],
        ),
    ],
)
def test_notes_say_which_of_several_translations(way: Translation, notes: list[str]) -> None:
    assert notes == list(way.notes)


@cache
def failing(name: str, **params: object) -> Witness:
    """A witness of the first failing run."""
    model = Model(discovery.find(name), params)
    failed = (n for n in range(500) if run_one(model, "default", 0, n).verdict != "HOLDS")
    return witness_of(model, "default", 0, next(failed))


@cache
def story_of(name: str, **params: object) -> Story:
    return tell(w := failing(name, **params), model_of(w, discovery.find(name)))


def text_of(name: str, **options: object) -> list[str]:
    return [line.text for line in render(story_of(name), **options)]  # type: ignore[arg-type]


def test_observed_values_are_shown() -> None:
    texts = [e.text for e in story_of("linear_map_split::m30_no_sevl").events]

    assert "ldxr flag -> 1" in texts
    assert "stxr flag, 2 -> 0" in texts
    assert "ldar flag -> 3" in texts
    assert "mrs ttbr1_el1 -> pgd" in texts


def test_a_loaded_value_is_shown_where_the_program_forgets_it() -> None:
    """In the loop that waits for 0 all other values are one: it goes on in the same way."""
    events = story_of("linear_map_split::m16_m21_release_unpublished").events
    polls = [e.text for e in events if e.function == "wait_for_zero" and e.text.startswith("ldxr")]

    assert len({*polls}) > 2, polls
    assert all(text.startswith("ldxr flag -> ") for text in polls)


def test_hardware_stands_in_its_cpus_column_behind_a_tilde() -> None:
    story = story_of("bbm_minimal::live_change")
    drains = [e for e in story.events if ".drain[" in e.agent]
    lines = text_of("bbm_minimal::live_change")

    assert drains
    assert all(e.text.startswith("~ drain ") and not e.function for e in drains)
    assert any(line[7:].startswith("~ drain pte = ") for line in lines)


def test_a_story_says_since_when_the_entries_are_held() -> None:
    """The later of the two came with the last step, or the run would have ended before."""
    story = story_of("bbm_minimal::live_change")
    last = len(story.events) - 1
    began = [text for text in story.because if "may hold" in text]

    assert "may hold the level 2 block x from the start: a walk from " in began[0]
    assert f"may hold the page x since cpu0's store reached pmd (step {last})" in began[1]
    assert any(text.startswith(f"step {last}: pmd says otherwise") for text in story.because)


def test_the_last_step_is_marked_and_what_it_breaks_is_said() -> None:
    name = "bbm_minimal::live_change"
    lines = text_of(name, replay="simbbm replay x.json")
    marked = [line for line in lines if line.startswith(">")]

    assert len(marked) == 1
    assert marked[0].split()[1] == str(len(story_of(name).events) - 1)
    assert f"VIOLATED no_size_change_seen after {len(story_of(name).events)} steps" in lines
    assert lines[-1] == "replay with: simbbm replay x.json"


def test_who_waits_for_what_has_a_line_each() -> None:
    lines = text_of("linear_map_split::m30_no_sevl", width=200)

    assert [f"  cpu{n} waits in" for n in range(3)] == [x[:15] for x in lines if " waits in" in x]


LONG = "linear_map_split::m07_count_before_switch"


def numbers(lines: list[str]) -> Iterator[int]:
    """The step numbers in the margin, wherever a line has one."""
    for line in lines:
        if margin := re.fullmatch(r"[ >] *(\d+)  ", line[:7]):
            yield int(margin[1])


def test_uneventful_stretches_are_counted_and_all_shows_them() -> None:
    steps = len(story_of(LONG).events)
    short, whole = text_of(LONG), text_of(LONG, everything=True)
    left_out = sum(int(x.split()[1]) for x in short if x.strip().startswith("... "))

    assert steps > SHOWN_WHOLE
    assert list(range(steps)) == list(numbers(whole))
    assert len(list(numbers(short))) + left_out == steps
    assert left_out > steps // 3
    assert not any("..." in line for line in whole)


def test_what_repeats_is_folded() -> None:
    """A spin of two steps, a run of drains; what the end depends on is shown among them."""
    spin = [event for _ in range(5) for event in ("ldxr flag -> 1", "wfe")]
    drains = [f"~ drain new0[{i}] = leaf({i:#x})" for i in range(12)]
    texts = ["str x, 1", *spin, *drains, "isb"]
    events = tuple(TraceEvent(i, 0, "cpu0", t, t, "f") for i, t in enumerate(texts))
    story = story_of(LONG)._replace(events=events, sources={}, telling=frozenset({16, 23}))
    told = [f if isinstance(f, str) else f.step for f in stretches(story, everything=True)]

    spun, drained = "... steps 3 to 8: likewise, 3 turns", "... steps 18 to 21: likewise"
    assert told == [0, 1, 2, spun, *range(9, 18), drained, 22, 23]  # 11 to 15 are too few


def test_what_led_to_the_end_is_never_left_out() -> None:
    name = "linear_map_split::m16_m21_release_unpublished"
    story = story_of(name)
    last = story.events[-1]
    assert last.text.startswith("~ drain ")
    target = last.text.split()[2]
    issued = [e.step for e in story.events if e.text.startswith(f"str {target},")]

    assert max(issued) in story.telling
    assert set(range(len(story.events) - LAST_STEPS, len(story.events))) <= story.telling
    assert story.sources[last.step] == (max(issued),)


def test_the_race_is_never_left_out() -> None:
    """Both loads that were added to, and both atomics that decide who splits."""
    lost = story_of("linear_map_split::m14_plain_increment", cpus=3, layout="pages")
    loads = [e for e in lost.events if e.text == "ldr flag -> 1"]
    assert {e.cpu for e in loads} == {1, 2}
    assert {e.step for e in loads} <= lost.telling
    decided = story_of("linear_map_split::m02_first_to_arrive_splits", cpus=2, layout="pmd")
    arrive = [e for e in decided.events if e.text.startswith("ldaddal scratch")]
    assert any(e.step in decided.telling for e in arrive)


def test_why_an_entry_is_still_there_is_told_from_what_the_tlbi_did() -> None:
    """m11: walks from the old root, before the ISB. m10: the TLBI that has not acted."""
    small = {"cpus": 2, "layout": "pmd"}
    because = " ".join(story_of("linear_map_split::m11_no_isb_before_tlbi", **small).because)
    assert "removes it, but a walk from pgd, the root before (no context synchronisation" in because
    because = " ".join(story_of("linear_map_split::m10_no_dsb_after_tlbi", **small).because)
    assert "would remove it, and has not acted on cpu1 yet" in because
    assert "the cached table descriptor that leads to pud@0" in because


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("name", [LONG, "bbm_minimal::live_change"])
def test_it_fits(name: str, width: int) -> None:
    lines = text_of(name, width=width)
    columns = (width - 7) // len(story_of(name).cpus) >= COLUMN_MIN

    assert max(map(len, lines)) <= width
    assert any(line.startswith(" step  cpu0") for line in lines) is columns
    assert list(numbers(lines)) == list(numbers(text_of(name, width=200)))


def test_cpus_that_may_see_a_size_change_are_named_so() -> None:
    assert story_of(LONG).cpus == ("cpu0 noabort", "cpu1", "cpu2")


def test_styles_are_apart_from_the_text() -> None:
    styles = {line.style for line in render(story_of(LONG))}

    assert {"head", "routine", "hardware", "elided", "bad", ""} == styles
    assert Line("x") == ("x", "")


def test_events_are_those_of_the_witness() -> None:
    witness, story = failing(LONG), story_of(LONG)

    assert all(isinstance(e, TraceEvent) for e in story.events)
    assert (witness.steps, witness.digest) == (len(story.events), story.digest)

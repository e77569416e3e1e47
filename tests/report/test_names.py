"""What a story calls things: words, pages and windows by names, and lines that fit."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from simbbm import discovery
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.explore.runs.replay import replay
from simbbm.explore.runs.run import Runner
from simbbm.explore.witness.recording import read, witness_of
from simbbm.model import Model
from simbbm.report.columns import render
from simbbm.report.told.story import Story
from simbbm.report.told.telling import tell
from simbbm.report.trace import value

CORPUS = sorted((Path(__file__).parents[1] / "explore" / "corpus").glob("*.json"))
WIDTH = 100
NAMELESS = re.compile(
    r"\w\+\d+:\d+"  # text+1:6, a word of a page
    r"|\bpage 0x[0-9a-f]{6,}:?|0x[0-9a-f]{12,}"  # a kernel page or address by its number
    r"|the table at |\bx\d+\b"
)
"""What nobody can read: it has no name."""
PROT_NS_SHARED = re.compile(r"\bpage 0x100000000\d\d\b")
"""A page that a realm shares with its host: the number says that it is."""
FEW = (
    "bbm_minimal::good",
    "idmap::good",
    "kpti::temp_map_without_ets2",
    "memory_hotplug::m37_asks_this_cpu",
    "realm::at_run_time",
)
"""Those that have words, tables or windows of their own."""


def run_of(name: str) -> Story:
    """A failing run of a scenario that fails, or else its polite run."""
    scenario = discovery.find(name)
    model = Model(scenario)
    runner = Runner(model, "polite" if scenario.expect.holds else "default", 0)
    numbers = range(1 if scenario.expect.holds else 30)
    failing = (n for n in numbers if runner.play(runner.chooser(n)).verdict != "HOLDS")
    return tell(witness_of(model, runner.strategy, 0, next(failing, 0)), model)


@cache
def kept(path: Path) -> Story:
    """A witness of the corpus, as its scenario is now."""
    witness = read(str(path))
    model = Model(discovery.find(witness.scenario), witness.params)
    return tell(replay(witness, model).refreshed or witness, model)


def nameless(story: Story) -> list[str]:
    """Lines with something that has no name."""
    lines = [line.text for line in render(story, width=WIDTH, everything=True)]
    return [text for text in lines if NAMELESS.search(PROT_NS_SHARED.sub("", text))]


def too_wide(story: Story) -> list[str]:
    """Lines that do not fit."""
    lines = [*render(story, width=WIDTH), *render(story, width=WIDTH, everything=True)]
    return [line.text for line in lines if len(line.text) > WIDTH]


def check_readable(story: Story) -> None:
    """Names for everything, lines that fit, and no routine without where the kernel has it."""
    assert [] == nameless(story)
    assert [] == too_wide(story)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.quality] if i % 3 else [], id=path.stem)
        for i, path in enumerate(CORPUS)
    ],
)
def test_witnesses_of_the_corpus_can_be_read(path: Path) -> None:
    check_readable(kept(path))


@pytest.mark.parametrize("name", FEW)
def test_scenarios_with_words_of_their_own_can_be_read(name: str) -> None:
    check_readable(run_of(name))


@pytest.mark.quality  # two minutes
@pytest.mark.parametrize("name", [s.id for s in discovery.shipped()])
def test_every_scenario_can_be_read(name: str) -> None:
    check_readable(run_of(name))


@pytest.mark.parametrize(
    "text",
    ["str text+1:6, 1", "tlbi vaae1, page 0x1000000000000007", "page lm.pmd+0 x2 -> page 0x0"],
)
def test_what_has_no_name_is_found(text: str) -> None:
    assert NAMELESS.search(text)


def test_a_kernel_address_is_told_by_what_is_there() -> None:
    shared = Model(discovery.find("linear_map_split::good"), {"layout": "pmd"}).system.shared
    words = {name: address for address, name in shared.symbols.items()}
    text = next(r.first for r in shared.regions if r.name == "text")

    assert "&flag" == value(shared, max(a for a, n in shared.symbols.items() if n == "flag"))
    assert "text+1" == value(shared, text + 1)
    assert KERNEL_PAGE > words["flag"]
    assert hex(words["flag"]) == value(shared, words["flag"])


def test_a_routine_stands_beside_the_kernels_function_once() -> None:
    """The file where the kernel's function has the routine's name, else file and function."""
    story = run_of("linear_map_split::m10_no_dsb_after_tlbi")
    lines = [line.text.strip() for line in render(story, width=WIDTH, everything=True)]

    assert 1 == lines.count("split_pud (mmu.c):")
    assert 1 == lines.count("(smp.h:smp_processor_id)")
    listed = " ".join(line.text for line in render(story, width=70, everything=True))
    assert "increment_flag (proc.S:scondary_cpu_wait): ldxr" in " ".join(listed.split())

"""A realm shares pages with its host: before SMP, at run time, and in the two black-out windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.descriptor import LEAF, TABLE, Descriptor
from simbbm.arm64.geometry import KERNEL_PAGE, SCALED
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Tables
from simbbm.core.program import routine
from simbbm.core.programs.edits import Edits
from simbbm.explore.search.prove import Proof, Prover
from simbbm.linux.layout import Layout
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.memory.mem_encrypt import (
    PROT_NS_SHARED,
    Answer,
    between_break_and_make,
    boundaries,
    can_split,
    shared_but_invalid,
    tables_with_shared,
    update_range_prot,
)
from simbbm.linux.mmu import SplitState, range_split_to_ptes
from simbbm.linux.pgtable import PUD
from simbbm.linux.set_memory import Caps
from simbbm.linux.tlbflush import flush_tlb_kernel_range
from simbbm.model import Model
from simbbm.scenario import Scenario, Setup
from tests.scenarios.everything import expected_failures, failures, names, on_cpus, walk

ALL = tuple(discovery.select(["realm"]))
BAD = tuple(s for s in ALL if not s.expect.holds)
GOOD, AT_RUN_TIME = discovery.find("realm::good"), discovery.find("realm::at_run_time")
TOO_EARLY = discovery.find("realm::too_early")
LAYOUTS, PAGES = ("contpmd", "pud", "sides"), ("page", "block")

SIZE, CONFLICT = "VIOLATED:no_size_change_seen", "VIOLATED:no_tlb_conflict"

WITHOUT_CAUSE: dict[str, dict[str, Any]] = {
    # Of what is caught: something that it cannot do without.
    "group_in_part": {"layout": "sides"},
    "no_break": {"hardware": "eager"},
    "no_tlbi": {"hardware": "eager"},
    "invalid_block_ignored": {"pages": "page"},
    "too_early_not_refused": {"layout": "sides", "pages": "block"},
}

MESSAGES = {
    "refused_until_final": r"at the end lm\.contpmd\+3 is not shared with the host",
    "group_in_part": r"for lm\.contpmd\+0 .* contiguous group .* contiguous group .*10000000000",
    "no_break": r"for lm\.contpmd\+3 .* page lm\.contpmd\+3 -> page 0x10000000003",
    "no_tlbi": r"for lm\.contpmd\+3 .* page lm\.contpmd\+3 -> page 0x10000000003",
    "invalid_block_ignored": r"at the end lm\.contpmd\+2 is not mapped",
    "too_early_not_refused": r"a table is asked for before the page allocator is up",
}


def proof(scenario: Scenario, **params: Any) -> Proof:
    """The answer of a search of all states."""
    return Prover(Model(scenario, params)).prove()


def states(scenario: Scenario, **params: Any) -> list[Machine]:
    """Every state."""
    found: list[Machine] = []
    walk(Model(scenario, params).system, found.append)
    return found


def shared_pages(at: Layout, tables: Tables) -> Iterator[int]:
    """The pages of the kernel's half that are mapped to what the host sees."""
    waiting = [(at.swapper, at.kernel.root_level, KERNEL_PAGE)]
    while waiting:
        address, level, page = waiting.pop()
        for i, entry in enumerate(tables.by_address[address].entries):
            first, size = page + i * SCALED.pages(level), SCALED.pages(level)
            if entry.kind == TABLE:
                waiting.append((entry.output, level + 1, first))
            elif entry.kind == LEAF and entry.output >= PROT_NS_SHARED:
                assert (entry.output - PROT_NS_SHARED, entry.software) == (first - KERNEL_PAGE, 0)
                yield from range(first, first + size)


def test_every_mistake_says_where_it_comes_from() -> None:
    for scenario in BAD:
        assert re.search(r"\(.*(fixed|refused|comment|TODO).*\)\.$", scenario.story), scenario.id


@pytest.mark.parametrize(("scenario", "cpus"), on_cpus(ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(
    scenario: Scenario, cpus: int
) -> None:
    found = proof(scenario, cpus=cpus)
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert got <= expected_failures(scenario)
    assert bool(got) != scenario.expect.holds


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pages", PAGES)
@pytest.mark.parametrize("scenario", [GOOD, TOO_EARLY, AT_RUN_TIME], ids=lambda s: s.name)
def test_a_page_or_block_of_any_leaf_is_shared_and_no_other(
    scenario: Scenario, layout: str, pages: str
) -> None:
    params: dict[str, Any] = {"cpus": 2, "layout": layout, "pages": pages}
    k = scenario.setup(params).cpus[0].args[0]
    at = lay_out(layout, SCALED, 2)
    seen = states(scenario, **params)
    ends = {m.memory.tables for m in seen if all(cpu.finished for cpu in m.cpus)}
    wanted = {"page": 1, "block": 2}[pages]

    assert not failures(scenario, **params)
    assert any(between_break_and_make(m) for m in seen)
    assert not any(sorted(shared_pages(at, t)) != [*range(k.dma_start, k.dma_end)] for t in ends)
    assert (len(ends), k.dma_end - k.dma_start) == (1, wanted)


def test_others_are_off_until_the_page_is_shared() -> None:
    """So none of them can have seen a size change, nor the break."""
    k = GOOD.setup({}).cpus[0].args[0]
    at = lay_out("contpmd", SCALED, 3)
    off = started = 0
    for machine in states(GOOD):
        done = [*shared_pages(at, machine.memory.tables)] == [k.dma_start]
        on = any(t.baddr == at.swapper for cpu in machine.cpus[1:] for t in cpu.mmu.regime.ttbr1)
        assert done or not on
        off, started = off + (not done), started + on

    assert off > 20
    assert started > 100


@routine
async def nothing(cpu: Cpu, k: Any, start: int, end: int, state: SplitState) -> SplitState:
    """No repaint."""
    return state


def test_the_repaint_is_judged_too() -> None:
    lazy = GOOD.twin("No repaint.", expect="HOLDS", replace={range_split_to_ptes: nothing})

    assert failures(lazy, cpus=2) == {"VIOLATED:all_ptes_at_end"}


# What goes wrong, and what it takes.


@pytest.mark.parametrize("name", sorted(WITHOUT_CAUSE))
def test_without_its_cause_it_does_not_fail(name: str) -> None:
    scenario = next(s for s in ALL if s.name == name)

    assert failures(scenario) == expected_failures(scenario)
    assert not failures(scenario, **WITHOUT_CAUSE[name])


@pytest.mark.parametrize("scenario", BAD, ids=names(BAD))
def test_messages_are_about_the_mistake(scenario: Scenario) -> None:
    found = proof(scenario)

    assert re.search(MESSAGES[scenario.name], found.message)


def test_once_capabilities_are_final_v6_18_shares_pages_too() -> None:
    refused = next(s for s in ALL if s.name == "refused_until_final")
    its_own = Edits(tuple(set(refused.edits.replace) - set(GOOD.edits.replace)))

    assert len(its_own.replace) == 1
    assert not failures(replace(AT_RUN_TIME, edits=its_own))


def test_the_host_is_not_asked_for_what_could_not_be_broken() -> None:
    asked = []
    for scenario in (GOOD, next(s for s in ALL if s.name == "refused_until_final")):
        system: Arm64 = Model(scenario, {"cpus": 2}).system
        walk(system)
        asked.append(any("rsi_set_memory" in label for label in system.spec.automaton.labels))

    assert asked == [True, False]


@pytest.mark.parametrize("noabort", ["none", "1"])
def test_the_boot_cpu_has_to_tolerate_the_split(noabort: str) -> None:
    assert failures(GOOD, cpus=2, noabort=noabort) == {SIZE}


@pytest.mark.parametrize("name", ["no_break", "no_tlbi", "group_in_part"])
def test_a_promise_about_sizes_does_not_help_with_outputs(name: str) -> None:
    scenario = next(s for s in ALL if s.name == name)

    assert failures(scenario, noabort="all") == {CONFLICT}


def test_at_run_time_others_have_to_tolerate_the_split_as_well() -> None:
    assert failures(AT_RUN_TIME, noabort="boot") == {SIZE}
    assert not failures(AT_RUN_TIME, noabort="boot", layout="sides", pages="block")


@routine
async def flush_here_alone(cpu: Cpu, k: Any, start: int, end: int) -> None:
    """Not broadcast."""
    await cpu.dsb("ishst")
    await cpu.tlbi("vmalle1")
    await cpu.dsb("ish")
    await cpu.isb()


def test_at_run_time_others_forget_the_private_page_too() -> None:
    local = AT_RUN_TIME.twin(
        "The flush is local.", expect=CONFLICT, replace={flush_tlb_kernel_range: flush_here_alone}
    )
    found = proof(local)

    assert failures(local) == {CONFLICT}
    assert found.message.startswith(("cpu1 may hold", "cpu2 may hold"))


# The black-out windows.


async def ask(cpu: Cpu, k: Any) -> None:
    """Leave the answer where it can be read."""
    await cpu.str(k.scratch, await can_split(cpu, k))


def asking(words: tuple[int, int, int], **params: Any) -> Setup:
    """A machine whose one CPU asks, with these `caps`, `page_alloc_available` and `online`."""
    setup = AT_RUN_TIME.setup(params)
    k = setup.cpus[0].args[0]
    where = map(k.physical, (k.caps, k.page_alloc_available, k.online))
    data = dict(zip(where, words, strict=True))
    return replace(setup, cpus=(setup.cpus[0]._replace(program=ask),), data=data)


@pytest.mark.parametrize(
    ("caps", "available", "online", "answer"),
    [
        (Caps.NOT_FINAL, 0, 1, Answer.EBUSY),
        (Caps.NOT_FINAL, 1, 1, Answer.SPLIT),
        (Caps.NOT_FINAL, 1, 2, Answer.EBUSY),
        (Caps.NOABORT, 1, 2, Answer.SPLIT),
        (Caps.WITHOUT_NOABORT, 1, 2, Answer.LEAVE_AS_IS),
    ],
)
def test_a_split_is_refused_in_two_windows_only(
    caps: int, available: int, online: int, answer: int
) -> None:
    system = Model(
        replace(AT_RUN_TIME, build=partial(asking, (int(caps), available, online)))
    ).system
    k = AT_RUN_TIME.setup({}).cpus[0].args[0]
    answers = set()

    def visit(machine: Machine) -> None:
        if all(cpu.finished for cpu in machine.cpus) and not machine.cpus[0].buffer.stores:
            answers.add(system.shared.memories.read(machine.memory, k.physical(k.scratch)))

    walk(system, visit)

    assert answers == {int(answer)}


def test_what_is_refused_leaves_everything_as_it_was() -> None:
    started = Model(TOO_EARLY).system.initial().memory
    asked = [m for m in states(TOO_EARLY) if "/share/" in m.cpus[0].point.path]
    early = [m.memory for m in asked if "/share_before_mem_init/" in m.cpus[0].point.path]

    assert 3 < len(early) < len(asked)
    assert {(m.tables.digest, *m.data.items()) for m in early} == {
        (started.tables.digest, *started.data.items())
    }


async def break_what_is_not_mapped(cpu: Cpu, k: Any) -> None:
    """A level 1 entry behind the linear map."""
    end = k.dma_end + k.pages(PUD)
    await cpu.str(
        k.scratch, 1 + await update_range_prot(cpu, k, k.dma_end, end, shared_but_invalid)
    )


def test_where_nothing_is_mapped_nothing_is_made() -> None:
    setup = AT_RUN_TIME.setup({"cpus": 2})
    cpu = setup.cpus[0]._replace(program=break_what_is_not_mapped)
    system = Model(
        replace(AT_RUN_TIME, build=partial(replace, setup, cpus=(cpu,)), parameters=())
    ).system
    met: list[Machine] = []
    walk(system, met.append)
    k = cpu.args[0]

    assert {m.memory.tables for m in met} == {system.initial().memory.tables}
    assert system.shared.memories.read(met[-1].memory, k.physical(k.scratch)) == 1


def test_of_one_page_the_less_aligned_end_is_where_a_leaf_may_not_cross() -> None:
    first = KERNEL_PAGE + 4

    assert boundaries(first, first + 1) == (first + 1,)
    assert boundaries(first + 1, first + 2) == (first + 1,)
    assert boundaries(first, first + 2) == (first, first + 2)


# The property that says what must come of it.


def judged(tables: dict[int, tuple[Descriptor, ...]]) -> str | None:
    """What it says of these tables at the end."""
    [final] = [
        p.final for p in GOOD.setup({}).properties if p.name == "translations_preserved" and p.final
    ]
    system: Arm64 = Model(GOOD).system
    memories, start = system.shared.memories, system.initial()
    memory = memories.memory(memories.tables(tables), start.memory.data)
    problem = final(system.shared, start._replace(memory=memory))
    return problem.message if problem else None


def test_neither_too_little_nor_too_much_is_shared() -> None:
    at = lay_out("contpmd", SCALED, 3)
    end = at.kernel.lm_first + at.kernel.lm_count

    assert judged(tables_with_shared(at, SCALED, end - 1, end)) is None
    assert judged(at.tables) == "at the end lm.contpmd+3 is not shared with the host"
    assert judged(tables_with_shared(at, SCALED, end - 2, end)) == (
        "at the end lm.contpmd+0 is not translated as at the start"
    )

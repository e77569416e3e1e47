"""Interrupts while the map is split: when they may arrive, and what they meet."""

from __future__ import annotations

import pytest

from simbbm import discovery
from simbbm.arm64.features import Hardware
from simbbm.arm64.machine import Arm64
from simbbm.arm64.ops import Cpu
from simbbm.arm64.state import Machine
from simbbm.core.program import routine
from simbbm.explore.search.breadth_first import Search
from simbbm.explore.search.prove import Prover
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.linux.kernel import Kernel
from simbbm.linux.mmu_context import cpu_install_idmap
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.scenarios.everything import expected_failures, failures, names, on_hardware, walk

ALL = tuple(discovery.select(["interrupts"]))
GOOD = discovery.find("interrupts::good")
BAD = tuple(s for s in ALL if not s.expect.holds)
WINDOW = ("/idmap_cpu_set_reserved_ttbr1", "/increment_flag", "/wait_for_zero")


def where_they_arrive(scenario: Scenario) -> dict[bool, set[str]]:
    """Routines at which an interrupt may arrive, by whether interrupts are masked there."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    system: Arm64 = Model(scenario, {"cpus": 2, "layout": "pmd"}).system

    def visit(machine: Machine) -> None:
        for move in system.moves(machine):
            if move.agent == f"cpu{move.cpu}.{system.spec.hardware.interrupts}":
                assert move.optional
                cpu = machine.cpus[move.cpu]
                assert not cpu.saved
                assert not cpu.interrupted
                found[cpu.masked].add(cpu.point.path)

    walk(system, visit)
    return found


@pytest.mark.parametrize("scenario", ALL, ids=names(ALL))
def test_verdict_of_a_search_of_all_states_is_the_declared_one(scenario: Scenario) -> None:
    found = Prover(Model(scenario, {"cpus": 2})).prove()
    got = {f"{found.verdict}:{found.property}"} if found.property else set()

    assert got <= expected_failures(scenario)
    assert bool(got) != scenario.expect.holds


def test_an_interrupt_arrives_where_it_is_not_masked_and_an_nmi_anywhere() -> None:
    irq = where_they_arrive(GOOD)
    nmi = where_they_arrive(discovery.find("interrupts::vectors_in_idmap"))

    assert not irq[True]
    assert any(path.endswith("wait_for_work") for path in irq[False])
    for part in WINDOW:
        assert any(part in path for path in nmi[True])


@pytest.mark.parametrize("scenario", BAD, ids=names(BAD))
def test_it_is_the_vectors_that_are_missing_and_ample_sets_see_it_too(scenario: Scenario) -> None:
    searched = Search(ReducedSystem(Model(scenario, {}).system)).run()

    assert {"no_fault_on_live_map"} == {f.problem.property for f in searched.failures}
    assert all("vectors" in f.problem.message for f in searched.failures)


def test_ample_sets_leave_out_no_ending() -> None:
    """A CPU that may be interrupted is never taken alone; the others still are."""
    whole = Search(ReducedSystem(Model(GOOD, {}).system, ample=False)).run()
    reduced = Search(ReducedSystem(Model(GOOD, {}).system)).run()

    assert (whole.complete, whole.failures) == (reduced.complete, reduced.failures) == (True, ())
    assert whole.ends == reduced.ends
    assert reduced.states < whole.states


@pytest.mark.parametrize("arrives", ["serror", "nmi"])
def test_nothing_arrives_while_all_of_daif_is_masked(arrives: str) -> None:
    """With all masked neither does in the window; unmasked again too early, it does."""
    masked = discovery.find("interrupts::daif_masked")
    early = masked.twin("", expect="HOLDS", replace={cpu_install_idmap: unmasked_too_early})

    assert not failures(masked, arrives=arrives, layout="pages")
    assert failures(early, arrives=arrives, layout="pages")


@routine
async def unmasked_too_early(cpu: Cpu, k: Kernel) -> None:
    await cpu.daifset("daif")
    await cpu.daifclr("da")
    await cpu_install_idmap(cpu, k)


def test_without_interrupts_only_the_mask_is_missed() -> None:
    """What m31 leaves out is nothing to anybody else: the rest of the protocol still works."""
    m31 = discovery.find("interrupts::m31_irqs_not_disabled")

    assert {"VIOLATED:no_fault_on_live_map"} == failures(m31)
    assert not failures(on_hardware(m31, quiet))


def quiet(hardware: Hardware) -> Hardware:
    """Nothing arrives."""
    return hardware._replace(interrupts="")

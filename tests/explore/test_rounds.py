"""Termination that hardware cannot spoil: machines whose programs come back, and may or may not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from simbbm.arm64.descriptor import RO, RW, Descriptor, leaf, table
from simbbm.arm64.features import CONCRETE, DELAYED, Hardware
from simbbm.arm64.geometry import SCALED4
from simbbm.arm64.ops import Aborted, Cpu
from simbbm.check.properties import terminates
from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite
from simbbm.core.errors import ModelError
from simbbm.core.graph import Graph
from simbbm.core.program import repeat_until, routine
from simbbm.explore.counterexample.confirm import confirm
from simbbm.explore.counterexample.explain import explain
from simbbm.explore.counterexample.shrink import shrink
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.search.prove import Proof, Prover, witness_along
from simbbm.explore.witness.recording import from_token, token
from simbbm.model import Model
from simbbm.report.columns import render
from simbbm.report.explanation import sentences
from simbbm.report.told.telling import tell
from simbbm.scenario import CpuSetup, Scenario, Setup, scenario
from tests.scenarios.everything import on_hardware
from tests.support import DATA, FLAG, FLAG2, INV, NEW, OLD, OTHER, PTES, PX, REGIME, ROOT, X

TABLES = {ROOT: (table(PTES), leaf(4), INV, INV), PTES: (INV,) * 4, OTHER: (INV,) * 4}


async def retry(cpu: Cpu, aborted: Aborted) -> None:
    """A handler that finds nothing to do."""
    await cpu.eret()


def setup(*programs: Any, x: Descriptor = INV, **more: Any) -> Setup:
    """A machine whose page 0 starts as `x`."""
    return Setup(
        geometry=SCALED4,
        cpus=tuple(CpuSetup(program, REGIME) for program in programs),
        tables=TABLES | {PTES: (x, INV, INV, INV)},
        properties=(terminates,),
        data=DATA,
        **more,
    )


def made(*programs: Any, **more: Any) -> Scenario:
    """A scenario of them."""

    @scenario()
    def mine() -> Setup:
        """A test."""
        return setup(*programs, **more)

    return mine


def proved(mine: Scenario) -> Proof:
    """Search with every reduction, without any, and with either alone: all must agree."""
    every = [
        Prover(Model(mine), symmetry=symmetry, ample=ample).prove()
        for symmetry in (True, False)
        for ample in (True, False)
    ]
    assert len({proof.verdict for proof in every}) == 1, [proof.verdict for proof in every]
    return every[0]


# Stale entries


@routine
async def make_writable(cpu: Cpu) -> None:
    """RO to RW."""
    await cpu.str(PX, leaf(OLD, RW))
    await cpu.dsb("ishst")
    await cpu.tlbi("vaale1is", 0)
    await cpu.dsb("ish")
    await cpu.isb()


async def user(cpu: Cpu) -> None:
    """Write to what was read-only."""
    await make_writable(cpu)
    await cpu.str(X, 1)


STALE = made(user, x=leaf(OLD, RO), handler=retry)
WITHOUT = STALE.twin("No TLBI.", expect="STUCK:terminates", drop=["make_writable.tlbi.vaale1is"])


@pytest.mark.parametrize("hardware", [DELAYED, CONCRETE], ids=["closure", "concrete"])
def test_a_stale_entry_may_stay_for_ever(hardware: Hardware) -> None:
    """Nobody has to evict it; with a TLBI there is no cycle at all."""
    good, bad = (
        Prover(Model(on_hardware(which, lambda _: hardware))).prove() for which in (STALE, WITHOUT)
    )

    assert ("PROVED", 0, 1) == (good.verdict, good.termination.cycles, good.termination.cpus)  # type: ignore[union-attr]
    assert ("STUCK", "terminates", True) == (bad.verdict, bad.property, bad.certified)
    assert "!permission3 every time, and never cpu0:user.str" in bad.message


def witness_of_round() -> Any:
    proof = Prover(Model(WITHOUT)).prove()
    assert proof.run is not None
    return witness_along(Model(WITHOUT), proof.run, loop=proof.loop)


def test_the_lasso_replays_shrinks_and_is_explained() -> None:
    witness = witness_of_round()
    for kept in (witness, from_token(token(witness))):
        again = replay(kept, model_of(kept, WITHOUT))
        assert (Result.REPRODUCED, "exact") == (again.result, again.how)
    small = shrink(witness, model_of(witness, WITHOUT))
    by_hand = shrink(witness, model_of(witness, WITHOUT), states=1)

    assert (witness.steps, witness.loop, True) == (
        small.witness.steps,
        small.witness.loop,
        small.certified,
    )
    assert (witness.loop, False) == (by_hand.witness.loop, by_hand.certified)
    explained = explain(witness, model_of(witness, WITHOUT))
    assert explained is not None
    assert "speculative walk" in explained.allowances.needed
    assert any(text.startswith("a scheduler that draws") for text in sentences(explained))


def test_the_lasso_is_told_as_one() -> None:
    witness = witness_of_round()
    text = "\n".join(line.text for line in render(tell(witness, model_of(witness, WITHOUT))))

    assert text.index("--- from here on it goes round:") < text.index("and so on, for ever, from")
    assert f"from step {witness.loop}" in text
    assert "(ro) from the start, and nothing in the round invalidates it" in text


@pytest.mark.parametrize("change", [{"loop": 0}, {"loop": 4}, {"loop": 5}])
def test_a_loop_that_does_not_close_is_not_believed(change: dict[str, int]) -> None:
    """It is looked for again from where its way leads, and what is found is another witness."""
    witness = witness_of_round()
    assert witness.loop not in change.values()
    again = replay(w := msgspec.structs.replace(witness, **change), model_of(w, WITHOUT))

    assert again.how != "exact"
    assert (
        again.refreshed is None
        or replay(again.refreshed, model_of(again.refreshed, WITHOUT)).how == "exact"
    )


def test_the_lasso_is_stale_where_the_entry_is_invalidated() -> None:
    w = witness_of_round()
    assert replay(w, model_of(w, STALE)).result is Result.STALE


# Waits are polls


def is_new(value: int) -> bool:
    """What the new page has."""
    return value == NEW


async def waits_for_new(cpu: Cpu) -> None:
    """Map another page, and wait for what is on it."""
    await remap(cpu)
    await cpu.wait(X, is_new)


@routine
async def remap(cpu: Cpu) -> None:
    """Break, make."""
    await cpu.str(PX, INV)
    await cpu.dsb("ishst")
    await cpu.tlbi("vaale1is", 0)
    await cpu.dsb("ish")
    await cpu.str(PX, leaf(NEW))
    await cpu.dsb("ishst")
    await cpu.isb()


def test_a_wait_may_look_through_a_stale_entry_for_ever() -> None:
    good = made(waits_for_new, x=leaf(OLD), handler=retry)
    bad = good.twin("No TLBI.", expect="STUCK:terminates", drop=["remap.tlbi.vaale1is"])

    assert "PROVED" == proved(good).verdict
    found = proved(bad)
    assert ("STUCK", 1) == (found.verdict, len(found.run or ()) - (found.loop or 0))


@routine
async def look(cpu: Cpu) -> bool:
    """One turn."""
    return bool(await cpu.ldr(X) == NEW)


async def spins_without_isb(cpu: Cpu) -> None:
    """A stale translation that was made early is used up."""
    await remap(cpu)
    await repeat_until(look, cpu)


def test_what_was_translated_early_is_not_used_for_ever() -> None:
    mine = made(spins_without_isb, x=leaf(OLD), handler=retry)
    late = mine.twin("No ISB.", expect="HOLDS", drop=["remap.isb"])
    found = proved(late)

    assert "PROVED" == found.verdict
    assert found.termination is not None
    assert 0 < found.termination.cycles


# Who is scheduled


async def sets(cpu: Cpu) -> None:
    """Set the flag."""
    await cpu.str(FLAG, 1)


@routine
async def two_looks(cpu: Cpu) -> bool:
    """A turn of three steps."""
    await cpu.nop()
    await cpu.nop()
    return bool(await cpu.ldr(FLAG) == 1)


async def spins(cpu: Cpu) -> None:
    """Until the flag is set."""
    await repeat_until(two_looks, cpu)


async def first_spins(cpu: Cpu) -> None:
    """Alike CPUs: who comes first goes round until the second comes."""
    if await cpu.ldaddal(FLAG2, 1) == 0:
        await repeat_until(two_looks, cpu)
    else:
        await leave(cpu)


@routine
async def leave(cpu: Cpu) -> None:
    """Let the first one go."""
    await cpu.str(FLAG, 1)


@pytest.mark.parametrize(
    "programs", [(spins, sets), (spins, spins, sets), (first_spins, first_spins)]
)
def test_who_can_go_on_all_the_time_is_not_kept_from_it(programs: Any) -> None:
    found = proved(made(*programs))

    assert "PROVED" == found.verdict
    assert found.termination is not None
    assert (len(programs), True) == (found.termination.cpus, found.termination.cycles > 0)


@pytest.mark.parametrize("programs", [(spins,), (spins, spins), (first_spins,) * 3])
def test_who_spins_for_nothing_is_stuck(programs: Any) -> None:
    mine = made(*programs)
    if first_spins in programs:
        mine = mine.twin("Nobody sets it.", expect="STUCK:terminates", drop=["leave.str"])

    assert "STUCK" == proved(mine).verdict


@routine
async def looks_for_it(cpu: Cpu) -> bool:
    """One turn."""
    return bool(await cpu.ldr(FLAG2) == 1)


async def spins_for_it(cpu: Cpu) -> None:
    """Until the other flag is set."""
    await repeat_until(looks_for_it, cpu)


# Nobody is shown what is no fair loop


def labels_of(mine: Scenario, wanted: tuple[str, ...]) -> list[str]:
    """The labels of a polite run up to these, which are its last."""
    graph, polite = Graph(Model(mine, {}).system), Polite()
    node, labels = graph.initial, list[str]()
    while not {move.label for move in node.moves} & set(wanted):
        k = polite.choose(node)
        labels.append(node.moves[k].label)
        node = graph.follow(node, k)
    return [*labels, *wanted]


def refused(mine: Scenario, labels: list[str], loop: int, told: str) -> bool:
    with pytest.raises(ModelError, match=told):
        confirm(Model(mine), labels, Verdict.STUCK, "terminates", loop)
    return True


def test_a_loop_is_confirmed_on_a_machine_without_memory() -> None:
    witness = witness_of_round()
    steps = [*followed(witness, model_of(witness, WITHOUT)).labels]
    confirm(Model(WITHOUT), steps, Verdict.STUCK, "terminates", witness.loop)
    assert refused(WITHOUT, steps, 0, "does not come back to step 0")

    mine = made(spins, sets)
    around = labels_of(mine, tuple(f"cpu0:spins/two_looks.{m}" for m in ("nop", "nop#2", "ldr")))
    assert refused(mine, around, len(around) - 3, "does not go on for ever")

    early = made(spins_without_isb, x=leaf(OLD), handler=retry).twin(
        "No ISB.", expect="HOLDS", drop=["remap.isb"]
    )
    again = labels_of(early, (f"cpu0:spins_without_isb/look.ldr~{OLD:#x}~early",))
    assert refused(early, again, len(again) - 1, "does not go on for ever")


# Exclusives


@routine
async def takes(cpu: Cpu) -> bool:
    """Store what is there: only the monitor changes."""
    value = await cpu.ldxr(FLAG)
    return not await cpu.stxr(FLAG, value)


@routine
async def takes_again(cpu: Cpu) -> bool:
    """Until the other one has got it once."""
    await cpu.stxr(FLAG, await cpu.ldxr(FLAG))
    return bool(await cpu.ldr(FLAG2) == 1)


async def once(cpu: Cpu) -> None:
    """One exclusive, then say so."""
    await repeat_until(takes, cpu)
    await cpu.str(FLAG2, 1)


async def often(cpu: Cpu) -> None:
    """Exclusives until the other one has got it."""
    await repeat_until(takes_again, cpu)


def test_of_contending_exclusives_one_gets_on() -> None:
    found = proved(made(once, once))
    assert "PROVED" == found.verdict
    assert found.termination is not None
    assert 0 == found.termination.cycles


def test_the_others_may_fail_for_ever() -> None:
    found = proved(made(once, often))
    assert "STUCK" == found.verdict
    assert "takes.ldxr" in found.message or "takes.stxr" in found.message

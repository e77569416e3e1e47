"""A run that goes round for ever is a counterexample like any other: replayed, and explained."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import Hardware
from simbbm.arm64.geometry import SCALED4
from simbbm.arm64.ops import Cpu
from simbbm.check.properties import terminates
from simbbm.core.graph import Ended, Graph
from simbbm.core.program import repeat_until, routine
from simbbm.explore.counterexample.allowances import allowances
from simbbm.explore.counterexample.ddmin import ddmin
from simbbm.explore.counterexample.explain import explain
from simbbm.explore.counterexample.shrink import shrink
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.runs.run import Runner, run_one
from simbbm.explore.search.digraph import backwards, following
from simbbm.explore.search.livelock import ended_if_lost, nobody_ends
from simbbm.explore.search.prove import Prover, witness_along
from simbbm.explore.strategies.kill import Trials, kills
from simbbm.explore.witness.recording import Witness, from_token, token, witness_of
from simbbm.model import Model
from simbbm.scenario import CpuSetup, Scenario, Setup, scenario
from tests.support import FLAG, FLAG2, INV, OTHER, PTES, REGIME, ROOT


@routine
async def retry(cpu: Cpu) -> bool:
    """One turn: try again until somebody says so."""
    await cpu.nop()
    await cpu.nop()
    value: int = await cpu.ldr(FLAG2)
    return value == 1


@routine
async def arrive(cpu: Cpu) -> None:
    """Before the reader looks."""


@routine
async def notice(cpu: Cpu) -> None:
    """What the other CPU does in between is overlooked."""


async def reader(cpu: Cpu) -> None:
    """Who comes too early tries again, for ever."""
    await arrive(cpu)
    if await cpu.ldr(FLAG) == 0:
        await notice(cpu)
        await repeat_until(retry, cpu)


async def writer(cpu: Cpu) -> None:
    """Set the flag."""
    await cpu.nop()
    await cpu.str(FLAG, 1)


@scenario(expect="STUCK:terminates")
def early() -> Setup:
    """A CPU that looks too early goes round for ever."""
    return Setup(
        geometry=SCALED4,
        cpus=tuple(CpuSetup(program, REGIME) for program in (writer, reader)),
        tables={
            ROOT: (table(PTES), leaf(4), INV, INV),
            PTES: (INV,) * 4,
            OTHER: (INV,) * 4,
        },
        properties=(terminates,),
    )


@routine
async def notice_and_tell(cpu: Cpu) -> None:
    """The way out."""
    await cpu.str(FLAG2, 1)


@routine
async def two_steps(cpu: Cpu) -> None:
    """More on the way."""
    await cpu.nop()
    await cpu.nop()


async def nobody(cpu: Cpu) -> None:
    """Has nothing to do."""


EARLY = early
MENDED = EARLY.twin("It tells itself.", expect="HOLDS", replace={notice: notice_and_tell})
EDITED = EARLY.twin(
    "More on the way.", expect="STUCK:terminates", replace={arrive: two_steps, notice: two_steps}
)


def found(which: Scenario = EARLY) -> Witness:
    """The nearest counterexample."""
    proof = Prover(Model(which)).prove()
    assert proof.run is not None
    return witness_along(Model(which), proof.run, loop=proof.loop)


def test_the_counterexample_is_a_way_into_a_round_and_once_round() -> None:
    """The writer is done in three steps, the reader looks before; a turn has three steps."""
    witness = found()

    assert ("STUCK", "terminates", 7, 4) == (
        witness.verdict,
        witness.property,
        witness.steps,
        witness.loop,
    )
    assert "may go round for ever: cpu1 waits in reader/retry.nop: nop" == witness.message


@pytest.mark.parametrize("kept", [lambda w: w, lambda w: from_token(token(w))])
def test_it_replays_exactly_where_it_was_recorded(kept: Any) -> None:
    again = replay(w := kept(found()), model_of(w, EARLY))

    assert (Result.REPRODUCED, "exact", 7) == (again.result, again.how, again.steps)


def test_one_that_stops_where_no_end_can_be_reached_is_read_for_ever() -> None:
    """As they were before a round was part of them; a shrunk one has it."""
    node = Graph(Model(EARLY, {}).system).initial
    [k] = [k for k, move in enumerate(node.moves) if move.cpu == 1]
    witness = witness_along(Model(EARLY), (k,))

    assert ("STUCK", 1, None) == (witness.verdict, witness.steps, witness.loop)
    assert witness.message.startswith("goes round for ever, whatever the others do: cpu0 waits")
    assert replay(witness, model_of(witness, EARLY)).how == "exact"
    assert 4 == shrink(witness, model_of(witness, EARLY)).witness.loop


def test_there_may_be_no_step_before_it() -> None:
    hopeless = EARLY.twin("No way out.", expect="STUCK:terminates", replace={writer: nobody})
    witness = found(hopeless)

    assert ("STUCK", 4, 1) == (witness.verdict, witness.steps, witness.loop)
    assert replay(witness, model_of(witness, hopeless)).how == "exact"
    assert shrink(witness, model_of(witness, hopeless)).witness.steps == 4


def test_it_replays_in_an_edited_program() -> None:
    again = replay(w := found(), model_of(w, EDITED))

    assert (Result.REPRODUCED, "STUCK") == (again.result, again.verdict)
    assert again.refreshed is not None
    assert again.refreshed.steps < 200
    assert replay(again.refreshed, model_of(again.refreshed, EDITED)).how == "exact"


def test_it_does_not_replay_where_there_is_a_way_out() -> None:
    assert Prover(Model(MENDED)).prove().verdict == "PROVED"
    w = found()
    assert replay(w, model_of(w, MENDED)).result is Result.STALE


def test_a_run_that_only_has_not_ended_is_no_counterexample() -> None:
    """A limit was hit: whether an end can be reached was not asked."""
    assert run_one(Model(MENDED), "polite", 0, max_steps=2).verdict == "INCONCLUSIVE"

    graph = Graph(Model(MENDED, {}).system)
    assert graph.initial is ended_if_lost(graph, graph.initial)


def test_too_many_states_say_nothing() -> None:
    graph = Graph(Model(EARLY, {}).system)
    [lost] = [graph.follow(graph.initial, k) for k in range(2) if graph.initial.moves[k].cpu == 1]

    assert lost is ended_if_lost(graph, lost, limit=2)
    assert Ended.STUCK is ended_if_lost(graph, lost).ended
    assert lost.ended is None


def test_how_likely_it_is_and_that_nothing_can_prevent_it_then() -> None:
    """The reader has to come before the drain: 1/2 before it alone, once the store is issued."""
    explained = explain(w := found(), model_of(w, EARLY))

    assert explained is not None
    assert explained.curve is not None
    chances = explained.curve.chances
    assert chances == pytest.approx((7 / 8, 3 / 4, 1 / 2, *[1.0] * 5))
    assert explained.curve.no_return == 2


def test_it_needs_no_freedom_of_the_hardware() -> None:
    """It uses that the store drains late, and could do without."""
    witness = found()
    run = followed(witness, model_of(witness, EARLY)).moves
    spared = allowances(witness, model_of(witness, EARLY), run, 1_000)

    assert (("late drain",), ()) == (spared.used, spared.needed)
    assert Hardware().freedoms


def test_it_shrinks_by_search_and_by_hand() -> None:
    graph = Graph(Model(EARLY, {}).system)
    node, run = graph.initial, []
    for label in ("cpu0:writer.nop", "cpu1:reader.ldr", "cpu0:writer.str", "cpu1:reader/retry.nop"):
        [k] = [k for k, move in enumerate(node.moves) if move.label.startswith(label)]
        run.append(k)
        node = graph.follow(node, k)
    witness = witness_along(Model(EARLY), tuple(run))
    assert ("STUCK", 4) == (witness.verdict, witness.steps)

    assert 7 == shrink(witness, model_of(witness, EARLY)).witness.steps
    assert 1 == shrink(witness, model_of(witness, EARLY), states=1).witness.steps
    small = shrink(w := found(), model_of(w, EARLY), states=1)
    assert (7, 4, False) == (small.witness.steps, small.witness.loop, small.certified)
    way = witness.verdict, "terminates"
    for labels in (("cpu0:writer.nop", "cpu1:reader.ldr"), ("cpu1:reader.ldr", "cpu0:writer.nop")):
        assert 1 == len(ddmin(Model(EARLY), labels, way).labels)


def test_all_states_without_an_end_are_found() -> None:
    """0 leads to 1 and 2, which is an end; 1 and 3 lead to one another."""
    pairs = [(0, 1), (0, 2), (1, 3)]
    assert [1, 3] == nobody_ends(backwards(following(4, [*pairs, (3, 1)])), [2])
    assert [] == nobody_ends(backwards(following(4, [*pairs, (3, 0)])), [2])


def test_a_run_that_is_cut_short_may_be_seen_to_go_round() -> None:
    """Which run comes first changes nothing: the graph that they share stays as it is."""
    every = {seed: run_one(Model(EARLY), "random", seed, max_steps=60) for seed in range(12)}
    runner = Runner(Model(EARLY), "random", seed=0, max_steps=60)
    alike = [runner.play(runner.chooser(n)).outcome for n in (3, 1, 2, 0)]
    again = [runner.play(runner.chooser(n)).outcome for n in (0, 2, 1, 3)]

    assert {("STUCK", 60), ("HOLDS", 4)} == {(r.verdict, r.steps) for r in every.values()}
    assert alike == again[::-1]


def test_such_a_run_replays_and_shrinks() -> None:
    seed = next(
        n for n in range(12) if run_one(Model(EARLY), "random", n, max_steps=60).steps == 60
    )
    witness = witness_of(Model(EARLY), "random", seed, max_steps=60)

    assert ("STUCK", 60) == (witness.verdict, witness.steps)
    for kept in (witness, from_token(token(witness))):
        again = replay(kept, model_of(kept, EARLY))
        assert (Result.REPRODUCED, "exact", 60) == (again.result, again.how, again.steps)
    assert 7 == shrink(witness, model_of(witness, EARLY)).witness.steps


def test_strategies_are_held_against_it() -> None:
    [row] = kills(Model(EARLY), ["random"], Trials(campaigns=3, max_steps=60)).values()

    assert 3 == len(row.runs)

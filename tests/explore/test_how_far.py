"""How far a proof looked for rounds without end: it says so, and what is no proof is none."""

from __future__ import annotations

from typing import Annotated

from simbbm import discovery
from simbbm.core.choice import Tape
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.prove import Prover
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.model import Model
from simbbm.scenario import Range, Setup, scenario
from tests.explore.test_rounds import often, once, sets, setup, spins, spins_for_it


@scenario()
def many(*, cpus: Annotated[int, Range(2, 8)] = 4) -> Setup:
    """All but the first spin."""
    return setup(sets, *[spins] * (cpus - 1))


def test_a_proof_says_up_to_how_many_cpus() -> None:
    """The reduced search is small enough for 4 CPUs, the one for rounds is not."""
    whole = Prover(Model(many), ample=False).prove()
    reduced = Prover(Model(many)).prove()
    assert (4, 4) == (whole.termination.cpus, reduced.termination.cpus)  # type: ignore[union-attr]
    assert reduced.states < whole.states

    limited = Prover(Model(many), Limits(states=whole.states - 1)).prove()
    assert ("PROVED", 3) == (limited.verdict, limited.termination.cpus)  # type: ignore[union-attr]


@scenario(expect="STUCK:terminates")
def starves(*, cpus: Annotated[int, Range(2, 8)] = 4) -> Setup:
    """One gets no exclusive, others go round until it has one."""
    return setup(once, often, *[spins_for_it] * (cpus - 2))


def test_what_fails_on_fewer_cpus_is_no_proof() -> None:
    whole = Prover(Model(starves), ample=False).prove()
    hopeful = starves.twin("Not expected to fail.", expect="HOLDS")
    limited = Prover(Model(hopeful), Limits(states=whole.states - 1)).prove()

    assert "STUCK" == whole.verdict
    assert "INCONCLUSIVE" == limited.verdict
    assert limited.message.startswith("with cpus=2: ")


def test_edges_say_where_each_cpu_goes() -> None:
    """Three that are alike: one may overtake two, and then the way there is not the way back."""
    space = ReducedSystem(
        Model(discovery.find("linear_map_split::good"), {"cpus": 4, "layout": "pages"}).system
    )
    state, tape, turned = space.initial(), Tape(b"places"), 0
    for _ in range(120):
        steps = list(space.steps(state))
        for move, arranged, places in steps:
            plain = space.system.apply(space.rows.machine(state), move)
            after = space.rows.machine(arranged)
            for cpu, place in enumerate(places or range(4)):
                assert plain.cpus[cpu].point is after.cpus[place].point
                assert plain.cpus[cpu].mmu is after.cpus[place].mmu
            turned += places is not None and places[places[1]] != 1
        state = steps[tape.below(len(steps))][1]
    assert turned


def test_a_reduced_search_without_cycles_settles_it() -> None:
    proof = Prover(Model(discovery.find("linear_map_split::good"), {"cpus": 4})).prove()

    assert ("PROVED", ("symmetry", "ample")) == (proof.verdict, proof.reductions)
    assert (0, 4) == (proof.termination.cycles, proof.termination.cpus)  # type: ignore[union-attr]

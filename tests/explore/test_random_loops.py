"""Programs that come back, drawn at random: every search says the same of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbbm.arm64.ops import Cpu
from simbbm.core.program import repeat_until, routine
from simbbm.explore.search.prove import witness_along
from simbbm.model import Model
from simbbm.scenario import CpuSetup, Setup, scenario
from tests.explore.test_rounds import proved, setup
from tests.support import FLAG, FLAG2, REGIME


@routine
async def turn(cpu: Cpu, steps: tuple[tuple[Any, ...], ...], word: int, value: int) -> bool:
    """Do these steps; again, unless a word has this value."""
    for name, *operands in steps:
        await getattr(cpu, name)(*operands)
    return bool(await cpu.ldr(word) == value)


async def turns(
    cpu: Cpu,
    before: tuple[tuple[Any, ...], ...],
    steps: tuple[tuple[Any, ...], ...],
    word: int,
    value: int,
) -> None:
    """Something, and then a loop."""
    for name, *operands in before:
        await getattr(cpu, name)(*operands)
    await repeat_until(turn, cpu, steps, word, value)


WORDS = st.sampled_from([FLAG, FLAG2])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("nop")),
        st.tuples(st.just("str"), WORDS, st.integers(0, 2)),
        st.tuples(st.just("ldxr"), WORDS),
        st.tuples(st.just("stxr"), WORDS, st.integers(0, 2)),
        st.tuples(st.just("dsb"), st.just("ish")),
        st.tuples(st.just("tlbi"), st.just("vmalle1is")),
        st.tuples(st.just("wfe")),
        st.tuples(st.just("sev")),
    ),
    max_size=2,
).map(tuple)
LOOPING = st.tuples(st.just(turns), STEPS, STEPS, WORDS, st.integers(0, 2))


def bounded(program: tuple[Any, ...]) -> bool:
    """Whether what it has under way stays little: a store, or TLBI, in a loop is waited for."""
    *_, steps, _, _ = program
    return not {name for name, *_ in steps} & {"str", "tlbi"} or steps[-1][0] == "dsb"


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(LOOPING.filter(bounded), LOOPING.filter(bounded), st.booleans())
def test_all_searches_agree_on_random_loops(
    one: tuple[Any, ...], other: tuple[Any, ...], three: bool
) -> None:
    """Two CPUs that are alike, perhaps a third that is not."""

    @scenario()
    def mine() -> Setup:
        """A test."""
        programs = [one, one, *[other] * three]
        cpus = tuple(CpuSetup(program, REGIME, tuple(args)) for program, *args in programs)
        return replace(setup(), cpus=cpus)

    proof = proved(mine)
    if proof.loop is not None:
        assert proof.run is not None
        assert "STUCK" == witness_along(Model(mine), proof.run, loop=proof.loop).verdict

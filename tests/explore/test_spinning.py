"""A CPU that reads one word again and again, and nothing else: the smallest round of all."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.ops import Cpu
from simbbm.check.properties import terminates
from simbbm.core.program import repeat_until
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from simbbm.scenario import CpuSetup, Setup, scenario
from tests.explore.test_livelock import EARLY
from tests.support import FLAG


async def is_set(cpu: Cpu) -> bool:
    """Look once; the state is what it was."""
    value: int = await cpu.ldr(FLAG)
    return value == 1


async def spin(cpu: Cpu) -> None:
    """Until somebody sets the flag."""
    await repeat_until(is_set, cpu)


async def sets(cpu: Cpu) -> None:
    """Set the flag."""
    await cpu.str(FLAG, 1)


def setup(*programs: Any) -> Setup:
    """A machine on which they run."""
    early = EARLY.setup({})
    cpus = tuple(CpuSetup(program, early.cpus[0].regime) for program in programs)
    return Setup(geometry=early.geometry, cpus=cpus, tables=early.tables, properties=(terminates,))


@scenario(expect="STUCK:terminates")
def spins_alone() -> Setup:
    """Nobody sets the flag: the only state leads to itself."""
    return setup(spin)


@scenario()
def is_told() -> Setup:
    """Somebody does."""
    return setup(spin, sets)


@pytest.mark.parametrize("ample", [False, True])
def test_a_state_that_leads_to_itself_alone_is_a_livelock(ample: bool) -> None:
    proof = Prover(Model(spins_alone), ample=ample).prove()

    assert ("STUCK", "terminates", 1) == (proof.verdict, proof.property, proof.states)
    assert "PROVED" == Prover(Model(is_told), ample=ample).prove().verdict

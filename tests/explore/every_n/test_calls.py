"""The loop that calls all CPUs is one store as long as each turn finds what the first found."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Annotated, Any

import pytest

from simbbm import (
    RW,
    Cpu,
    CpuSetup,
    Range,
    Regime,
    Scenario,
    Setup,
    Tcr,
    Ttbr,
    cpu_numbers,
    leaf,
    no_tlb_conflict,
    repeat_until,
    routine,
    scenario,
    terminates,
)
from simbbm.arm64.descriptor import INVALID_DESCRIPTOR
from simbbm.arm64.geometry import KERNEL_PAGE, SCALED4
from simbbm.check.verdict import Verdict
from simbbm.core.programs.everyone import Counter
from simbbm.core.programs.frames.frame import _Watchdog
from simbbm.explore.every_n.prove import ProverForAll
from simbbm.explore.search.prove import Prover
from simbbm.model import Model
from tests.explore.every_n.gathering import is_more
from tests.explore.every_n.test_refused import calls_all

WORDS = SCALED4.page_words
TABLE = 2 * WORDS
ENTRY = (KERNEL_PAGE + 1) * WORDS
"""The descriptor through which the boot CPU calls."""
COME, WORK, TAKEN = ((KERNEL_PAGE + 2) * WORDS + n for n in (1, 2, 3))
"""The others go through another one to the same page."""


@routine
async def comes(cpu: Cpu) -> int:
    """Which of all this one is."""
    before: int = await cpu.ldxr(COME)
    return 0 if await cpu.stxr(COME, (before + 1) % 8) else before + 1


@routine
async def called(cpu: Cpu) -> None:
    """Wait for the call."""
    own = await cpu.ldaddal(TAKEN, 1)
    await cpu.wait(WORK, is_more, own, acquire=True)


async def second_unmaps(cpu: Cpu, _: Any) -> None:
    """The second that is called takes the boot CPU's mapping away: a third turn faults."""
    await called(cpu)
    if await repeat_until(comes, cpu) == 2:
        await cpu.str(ENTRY, INVALID_DESCRIPTOR)


def unmapping() -> Scenario:
    def build(*, cpus: Annotated[int, Range(2, 16)] = 3) -> Setup:
        """The boot CPU calls all others."""
        regime = Regime((Ttbr(0),), (Ttbr(TABLE),), (Tcr(0, 2, epd0=True),))
        return Setup(
            geometry=SCALED4,
            cpus=tuple(
                CpuSetup(second_unmaps if n else calls_all, regime, (cpus,))
                for n in cpu_numbers(cpus)
            ),
            tables={TABLE: (leaf(0, RW), leaf(2, RW), leaf(0, RW), leaf(3, RW))},
            properties=(no_tlb_conflict, terminates),
            counters={2: Counter("work", calls=3), 3: Counter("taken")},
        )

    return replace(scenario(expect="HOLDS")(build), id="calls::unmapping")


def test_tables_do_not_change_while_cpus_are_called() -> None:
    """On 2 and 3 CPUs nobody fails, on 4 the boot CPU does: the loop is not one store there."""
    answer = ProverForAll(unmapping(), {}).prove()

    assert Prover(Model(unmapping(), {"cpus": 4})).prove().verdict is Verdict.VIOLATED
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert "tables change while CPUs are called" in answer.message


def test_nothing_is_collected_while_a_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that is thrown away in a turn would be taken for what the turn calls."""
    collects: set[bool] = set()
    real = _Watchdog.__call__

    def watches(self: _Watchdog, *args: Any) -> _Watchdog:
        collects.add(gc.isenabled())
        return real(self, *args)

    monkeypatch.setattr(_Watchdog, "__call__", watches)
    Prover(Model(unmapping(), {"cpus": 2})).prove()

    assert collects == {False}
    assert gc.isenabled()

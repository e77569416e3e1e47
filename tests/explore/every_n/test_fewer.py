"""One move of the boot CPU is enough where nobody can tell, and only there.

Views that leave moves out are compared with those that leave out nothing. Numbers are those of the
argument in `explore/every_n/fewer.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any

import msgspec
import pytest

from simbbm import (
    RW,
    Counter,
    Cpu,
    CpuSetup,
    OneCpu,
    Property,
    Range,
    Regime,
    Scenario,
    Setup,
    Tcr,
    Ttbr,
    cpu_numbers,
    each_cpu,
    leaf,
    no_size_change_seen,
    repeat_until,
    routine,
    scenario,
    terminates,
)
from simbbm.arm64.geometry import KERNEL_PAGE, SCALED4
from simbbm.check.verdict import Verdict
from simbbm.explore.certificate.file import Certificate
from simbbm.explore.certificate.verify import verify
from simbbm.explore.every_n import abstraction
from simbbm.explore.every_n.abstraction import Local, Shared
from simbbm.explore.every_n.certify import certificate_of
from simbbm.explore.every_n.fewer import Fewer
from simbbm.explore.every_n.prove import EveryN, ProverForAll
from simbbm.explore.every_n.setting import model_for_all
from simbbm.explore.every_n.views import Views
from simbbm.explore.search.reductions import invalidations
from tests.explore.every_n.gathering import equals

WORDS = SCALED4.page_words
BOOT_TABLE, OTHER_TABLE = 2 * WORDS, 3 * WORDS
FLAG, GO, SIGN, DATUM = (KERNEL_PAGE * WORDS + n for n in range(4))
"""Virtual addresses; the physical ones are 0, 1, 2 and 3."""
X, Y = KERNEL_PAGE + 2, KERNEL_PAGE + 3
"""Pages that the boot CPU maps, and others do not."""
PTE_X, PTE_Y = ((KERNEL_PAGE + 1) * WORDS + n for n in (2, 3))
MOST = (no_size_change_seen, terminates)


def of(
    boot: Callable[..., Any],
    other: Callable[..., Any],
    *,
    walks: int = OTHER_TABLE,
    properties: tuple[Property, ...] = MOST,
) -> Scenario:
    """The boot CPU has pages to change; `walks` is the table of the others."""

    def build(*, cpus: Annotated[int, Range(2, 16)] = 3) -> Setup:
        """The boot CPU changes pages."""
        roots = BOOT_TABLE, walks
        regimes = [Regime((Ttbr(0),), (Ttbr(root),), (Tcr(0, 2, epd0=True),)) for root in roots]
        return Setup(
            geometry=SCALED4,
            cpus=tuple(
                CpuSetup(other if n else boot, regimes[n > 0], (cpus,)) for n in cpu_numbers(cpus)
            ),
            tables={
                BOOT_TABLE: (leaf(0, RW), leaf(2, RW), leaf(5, RW), leaf(6, RW)),
                OTHER_TABLE: (leaf(0, RW), leaf(3, RW), leaf(7, RW), leaf(7, RW)),
            },
            properties=properties,
            counters={0: Counter("flag")},
            data={0: 1},
        )

    return replace(scenario(expect="HOLDS")(build), id="fewer::it")


def closed(it: Scenario, *, reduce: bool) -> Views:
    """The views of a scenario, however it fares on few CPUs."""
    return ProverForAll(it, {}, ample=reduce)._closed(model_for_all(it, {}, 2))


def left_out(it: Scenario) -> int:
    """In how many shared states moves are left out; what is wrong is found all the same."""
    fewer, every = closed(it, reduce=True), closed(it, reduce=False)
    assert not every.steps.fewer.reduced()
    assert {bad.problem.message for bad in fewer.bad} == {b.problem.message for b in every.bad}
    if not every.bad:
        assert len(fewer.of) <= len(every.of)
    return len(fewer.steps.fewer.reduced())


async def comes(cpu: Cpu, _: Any) -> None:
    """Another CPU: it counts, and waits for the release."""
    await cpu.ldaddal(FLAG, 1)
    await cpu.wait(GO, equals, 1)


async def changes(cpu: Cpu, n: Any) -> None:
    """The boot CPU: two stores of which nobody knows but itself."""
    await cpu.wait(FLAG, equals, n)
    await cpu.str(PTE_X, leaf(8, RW))
    await cpu.str(PTE_Y, leaf(9, RW))
    await cpu.dsb("ish")
    await cpu.str(GO, 1)


def reduced_views(views: Views) -> Iterator[tuple[Shared, list[Local]]]:
    """The views of shared states in which moves are left out."""
    parts = views.parts
    for g, _ in views.steps.fewer.reduced():
        for members in views.of[g]:
            yield parts.shared[g], [parts.locals[m] for m in members]


def proved(it: Scenario, *, reduce: bool = True) -> EveryN:
    return ProverForAll(it, {}, ample=reduce).prove()


def certificate(it: Scenario, answer: EveryN) -> Certificate:
    assert answer.verdict is Verdict.PROVED
    assert answer.closed is not None
    return certificate_of(answer.closed, it.id, {}, answer.levels)


def test_one_order_of_two_stores_is_enough() -> None:
    it = of(changes, comes)
    fewer, every = proved(it), proved(it, reduce=False)

    assert fewer.shared_states < every.shared_states
    assert (fewer.terminates, every.terminates) == (True, True)
    for answer in (fewer, every):
        checked = verify(certificate(it, answer), it)
        assert (checked.fault, checked.ends) == ("", True)


# Planted in certificates that take one order for all.


def test_a_certificate_says_where_it_takes_one_order() -> None:
    it = of(changes, comes)
    known = certificate(it, proved(it))
    assert known.orders

    def fault(**changed: Any) -> str:
        return verify(msgspec.structs.replace(known, **changed), it).fault

    assert "leads out" in fault(orders=known.orders[1:])
    assert "leads out" in fault(orders=[])
    assert "leads out" in fault(orders=None)
    assert "no shared state" in fault(orders=[*known.orders, (10_000, False)])
    assert "others there matter to it" in fault(orders=[*known.orders, (0, False)])


async def says_both(cpu: Cpu, n: Any) -> None:
    """The boot CPU: the datum, and a sign that it is there, in any order."""
    await cpu.str(DATUM, 1)
    await cpu.str(SIGN, 1)
    await cpu.dsb("ish")


async def believes(cpu: Cpu, _: Any) -> None:
    await cpu.wait(SIGN, equals, 1)
    if await cpu.ldr(DATUM) == 0:
        await cpu.panic("the sign came first")


def test_a_store_that_others_poll() -> None:
    """(1) The first drain alone would say that the datum is always there."""
    it = of(says_both, believes)

    assert left_out(it) == 0
    assert closed(it, reduce=True).bad


def test_a_prover_that_thinks_that_nobody_can_tell_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """(1) What the last test would miss; and its certificate is refused."""
    monkeypatch.setattr(Fewer, "_tells", lambda *_: False)
    it = of(says_both, believes)
    views = closed(it, reduce=True)

    assert not views.bad
    checked = verify(certificate_of(views, it.id, {}), it)
    assert "others there matter to a CPU" in checked.fault


async def believes_later(cpu: Cpu, _: Any) -> None:
    """The same, by somebody who at first looks at nothing."""
    await cpu.nop()
    await cpu.nop()
    await believes(cpu, _)


def test_somebody_who_can_tell_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """(2) What was left out is made up for; a prover that forgets to is found."""
    it = of(says_both, believes_later)
    assert closed(it, reduce=True).bad

    class Never(list[int]):
        def append(self, _: int) -> None:
            pass

    made = Views.__init__

    def forgetful(self: Views, *args: Any) -> None:
        made(self, *args)
        self._again = Never()

    monkeypatch.setattr(Views, "__init__", forgetful)
    monkeypatch.setattr(Fewer, "meets", _without_taking_back)
    assert not closed(it, reduce=True).bad


def _without_taking_back(self: Fewer, shared: int, local: int) -> bool:
    return False


def test_a_table_that_others_walk() -> None:
    """(1) They may hold what it said."""
    assert left_out(of(changes, comes))
    assert left_out(of(changes, comes, walks=BOOT_TABLE)) == 0


async def changes_and_looks(cpu: Cpu, n: Any) -> None:
    await cpu.str(PTE_X, leaf(8, RW))
    await cpu.str(PTE_Y, leaf(9, RW))
    await cpu.ldr(SIGN)
    await cpu.dsb("ish")


async def signs(cpu: Cpu, _: Any) -> None:
    await cpu.str(SIGN, 1)


async def stays(cpu: Cpu, _: Any) -> None:
    await cpu.nop()


def test_what_others_store_and_the_boot_cpu_loads() -> None:
    """(1) It is loaded before the drains or after."""
    quiet = closed(of(changes_and_looks, stays), reduce=True)
    assert quiet.steps.fewer.reduced()
    assert left_out(of(changes_and_looks, stays))

    views = closed(of(changes_and_looks, signs), reduce=True)
    for shared, members in reduced_views(views):
        if shared.boot.cpu.mnemonic == "ldr":  # Nobody is about to store what is loaded.
            assert not any(one.cpu.buffer.stores for one in members)


async def sets_the_count(cpu: Cpu, n: Any) -> None:
    await cpu.str(PTE_X, leaf(8, RW))
    await cpu.str(FLAG, n)
    await cpu.dsb("ish")


def test_a_store_to_a_counter() -> None:
    """(3) Who was counted is forgotten when it drains."""
    assert left_out(of(sets_the_count, stays)) == 0


def fine(one: OneCpu) -> str | None:
    return None


def test_a_property_that_is_not_monotone() -> None:
    """(4) It may fail in a state that is left out alone."""
    properties = (*MOST, each_cpu("fine", fine))
    assert left_out(of(changes, comes, properties=properties)) == 0
    answer = proved(of(changes, comes, properties=properties))
    assert certificate(of(changes, comes), answer).orders is None


@routine
async def looks(cpu: Cpu) -> bool:
    return bool(await cpu.ldr(GO) == 1)


async def goes_round(cpu: Cpu, _: Any) -> None:
    await cpu.str(PTE_X, leaf(8, RW))
    await cpu.str(PTE_Y, leaf(9, RW))
    await repeat_until(looks, cpu)
    await cpu.dsb("ish")


async def releases(cpu: Cpu, _: Any) -> None:
    await cpu.str(GO, 1)


def test_a_boot_cpu_that_goes_round() -> None:
    """(5) It may do so for ever, with its stores pending."""
    it = of(goes_round, releases)

    assert left_out(it)
    views = closed(it, reduce=True)
    assert {shared.boot.cpu.mnemonic for shared, _ in reduced_views(views)} == {"dsb.ish"}


# TLBIs.


async def flushes(cpu: Cpu, n: Any) -> None:
    await cpu.wait(FLAG, equals, n)
    await cpu.tlbi("vaale1is", X)
    await cpu.tlbi("vaale1is", Y)
    await cpu.dsb("ish")
    await cpu.str(GO, 1)


def test_tlbis_on_a_cpu_that_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """(6) Several are one; the boot CPU waits for it all the same."""
    it = of(flushes, comes)
    fewer, every = proved(it), proved(it, reduce=False)

    assert fewer.views < every.views
    for answer in (fewer, every):
        checked = verify(certificate(it, answer), it)
        assert (checked.fault, checked.ends) == ("", True)


async def comes_to_hold(cpu: Cpu, _: Any) -> None:
    """Goes to another table, and may hold what the first one said."""
    await cpu.ldaddal(FLAG, 1)
    await cpu.msr("ttbr1_el1", Ttbr(BOOT_TABLE))
    await cpu.isb()
    await cpu.wait(GO, equals, 1)


def test_who_comes_to_hold_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """(7) Then it matters which TLBIs these are, and no order is taken for another."""
    it = of(flushes, comes_to_hold)
    answer = proved(it)

    assert answer.verdict is Verdict.PROVED
    assert certificate(it, answer).orders is None

    real = invalidations.as_one

    def careless(shared: Any, pe: Any, issuer: int) -> Any:
        return real(shared, pe, issuer) if invalidations.is_quiet(pe) else pe

    # A prover that does not look: its certificate does not hold.
    monkeypatch.setattr(abstraction, "as_one", careless)
    answer = proved(it)
    assert "while several TLBIs are pending" in verify(certificate(it, answer), it).fault

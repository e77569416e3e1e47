"""TLBIs by range and with a level: what a register says, and what is invalidated (R40)."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import RW, leaf, table
from simbbm.arm64.geometry import KERNEL_PAGE, SCALED4
from simbbm.arm64.ops import CPU
from simbbm.arm64.translation.tlb import LeafEntry, TableEntry, Tlbi
from simbbm.arm64.translation.tlbi_operand import decoded, is_range, page_address
from simbbm.core.errors import ScenarioError
from simbbm.linux.tlbflush import (
    flush_tlb_range_op,
    tlbi_range_num,
    tlbi_range_pages,
    tlbi_vaddr,
    tlbi_vaddr_range,
)
from tests.support import FLAG, INV, NEW, OLD, PTABLE, PY, SPARE, X, Y, outcomes

K = KERNEL_PAGE
DSB = ("dsb", "ish")
ISB = ("isb",)


@pytest.mark.parametrize("page", [0, 5, K, K + 5, K + (1 << 30)])
@pytest.mark.parametrize("shift", [12, 14, 16])
@pytest.mark.parametrize("level", [0, 2, 3])
def test_a_register_says_what_the_kernel_put_into_it(page: int, shift: int, level: int) -> None:
    one = tlbi_vaddr(page, 7, level, shift)
    several = tlbi_vaddr_range(page, 7, 1, 2, level, shift)

    assert decoded("vae1is", one, shift) == Tlbi("vae1", True, page, 7, 1, level)
    assert decoded("rvale1", several, shift) == Tlbi("rvale1", False, page, 7, 192, level)


def test_an_address_is_in_units_of_4k_whatever_a_page_is() -> None:
    """As Arm ARM C5.5 draws it: bits 55:12 of the address, in bits 43:0."""
    assert page_address(K + 3, 16) == 0xFFFF_0000_0003_0000
    raw = decoded("vaae1", 0x0FF0_0000_0030, 16)
    assert raw == Tlbi("vaae1", False, K + 3)
    assert decoded("vaae1", 0x0FF0_0000_003F, 16) == raw, "what is below a page is ignored"


@pytest.mark.parametrize("xt", [1 << 47 | 3 << 44, 2 << 46 | 3 << 44, 3 << 46 | 3 << 44])
def test_a_level_of_another_granule_is_for_nothing(xt: int) -> None:
    tlbi = decoded("vaae1", xt, 12)
    assert tlbi is not None
    held = LeafEntry(3, 0, 1, 8, RW, False, False, -1)

    assert tlbi.remainder(held, SCALED4) == (held,)
    assert not tlbi.matches_table(TableEntry(2, 0, 64, 0), SCALED4)


@pytest.mark.parametrize("granule", [0, 2, 3])
def test_a_range_of_another_granule_is_for_nothing(granule: int) -> None:
    held = LeafEntry(3, 0, 1, 8, RW, False, False, -1)
    right, wrong = (decoded("rvaae1", tg << 46, 12) for tg in (1, granule))
    assert right is not None
    assert wrong is not None

    assert right.remainder(held, SCALED4) == ()
    assert wrong.remainder(held, SCALED4) == (held,)


@pytest.mark.parametrize("pages", [1, 2, 3, 4, 63, 64, 66, 100, 2048, 2050, 65536])
def test_ranges_of_the_kernel_are_all_pages_and_none_twice(pages: int) -> None:
    """__flush_tlb_range_op, played by hand: scales from the largest, an odd page at the end."""
    asked = list(_issued(flush_tlb_range_op.__wrapped__(CPU, "vaale1is", K, pages, 3, 12)))  # type: ignore[attr-defined]

    covered = [page for tlbi in asked for page in range(tlbi.page, tlbi.page + tlbi.pages)]
    assert covered == list(range(K, K + pages))
    assert {tlbi.ttl for tlbi in asked} == {3}


def _issued(program: Any) -> Any:
    """The TLBIs that a program asks for."""
    try:
        step = program.send(None)
        while True:
            yield step.op.args[0]
            step = program.send(None)
    except StopIteration:
        return


def test_a_range_has_what_num_and_scale_say() -> None:
    for scale in range(4):
        for num in range(32):
            assert is_range(tlbi_range_pages(num, scale))
            if num < 31:
                assert tlbi_range_num(tlbi_range_pages(num, scale), scale) == num
    assert not any(map(is_range, (1, 3, 66, 65, 4096 + 64, 1 << 22)))


@pytest.mark.parametrize(
    "operands",
    [
        ("rvaae1is", 0),
        ("rvaae1is", 0, None, 3),
        ("vaae1is", 0, None, 2),
        ("vaae1is", 0, None, None, 4),
        ("vmalle1is", None, None, None, 3),
        ("rvae1is", 0, None, 2),
    ],
)
def test_what_no_register_can_say_is_refused(operands: Any) -> None:
    with pytest.raises(ScenarioError, match="there is no tlbi"):
        _ = CPU.tlbi(*operands)
    with pytest.raises(ScenarioError, match="there is no tlbi"):
        _ = CPU.tlbi_raw("rvaae2is", 0)


def alone(*steps: Any, **tables: Any) -> set[Any]:
    """What the last load of a CPU observes."""
    return {seen[0][-1] for seen in outcomes(steps, **tables)}


@pytest.mark.parametrize(
    ("tlbi", "stale"),
    [
        (("vaae1is", 1), False),
        (("vaae1is", 0), True),
        (("rvaae1is", 0, None, 2), False),
        (("rvaae1is", 2, None, 2), True),
        (("rvaae1is", 0, None, 2, 3), False),
        (("rvaae1is", 0, None, 2, 2), True),
        (("vaae1is", 1, None, None, 3), False),
        (("vaae1is", 1, None, None, 1), True),
    ],
)
def test_what_a_tlbi_is_for(tlbi: Any, stale: bool) -> None:
    """Page 1 is broken and read; seen as programs are run, one operation at a time."""
    seen = alone(
        ("str", PY, INV), DSB, ("tlbi", *tlbi), DSB, ISB, ("ldr", Y), x=leaf(OLD), y=leaf(NEW)
    )

    assert (NEW in seen) == stale
    assert None in seen


@pytest.mark.parametrize(("level", "stale"), [(0, False), (2, True), (3, False)])
def test_a_level_is_for_the_tables_above_it(level: int, stale: bool) -> None:
    seen = alone(
        ("str", PTABLE, table(SPARE)),
        DSB,
        ("tlbi", "vaae1is", 0, None, None, level),
        DSB,
        ISB,
        ("ldr", X),
        x=leaf(OLD),
        spare=(leaf(NEW), INV, INV, INV),
    )

    assert (OLD in seen) == stale
    assert NEW in seen


def test_raw_and_named_are_one() -> None:
    raw = CPU.tlbi_raw("rvaale1is", 1 << 46 | 3 << 37 | 5)

    assert raw.op == CPU.tlbi("rvaale1is", 5, None, 2, 3).op


def test_completion_is_of_every_page_of_a_range() -> None:
    """R9: a reader that is told by a flag has no old translation of any of them."""
    writer = (("str", PY, INV), DSB, ("tlbi", "rvaae1is", 0, None, 2), DSB, ("str", FLAG, 1))
    reader = (("ldr", FLAG), ("dmb", "ishld"), ("ldr", Y))
    seen = outcomes(writer, reader, x=leaf(OLD), y=leaf(NEW))

    assert not [values for _, values in seen if values[0] == 1 and values[1] == NEW]

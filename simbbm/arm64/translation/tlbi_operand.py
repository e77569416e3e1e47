"""The register that a TLBI takes: how an address, a range, a level and an ASID are encoded in it.

    by address      ASID 63:48, TTL 47:44, VA[55:12] 43:0
    by range        ASID 63:48, TG 47:46, SCALE 45:44, NUM 43:39, TTL 38:37, BaseADDR 36:0

(Arm ARM C5.5, TLBI VAE1 and RVAE1.) The address of the first form has no page size: it is shifted
by 12 whatever the granule. That of a range counts granules, and TG says of which size; a range has
(NUM + 1) * 2^(5 * SCALE + 1) of them. TTL is a level, in the first form behind the granule.

Simplified: FEAT_LPA2, under which ranges begin at 64K and levels 0 and 1 have hints of more
granules, is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.translation.tlb import WRONG_LEVEL, Tlbi

OPERANDS = {
    "vmalle1": (False, False),
    "vae1": (True, True),
    "vaae1": (True, False),
    "vale1": (True, True),
    "vaale1": (True, False),
    "aside1": (False, True),
    "rvae1": (True, True),
    "rvaae1": (True, False),
    "rvale1": (True, True),
    "rvaale1": (True, False),
}
"""Whether each TLBI operation takes a page, and whether it takes an ASID. Those that begin with `r`
are by range."""
AT_EL2 = {
    "ipas2e1": (True, False),
    "ipas2le1": (True, False),
    "ripas2e1": (True, False),
    "ripas2le1": (True, False),
    "vmalls12e1": (False, False),
    "alle1": (False, False),
}
"""The same of operations that only EL2 has; their page is an intermediate physical one."""
GRANULES = (0, 12, 14, 16)
"""Bits of an offset in a page, by TG and by the upper half of TTL; 0 says nothing."""
VA_BITS = 48
"""Bits of an address in either half."""


def page_address(page: int, shift: int = 12) -> int:
    """The 64-bit address of the first byte of a `page`; `shift`: bits of an offset in it."""
    if page < KERNEL_PAGE:
        return page << shift
    return (1 << 64) - (1 << VA_BITS) + (page - KERNEL_PAGE << shift)


def page_of(address: int, shift: int) -> int:
    """The page of an address, which is negative in the upper half."""
    if address >= 0:
        return address >> shift
    return KERNEL_PAGE + (address + (1 << VA_BITS) >> shift)


def is_by_range(op: str) -> bool:
    """Whether a TLBI operation takes a range."""
    return op.startswith("r") and op in OPERANDS | AT_EL2


def is_range(pages: int) -> bool:
    """Whether one TLBI by range can be for so many pages: NUM + 1 is 1 to 32, SCALE 0 to 3."""
    return any(
        pages % (unit := 1 << 5 * scale + 1) == 0 and 1 <= pages // unit <= 32 for scale in range(4)
    )


def decoded(
    name: str, xt: int, shift: int = 12, page: Callable[[int], int] | None = None
) -> Tlbi | None:
    """The TLBI that a register asks for; None if there is no such operation.

    `shift` are the bits of an offset in a page, `page` makes a page of a signed address.
    """
    op = name.removesuffix("is")
    operands = OPERANDS | AT_EL2
    if op not in operands:
        return None
    by_page, by_asid = operands[op]
    tlbi = Tlbi(op, name != op, asid=xt >> 48 & 0xFFFF if by_asid else None)
    if not by_page:
        return tlbi
    if page is None:
        page = partial(page_of, shift=shift)
    if is_by_range(op):
        scale, num, level = xt >> 44 & 3, xt >> 39 & 31, xt >> 37 & 3
        ttl = _level(level, shift) if GRANULES[xt >> 46 & 3] == shift else WRONG_LEVEL
        first = page(_signed(xt, 37) << shift)
        return tlbi._replace(page=first, pages=num + 1 << 5 * scale + 1, ttl=ttl)
    granule, level = xt >> 46 & 3, xt >> 44 & 3
    ttl = _level(level, shift) if granule and level else 0
    if ttl and GRANULES[granule] != shift:
        ttl = WRONG_LEVEL
    return tlbi._replace(page=page(_signed(xt, 44) << 12), ttl=ttl)


def _level(level: int, shift: int) -> int:
    """The level that a hint means; blocks of level 1 are not there with 16K pages."""
    return 0 if shift == GRANULES[2] and level == 1 else level


def _signed(xt: int, bits: int) -> int:
    """The lowest bits of a register, the topmost of them being the sign."""
    value = xt & (1 << bits) - 1
    return value - (value >> bits - 1 << bits)

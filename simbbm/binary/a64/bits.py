"""Arithmetic of the Arm ARM's shared pseudocode (J1.3), on Python's integers."""

from __future__ import annotations

M32, M64 = (1 << 32) - 1, (1 << 64) - 1


def mask(width: int) -> int:
    """So many ones."""
    return (1 << width) - 1


def signed(value: int, width: int) -> int:
    """A value of so many bits as a number that may be negative."""
    return value - (1 << width) if value >> width - 1 & 1 else value


def rotated(value: int, by: int, width: int) -> int:
    """ROR."""
    by %= width
    return (value >> by | value << width - by) & mask(width)


def shifted(value: int, kind: int, by: int, width: int) -> int:
    """ShiftReg: LSL, LSR, ASR, ROR."""
    match kind:
        case 0:
            return value << by & mask(width)
        case 1:
            return value >> by
        case 2:
            return signed(value, width) >> by & mask(width)
        case _:
            return rotated(value, by, width)


def extended(value: int, option: int, by: int, width: int) -> int:
    """ExtendReg: UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX, then a shift to the left."""
    size = 8 << (option & 3)
    value &= mask(size)
    return (signed(value, size) if option & 4 else value) << by & mask(width)


def added(a: int, b: int, carry: int, width: int) -> tuple[int, int]:
    """AddWithCarry: the sum, and NZCV."""
    whole = a + b + carry
    result = whole & mask(width)
    negative = result >> width - 1
    overflow = ((a ^ result) & (b ^ result)) >> width - 1
    return result, negative << 3 | (result == 0) << 2 | (whole >> width) << 1 | overflow


def logical_flags(result: int, width: int) -> int:
    """NZCV of ANDS and BICS."""
    return result >> width - 1 << 3 | (result == 0) << 2


def holds(condition: int, nzcv: int) -> bool:
    """ConditionHolds."""
    n, z, c, v = nzcv >> 3 & 1, nzcv >> 2 & 1, nzcv >> 1 & 1, nzcv & 1
    base = (z, c, n, v, c and not z, n == v, n == v and not z, True)[condition >> 1]
    return bool(base) != bool(condition & 1 and condition != 15)


def bit_masks(n: int, imms: int, immr: int, width: int) -> tuple[int, int] | None:
    """DecodeBitMasks: wmask and tmask; None where the manual says UNDEFINED."""
    length = (n << 6 | ~imms & 0x3F).bit_length() - 1
    if length < 1 or width < 1 << length:
        return None
    size = 1 << length
    s, r = imms & size - 1, immr & size - 1
    w = rotated(mask(s + 1), r, size)
    t = mask((s - r) % size + 1)
    return _replicated(w, size, width), _replicated(t, size, width)


def logical_immediate(n: int, imms: int, immr: int, width: int) -> int | None:
    """The constant of AND, ORR, EOR (immediate); None where there is none."""
    length = (n << 6 | ~imms & 0x3F).bit_length() - 1
    if length < 1 or imms & mask(length) == mask(length):
        return None
    masks = bit_masks(n, imms, immr, width)
    return masks[0] if masks else None


def _replicated(value: int, size: int, width: int) -> int:
    for done in range(size, width, size):
        value |= (value & mask(size)) << done
    return value


def leading_zeros(value: int, width: int) -> int:
    """CLZ."""
    return width - value.bit_length()


def reversed_bits(value: int, width: int) -> int:
    """RBIT."""
    return int(f"{value:0{width}b}"[::-1], 2)


def reversed_bytes(value: int, group: int, width: int) -> int:
    """REV16, REV32, REV: the bytes of each group of so many bits, the other way round."""
    result = 0
    for start in range(0, width, group):
        part = value >> start & mask(group)
        turned = int.from_bytes(part.to_bytes(group // 8, "little"), "big")
        result |= turned << start
    return result

"""Which instructions of A64 there are here, by what they do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from simbbm.litmus.herd import arithmetic as a
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.values import ZERO

BINARY: dict[str, Callable[..., Any]] = {
    "ADD": a.plus,
    "SUB": a.minus,
    "EOR": a.exclusive_or,
    "AND": a.conjunction,
    "ORR": a.disjunction,
    "BIC": a.cleared,
    "LSL": a.shifted_left,
    "LSR": a.shifted_right,
}
FLAGGING: dict[str, tuple[Callable[..., Any] | None, Callable[..., Any]]] = {
    "SUBS": (a.minus, a.flags_of_difference),
    "ADDS": (a.plus, a.flags_of_sum),
    "ANDS": (a.conjunction, a.flags_of_conjunction),
    "CMP": (None, a.flags_of_difference),
    "CMN": (None, a.flags_of_sum),
    "TST": (None, a.flags_of_conjunction),
}
LOADS = {
    "LDR": "ld", "LDUR": "ld", "LDAR": "ld.acq", "LDAPR": "ld.acqpc", "LDAPUR": "ld.acqpc",
    "LDXR": "ld.ex", "LDAXR": "ld.ex.acq",
}  # fmt: skip
STORES = {"STR": "st", "STUR": "st", "STLR": "st.rel", "STLUR": "st.rel"}
EXCLUSIVE_STORES = {"STXR": "st.ex", "STLXR": "st.ex.rel"}
ATOMIC = re.compile(r"(SWP|CAS|LD(?:ADD|SET|CLR|EOR)|ST(?:ADD|SET|CLR|EOR))(AL|A|L)?")
MODIFIES: dict[str, Callable[..., Any]] = {
    "SWP": a.swapped,
    "CAS": a.compared,
    "ADD": a.added,
    "SET": a.bits_set,
    "CLR": a.bits_cleared,
    "EOR": a.bits_flipped,
}
ORDER = {None: "", "A": ".acq", "L": ".rel", "AL": ".acqrel"}
NOTHING = ("NOP", "DC", "IC", "PRFM", "YIELD")
"""What does nothing here."""
BRANCHES: dict[str, Callable[..., int]] = {
    "CBZ": a.is_zero,
    "CBNZ": a.is_not_zero,
    "TBZ": a.bit_is_zero,
    "TBNZ": a.bit_is_set,
}
SIZED = re.compile(r"(?:LD|ST)\w*[BH]$|LDRSW")


MOVES = ("MOV", "MOVZ", "SXTW", "UXTW", "ADR", "CSEL", "CSINC", "CSET")


def written(line: tree.Line) -> Iterator[int]:
    """Registers that an instruction may write, at the most."""
    name = line.mnemonic
    if name.startswith("ST") and name not in EXCLUSIVE_STORES:
        written: tuple[int, ...] = ()
    elif name in ("LDP", "SWP") or name.startswith(("LDADD", "LDSET", "LDCLR", "LDEOR", "SWP")):
        written = (0, 1) if name == "LDP" else (1,)
    elif name in ("CMP", "CMN", "TST", "TLBI", "MSR", "B", "CBZ", "CBNZ", "TBZ", "TBNZ"):
        written = ()
    else:
        written = (0,)
    for i in written:
        if i < len(line.operands) and isinstance(register := line.operands[i], tree.Register):
            yield register.number
    for i, operand in enumerate(line.operands):
        if isinstance(operand, tree.Memory) and (operand.writes_back or i + 1 < len(line.operands)):
            yield operand.base.number


def text_of(line: tree.Line) -> str:
    """An instruction as it is written."""
    return f"{line.mnemonic} {','.join(map(_operand_text, line.operands))}".rstrip()


def _operand_text(operand: tree.Operand) -> str:
    match operand:
        case tree.Register(number=number, wide=wide):
            return f"{'X' if wide else 'W'}{'ZR' if number == ZERO else number}"
        case tree.Immediate(value=value):
            return f"#{value}"
        case tree.Name(text=text):
            return text
        case tree.Memory(base=base, offset=offset, extend=extend):
            parts = [_operand_text(base), *([_operand_text(offset)] if offset else []), extend]
            return f"[{','.join(filter(None, parts))}]{'!' if operand.writes_back else ''}"

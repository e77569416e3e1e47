"""A thread of a herd7 test made a listing: instructions of A64 as the executor has them.

A register that no instruction of the thread writes keeps its first value, so that the places of
most accesses are known before anything runs. DC and IC do nothing: data and instruction caches are
not modelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.execution.listing import (
    ELR,
    Apply,
    CodeAddress,
    Instruction,
    Listing,
    Place,
    Reg,
    Select,
    Value,
)
from simbbm.arm64.ops import BARRIERS, Physical
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.arm64.translation.tlbi_operand import OPERANDS, is_by_range
from simbbm.litmus.herd import arithmetic as a
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.layout import Layout
from simbbm.litmus.herd.mnemonics import (
    ATOMIC,
    BINARY,
    BRANCHES,
    EXCLUSIVE_STORES,
    FLAGGING,
    LOADS,
    MODIFIES,
    MOVES,
    NOTHING,
    ORDER,
    SIZED,
    STORES,
    text_of,
    written,
)
from simbbm.litmus.herd.operands import Operands, apply, registers
from simbbm.litmus.herd.values import ZERO

FLAGS = 32
"""The register that stands for PSTATE.NZCV."""


class Lowering(Operands):
    """Makes the listing of one thread and of its handler."""

    def __init__(
        self, test: tree.HerdTest, layout: Layout, thread: int, *, user: bool = False
    ) -> None:
        own = [code for code in test.code if code.thread == thread]
        first: dict[int, Any] = {
            item.where.number: layout.value(item.value)
            for item in test.items
            if isinstance(item.where, tree.ThreadRegister)
            and item.where.thread == thread
            and item.value is not None
            and not isinstance(item.value, tree.Array)
        }
        if user:
            first = {n: layout.at_el0(value) for n, value in first.items()}
        changed = {n for code in own for line in code.lines for n in written(line)}
        super().__init__(test.file, changed, first)
        self.layout = layout
        self.thread = thread
        self.code: list[Instruction] = []
        self.labels: dict[str, int] = {}
        self.handler = next((code for code in own if code.handler), None)
        self.main = next(code for code in own if not code.handler)
        self.branches: list[tuple[int, str, tree.Line]] = []

    def listing(self, resumes: str) -> Listing:
        """Return the thread as the machine runs it."""
        self._lines(self.main)
        self.code.append(Instruction("stop"))
        length = len(self.code)
        if self.handler:
            self._lines(self.handler)
        self.layout.labels |= {(self.thread, name): at for name, at in self.labels.items()}
        self._resolve()
        code = [i._replace(number=n if n < length else -1 - n) for n, i in enumerate(self.code)]
        skips = () if resumes == "behind" else None
        return Listing(
            tuple(code[:length]),
            tuple(code[length:]) if self.handler else skips,
            registers=tuple(sorted((n, v) for n, v in self.first.items() if n in self.written)),
            resumes="elr" if self.handler else "again" if resumes == "again" else "behind",
        )

    def _lines(self, code: tree.Code) -> None:
        for line in code.lines:
            self.line = line
            for label in line.labels:
                if label in self.labels:
                    raise self.malformed(f"there is a label {label} already")
                self.labels[label] = len(self.code)
            if line.mnemonic:
                self.code += (i._replace(text=text_of(line)) for i in self._instructions(line))

    def _resolve(self) -> None:
        """Put in where branches and ADR go, now that labels are known."""
        for at, label, line in self.branches:
            self.line = line
            if label not in self.labels:
                raise self.malformed(f"there is no label {label} in P{self.thread}")
            target, instruction = self.labels[label], self.code[at]
            if instruction.op == "mov":
                self.code[at] = instruction._replace(value=CodeAddress(target))
            elif target == at + 1 and instruction.value is not None:
                read = tuple(registers(instruction.value))
                self.code[at] = instruction._replace(op="ctrl", value=None, data_from=read)
            else:
                self.code[at] = instruction._replace(target=target)

    # Instructions

    def _instructions(self, line: tree.Line) -> Iterator[Instruction]:
        name = line.mnemonic
        if name in BINARY or name in FLAGGING or name in MOVES:
            yield from self._computed(line)
        elif name in LOADS or name in STORES or name in EXCLUSIVE_STORES:
            yield from self._access(line)
        elif name in ("LDP", "STP"):
            yield from self._pair(line)
        elif match := ATOMIC.fullmatch(name):
            yield from self._atomic(line, match[1], match[2])
        elif name in BRANCHES or name == "B" or name.startswith("B."):
            yield self._branch(line)
        elif name in NOTHING:
            return
        else:
            yield from self._system(line)

    def _computed(self, line: tree.Line) -> Iterator[Instruction]:
        name = line.mnemonic
        if name in MOVES:
            yield from self._moved(line)
            return
        if name in BINARY:
            yield from self.set_register(
                self.register(line, 0), apply(BINARY[name], *self._two(line, 1))
            )
            return
        function, flags = FLAGGING[name]
        start = 0 if function is None else 1
        operands = self._two(line, start)
        width = 64 if self.register(line, start).wide else 32
        yield Instruction("mov", FLAGS, value=Apply(flags, (*operands, width)))
        if function is not None:
            yield from self.set_register(self.register(line, 0), apply(function, *operands))

    def _two(self, line: tree.Line, start: int) -> tuple[Value, Value]:
        """Two operands, the second of them perhaps extended."""
        first, second = self.operand(line, start), self.operand(line, start + 1)
        if len(line.operands) > start + 2:
            if self.name(line, start + 2).upper() not in ("SXTW", "UXTW"):
                raise self.unsupported(f"{line} with {line.operands[-1]} is not modelled")
            second = apply(a.sign_extended, second)
        return first, second

    def _moved(self, line: tree.Line) -> Iterator[Instruction]:
        name, destination = line.mnemonic, self.register(line, 0)
        if name == "ADR":
            self.branches.append((len(self.code), self.name(line, 1), line))
            yield Instruction("mov", destination.number, value=CodeAddress(0))
            return
        if name == "CSET":
            yield from self.set_register(destination, self._met(self.name(line, 1)))
            return
        if name in ("CSEL", "CSINC"):
            met = self._met(self.name(line, 3))
            otherwise = self.operand(line, 2)
            if name == "CSINC":
                otherwise = apply(a.plus, otherwise, 1)
            first = self.operand(line, 1)
            if not destination.wide:
                first, otherwise = apply(a.low, first), apply(a.low, otherwise)
            if destination.number != ZERO:
                chosen = Select(met, first, otherwise)
                yield Instruction("select", destination.number, value=chosen)
            return
        value = self.operand(line, 1)
        value = apply(a.sign_extended, value) if name == "SXTW" else value
        yield from self.set_register(destination, value)

    def _met(self, name: str) -> Apply:
        if name.upper() not in a.CONDITIONS:
            raise self.malformed(f"there is no condition {name}", ", ".join(a.CONDITIONS))
        return Apply(a.CONDITIONS[name.upper()], (Reg(FLAGS),))

    def _access(self, line: tree.Line) -> Iterator[Instruction]:
        name = line.mnemonic
        status = 1 if name in EXCLUSIVE_STORES else 0
        memory, register = self.memory(line, status + 1), self.register(line, status)
        address = self.address(memory)
        behind = line.operands[status + 2 :]
        if name in LOADS:
            own = None if register.number == ZERO else register.number
            yield self._placed(LOADS[name], address, destination=own)
        else:
            value = apply(a.stored, self.read(register), address)
            op = STORES.get(name) or EXCLUSIVE_STORES[name]
            told = self.register(line, 0).number if status else None
            yield self._placed(op, address, value=value, destination=told)
        yield from self._written_back(memory, behind)

    def _written_back(
        self, memory: tree.Memory, behind: tuple[tree.Operand, ...]
    ) -> Iterator[Instruction]:
        """The base register changes: `[X1,#8]!` before the access, `[X1],#8` after it."""
        if memory.writes_back:
            yield from self.set_register(memory.base, self.address(memory))
        elif behind:
            if not isinstance(behind[0], tree.Immediate):
                raise self.malformed("what follows the address is no number")
            more = apply(a.plus, self.read(memory.base), behind[0].value & a.DOUBLE)
            yield from self.set_register(memory.base, more)

    def _pair(self, line: tree.Line) -> Iterator[Instruction]:
        memory = self.memory(line, 2)
        for i in range(2):
            register = self.register(line, i)
            offset = i * (8 if register.wide else 4)
            first = self.address(memory)
            address = apply(a.plus, first, offset) if offset else first
            if line.mnemonic == "LDP":
                yield self._placed("ld", address, destination=register.number)
            else:
                value = apply(a.stored, self.read(register), address)
                yield self._placed("st", address, value=value)
        yield from self._written_back(memory, line.operands[3:])

    def _atomic(self, line: tree.Line, family: str, order: str | None) -> Iterator[Instruction]:
        stores_only = family.startswith("ST")
        memory = self.memory(line, 1 if stores_only else 2)
        first, address = self.operand(line, 0), self.address(memory)
        modifies = MODIFIES[family.removeprefix("LD").removeprefix("ST")]
        destination, compare, value = None, None, first
        if family == "CAS":
            destination, compare = self.register(line, 0).number, first
            value = self.operand(line, 1)
        elif not stores_only:
            destination = self.register(line, 1).number
        destination = None if destination == ZERO else destination
        noret = destination is None and order in (None, "L")
        op = ("amo.noret" if noret else "amo") + ORDER[order]
        yield self._placed(
            op,
            address,
            value=value,
            destination=destination,
            modifies=modifies,
            compare=compare,
            option="cas" if family == "CAS" else "",
        )

    def _placed(self, op: str, address: Value, **more: Any) -> Instruction:
        """An access; where it goes is known now, or a register says it."""
        if isinstance(address, Physical):
            return Instruction(op, place=Place(address.address, physical=True), **more)
        if type(address) is int:
            return Instruction(op, place=Place(address), **more)
        if isinstance(address, Descriptor | CodeAddress):
            raise self.malformed(f"{self.line} of something that is no address")
        return Instruction(op, address=address, **more)

    def _branch(self, line: tree.Line) -> Instruction:
        name = line.mnemonic
        condition: Value | None = None
        if name.startswith("B."):
            condition = self._met(name[2:])
        elif name in BRANCHES:
            count = 2 if name.startswith("T") else 1
            condition = Apply(BRANCHES[name], tuple(self.operand(line, i) for i in range(count)))
        self.branches.append((len(self.code), self.name(line, len(line.operands) - 1), line))
        return Instruction("b", value=condition)

    def _system(self, line: tree.Line) -> Iterator[Instruction]:
        name = line.mnemonic
        if name in ("DMB", "DSB"):
            option = self.name(line, 0).lower() if line.operands else "sy"
            if option not in BARRIERS:
                raise self.malformed(f"{name} has no option {option}", f"{name} SY, ISH, ST, LD")
            yield Instruction(name.lower(), option=option)
        elif name == "ISB":
            yield Instruction("isb")
        elif name == "TLBI":
            yield self._tlbi(line)
        elif name == "ERET":
            if not self.handler or self.line not in self.handler.lines:
                raise self.unsupported("ERET outside a handler is not modelled")
            yield Instruction("eret.elr", value=Reg(ELR))
        elif name == "SVC":
            yield Instruction("svc")
        elif name in ("MSR", "MRS"):
            system, other = (0, 1) if name == "MSR" else (1, 0)
            if self.name(line, system).upper() != "ELR_EL1":
                raise self.unsupported(f"{name} of {self.name(line, system)} is not modelled")
            if name == "MSR":
                yield Instruction("mov", ELR, value=self.operand(line, other))
            else:
                yield from self.set_register(self.register(line, other), Reg(ELR))
        else:
            sized = SIZED.fullmatch(name)
            why = "accesses of other sizes are not modelled" if sized else "is not known here"
            raise self.unsupported(f"{name}: {why}")

    def _tlbi(self, line: tree.Line) -> Instruction:
        name = self.name(line, 0).lower()
        op = name.removesuffix("is")
        if op not in OPERANDS or is_by_range(op):
            told = f"TLBI {name.upper()} is not modelled"
            known = (known for known in OPERANDS if not is_by_range(known))
            raise self.unsupported(f"{told}; {', '.join(known)} are, also with IS")
        wants_page, wants_asid = OPERANDS[op]
        operand = self.operand(line, 1) if wants_page or wants_asid else 0
        if isinstance(operand, Physical):
            operand = 0
        if type(operand) is int:
            page, asid = operand & (1 << 44) - 1, operand >> 48
            tlbi = Tlbi(op, name != op, page if wants_page else None, asid if wants_asid else None)
            return Instruction("tlbi", tlbi=tlbi)
        if not wants_page:
            raise self.unsupported(f"{line} of an ASID in a register is not modelled")
        tlbi = Tlbi(op, name != op, 0, 0 if wants_asid else None)
        return Instruction("tlbi", tlbi=tlbi, address=operand)

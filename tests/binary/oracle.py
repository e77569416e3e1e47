"""Our interpreter beside Unicorn (QEMU's): the same word in the same state, everything compared.

Unicorn is GPL-2 and serves as an oracle here, nowhere else. What it cannot be asked: system
registers, TLBI, exceptions and hints, which need a machine.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from contextlib import suppress
from ctypes import addressof, c_int, c_uint64, c_void_p
from importlib import import_module
from struct import unpack
from typing import Any, NamedTuple

from simbbm.binary.a64.branches import Branch
from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.execution import TABLE, complete, perform, step
from simbbm.binary.a64.forms import Form, Instruction, Undefined
from simbbm.binary.a64.operations import Access, Store

CODE, LITERALS = 0x40_0000, 0x10_0000
DATA, DATA_SIZE = 0x200_0000, 0xC000
MIDDLE = DATA + 0x2000
"""Where bases lead: offsets go 32 KiB up, and 4 KiB down."""
PATTERN = random.Random(7).randbytes(DATA_SIZE)
_RANDOM = array("I", random.Random(8).randbytes(2 * LITERALS + 0x1000))
NEAR = array("I", (word & 0x803FFFFF | 0x11000000 for word in _RANDOM)).tobytes()
"""What literals are loaded from, a mebibyte on either side of the code. Each word is an ADD: QEMU
translates what stands where a branch leads, and gives up at words that it does not expect."""
MEMORY_MODULES = ("single", "pairs", "exclusives")
NOT_COMPARED = (
    *("sys, sysl", "msr, mrs", "msr (immediate)", "svc, brk", "eret", "udf", "hint", "wfet, wfit"),
)
INTERESTING = (0, 1, 2, 31, 32, 63, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)


CLREX = 0xD5033F5F
LOAD_EXCLUSIVE = {
    "ldxr, stxr": lambda word: word & 0xC00003E0 | 0x085F7C1F,
    "ldxp, stxp": lambda word: word & 0xC00003E0 | 0x087F001F | (word >> 16 & 31) << 10,
}
"""What an exclusive store succeeds after: a load from the same base, into XZR and its status."""


class Different(NamedTuple):
    """What they disagree about."""

    form: str
    word: int
    before: tuple[int, ...]
    ours: tuple[Any, ...]
    theirs: tuple[Any, ...]


def compared() -> list[Form]:
    """The forms that can be."""
    return [form for form in TABLE.forms if form.name not in NOT_COMPARED]


def words(form: Form, draw: random.Random) -> Iterator[int]:
    """Random encodings of a form that our table takes for this one, and as defined."""
    mask, value = form.mask_and_value()
    while True:
        word = value | draw.getrandbits(32) & ~mask
        try:
            found = TABLE.decode(word)
            form.execute(state(draw, found), found.fields)
        except Undefined:
            continue
        if not oracle_is_wrong(form, found):
            yield word


def oracle_is_wrong(form: Form, found: Instruction) -> bool:
    """Where Unicorn 2.1 does not do what the manual says, or knows less than there is.

    LDSMAX and LDSMIN of less than 64 bits: it compares what was loaded without its sign. SB, and
    DSB nXS: it has no such instruction.
    """
    f = found.fields
    if form.name.startswith("ldadd"):
        return f.size < 3 and f.opc3 in (4, 5)
    return form.name.startswith("dsb") and f.op2 in (1, 7)


def uses_memory(form: Form) -> bool:
    """Whether its accesses need a base that leads to memory."""
    return form.execute.__module__.rpartition(".")[2] in MEMORY_MODULES


def state(draw: random.Random, instruction: Instruction) -> Cpu:
    """Registers, of which those that are addresses lead to memory."""
    x = [_interesting(value) for value in unpack("<31Q", draw.randbytes(248))]
    cpu = Cpu(x, MIDDLE + 16 * draw.randrange(64), CODE, draw.getrandbits(4))
    fields = vars(instruction.fields)
    if uses_memory(instruction.form) and "Rn" in fields:
        if "option" in fields:
            cpu.put(fields["Rm"], draw.choice((draw.randrange(4096), -draw.randrange(4096))))
        cpu.put_sp(fields["Rn"], MIDDLE + 16 * draw.randrange(64))
    elif instruction.form.name.startswith("br") and "Rn" in fields:
        cpu.put(fields["Rn"], draw.getrandbits(46) & ~3)
        cpu.put(30, draw.getrandbits(46) & ~3 if fields["Rn"] != 30 else cpu.get(30))
    return cpu


def _interesting(value: int) -> int:
    """A random value, or a third of the time one of those at which something changes."""
    number = value >> 8 & 31
    return INTERESTING[number] if number < len(INTERESTING) else value


class Flat:
    """The memory of both, on our side."""

    def __init__(self) -> None:
        self.data = bytearray(PATTERN)
        self.outside = False
        """Whether something was accessed that only one of the two has."""

    def _place(self, address: int, size: int) -> tuple[bytes | bytearray, int]:
        if DATA <= address <= DATA + DATA_SIZE - size:
            return self.data, address - DATA
        if CODE - LITERALS <= address <= CODE + LITERALS and abs(address - CODE) > 8:
            return NEAR, address - CODE + LITERALS
        self.outside = True
        return self.data, 0

    def read(self, address: int, size: int) -> int:
        """A number of so many bytes."""
        data, at = self._place(address, size)
        return int.from_bytes(data[at : at + size], "little")

    def write(self, address: int, size: int, value: int) -> None:
        """Its bytes."""
        data, at = self._place(address, size)
        if isinstance(data, bytearray):
            data[at : at + size] = value.to_bytes(size, "little")


class Oracle:
    """Unicorn, ready to execute one instruction."""

    def __init__(self) -> None:
        unicorn: Any = import_module("unicorn")
        names: Any = import_module("unicorn.arm64_const")
        self._error = unicorn.UcError
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        self._uc.ctl_set_cpu_model(names.UC_CPU_ARM64_MAX)
        self._uc.mem_map(CODE - LITERALS, 2 * LITERALS + 0x1000)
        self._uc.mem_map(DATA, DATA_SIZE)
        self._uc.mem_write(CODE - LITERALS, NEAR)
        registers = [getattr(names, f"UC_ARM64_REG_X{n}") for n in range(31)]
        registers += [names.UC_ARM64_REG_SP, names.UC_ARM64_REG_PC, names.UC_ARM64_REG_NZCV]
        # The library itself: all registers at once, through arrays that are made once.
        self._library: Any = import_module("unicorn.unicorn_py3.unicorn").uclib
        self._names = (c_int * 34)(*registers)
        self._values = (c_uint64 * 34)()
        places = (addressof(self._values) + 8 * n for n in range(34))
        self._batch = (self._names, (c_void_p * 34)(*places), c_int(34))
        self._clean = False

    def execute(
        self, before: tuple[int, ...], first: int | None, *, is_branch: bool
    ) -> tuple[tuple[int, ...], bytes]:
        """Execute the word that was loaded, after another one; registers and memory after it."""
        uc = self._uc
        if not self._clean:
            uc.mem_write(DATA, PATTERN)
        self._values[:] = [*before[:-2], CODE, before[-1] << 28]
        if first is not None:
            uc.mem_write(CODE - 4, first.to_bytes(4, "little"))
            uc.ctl_remove_cache(CODE - 4, CODE + 4)
        self._library.uc_reg_write_batch(uc._uch, *self._batch)
        start, count = (CODE, 1) if first is None else (CODE - 4, 2)
        with suppress(self._error):  # a branch to where nothing is
            uc.emu_start(start, 1 << 47, count=count)
        self._library.uc_reg_read_batch(uc._uch, *self._batch)
        after = self._values[:]
        assert after[-2] != CODE or is_branch, f"{before}: not executed"
        memory = bytes(uc.mem_read(DATA, DATA_SIZE))
        self._clean = memory == PATTERN
        return (*after[:-1], after[-1] >> 28), memory

    def load(self, word: int) -> None:
        """Put a word where it is executed."""
        self._uc.mem_write(CODE, word.to_bytes(4, "little"))
        self._uc.ctl_remove_cache(CODE, CODE + 4)


def ours(cpu: Cpu, word: int, *, succeeds: bool) -> bytes | None:
    """Execute a word; memory after it, None if it leads outside of what there is."""
    stop = step(cpu, word)
    if stop is None:
        return PATTERN
    if not isinstance(stop.operation, Access):
        complete(cpu, stop)
        return PATTERN
    memory = Flat()
    if isinstance(stop.operation, Store) and stop.operation.exclusive and not succeeds:
        complete(cpu, stop, (1,))
        return PATTERN
    complete(cpu, stop, perform(stop.operation, memory))
    return None if memory.outside else bytes(memory.data)


def compare(oracle: Oracle, form: Form, word: int, draw: random.Random) -> Different | None:
    """One word in one state."""
    cpu = state(draw, TABLE.decode(word))
    before, first, succeeds = cpu.kept(), None, draw.random() < 0.5
    if form.name in LOAD_EXCLUSIVE:
        before_store = LOAD_EXCLUSIVE[form.name](word) if succeeds else CLREX
        first = None if word >> 22 & 1 else before_store
    memory = ours(cpu, word, succeeds=succeeds)
    if memory is None:
        return None
    is_branch = isinstance(form, Branch)
    registers, theirs = oracle.execute(before, first, is_branch=is_branch)
    if (cpu.kept(), memory) == (registers, theirs):
        return None
    wrong = [n for n in range(DATA_SIZE) if memory[n] != theirs[n]][:4]
    return Different(form.name, word, before, (*cpu.kept(), wrong), registers)

"""Control points of machine code, each executed once: what a machine asks of a kernel's functions.

A control point is what its CPU knows (`Local`) and the operation that it has come to. Points with
equal values are one, so that a machine walks a graph whatever path led there, and a proof executes
each instruction once.

A step is named by its instruction: `scondary_cpu_wait+0x8.stxr`, `split_pmd+0x148.dsb.ishst`. An
edit that drops it makes it a NOP; what it would have written to registers stays as it was. What
comes before an instruction's own operation (`running`) is no step that an edit can name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.execution import UnknownInstruction, step
from simbbm.binary.a64.operations import Access
from simbbm.binary.booted import RETURN, STACK, STACK_SIZE
from simbbm.binary.code.accesses import OWN, Asked
from simbbm.binary.code.asking import NotModelledError, mnemonic, operation
from simbbm.binary.code.liveness import Liveness
from simbbm.binary.code.local import Local
from simbbm.binary.code.memory_map import MemoryMap
from simbbm.binary.code.running import Running, Stubs
from simbbm.binary.code.spinning import guard, spins
from simbbm.binary.formats.symbols import plain
from simbbm.binary.kernel import Kernel
from simbbm.core.errors import EditError, ModelError, Where
from simbbm.core.points import ControlPoint, Programs
from simbbm.core.program import Op
from simbbm.core.programs.edits import Edits
from simbbm.core.programs.labels import matches
from simbbm.core.programs.reorder import Deferred, reordered
from simbbm.core.values import digest, key


class Instruction(Where):
    """Where an instruction stands: a file and a place in it."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.file


class CodePoint(ControlPoint):
    """A place in machine code."""

    __slots__ = ("asked", "code", "local", "seen")

    def __init__(
        self, code: MachineCode, local: Local, asked: Asked | None, path: str, serial: int
    ) -> None:
        super().__init__(path, serial)
        self.code = code
        self.local = local
        self.asked = asked
        self.seen: dict[Any, Any] = {}
        """What was observed here, by the keys of `successors`."""

    def _follow(self, value: Any) -> ControlPoint:
        self.seen[key(value)] = value
        return self.code.follow(self, value)

    def _seen(self) -> Iterator[tuple[Any, ControlPoint]]:
        for k, following in self.successors.items():
            if (value := self.seen[k]) is not None:
                yield value, following

    def _new_digest(self) -> str:
        return digest(self.code.identity, tuple(self.local), self.label, self.finished)


class AddedPoint(ControlPoint):
    """A step that an edit added, in front of a point or behind one."""

    __slots__ = ("onward",)

    def __init__(self, op: Op, label: str, onward: ControlPoint, serial: int) -> None:
        super().__init__(onward.path, serial)
        self.op = op
        self.label = self.full_label = label
        self.where = onward.where
        self.onward = onward

    def _follow(self, value: Any) -> ControlPoint:  # noqa: ARG002 - whatever it observed
        return self.onward

    def _seen(self) -> Iterator[tuple[Any, ControlPoint]]:
        return iter(())

    def _new_digest(self) -> str:
        return digest(self.label, self.onward.digest)


class LatePoint(ControlPoint):
    """A point at which an edit does what comes later, and then what was passed over."""

    __slots__ = ("_deferred", "_serials")

    def __init__(self, point: CodePoint, deferred: Deferred, serials: Iterator[int]) -> None:
        super().__init__(point.path, next(serials))
        first = deferred.first
        self.op, self.where = first.op, first.where
        self.label, self.full_label = first.label, first.full_label
        self._deferred = deferred
        self._serials = serials

    def _follow(self, value: Any) -> ControlPoint:
        onward = self._deferred.first.after(value)
        for op, label, _ in reversed(self._deferred.behind):
            onward = AddedPoint(op, label, onward, next(self._serials))
        return onward

    def _seen(self) -> Iterator[tuple[Any, ControlPoint]]:
        return iter(())

    def _new_digest(self) -> str:
        return digest(self.label, self._deferred.first.digest)


class MachineCode(Programs):
    """All control points of a kernel's functions."""

    has_registers = True

    def __init__(self, memory_map: MemoryMap, local: Local, edits: Edits) -> None:
        """`local` is a CPU at the start, but for the function that it executes."""
        super().__init__(edits)
        self.map = memory_map
        self.identity = _identity(memory_map.kernel)
        self._stubs = Stubs(memory_map)
        self._local = local
        self._points: dict[tuple[Local, Op | None], ControlPoint] = {}
        self._new: list[tuple[CodePoint, Any, ControlPoint]] = []
        """What followed what, since it was last checked."""
        self.executed = 0
        if edits.replace:
            raise EditError(f"machine code has no routine {edits.replace[0][0]} to replace")
        edited = [at for pattern in edits.steps() for at in self._instructions(pattern)]
        liveness = Liveness(memory_map.kernel, self._stubs.returning(), edited)
        self._execute = partial(Running, memory_map, self._stubs, liveness)

    def _instructions(self, pattern: str) -> Iterator[int]:
        """The instructions that ask for the step which an edit names; EditError if none does."""
        match = re.fullmatch(r"(\w+)\+(0x[0-9a-f]+)(?:#1)?\.([\w.]+?)(?:#1)?", pattern)
        symbols = self.map.kernel.symbols.named(rf"{match[1]}(\.\w+)*") if match else ()
        addresses = [symbol.address + int(match[2], 16) for symbol in symbols if match]
        found = [at for at in addresses if match and _may_ask(self.map, at, match[3])]
        if not found:
            raise EditError(
                f"an edit names {pattern}, which no instruction of the kernel asks for",
                "a step is named as simbbm steps lists it, by its instruction",
            )
        yield from found

    def start(self, function: Any, *args: Any) -> ControlPoint:  # noqa: ARG002
        """The first point of a function: `args` end with its name and its own argument."""
        name, argument = args[-2:]
        x, address = (argument, *self._local.x[1:]), self.map.kernel.symbols.address(name)
        return self._run(self._execute(self._local._replace(x=x, pc=address)))

    def follow(self, point: CodePoint, value: Any) -> ControlPoint:
        """The point that follows one whose operation has observed a value."""
        found = self._followed(point, value)
        self._new.append((point, value, found))
        return found

    def _followed(self, point: CodePoint, value: Any) -> ControlPoint:
        assert point.asked is not None
        running = self._execute(point.local)
        running.observe(point.asked, value)
        onward = self._run(running)
        if op := self._edited_step(self.edits.after, point.full_label):
            added = AddedPoint(op, f"{point.label}+{op.mnemonic}", onward, next(self._serial))
            return self._points.setdefault((point.local, op), added)
        return onward

    def recheck(self) -> None:
        """Execute what is new once more, the latest first: all must come to the same points."""
        new, self._new = self._new, []
        for point, value, found in reversed(new):
            if self._followed(point, value) is not found:
                raise ModelError(f"{point.label} is followed by something else the second time")

    def following(self, pattern: str) -> list[Op]:
        """The operations that were seen directly after steps that match this pattern."""
        met: dict[str, Op] = {}
        for point in self._points.values():
            if point.op is not None and matches(pattern, point.full_label):
                met |= {p.full_label: p.op for p in point.successors.values() if p.op}
        return [met[label] for label in sorted(met)]

    def _run(self, running: Running) -> ControlPoint:
        """The point at which execution stops next; steps that an edit drops are passed over."""
        while (asked := running.run()) is not None:
            label = self._label(asked)
            if asked.why != OWN or not self._dropped(f"{label}#1"):
                break
            running.got = ()
            running.cpu.pc += 4
        self.executed += running.executed
        return self._point(running, asked)

    def _label(self, asked: Asked) -> str:
        """The name of a step: the instruction, and what it asks for."""
        found = self.map.kernel.symbols.at(self.map.in_image(asked.pc))
        assert found is not None
        symbol, offset = found
        return f"{plain(symbol.name).replace('.', '_')}+{offset:#x}.{asked.op.mnemonic}"

    def _point(self, running: Running, asked: Asked | None) -> ControlPoint:
        local = running.local()
        k = (local, asked.op if asked else None)
        if (known := self._points.get(k)) is not None:
            return known
        label = self._label(asked) if asked else ""
        path = label.partition(".")[0]
        point = CodePoint(self, local, asked, path, next(self._serial))
        point.computed = running.executed
        added: ControlPoint = point
        if asked is not None:
            full = f"{label}#1"
            place = Instruction(f"{self.map.kernel.image.name}: {path}", asked.pc)
            point.label, point.full_label, point.where = label, full, place
            spinning = spins(self._execute, local, asked)
            op = guard(point, asked.op) if spinning else asked.op
            if asked.why == OWN:
                self.labels.setdefault(full, place)
                self.ops.setdefault(full, op)
                self.sites.setdefault(full, (place,))
            weaker = self._edited_step(self.edits.weaken, full)
            point.op = weaker(op) if weaker else op
            if more := self._edited_step(self.edits.before, full):
                added = AddedPoint(more, f"{more.mnemonic}+{label}", point, next(self._serial))
        self._points[k] = added
        for later in self.edits.later if asked else ():
            if matches(later.step, point.full_label):
                if deferred := reordered(point, point.after(), later):
                    self.used_edits |= {later.step, later.behind} - {""}
                    added = self._points[k] = LatePoint(point, deferred, self._serial)
                break
        return added


def _identity(kernel: Kernel) -> str:
    """A kernel's release and build id for people, and a digest of all that is in it."""
    release = kernel.image.version.release
    build = f", build id {kernel.build_id}" if kernel.build_id else ""
    return f"Linux {release}{build}, sha256 {kernel.image.digest[:16]}"


def _may_ask(memory_map: MemoryMap, address: int, wanted: str) -> bool:
    """Whether the instruction at an address may ask for an operation of this name."""
    if address % 4 or not memory_map.kernel.image.holds(address):
        return False
    word = memory_map.kernel.word(address)
    try:
        stop = step(Cpu(pc=address), word) if word is not None else None
        if stop is None:
            return False
        if isinstance(stop.operation, Access):
            return wanted in (mnemonic(stop.operation), "mrs.mpidr_el1")
        op = operation(stop.operation, memory_map)
    except (UnknownInstruction, NotModelledError):
        return False
    return op is not None and op.mnemonic == wanted


def started(registers: dict[str, int], words: dict[int, int]) -> Local:
    """What a CPU knows at the start of a function."""
    cpu = Cpu(sp=STACK + STACK_SIZE - 0x100)
    cpu.put(30, RETURN)
    return Local(
        x=tuple(cpu.x),
        sp=cpu.sp,
        pc=0,
        nzcv=0,
        in_idmap=False,
        registers=tuple(sorted(registers.items())),
        words=tuple(sorted(words.items())),
    )

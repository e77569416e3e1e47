"""A CPU that is executed: what it knows (`Local`), to be changed, and its own memory."""

from __future__ import annotations

from simbbm.binary.a64.bits import M64, mask
from simbbm.binary.booted import STACK, STACK_SIZE
from simbbm.binary.code.asking import NotModelledError, part_of
from simbbm.binary.code.local import Local
from simbbm.binary.code.memory_map import WORD, MemoryMap
from simbbm.binary.process import Finding


class Executed:
    """Registers and private memory between two operations."""

    def __init__(self, memory_map: MemoryMap, local: Local) -> None:
        self.map = memory_map
        self.cpu = local.cpu()
        self.in_idmap = local.in_idmap
        self.registers = dict(local.registers)
        self.words = dict(local.words)
        self.allocated = local.allocated
        self.fresh = dict(local.fresh)
        self.linked = dict(local.linked)
        self.filling = {table: dict(words) for table, words in local.filling}
        self.touched = set(local.touched)
        self.got = local.got
        self.number = local.number
        self.executed = 0
        """Instructions, since it was made."""

    def local(self) -> Local:
        """What the CPU knows now."""
        cpu = self.cpu
        return Local(
            x=tuple(cpu.x),
            sp=cpu.sp,
            pc=cpu.pc,
            nzcv=cpu.nzcv,
            in_idmap=self.in_idmap,
            registers=tuple(sorted(self.registers.items())),
            words=tuple(sorted(item for item in self.words.items() if self._is_kept(item[0]))),
            allocated=self.allocated,
            fresh=tuple(sorted(self.fresh.items())),
            linked=tuple(sorted(self.linked.items())),
            filling=tuple((t, tuple(sorted(w.items()))) for t, w in sorted(self.filling.items())),
            touched=tuple(sorted(self.touched)),
            got=self.got,
            number=self.number,
        )

    def _is_kept(self, address: int) -> bool:
        """Whether a word is more than what a function that has returned left on the stack."""
        return not STACK <= address < min(self.cpu.sp & -WORD, STACK + STACK_SIZE)

    def finding(self, why: str) -> Finding:
        """What cannot be executed, with the place where it stands."""
        address = self.map.in_image(self.cpu.pc)
        image = self.map.kernel.image
        place = self.map.kernel.symbols.told(address) if image.holds(address) else f"{address:#x}"
        return Finding(f"{image.name}: {place}: {why}")

    def _register(self, name: str) -> int:
        """What this CPU wrote to a system register last."""
        if name not in self.registers:
            raise NotModelledError(f"nothing is known of {name}")
        return self.registers[name]

    def read(self, address: int, size: int) -> int:
        """A number in memory that no other CPU changes."""
        first, offset = address & -WORD, address % WORD
        value = self._word(first)
        if offset + size > WORD:
            value |= self._word(first + WORD) << 64
        return part_of(value, offset, size)

    def write(self, address: int, size: int, value: int) -> None:
        """Bytes of the CPU's own memory."""
        first, shift = address & -WORD, 8 * (address % WORD)
        changed = mask(8 * size) << shift
        for place, part in ((first, 0), (first + WORD, 64)):
            if bits := changed >> part & M64:
                new = value << shift >> part & M64
                self.words[place] = self._word(place) & ~bits | new & bits

    def _word(self, address: int) -> int:
        found = self.words.get(address)
        if found is not None:
            return found
        if (found := self.map.constants.get(address)) is not None:
            return found
        at = self.map.in_image(address)
        return self.map.kernel.image.u64(at) if self.map.kernel.image.holds(at) else 0

"""Dead registers: what a CPU's registers hold that nothing will look at is no part of its state.

Compilers leave behind what they have computed with: the number of the CPU stays in a register long
after it was compared with 0, and CPUs that are alike look different. So a register whose value
cannot be read any more is cleared at each control point (liveness analysis; Aho, Lam, Sethi,
Ullman, "Compilers", 9.2.5).

Why that is sound, a sentence each, and the test that is false if it is not
(tests/binary/test_liveness.py unless another file is named):

1. A register is *live* at an address if some path of instructions from there reads it before one
   overwrites it, whether or not a CPU can take that path. What an instruction reads and overwrites
   is observed on the decoder's own rows (`a64/uses.py`): executing it from two states that differ
   in what it does not read makes no difference. `test_an_instruction_depends_on_what_it_reads`.
2. Where a path goes on at an address out of a register (RET, BLR, BR), in another function's stub,
   at an exception, or at a word that is not known, every register is live. BL is followed into the
   function that it calls. `test_at_a_return_every_register_is_live`,
   `test_a_call_is_followed`.
3. A value that is not live influences no operation, address, branch or word of memory afterwards:
   with 1 and 2 by induction over the instructions that are executed. So clearing it gives a state
   that does the same for ever, and equal states are visited once.
   `test_verdicts_are_those_without_clearing` (tests/images/test_dead_registers.py).
4. An instruction that an edit drops leaves its register as it was, and so overwrites nothing.
   `test_a_dropped_load_overwrites_nothing`.

Memory below SP is dropped as well (`executed.py`). Not dropped: a dead value that was saved in a
frame which is still there (errs: more states, and no symmetry if it is the number of the CPU).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from simbbm.binary.a64.execution import UnknownInstruction
from simbbm.binary.a64.uses import EVERY, Uses, uses
from simbbm.binary.booted import RETURN
from simbbm.binary.kernel import Kernel

LINK, RESULT = 1 << 30, 1 << 0
UNKNOWN = Uses(EVERY, 0, None)


class Liveness:
    """Masks of the registers that are live at addresses of an image, found as they are asked for.

    `stubs`: the functions that something stands in for, by address; True if they return.
    `dropped`: addresses of instructions that are edited, and may overwrite nothing.
    """

    def __init__(
        self, kernel: Kernel, stubs: Mapping[int, bool], dropped: Collection[int] = ()
    ) -> None:
        self.kernel = kernel
        self.stubs = stubs
        self.dropped = dropped
        self._live: dict[int, int] = {RETURN: 0}

    def at(self, address: int) -> int:
        """The registers that are live before the instruction at an address is executed."""
        if address not in self._live:
            self._find(address)
        return self._live[address]

    def _find(self, address: int) -> None:
        """Find out for all addresses that this one leads to."""
        reached: dict[int, tuple[Uses, tuple[int, ...]]] = {}
        before: dict[int, list[int]] = {}
        waiting = [address]
        while waiting:
            at = waiting.pop()
            if at in reached or at in self._live:
                continue
            used, onward = reached[at] = self._next(at)
            for after in onward:
                before.setdefault(after, []).append(at)
            waiting += onward
        found = dict.fromkeys(reached, 0)
        waiting = list(reached)
        while waiting:
            at = waiting.pop()
            used, onward = reached[at]
            live = EVERY if used.onward is None else 0
            for after in onward:
                live |= self._live[after] if after in self._live else found[after]
            live = used.reads | live & ~used.writes
            if live != found[at]:
                found[at] = live
                waiting += before.get(at, ())
        self._live |= found

    def _next(self, at: int) -> tuple[Uses, tuple[int, ...]]:
        """What the instruction at an address does, and which are executed next."""
        word = self.kernel.word(at) if self.kernel.image.holds(at) else None
        if at in self.stubs or word is None:
            return UNKNOWN, ()
        try:
            used = uses(word)
        except UnknownInstruction:
            return UNKNOWN, ()
        if at in self.dropped:
            used = used._replace(writes=0)
        onward = tuple(at + distance for distance in used.onward or ())
        if used.writes & LINK and self.stubs.get(onward[0] if onward else at):
            return used._replace(writes=used.writes | RESULT), (at + 4,)
        return used, onward

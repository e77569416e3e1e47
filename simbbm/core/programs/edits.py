"""Edits change a program without copying it: twins and ablations are made of them.

`replace` swaps one routine for another, everywhere or in the calls with a given label; `drop`
leaves out the steps with a given label, `weaken` does something else in their place, `before` and
`after` add an operation next to them, and `later` changes the order of two steps (`reorder`).

How an author writes them, as texts, is in `simbbm.changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

from simbbm.core.program import Op, Program

Replacement = tuple[str, Program]
Weakening = tuple[str, Callable[[Op], Op]]
Addition = tuple[str, Op]


VALUE = "how the program goes on depends on its value"
LEAVES = "the program does not go on after it"
"""Why a step cannot be moved across an operation."""


class Later(NamedTuple):
    """A step that is done later than its program asks for it.

    With `behind` empty the step comes directly after the next one; else it changes places with the
    first step that `behind` names. `obstacle` says why no step can be moved across an operation:
    VALUE, LEAVES, or nothing.
    """

    step: str
    behind: str
    obstacle: Callable[[Op], str]


@dataclass(frozen=True)
class Edits:
    """Changes to a program, by routine and by label.

    `replace` maps a function's qualified name, or the label of a call (`caller/routine#2`), to the
    function that runs instead, with the same arguments. All others name steps:
    `routine.mnemonic`, a leading path of callers if it matters, `#n` for the n-th in its frame
    (`wait_linear_map_split_to_ptes.br#1`). `weaken` gives what makes another operation of a step's,
    `before` and `after` give the operation that is added.
    """

    replace: tuple[Replacement, ...] = ()
    drop: tuple[str, ...] = ()
    weaken: tuple[Weakening, ...] = ()
    before: tuple[Addition, ...] = ()
    after: tuple[Addition, ...] = ()
    later: tuple[Later, ...] = ()

    def steps(self) -> Iterator[str]:
        """The steps that are named."""
        yield from self.drop
        for named in (*self.weaken, *self.before, *self.after):
            yield named[0]
        for later in self.later:
            yield from filter(None, (later.step, later.behind))

    def merged(self, other: Edits) -> Edits:
        """Both sets of edits; where both change the same thing in the same way, `other` wins."""
        both = {}
        for name in (f.name for f in fields(self)):
            every = (*getattr(self, name), *getattr(other, name))
            by_target = {edit if isinstance(edit, str) else edit[0]: edit for edit in every}
            both[name] = tuple(by_target.values())
        return Edits(**both)


NO_EDITS = Edits()

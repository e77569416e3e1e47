"""Edits change a program without copying it: twins and ablations are made of them.

`replace` swaps one routine for another, everywhere or in the calls with a given label; `drop`
leaves out the steps with a given label, `weaken` does something else in their place, and `insert`
does something after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simbbm.core.errors import ScenarioError
from simbbm.core.program import Op, Program, require_module_level
from simbbm.core.programs.labels import is_call
from simbbm.core.values import qualified_name


@dataclass(frozen=True)
class Edits:
    """Changes to a program, by routine and by label.

    `replace` maps a function's qualified name, or the label of a call (`caller/routine#2`), to the
    function that runs instead, with the same arguments. `drop` names steps: `routine.mnemonic`, a
    leading path of callers if it matters, `#n` for the n-th in its frame
    (`wait_linear_map_split_to_ptes.br#1`). By the same names `weaken` gives what makes another
    operation of a step's, and `insert` an operation that is done after it.
    """

    replace: tuple[tuple[str, Program], ...] = ()
    drop: tuple[str, ...] = ()
    weaken: tuple[tuple[str, Callable[[Op], Op]], ...] = ()
    insert: tuple[tuple[str, Op], ...] = ()

    def merged(self, other: Edits) -> Edits:
        """Both sets of edits; on the same routine, call or step, `other` wins."""
        return Edits(
            tuple((dict(self.replace) | dict(other.replace)).items()),
            tuple(dict.fromkeys(self.drop + other.drop)),
            tuple((dict(self.weaken) | dict(other.weaken)).items()),
            tuple((dict(self.insert) | dict(other.insert)).items()),
        )


NO_EDITS = Edits()


def edits(replace: Mapping[Any, Any] | None = None, drop: Iterable[str] = ()) -> Edits:
    """Edits as `Scenario.twin` takes them: `drop` leaves out steps by label, `replace` swaps.

    What `replace` swaps is a routine, or a text: the label of a call, with the routine that calls.
    """
    if isinstance(drop, str):
        raise ScenarioError(f"drop={drop!r} is a text", f"write drop=[{drop!r}]")
    pairs = []
    for old, new in (replace or {}).items():
        for routine in (new,) if isinstance(old, str) else (old, new):
            if not callable(routine):
                raise ScenarioError(
                    f"replace: {routine!r} is no routine",
                    "write replace={old: new} with the functions themselves, imported by name",
                )
        function = getattr(new, "__wrapped__", new)
        require_module_level(function)
        name = old if isinstance(old, str) else qualified_name(getattr(old, "__wrapped__", old))
        if isinstance(old, str) and not is_call(old):
            raise ScenarioError(
                f"replace: {old!r} names no call",
                f"write the routine itself, or who calls it: 'caller/{old}'",
            )
        pairs.append((name, function))
    return Edits(tuple(pairs), tuple(drop))

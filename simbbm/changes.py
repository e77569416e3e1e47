"""Edits as people write them: as arguments of a twin, on the command line, and as part of an id.

A step is named by routine and mnemonic, as `simbbm steps` lists them; an operation that is put
somewhere by its mnemonic alone, so that it is one without operands (`OPERATIONS`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from simbbm.arm64.execution.instructions import RULES
from simbbm.arm64.execution.weaken import As
from simbbm.arm64.ops import BARRIERS
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.core.errors import ScenarioError, UsageError
from simbbm.core.program import Op, require_module_level
from simbbm.core.programs.edits import LEAVES, VALUE, Edits, Later
from simbbm.core.programs.labels import is_call, parts
from simbbm.core.values import qualified_name
from simbbm.host.reading import nearest, quoted
from simbbm.ids import AFTER, BEFORE, KINDS

OPERATIONS: dict[str, Op] = {
    **{name: Op(name) for name in ("isb", "sev", "sevl", "wfe", "nop", "might_sleep")},
    **{name: Op(name) for kind in ("dsb", "dmb") for name in (f"{kind}.{o}" for o in BARRIERS)},
    "tlbi.vmalle1": Op("tlbi.vmalle1", (Tlbi("vmalle1", broadcast=False),)),
    "tlbi.vmalle1is": Op("tlbi.vmalle1is", (Tlbi("vmalle1", broadcast=True),)),
}
"""What can be added to a program by its name alone."""
_LEAVES = ("eret", "svc", "panic")


def edits(
    replace: Mapping[Any, Any] | None = None,
    drop: Iterable[str] = (),
    *,
    weaken: Mapping[str, str] | None = None,
    delay: Iterable[str] = (),
    insert: Mapping[str, str] | None = None,
    swap: Mapping[str, str] | None = None,
) -> Edits:
    """Edits as `Scenario.twin` takes them. ScenarioError for what cannot be meant.

    `replace` swaps routines, or what a call with a given label runs; `drop` leaves out steps;
    `weaken` puts a weaker operation in a step's place (`{"split_pmd.dsb.ishst": "dmb.ishst"}`);
    `delay` does a step after the next one; `insert` adds an operation after a step, or before it
    (`{"before:split_pmd.str": "isb"}`); `swap` makes two steps of one program change places, the
    earlier named first.
    """
    for name, steps in (("drop", drop), ("delay", delay)):
        if isinstance(steps, str):
            raise ScenarioError(f"{name}={steps!r} is a text", f"write {name}=[{steps!r}]")
    for name, pairs in (("weaken", weaken), ("insert", insert), ("swap", swap)):
        if pairs is not None and not isinstance(pairs, Mapping):
            other = "OTHER STEP" if name == "swap" else "dmb.ish"
            hint = f"write {name}={{'STEP': '{other}'}}"
            raise ScenarioError(f"{name}={quoted(repr(pairs))} is no dict", hint)
    drop, delay = tuple(drop), tuple(delay)
    insert, swap = insert or {}, swap or {}
    for step in (*drop, *delay, *(weaken or {}), *swap, *swap.values()):
        _require_step(step)
    return Edits(
        tuple(_replacement(old, new) for old, new in (replace or {}).items()),
        drop,
        tuple((step, As(operation)) for step, operation in (weaken or {}).items()),
        tuple(_added(at, op) for at, op in insert.items() if at.startswith(BEFORE)),
        tuple(_added(at, op) for at, op in insert.items() if not at.startswith(BEFORE)),
        (*(_later("delay", s) for s in delay), *(_later("swap", s, b) for s, b in swap.items())),
    )


def _replacement(old: Any, new: Any) -> tuple[str, Any]:
    """The name of what is replaced, and the function that runs instead."""
    for routine in (new,) if isinstance(old, str) else (old, new):
        if not callable(routine):
            raise ScenarioError(
                f"replace: {routine!r} is no routine",
                "write replace={old: new} with the functions themselves, imported by name",
            )
    function = getattr(new, "__wrapped__", new)
    require_module_level(function)
    if isinstance(old, str) and not is_call(old):
        raise ScenarioError(
            f"replace: {old!r} names no call",
            f"write the routine itself, or who calls it: 'caller/{old}'",
        )
    name = old if isinstance(old, str) else qualified_name(getattr(old, "__wrapped__", old))
    return name, function


def _require_step(step: object) -> None:
    """Refuse what cannot be a step's name, whatever the scenario."""
    if not isinstance(step, str) or not parts(step)[-1]:
        raise ScenarioError(
            f"{quoted(repr(step))} names no step",
            "a step is routine.mnemonic, split_pmd.dsb.ishst: simbbm steps ID lists them",
        )


def _added(at: str, operation: str) -> tuple[str, Op]:
    """The step beside which an operation is added, and the operation."""
    step = at.removeprefix(BEFORE).removeprefix(AFTER)
    _require_step(step)
    if operation not in OPERATIONS:
        close = nearest(str(operation), OPERATIONS)
        near = f"did you mean {close}? " if close else ""
        raise ScenarioError(
            f"insert: {quoted(operation)} is no operation without operands",
            f"{near}there are isb, dsb.OPTION, dmb.OPTION, tlbi.vmalle1is, sev, nop, ...; what has "
            "operands goes into a routine: twin(replace=...)",
        )
    return step, OPERATIONS[operation]


def _later(edit: str, step: str, behind: str = "") -> Later:
    *_, mnemonic = parts(step)
    why = obstacle(Op(mnemonic.partition("#")[0]))
    if why:
        raise ScenarioError(f"{edit}: {step} cannot be done later: {why}")
    return Later(step, behind, obstacle)


def obstacle(op: Op) -> str:
    """Why a step cannot be moved across an operation, or be this one."""
    head = op.mnemonic.partition(".")[0]
    rule = RULES.get(op.mnemonic) or RULES.get(head)
    if rule is not None and rule.observes:
        return VALUE
    return LEAVES if head in _LEAVES else ""


# An edit as part of an id.


class Change(NamedTuple):
    """One thing that is changed: what is done, and to which step.

    `remove`, `delay`, `weaken:OP`, `after:OP`, `before:OP` or `swap:STEP`.
    """

    step: str
    change: str

    @property
    def name(self) -> str:
        """What follows a scenario's id to name the changed one."""
        return f"~{self.change}~{self.step}"

    @property
    def edits(self) -> Edits:
        """The change as edits; ScenarioError if it cannot be meant."""
        kind, _, other = self.change.partition(":")
        made: dict[str, Callable[[], Edits]] = {
            "remove": lambda: edits(drop=(self.step,)),
            "delay": lambda: edits(delay=(self.step,)),
            "weaken": lambda: edits(weaken={self.step: other}),
            "after": lambda: edits(insert={self.step: other}),
            "before": lambda: edits(insert={BEFORE + self.step: other}),
            "swap": lambda: edits(swap={self.step: other}),
        }
        return made[kind]()


def read_change(text: str) -> Change:
    """Read `change~step`; raise UsageError if it is neither."""
    change, separator, step = text.partition("~")
    kind, colon, other = change.partition(":")
    if not (separator and step and kind + colon in KINDS and bool(other) == bool(colon)):
        known = "remove~STEP, delay~STEP, weaken:OP~STEP, after:OP~STEP, before:OP~STEP"
        raise UsageError(f"{quoted(text)}: no such change", f"it is {known}, swap:STEP~STEP")
    return Change(step, change)

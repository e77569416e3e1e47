"""Programs and machines that were edited since a witness was recorded: pads, layouts, CPUs.

A pad puts a few local operations before or after the body of a routine, as an author's edit would:
the routine keeps its name, so that labels stay what they were.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from types import FunctionType
from typing import Any, NamedTuple

from simbbm.arm64.ops import Cpu
from simbbm.core.choice import Tape
from simbbm.core.program import Program
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.edits import Edits
from simbbm.core.values import qualified_name
from simbbm.explore.runs.exact import followed
from simbbm.explore.witness.record import Witness
from simbbm.linux import layout
from simbbm.model import Model
from simbbm.scenario import Scenario

OPS_MAX = 4


async def _local(cpu: Cpu, args: tuple[Any, ...], name: str) -> None:
    """One operation that means nothing to anybody else."""
    if name == "nop":
        await cpu.nop()
    elif name == "mpidr":
        await cpu.mrs_mpidr()
    elif name == "mrs":
        await cpu.mrs("ttbr0_el1")
    else:
        await cpu.ldr(next(a.scratch for a in args if hasattr(a, "scratch")))


ROUTINE: Program = _local
BEFORE: tuple[str, ...] = ()
AFTER: tuple[str, ...] = ()
"""What `_padded` finds in its globals; each copy of it has its own."""


async def _padded(cpu: Cpu, *args: Any) -> Any:
    """Do what a routine does, and something local before or after."""
    for name in BEFORE:
        await _local(cpu, args, name)
    result = await ROUTINE(cpu, *args)
    for name in AFTER:
        await _local(cpu, args, name)
    return result


class Pad(NamedTuple):
    """Local operations around one routine."""

    routine: str
    """Its qualified name."""
    before: tuple[str, ...]
    after: tuple[str, ...]

    def on(self, scenario: Scenario) -> Scenario:
        """The scenario with this pad; where a twin swaps the routine, around what it put there."""
        swapped = dict(scenario.edits.replace).get(self.routine)
        body = swapped or _function(self.routine)
        names = {"ROUTINE": body, "BEFORE": self.before, "AFTER": self.after}
        padded = FunctionType(_padded.__code__, globals() | names, body.__name__)
        where = "_".join((*self.before, "around", *self.after))
        padded.__qualname__ = f"{body.__name__}_{where}"
        edit = Edits(((self.routine, padded),))
        return replace(scenario, edits=scenario.edits.merged(edit))


def _function(name: str) -> Program:
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules[module], attribute)
    function: Program = getattr(found, "__wrapped__", found)
    return function


@lru_cache(maxsize=8)
def _built(scenario: Scenario, parameters: tuple[tuple[str, Any], ...]) -> Model:
    return Model(scenario, dict(parameters))


def model_of(scenario: Scenario, parameters: Mapping[str, Any]) -> Model:
    """The model with these parameters, built once: it remembers its moves."""
    return _built(scenario, tuple(sorted(scenario.parameters_from(parameters).items())))


def pads(scenario: Scenario, witnesses: Iterable[Witness], count: int) -> list[Pad]:
    """Pads of routines that these runs of the scenario come to, drawn from a tape."""
    tape, names = Tape(scenario.id.encode()), _routines(scenario, witnesses)
    drawn: dict[Pad, None] = {}
    while len(drawn) < count:
        name = names[tape.below(len(names))]
        kinds = ("nop", "mpidr", "mrs", "ldr") if _may_load(name) else ("nop", "mpidr", "mrs")
        ops = tuple(kinds[tape.below(len(kinds))] for _ in range(1 + tape.below(OPS_MAX)))
        drawn[Pad(name, ops, ()) if tape.below(2) else Pad(name, (), ops)] = None
    return list(drawn)


def _routines(scenario: Scenario, witnesses: Iterable[Witness]) -> list[str]:
    swapped = {qualified_name(new): old for old, new in scenario.edits.replace}
    names = set()
    for witness in witnesses:
        model = Model(scenario, witness.params)
        *_, last = followed(witness, model).played()
        assert last.after.ended
        automaton = model.system.spec.automaton
        assert isinstance(automaton, Automaton)
        points = automaton._points.values()
        names |= {qualified_name(point.function) for point in points}
    return sorted({swapped.get(name, name) for name in names})


def _may_load(name: str) -> bool:
    """In the idmap the scratch word is not mapped; some routines know no addresses."""
    known = ("mmu", "mmu_context", "stop_machine", "tlbflush")
    return name.startswith(tuple(f"simbbm.linux.{m}." for m in known)) and not name.endswith(
        (".flush_tlb_all", ".local_flush_tlb_all", ".smp_processor_id_is")
    )


class Change(NamedTuple):
    """Parameters, and the parts of layout `mixed`, when a witness was recorded and now."""

    before: dict[str, Any]
    after: dict[str, Any]
    parts: tuple[str, ...] = layout.LAYOUTS["mixed"]


def layout_changes() -> list[Change]:
    """The layout grows or shrinks by one: one leaf, level, size of table, or way to flush."""
    mixed = layout.LAYOUTS["mixed"]
    pieces = ("pud", "contpmd", "pmd", "contpte", "pages")
    parts = [tuple(p for p in mixed if p != piece) for piece in pieces]
    twice = ({piece: (piece, piece)} for piece in pieces)
    parts += [tuple(q for p in mixed for q in two.get(p, (p,))) for two in twice]
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"layout": "pmd"}, {"layout": "contpmd"}),
        ({"layout": "pud39"}, {"layout": "pud"}),
        ({"layout": "pages"}, {"layout": "contpte"}),
        ({}, {"geometry": "scaled4"}),
        ({}, {"flush": "pages"}),
    ]
    pairs += [(after, before) for before, after in pairs]
    return [Change({}, {}, p) for p in parts] + [Change(*pair) for pair in pairs]


def cpu_changes() -> list[Change]:
    """One more CPU."""
    layouts = ("mixed", "pmd", "contpmd", "pud")
    return [
        Change({"cpus": n, "layout": name}, {"cpus": n + 1, "layout": name})
        for n in (2, 3, 4)
        for name in layouts
    ]


@contextmanager
def mixed_of(parts: tuple[str, ...]) -> Iterator[None]:
    """Let layout `mixed` have other parts for a while."""
    before = layout.LAYOUTS["mixed"]
    layout.LAYOUTS["mixed"] = parts
    try:
        yield
    finally:
        layout.LAYOUTS["mixed"] = before

"""Checks the `Setup` that an author's scenario returns: one line says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from textwrap import shorten
from types import FunctionType
from typing import Any

from simbbm.arm64.context import Region
from simbbm.arm64.cpu import COMING, OFF, ON
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.execution.listing import Listing
from simbbm.arm64.features import Features, Hardware
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.registers import Regime
from simbbm.check.catalogue import CATALOGUE
from simbbm.check.kinds import Property
from simbbm.core.errors import ScenarioError
from simbbm.core.program import Routine
from simbbm.core.programs.blame import called
from simbbm.core.programs.everyone import Counter
from simbbm.core.programs.symbols import RUNNING
from simbbm.core.system import Problem


def require_sound(said: str, setup: Any, cpu_setup: type) -> None:
    """Raise ScenarioError if a `Setup` holds anything that no machine can be made of."""
    for name, value, kind in _parts(setup, cpu_setup):
        if kind == "power" and value in (ON, COMING, OFF):
            continue
        if isinstance(value, _KINDS.get(kind, kind)):
            continue
        given = shorten(getattr(value, "__name__", repr(value)), 60)
        wanted = kind if isinstance(kind, str) else kind.__name__
        hint = f"it takes a {wanted}"
        if kind == "power":
            hint = f"it is one of {ON}, {COMING}, {OFF}"
        if kind is Property and callable(value):
            hint = f"{given}(...) may give one"
        if kind is Property and isinstance(value, str):
            hint = _instead_of_its_name(value)
        raise ScenarioError(f"{said}: {name}: {given} is no {wanted}", hint)
    _require_guests(said, setup)


def _require_guests(said: str, setup: Any) -> None:
    """Refuse what cannot be under stage 2, or is not modelled there (`translation.guests`)."""
    under = [bool(cpu.regime.vttbr) for cpu in setup.cpus]
    told = ""
    if any(under) != all(under):
        told = f"cpu{under.index(False)}'s regime has no VTTBR, that of cpu{under.index(True)} has"
    for n, cpu in enumerate(setup.cpus):
        ttbrs = (*cpu.regime.ttbr0, *cpu.regime.ttbr1)
        if cpu.el == 2 and not cpu.regime.vttbr:
            told = told or f"cpu{n} starts at EL2, and its regime has no VTTBR"
        if any(vttbr.vmid < 1 for vttbr in cpu.regime.vttbr):
            told = told or f"cpu{n}'s VMID is less than 1"
        if cpu.regime.vttbr and not all(sctlr.m for sctlr in cpu.regime.sctlr):
            told = told or f"cpu{n} under stage 2 has its MMU off"
        shares = cpu.features.tlb or any(ttbr.cnp for ttbr in ttbrs)
        if cpu.regime.vttbr and (shares or cpu.features.updates_descriptors):
            told = told or f"cpu{n} under stage 2 shares a TLB, or updates descriptors"
    if told:
        hint = "under stage 2 every CPU has a Regime(..., vttbr=(Vttbr(root, vmid, bits),))"
        raise ScenarioError(f"{said}: {told}", hint)


def _instead_of_its_name(name: str) -> str:
    """What to write where a property's name stands in place of the property."""
    close = get_close_matches(name, CATALOGUE, n=1, cutoff=0.6)
    if not close:
        return "write Property(name, check=...), or one that simbbm list --properties names"
    return f"write {close[0]} without quotes: from simbbm import {close[0]}"


_KINDS: dict[Any, Any] = {
    "function": (FunctionType, Routine),
    "function or None": (FunctionType, Routine, type(None)),
    "predicate": Callable,
    "predicate or None": (Callable, type(None)),
    "number or None": (int, type(None)),
    "listing or None": (Listing, type(None)),
    "word": (int, Descriptor),
    "set": AbstractSet,
    "power": (),
}


def _parts(setup: Any, cpu_setup: type) -> Iterator[tuple[str, object, Any]]:
    """Every part of a `Setup`: its name, its value and the type that it should have.

    Containers come before what they contain.
    """
    yield "geometry", setup.geometry, Geometry
    yield "hardware", setup.hardware, Hardware
    yield "handler", setup.handler, "function or None"
    yield "hypervisor", setup.hypervisor, "function or None"
    yield "handler_args", setup.handler_args, tuple
    yield "table_names", setup.table_names, "set"
    yield "text", setup.text, "set"
    yield from _each("cpus", setup.cpus, cpu_setup)
    yield "the first of its cpus", next(iter(setup.cpus), None), cpu_setup
    for n, cpu in enumerate(setup.cpus):
        yield f"cpu{n}'s program", cpu.program, "function"
        yield f"cpu{n}'s regime", cpu.regime, Regime
        yield f"cpu{n}'s args", cpu.args, tuple
        yield f"cpu{n}'s features", cpu.features, Features
        yield f"cpu{n}'s pc", cpu.pc, "number or None"
        yield f"cpu{n}'s vbar", cpu.vbar, "number or None"
        yield f"cpu{n}'s power", cpu.power, "power"
        if isinstance(cpu.regime, Regime) and cpu.regime.vttbr and cpu.power != ON:
            told = f"cpu{n} is under stage 2 and comes out of reset, which is not modelled"
            raise ScenarioError(told, "let it run from the start, or take its vttbr away")
        yield f"cpu{n}'s listing", cpu.listing, "listing or None"
    yield from _each("properties", setup.properties, Property)
    for held in setup.properties:
        yield "a property's name", held.name, str
        yield f"{held.name}'s check", held.check, "predicate or None"
        yield f"{held.name}'s final", held.final, "predicate or None"
        yield f"{held.name}'s step", held.step, "predicate or None"
    yield from _each("regions", setup.regions, Region)
    yield from _each("speculative", setup.speculative, int)
    yield from _all("tables", setup.tables, int, tuple)
    for address, table in setup.tables.items():
        yield from _each(f"the table at {address}", table, Descriptor)
    yield from _all("data", setup.data, int, "word")
    yield from _all("counters", setup.counters, int, Counter)
    yield from _all("symbols", setup.symbols, int, str)
    yield from _all("landmarks", setup.landmarks, str, "predicate")


def _each(name: str, values: Any, kind: Any) -> Iterator[tuple[str, object, Any]]:
    yield name, values, tuple
    if isinstance(values, kind):  # A named tuple alone, in place of a tuple of such.
        yield name, type(values), tuple
    yield from ((name, v, kind) for v in values if not isinstance(v, kind))


def _all(name: str, values: Any, key: type, kind: Any) -> Iterator[tuple[str, object, Any]]:
    yield name, values, Mapping
    for k, value in values.items():
        yield f"a key of {name}", k, key
        yield f"{name} at {k}", value, kind


def guarded(name: str, check: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an author's predicate: an exception, or a result of another type, is a ScenarioError."""
    if getattr(check, "__module__", "").startswith("simbbm."):
        return check

    def judge(shared: Any, judged: Any) -> Problem | None:
        with RUNNING:  # an author's code: it may not look into symbols either
            problem = called(f"property {name}", check, shared, judged)
        if problem is not None and not isinstance(problem, Problem):
            told = f"property {name} returned a {type(problem).__name__}"
            raise ScenarioError(told, "it returns a Problem, or None where all is well")
        return problem

    return judge


def counted(name: str, holds: Callable[..., Any]) -> Callable[[Any], bool]:
    """Wrap an author's landmark: an exception is a ScenarioError."""
    if getattr(holds, "__module__", "").startswith("simbbm."):
        return holds
    return lambda state: bool(called(f"landmark {name}", holds, state))

"""Scenarios: programs, a machine to run them on, properties and an expected verdict.

A scenario is a function decorated with `@scenario`. Its keyword-only parameters are the scenario's
parameters: `cpus: Annotated[int, Range(2, 16)] = 3`, `layout: Literal["pmd", "pud"] = "pmd"`,
`noabort: Annotated[str, CpuSet()] = "boot"`. It returns a `Setup`. `good.twin(...)` makes a bad
variant that changes one thing, by edits: no copy of the protocol.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from textwrap import dedent
from typing import Any, NamedTuple

from simbbm.arm64.context import Description
from simbbm.arm64.cpu import ON
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.execution.listing import Listing
from simbbm.arm64.features import CONCRETE, DELAYED, EAGER, Features, Hardware
from simbbm.arm64.machine import Arm64, MachineSpec
from simbbm.arm64.ops import Cpu
from simbbm.arm64.registers import Regime
from simbbm.arm64.rows import RowKeys
from simbbm.arm64.state import Judged, Landmark, Machine
from simbbm.changes import Change, edits
from simbbm.check.given import counted, guarded, require_sound
from simbbm.check.kinds import Property
from simbbm.check.verdict import Expectation
from simbbm.core.errors import ScenarioError, UsageError
from simbbm.core.graph import Graph
from simbbm.core.points import Programs
from simbbm.core.programs.blame import called
from simbbm.core.programs.edits import NO_EDITS, Edits
from simbbm.core.programs.everyone import Counter
from simbbm.core.programs.symbols import BUILDING
from simbbm.host.reading import nearest, quoted
from simbbm.parameters import (
    CpuSet,
    OneOf,
    Parameter,
    Range,
    cpu_set,
    features_of,
    parameters_of,
    with_features,
)

WITHOUT_DOCSTRINGS = 2
"""Python's -OO."""
HARDWARE: dict[str, Hardware] = {"delayed": DELAYED, "eager": EAGER}
TLB: dict[str, Hardware] = {"closure": DELAYED, "concrete": CONCRETE}


def hardware_for(
    kind: str, tlb: str = "closure", window: int = 1, event_stream: str = "no"
) -> Hardware:
    """The hardware that the parameters `hardware`, `tlb`, `window` and `event_stream` name.

    `kind` is `delayed`, which may do all that the architecture allows, or `eager`, which does
    everything at once; `tlb` is `closure` (everything that a TLB may hold) or `concrete` (entries
    that come and go); `window` is how many instructions are in flight; with `event_stream` `yes`
    every WFE is woken in the end. Other words are a KeyError: parameters allow no others.
    """
    hardware = EAGER if kind == "eager" else TLB[tlb]
    return hardware._replace(window=window, event_stream=event_stream == "yes")


class CpuSetup(NamedTuple):
    """One CPU of a scenario: `program(cpu, *args)` under a translation regime, or a listing.

    `args` are frozen data, `pc` and `vbar` word addresses: instructions are fetched from `pc` on,
    if it is given, and exceptions are taken at `vbar`, by `Setup.handler`. `el` is the exception
    level: one that starts at EL2 has a VTTBR in its regime, as all CPUs have or none. `power` is
    `on`; or `reset`: it comes out of reset at any time, with its MMU off; or `off`: it does so when
    another CPU calls it (`Cpu.cpu_on`).
    """

    program: Any
    regime: Regime
    args: tuple[Any, ...] = ()
    features: Features = Features()
    pc: int | None = None
    vbar: int | None = None
    el: int = 1
    listing: Listing | None = None
    power: str = ON


async def nothing(cpu: Cpu) -> None:
    """Finish at once: the program of a CPU that runs a listing."""


@dataclass(frozen=True, kw_only=True)
class Setup(Description):
    """What a scenario's function returns: the machine as it starts, and what it promises.

    `tables` are descriptors by the word address of the first, one for each entry of a table of this
    `geometry`; `data` are words that are not 0, by physical address; `symbols` names for addresses
    of both halves, for labels and stories. Whatever cannot be is a ScenarioError when it is used.
    """

    cpus: tuple[CpuSetup, ...]
    tables: Mapping[int, tuple[Descriptor, ...]]
    properties: tuple[Property, ...]
    data: Mapping[int, int] = field(default_factory=dict)
    code: Callable[[Edits], Programs] | None = None
    """Makes the programs of its CPUs where these are machine code, with a scenario's edits; it
    raises EditError for one that names no instruction."""
    counters: Mapping[int, Counter] = field(default_factory=dict)
    """Words, by physical address, that all CPUs count in: a proof for every number of CPUs keeps
    track of who has been counted (`simbbm guide every_n`)."""
    landmarks: Mapping[str, Landmark] = field(default_factory=dict)
    """*Sometimes* properties by name: how many states are of that kind says whether a proof has
    content (`check.kinds`)."""


Build = Callable[..., Setup]
SIZES = ("cpus", "layout")
"""Parameters by which machines are larger or smaller."""


@dataclass(frozen=True, eq=False)
class Scenario:
    """A scenario, good or bad. `id` and `twin_of` are filled in by discovery."""

    build: Build
    story: str
    expect: Expectation
    parameters: tuple[Parameter, ...]
    edits: Edits = NO_EDITS
    id: str = ""
    twin_of: str | None = None
    parent: Scenario | None = None
    evidence: str = "sampled"
    file: str = ""
    """Path of the file that it was loaded from; empty for a shipped one."""
    smallest: Mapping[str, Any] = field(default_factory=dict)
    """Of a twin: parameters of the smallest machine on which it shows, if not the defaults."""

    @property
    def name(self) -> str:
        """The module-level variable that holds it."""
        return self.id.rpartition("::")[2]

    @property
    def root(self) -> Scenario:
        """The scenario that a twin was made of, also a twin's twin; of others the scenario."""
        return self if self.parent is None else self.parent.root

    @property
    def origin(self) -> str | None:
        """Where a mistake comes from: what its story says last, in parentheses."""
        told = re.search(r"\(([^()]+(?:\([^()]*\)[^()]*)*)\)\.$", self.story)
        return told.group(1) if told else None

    def twin(
        self,
        story: str,
        *,
        expect: str,
        replace: Mapping[Any, Any] | None = None,
        drop: Iterable[str] = (),
        weaken: Mapping[str, str] | None = None,
        delay: Iterable[str] = (),
        insert: Mapping[str, str] | None = None,
        swap: Mapping[str, str] | None = None,
        smallest: Mapping[str, Any] | None = None,
        **defaults: Any,
    ) -> Scenario:
        """A variant that changes one thing.

        `replace` swaps routines (the new one may call the old), or what is called at one place, by
        label (`"caller/routine#2"`). The others change steps, named as `simbbm steps` lists them:
        `drop` leaves out, `weaken={step: "dmb.ish"}` puts a weaker operation there, `delay` lets
        the next step come first, `insert={step: "isb"}` adds an operation after it
        (`"before:step"`: before it), `swap={step: later_step}` makes two change places.
        `defaults` are other default parameters (`cpu1="bbm=3"`: that CPU's features), `smallest`
        those of the smallest machine on which it shows.
        """
        changed = tuple(
            _redefined(parameter, defaults) if parameter.name in defaults else parameter
            for parameter in self.parameters_for(defaults)
        )
        if unknown := set(defaults) - {p.name for p in changed}:
            raise ScenarioError(f"twin: no parameter {', '.join(sorted(unknown))}")
        return _replaced(
            self,
            story=story,
            expect=Expectation.parse(expect, own=True),
            parameters=changed,
            edits=self.edits.merged(
                edits(replace, drop, weaken=weaken, delay=delay, insert=insert, swap=swap)
            ),
            parent=self,
            smallest=smallest or {},
        )

    def changed(self, change: Change) -> Scenario:
        """A variant with one change, which is part of its id: it needs no variable of a file."""
        return _replaced(
            self,
            id=self.id + change.name,
            story=f"{change.change} {change.step}, of {self.id}",
            edits=self.edits.merged(change.edits),
            parent=self,
            twin_of=self.id,
        )

    def parameters_for(self, given: Iterable[str]) -> tuple[Parameter, ...]:
        """Its parameters, and those of given names that are a CPU's features (`cpu1`)."""
        own = {p.name for p in self.parameters}
        others = sorted((name for name in given if name not in own), key=lambda n: (len(n), n))
        return (*self.parameters, *filter(None, map(features_of, others)))

    def parameters_from(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter's value, from those that were given and the defaults."""
        every = self.parameters_for(given)
        known = {p.name for p in every}
        for name in given:
            if name not in known:
                shown = [f"{p.name}={p.allowed}" for p in self.parameters]
                listed = ", ".join([*shown, "features of a CPU as cpu1=bbm=3,ets2"])
                close = nearest(name, known, cutoff=0.6)
                hint = f"{f'did you mean {close}? ' if close else ''}it has {listed}"
                raise UsageError(f"{self.id} has no parameter {quoted(name)}", hint)
        values = {p.name: p.read(given.get(p.name, p.default)) for p in every}
        for p in every[len(self.parameters) :]:
            if values[p.name] == p.default:
                del values[p.name]  # No features of its own: that is as if it were not given.
        for p in self.parameters:
            if p.type == "cpus" and "cpus" in values:
                try:
                    cpu_set(values[p.name], values["cpus"])
                except UsageError as error:
                    hint = f"with cpus={values['cpus']} {error.hint}"
                    raise UsageError(f"{p.name}={error.message}", hint) from None
        return values

    @property
    def smallest_machine(self) -> dict[str, Any] | None:
        """CPUs and layout of the smallest machine on which it fails; None if it should hold."""
        if self.expect.holds:
            return None
        values = {p.name: p.default for p in self.parameters} | dict(self.smallest)
        return {name: value for name, value in values.items() if name in SIZES}

    def claims_proof(self, parameters: Mapping[str, Any]) -> bool:
        """Whether a sample is too little evidence: `evidence="proved"` is about the defaults."""
        return self.evidence == "proved" and parameters == self.parameters_from({})

    def setup(self, parameters: Mapping[str, Any]) -> Setup:
        """Build the machine's description for these parameters."""
        values = self.parameters_from(parameters)
        own = [p.name for p in self.parameters_for(values) if p.type == "features"]
        features = {name: values.pop(name) for name in own}
        with BUILDING:
            setup = called(self.id, self.build, **values)
        if not isinstance(setup, Setup):
            raise ScenarioError(f"{self.id} returned a {type(setup).__name__}, not a Setup")
        require_sound(self.id, setup, CpuSetup)
        return replace(setup, cpus=with_features(setup.cpus, features)) if features else setup

    def machine(self, spec: MachineSpec, setup: Setup) -> Arm64:
        """Make the transition system of a machine that this scenario describes."""
        properties = setup.properties
        judged = Judged(
            always=tuple(guarded(p.name, p.check) for p in properties if p.check),
            final=tuple(guarded(p.name, p.final) for p in properties if p.final),
            step=tuple(guarded(p.name, p.step) for p in properties if p.step),
            sometimes={name: counted(name, holds) for name, holds in setup.landmarks.items()},
            uniform=all(p.uniform for p in properties),
            monotone=all(p.monotone or not (p.check or p.step) for p in properties),
        )
        return Arm64(spec, judged)

    def graph(self, system: Arm64) -> Graph[Machine]:
        """Make the graph of this machine's states that runs walk."""
        return Graph(system, RowKeys(system))


def _replaced(scenario: Scenario, **changes: Any) -> Scenario:
    return replace(scenario, **changes)


def _redefined(parameter: Parameter, defaults: Mapping[str, Any]) -> Parameter:
    return replace(parameter, default=parameter.read(defaults[parameter.name]))


def scenario(
    *, expect: str = "HOLDS", story: str | None = None, evidence: str = "sampled"
) -> Callable[[Build], Scenario]:
    """Make a scenario of a function that returns a `Setup`.

    `expect` is `HOLDS`, or how it fails: `VIOLATED:property`, `STUCK:terminates`, alternatives with
    a bar between them. `story` is one line for `simbbm list`; by default the docstring's first
    line. `evidence` is the least that `simbbm check` accepts with the default parameters, `sampled`
    or `proved`. ScenarioError if one of them, or a parameter of the function, is none.
    """
    if evidence not in ("sampled", "proved"):
        raise ScenarioError(f"scenario: evidence={evidence!r}", "it is 'sampled' or 'proved'")

    def decorate(build: Build) -> Scenario:
        line = story or _docstring(build).partition("\n")[0]
        if not line:
            raise ScenarioError(f"{build.__name__}: a scenario needs a docstring or a story")
        parameters = parameters_of(build)
        expected = Expectation.parse(expect, own=True)
        return Scenario(build, line, expected, parameters, evidence=evidence)

    return decorate


def _docstring(build: Build) -> str:
    """A function's docstring, from its source where Python has left it out (-OO)."""
    if build.__doc__ is not None or sys.flags.optimize < WITHOUT_DOCSTRINGS:
        return inspect.getdoc(build) or ""
    try:
        (function,) = ast.parse(dedent(inspect.getsource(build))).body
    except (OSError, SyntaxError, ValueError):
        return build.__name__
    documented = isinstance(function, ast.FunctionDef) and ast.get_docstring(function)
    return documented or build.__name__


__all__ = [
    "HARDWARE",
    "NO_EDITS",
    "CpuSet",
    "CpuSetup",
    "OneOf",
    "Parameter",
    "Range",
    "Scenario",
    "Setup",
    "cpu_set",
    "hardware_for",
    "nothing",
    "scenario",
]

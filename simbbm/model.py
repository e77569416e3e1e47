"""What is searched, run and replayed: a scenario with parameters and edits that have been checked.

A `Model` cannot be made of parameters that are not allowed, programs that are impure, or edits that
name a step which no code can produce. So every function that takes one refuses the same mistakes.

A twin's edits are held against its code with the parameters given, and then with the defaults: a
machine without exceptions has no handler's steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

from simbbm.arm64.cpu import CpuSpec
from simbbm.arm64.features import Hardware
from simbbm.arm64.machine import Arm64, MachineSpec
from simbbm.arm64.ops import CPU
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.walks import mapped_pages
from simbbm.check.catalogue import CATALOGUE
from simbbm.check.steps import Edit, Steps
from simbbm.core.graph import Graph
from simbbm.core.points import Programs
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.frames.frame import start_of
from simbbm.core.programs.frames.known import KnownTurns
from simbbm.scenario import CpuSetup, Scenario, Setup


class Model:
    """A scenario with all its parameters: described, checked and built once.

    `system` and `graph` are shared by all runs on the model. They cache states, which changes how
    long a run takes and nothing else. A machine of its own (`anew`) is for what depends on which
    steps the programs have taken before: a search, which reports the steps that it reached, in the
    order in which it reached them; a story, which reads off the automaton what a step observed; and
    the confirmation of a failure, which must not trust a cache.

    What a routine does with its arguments, after what it has observed, is the same on every
    machine, so machines made anew and models that are derived from another run it once (`known`).
    """

    def __init__(
        self,
        scenario: Scenario,
        params: Mapping[str, Any] | None = None,
        known: KnownTurns | None = None,
    ) -> None:
        """Raise UsageError for parameters that are not allowed, ScenarioError for what is wrong.

        `known` is that of a model some of whose routines are the same.
        """
        self.known = _as_far_as_true(known)
        self.scenario = scenario
        self.params: dict[str, Any] = scenario.parameters_from(params or {})
        self.setup = scenario.setup(self.params)
        self._changes: tuple[Callable[[Hardware], Hardware], ...] = ()
        _require_expectable(scenario, self.setup)
        self._spec = _spec(scenario, self.setup, self.known)

    @property
    def automaton(self) -> Programs:
        """The programs of `system`, as far as any run has reached."""
        return self._spec.automaton

    @cached_property
    def system(self) -> Arm64:
        """The transition system."""
        return self.scenario.machine(self._spec, self.setup)

    @cached_property
    def graph(self) -> Graph[Machine]:
        """Its states, as far as any run has reached."""
        return self.scenario.graph(self.system)

    @property
    def untouched(self) -> bool:
        """Whether nobody has asked its machine anything: it is as good as one made anew."""
        return "system" not in vars(self)

    def anew(self, *, relearn: bool = False) -> Model:
        """The same model, with a machine of its own that has cached nothing.

        With `relearn`, what the programs do is not taken over from this one either.
        """
        other = copy(self)
        vars(other).pop("system", None)
        vars(other).pop("graph", None)
        other.known = _as_far_as_true(None if relearn else self.known)
        vars(other)["_spec"] = _spec(self.scenario, self.setup, other.known)
        return other

    def with_(self, **params: Any) -> Model:
        """The same scenario with some parameters changed; the same model if none is."""
        changed = self.params | params
        if changed == self.params:
            return self
        other = Model(self.scenario, changed, self.known)
        for change in self._changes:
            other = other.on(change)
        return other

    def on(self, change: Callable[[Hardware], Hardware]) -> Model:
        """The same scenario and parameters on other hardware."""
        other = copy(self)
        other.setup = replace(self.setup, hardware=change(self.setup.hardware))
        vars(other)["_changes"] = (*self._changes, change)
        return other.anew()


def _as_far_as_true(known: KnownTurns | None) -> KnownTurns:
    """What is known of programs, but nothing if names that they look up have changed."""
    return KnownTurns() if known is None or known.bindings.changed() else known


def _spec(scenario: Scenario, setup: Setup, known: KnownTurns) -> MachineSpec:
    """The machine's initial state; the programs are checked for purity, the edits for effect."""
    automaton = setup.code(scenario.edits) if setup.code else Automaton(scenario.edits, known)
    cpus = tuple(_cpu_spec(automaton, cpu) for cpu in setup.cpus)
    if isinstance(automaton, Automaton):
        steps = _steps(automaton, setup)
        if unknown := steps.unknown(scenario.edits):
            _require_known(scenario, unknown, steps)
    return MachineSpec(
        **setup.described() | {"speculative": setup.speculative or _walked(setup)},
        automaton=automaton,
        cpus=cpus,
        tables=dict(setup.tables),
        data=dict(setup.data),
    )


def _require_expectable(scenario: Scenario, setup: Setup) -> None:
    """Raise ScenarioError if it expects what no property of it, here or by default, can say."""
    own = [p.name for p in setup.properties]
    if any(name not in (*CATALOGUE, *own) for _, name in scenario.expect.failures):
        own += [p.name for p in scenario.setup({}).properties]
    scenario.expect.require_known(scenario.id, own)


def _require_known(scenario: Scenario, unknown: list[Edit], steps: Steps) -> None:
    """Raise EditError unless these edits name something with the default parameters.

    The twin's, or its origin's.
    """
    left = unknown
    for whose in (scenario, scenario.root):
        setup = scenario.setup(whose.parameters_from({}))
        automaton = Automaton(scenario.edits)
        for cpu in setup.cpus:
            automaton.start(cpu.program, CPU, *cpu.args)
        known = _steps(automaton, setup).unknown(scenario.edits)
        left = [edit for edit in left if edit in known]
    if left:
        raise steps.error(scenario.id, left[0])


def _steps(automaton: Automaton, setup: Setup) -> Steps:
    """All steps that the code of a machine can produce; raise ScenarioError if it is impure."""
    roots = [cpu.program for cpu in setup.cpus]
    roots += filter(None, (setup.handler, setup.hypervisor))
    functions = [getattr(root, "__wrapped__", root) for root in roots]
    for function in functions:
        automaton.purity.require(function, f"{start_of(function)}: {function.__name__}")
    return Steps(automaton, functions)


def _cpu_spec(automaton: Programs, cpu: CpuSetup) -> CpuSpec:
    start = automaton.start(cpu.program, CPU, *cpu.args)
    return CpuSpec(
        start, cpu.regime, cpu.features, cpu.pc, cpu.vbar, cpu.el, cpu.listing, cpu.power
    )


def _walked(setup: Setup) -> tuple[int, ...]:
    """Pages for speculative walks, by default all mapped ones; a TLB closure needs no such list."""
    if setup.hardware.closure or not setup.hardware.speculation:
        return ()
    contexts = (context for cpu in setup.cpus for context in cpu.regime.contexts())
    roots = dict.fromkeys(root for context in contexts for root in context.roots())
    return mapped_pages(setup.geometry, setup.tables, roots)

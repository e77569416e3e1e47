"""The machine for every number of CPUs, or why a scenario has none.

It is the scenario's own machine, built with the symbol N as the number of CPUs, with as many seats
as views need: the boot CPU and k + 1 others. What the scenario builds for each number of CPUs that
it can be built for must be that, with the number in place of N.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from itertools import zip_longest
from types import FunctionType
from typing import Any

from simbbm.arm64.cpu import ON
from simbbm.check import properties
from simbbm.check.alone import EachCpu
from simbbm.check.kinds import Property
from simbbm.core.errors import ScenarioError, UsageError
from simbbm.core.programs.everyone import seated
from simbbm.core.programs.purity import Bindings, Purity
from simbbm.core.programs.symbols import Linear, N, refusals
from simbbm.core.unknown import NeedsValueError
from simbbm.core.values import encode
from simbbm.explore.every_n import unseen
from simbbm.explore.every_n.counting import Refused
from simbbm.model import Model
from simbbm.scenario import CpuSetup, Scenario, Setup

MOST_BUILT = 64
"""Up to this number of CPUs, if the scenario has so many, its Setup is held against that for N."""


def model_for_all(scenario: Scenario, params: Mapping[str, Any], k: int) -> Model:
    """The model with N as its number of CPUs; Refused, with what to change, if it has none."""
    if all(p.name != "cpus" for p in scenario.parameters):
        raise Refused(f"{scenario.id} has no parameter cpus (its number of CPUs is fixed)")
    given = {**params, "cpus": N}
    model = _built(scenario, given, k + 2)
    _require_supported(model)
    for cpus in _numbers(scenario):
        _require_same(scenario, model.setup, params, cpus)
    return model


def _numbers(scenario: Scenario) -> range:
    """The numbers of CPUs that a scenario may be built for."""
    cpus = next(p for p in scenario.parameters if p.name == "cpus")
    return range(max(2, cpus.min or 2), min(cpus.max or MOST_BUILT, MOST_BUILT) + 1)


def _built(scenario: Scenario, params: Mapping[str, Any], seats: int) -> Model:
    """The model with so many seats."""
    refusals.clear()
    try:
        with seated(seats):
            model = Model(scenario, params)
    except NeedsValueError:
        raise Refused(refusals[0] if refusals else "the Setup looks at a counter") from None
    except ScenarioError as error:
        if refusals or "cpus" in error.message or "Linear" in error.message:
            told = refusals[0] if refusals else error.message
            raise Refused(f"{told}; a Setup counts its CPUs by cpu_numbers(cpus)") from None
        raise
    except UsageError as error:
        raise Refused(str(error)) from None
    except TypeError as error:
        raise Refused(f"{error} (a Setup counts its CPUs by cpu_numbers(cpus))") from None
    if len(model.setup.cpus) != seats:
        raise Refused(
            f"{scenario.id} has {len(model.setup.cpus)} CPUs whatever cpus says (make one for each "
            "of cpu_numbers(cpus))"
        )
    return model


def _require_supported(model: Model) -> None:
    """Refuse machines of which a few CPUs do not show what all may do."""
    setup, hardware = model.setup, model.setup.hardware
    uneven = [p.name for p in setup.properties if not p.uniform]
    for unfit, what, instead in (
        (not hardware.closure and not hardware.late_tlbis, "hardware=eager", "hardware=delayed"),
        (not hardware.closure, "tlb=concrete", "tlb=closure"),
        (hardware.window > 1, f"window={hardware.window}", "window=1"),
        (bool(hardware.interrupts), "interrupts", "a machine without"),
        (any(cpu.power != ON for cpu in setup.cpus), "CPUs that come out of reset", "running ones"),
        (bool(setup.text), "text that changes", "a machine without"),
        (bool(model.system.common), "TLBs that CPUs share", "a machine without"),
        (hardware.event_stream, "event_stream=yes", "event_stream=no"),
        (any(cpu.listing for cpu in setup.cpus), "CPUs that run listings", "programs"),
        (bool(uneven), f"properties over several CPUs ({', '.join(uneven)})", "uniform ones"),
    ):
        if unfit:
            raise Refused(f"no proof for every number of CPUs with {what} (take {instead})")
    if not setup.counters:
        raise Refused(
            "no counters are declared (Setup(counters={address: Counter(name)}): the words in "
            "which CPUs count)"
        )
    names = [counter.name for counter in setup.counters.values()]
    if len(set(names)) < len(names):
        raise Refused("two counters have the same name (name each by its word)")
    for counter in setup.counters.values():
        if counter.calls is not None and counter.calls not in setup.counters:
            raise Refused(f"{counter.name} calls holders of tickets of no counter (declare both)")
    if why := unseen.refusal(model.automaton):
        raise Refused(why)
    for held in setup.properties:
        _require_alone(held)


def _require_alone(held: Property) -> None:
    """Refuse a property that can count the CPUs, or tell them apart.

    Those that simbbm brings look at one CPU after another, and at tables. A predicate of an author
    is shown all CPUs, or the number of the one that moves, and may do with that whatever it likes.
    """
    for predicate in filter(None, (held.check, held.final, held.step)):
        if isinstance(predicate, EachCpu):
            purity = Purity(Bindings())
            try:
                purity.require(predicate.judge, f"property {held.name}")
                purity.require(predicate.args, f"property {held.name}: an argument")
            except ScenarioError as error:
                raise Refused(f"{error.message} ({error.hint})") from None
            if why := unseen.looked_at(purity):
                raise Refused(f"property {held.name}: {why}")
        elif not _is_brought(predicate):
            raise Refused(
                f"property {held.name} is shown how many CPUs there are, and which (make it with "
                "each_cpu(name, judge), which shows it one CPU at a time)"
            )


def _is_brought(predicate: Any) -> bool:
    """Whether it is one of `check/properties.py`, which encloses no function of somebody else."""
    if isinstance(predicate, FunctionType):
        enclosed = [cell.cell_contents for cell in predicate.__closure__ or ()]
        functions = [held for held in enclosed if callable(held)]
        return predicate.__globals__ is vars(properties) and all(map(_is_brought, functions))
    return False


def _require_same(scenario: Scenario, every: Setup, params: Mapping[str, Any], cpus: int) -> None:
    """Refuse a Setup that is not, for so many CPUs, what it is for N with that in place of N."""
    setup = scenario.setup(scenario.parameters_from({**params, "cpus": cpus}))
    if len(setup.cpus) != cpus:
        raise Refused(f"{scenario.id} has {len(setup.cpus)} CPUs with cpus={cpus}")
    said = f"{scenario.id}, cpus={cpus}"
    for field in fields(setup):
        name = field.name
        one, other = getattr(every, name), getattr(setup, name)
        if name not in ("cpus", "properties", "landmarks", "symbols", "regions") and one != other:
            _require_equal(said, _content(name, one, cpus), _content(name, other, cpus))
    _require_equal(said, _of_properties(every, cpus), _of_properties(setup, cpus))
    for number, cpu in enumerate(setup.cpus):
        other = every.cpus[min(number, 1)]
        _require_equal(said, _of_cpu(other, number, cpus), _of_cpu(cpu, number, cpus))


Parts = Iterator[tuple[str, object]]


def _require_equal(said: str, one: Parts, other: Parts) -> None:
    for (name, value), (also, again) in zip_longest(one, other, fillvalue=("", None)):
        if (name, value) != (also, again):
            raise Refused(
                f"{said}: {name} depends on how many CPUs there are (give it cpus itself, or what "
                "is the same for every number)"
            )


def _of_cpu(cpu: CpuSetup, number: int, cpus: int) -> Parts:
    """Every part of a CPU by name, in a form that can be compared."""
    for part, value in zip(cpu._fields, cpu, strict=True):
        yield from _content(f"cpu{number}'s {part}", value, cpus)


def _of_properties(setup: Setup, cpus: int) -> Parts:
    """Likewise what properties are made of."""
    for held in setup.properties:
        for predicate in (held.check, held.final, held.step):
            judge: Any = predicate
            if isinstance(predicate, EachCpu):
                judge = predicate.judge
                yield from _content(f"property {held.name}", predicate.args, cpus)
            yield from _made_of(f"property {held.name}", judge, cpus)


def _made_of(name: str, function: Any, cpus: int) -> Parts:
    """A predicate by its code, its default arguments, and what it encloses."""
    yield name, getattr(function, "__code__", type(function))
    yield from _content(name, getattr(function, "__defaults__", None), cpus)
    yield from _content(name, getattr(function, "__kwdefaults__", None), cpus)
    for cell in getattr(function, "__closure__", None) or ():
        if isinstance(cell.cell_contents, FunctionType):
            yield from _made_of(name, cell.cell_contents, cpus)
        else:
            yield from _content(name, cell.cell_contents, cpus)


def _content(name: str, value: Any, cpus: int) -> Parts:
    if type(value) is Linear:
        yield name, encode(value.constant + value.everyone * cpus)
    elif isinstance(value, Mapping):
        yield name, [encode(key) for key in sorted(value)]
        for key in sorted(value):
            yield from _content(name, value[key], cpus)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _content(f"{name}.{field.name}", getattr(value, field.name), cpus)
    elif isinstance(value, tuple):
        yield name, len(value)
        for item in value:
            yield from _content(name, item, cpus)
    elif isinstance(value, AbstractSet):
        yield name, sorted(map(encode, value))
    else:
        yield name, None if value is None else encode(value)

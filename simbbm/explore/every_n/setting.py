"""The machine for every number of CPUs, or why a scenario has none.

It is the scenario's own machine, built with the symbol N as the number of CPUs, with as many seats
as views need: the boot CPU and k + 1 others. What the scenario builds must not depend on how many
seats there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from itertools import zip_longest
from types import FunctionType
from typing import Any

from simbbm.core.errors import ScenarioError, UsageError
from simbbm.core.programs.code import scan
from simbbm.core.programs.everyone import seated
from simbbm.core.programs.symbols import Linear, N, refusals
from simbbm.core.unknown import NeedsValueError
from simbbm.core.values import encode, why_not_frozen
from simbbm.explore.every_n.counting import Refused
from simbbm.model import Model
from simbbm.scenario import Scenario, Setup

BY_TYPE = "type"
"""The builtin that tells symbols from ints, unseen."""


def model_for_all(scenario: Scenario, params: Mapping[str, Any], k: int) -> Model:
    """The model with N as its number of CPUs; Refused, with what to change, if it has none."""
    if all(p.name != "cpus" for p in scenario.parameters):
        raise Refused(f"{scenario.id} has no parameter cpus (its number of CPUs is fixed)")
    given = {**params, "cpus": N}
    model = _built(scenario, given, k + 2)
    _require_supported(model)
    _require_same(scenario.id, model.setup, _built(scenario, given, k + 3).setup)
    return model


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
        (not hardware.closure, "tlb=concrete", "tlb=closure"),
        (hardware.window > 1, f"window={hardware.window}", "window=1"),
        (bool(hardware.interrupts), "interrupts", "a machine without"),
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
    for function in model.automaton.purity.functions:
        if any(name.path[0] == BY_TYPE for name in scan(function.__code__).names):
            raise Refused(
                f"{function.__name__} asks for the type() of something (a symbol has another type "
                "than an int; use isinstance)"
            )


def _require_same(said: str, one: Setup, other: Setup) -> None:
    """Refuse a Setup that depends on how many CPUs stand for all."""
    first, second = _parts(one), _parts(other)
    for (name, value), (_, again) in zip_longest(first, second, fillvalue=("", None)):
        if value != again:
            raise Refused(
                f"{said}: {name} depends on how many CPUs there are (give it cpus itself, or what "
                "is the same for every number)"
            )


def _parts(setup: Setup) -> Iterator[tuple[str, object]]:
    """Every part of a Setup by name, in a form that can be compared; the last CPU for them all."""
    for cpu, name in ((setup.cpus[0], "cpu0"), (setup.cpus[-1], "another CPU")):
        for part, value in zip(cpu._fields, cpu, strict=True):
            yield from _content(f"{name}'s {part}", value)
    for field in fields(setup):
        if field.name not in ("cpus", "properties", "landmarks", "symbols", "regions"):
            yield from _content(field.name, getattr(setup, field.name))
    for held in setup.properties:
        for judge in (held.check, held.final, held.step):
            yield f"property {held.name}", list(_enclosed(judge))


def _enclosed(function: Any) -> Iterator[object]:
    """What a property was made of: the values that its predicate encloses."""
    yield function is None
    for cell in getattr(function, "__closure__", None) or ():
        held = cell.cell_contents
        if isinstance(held, FunctionType):
            yield from _enclosed(held)
        elif why_not_frozen(held) is None:
            yield encode(held)


def _content(name: str, value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        yield name, [(key, encode(held)) for key, held in sorted(value.items())]
    elif is_dataclass(value) and not isinstance(value, type) and type(value) is not Linear:
        for field in fields(value):
            yield from _content(f"{name}.{field.name}", getattr(value, field.name))
    elif isinstance(value, tuple):
        yield name, len(value)
        for item in value:
            yield from _content(name, item)
    elif isinstance(value, AbstractSet):
        yield name, sorted(map(encode, value))
    else:
        yield name, None if value is None else encode(value)

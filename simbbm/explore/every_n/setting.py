"""The machine for every number of CPUs, or why a scenario has none.

It is the scenario's own machine, built with the symbol N as the number of CPUs, with as many seats
as views need: the boot CPU and k + 1 others. What the scenario builds for each number of CPUs that
it can be built for must be that, with the number in place of N, to the type: True is no 1 here.
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
PLAIN = frozenset((int, bool, str, type(None)))
"""Types of which values need not be encoded to be compared."""
MANY = 8
"""Items of a table, of which the whole is looked at once."""

Parts = Iterator[tuple[str, object]]
"""What something is made of, by name, in a form that can be compared."""


def model_for_all(scenario: Scenario, params: Mapping[str, Any], k: int) -> Model:
    """The model with N as its number of CPUs; Refused, with what to change, if it has none."""
    if all(p.name != "cpus" for p in scenario.parameters):
        raise Refused(f"{scenario.id} has no parameter cpus (its number of CPUs is fixed)")
    given = {**params, "cpus": N}
    model = _built(scenario, given, k + 2)
    _require_supported(model)
    same = SameForAll(scenario, params, model.setup)
    for cpus in _numbers(scenario):
        same.require(cpus)
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


class SameForAll:
    """Holds what a scenario builds for numbers of CPUs against what it builds for N.

    A real linear map has hundreds of tables, most of them the same empty one: what a table says is
    looked at once.
    """

    def __init__(self, scenario: Scenario, params: Mapping[str, Any], every: Setup) -> None:
        self.scenario = scenario
        self.params = params
        self.every = every
        self._numbers: dict[tuple[object, ...], str] = {}
        """Names for tables, by their contents and the types of these."""
        self._met: dict[int, tuple[object, str]] = {}
        """By identity of a table that does not depend on N: that table, and its name."""

    def require(self, cpus: int) -> None:
        """Refuse a Setup that is not what it is for N, with so many CPUs in place of N."""
        every, said = self.every, f"{self.scenario.id}, cpus={cpus}"
        setup = self.scenario.setup(self.scenario.parameters_from({**self.params, "cpus": cpus}))
        if len(setup.cpus) != cpus:
            raise Refused(f"{self.scenario.id} has {len(setup.cpus)} CPUs with cpus={cpus}")
        for field in fields(setup):
            name = field.name
            one, other = getattr(every, name), getattr(setup, name)
            if name not in ("cpus", "properties", "landmarks", "symbols", "regions") and (
                one != other
            ):
                one, other = self._content(name, one, cpus), self._content(name, other, cpus)
                _require_equal(said, one, other)
        _require_equal(said, self._of_properties(every, cpus), self._of_properties(setup, cpus))
        for number, cpu in enumerate(setup.cpus):
            other = every.cpus[min(number, 1)]
            one, other = self._of_cpu(other, number, cpus), self._of_cpu(cpu, number, cpus)
            _require_equal(said, one, other)

    def _of_cpu(self, cpu: CpuSetup, number: int, cpus: int) -> Parts:
        """Every part of a CPU by name, in a form that can be compared."""
        for part, value in zip(cpu._fields, cpu, strict=True):
            yield from self._content(f"cpu{number}'s {part}", value, cpus)

    def _of_properties(self, setup: Setup, cpus: int) -> Parts:
        """Likewise what properties are made of."""
        for held in setup.properties:
            for predicate in (held.check, held.final, held.step):
                judge: Any = predicate
                if isinstance(predicate, EachCpu):
                    judge = predicate.judge
                    yield from self._content(f"property {held.name}", predicate.args, cpus)
                yield from self._made_of(f"property {held.name}", judge, cpus)

    def _made_of(self, name: str, function: Any, cpus: int) -> Parts:
        """A predicate by its code, its default arguments, and what it encloses."""
        yield name, getattr(function, "__code__", type(function))
        yield from self._content(name, getattr(function, "__defaults__", None), cpus)
        yield from self._content(name, getattr(function, "__kwdefaults__", None), cpus)
        for cell in getattr(function, "__closure__", None) or ():
            if isinstance(cell.cell_contents, FunctionType):
                yield from self._made_of(name, cell.cell_contents, cpus)
            else:
                yield from self._content(name, cell.cell_contents, cpus)

    def _content(self, name: str, value: Any, cpus: int) -> Parts:
        if type(value) is Linear:
            yield name, encode(value.constant + value.everyone * cpus)
        elif isinstance(value, tuple):
            number = self._number(value, cpus) if len(value) >= MANY else None
            yield name, number or len(value)
            for item in () if number else value:
                yield from self._content(name, item, cpus)
        elif isinstance(value, Mapping):
            yield name, [encode(key) for key in sorted(value)]
            for key in sorted(value):
                yield from self._content(name, value[key], cpus)
        elif is_dataclass(value) and not isinstance(value, type):
            for field in fields(value):
                yield from self._content(f"{name}.{field.name}", getattr(value, field.name), cpus)
        elif isinstance(value, AbstractSet):
            yield name, sorted(map(encode, value))
        else:
            yield name, None if value is None else encode(value)

    def _number(self, table: tuple[object, ...], cpus: int) -> str | None:
        """What stands for a table's contents, to the type; None: there is more in it than data."""
        if id(table) in self._met:
            return self._met[id(table)][1]
        data: list[object] = []
        depends = _flatten(table, cpus, data)
        if depends is None:
            return None
        number = self._numbers.setdefault(tuple(data), f"table {len(self._numbers)}")
        if not depends:
            self._met[id(table)] = table, number
        return number


def _flatten(value: tuple[object, ...], cpus: int, data: list[object]) -> bool | None:
    """Put what is in a tuple on the list, each with its type; whether N is, None: what is no data.

    As many CPUs are put in place of N.
    """
    depends = False
    for part in value:
        if isinstance(part, tuple):
            data += (type(part), len(part))
            inner = _flatten(part, cpus, data)
            if inner is None:
                return None
            depends = depends or inner
        elif type(part) is Linear:
            data += (int, part.constant + part.everyone * cpus)
            depends = True
        elif type(part) in PLAIN:
            data += (type(part), part)
        else:
            return None
    return depends


def _require_equal(said: str, one: Parts, other: Parts) -> None:
    for (name, value), (also, again) in zip_longest(one, other, fillvalue=("", None)):
        if (name, value) != (also, again):
            raise Refused(
                f"{said}: {name} depends on how many CPUs there are (give it cpus itself, or what "
                "is the same for every number)"
            )

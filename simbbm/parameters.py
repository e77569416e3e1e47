"""Parameters of scenarios: keyword-only arguments of a function, with their types and bounds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from simbbm.core.errors import ScenarioError, UsageError
from simbbm.host.reading import decimal, quoted


@dataclass(frozen=True)
class Range:
    """Allowed values of an int parameter, both ends included."""

    min: int
    max: int


@dataclass(frozen=True)
class CpuSet:
    """A parameter that names CPUs: `boot`, `all`, `none` or a list like `0,2`."""


def cpu_set(text: str, cpus: int) -> frozenset[int]:
    """The CPUs that a `CpuSet` parameter names: numbers from 0 to `cpus` - 1; CPU 0 boots.

    `text` is `boot`, `all`, `none` or a list like `0,2`. UsageError if it names one that is not
    there.
    """
    named = {"boot": {0}, "all": set(range(cpus)), "none": set[int]()}
    numbers = named[text] if text in named else {decimal(n) or 0 for n in text.split(",")}
    if outside := sorted(n for n in numbers if n >= cpus):
        raise UsageError(f"{text}: there is no cpu{outside[0]}", f"the last is cpu{cpus - 1}")
    return frozenset(numbers)


@dataclass(frozen=True)
class Parameter:
    """One parameter: its type (`int`, `choice` or `cpus`), default and allowed values."""

    name: str
    type: str
    default: Any
    choices: tuple[str, ...] = ()
    min: int | None = None
    max: int | None = None

    @property
    def allowed(self) -> str:
        """The allowed values, for people."""
        if self.type == "int":
            return f"{self.min}..{self.max}"
        return "|".join(self.choices) if self.choices else "boot|all|none|LIST"

    def read(self, value: Any) -> Any:
        """Check a value, given as text or as what it means; UsageError if it is not allowed."""
        if not self._fits(value):
            raise UsageError(
                f"{self.name}={quoted(value)}: not allowed", f"{self.name} is {self.allowed}"
            )
        return int(value) if self.type == "int" else value

    def _fits(self, value: Any) -> bool:
        if self.type == "int":
            number = decimal(value) if isinstance(value, str) else value
            return isinstance(number, int) and (self.min or 0) <= number <= (
                number if self.max is None else self.max
            )
        if not isinstance(value, str):
            return False
        if self.type == "choice":
            return value in self.choices
        if value in ("boot", "all", "none"):
            return True
        return all(decimal(n) is not None for n in value.split(","))

    def as_json(self) -> dict[str, Any]:
        """As `simbbm list --json` shows it."""
        shown: dict[str, Any] = {"type": self.type, "default": self.default}
        if self.type == "int":
            shown |= {"min": self.min, "max": self.max}
        if self.choices:
            shown["choices"] = list(self.choices)
        return shown


def parameters_of(build: Callable[..., object]) -> tuple[Parameter, ...]:
    """Read the parameters from a function's keyword-only arguments."""
    hints = get_type_hints(build, include_extras=True)
    parameters = []
    for name, argument in inspect.signature(build).parameters.items():
        if argument.kind is not argument.KEYWORD_ONLY or argument.default is argument.empty:
            raise ScenarioError(
                f"{build.__name__}: parameter {name} must be keyword-only and have a default"
            )
        parameters.append(_parameter(build, name, hints.get(name), argument.default))
    return tuple(parameters)


def _parameter(build: Callable[..., object], name: str, hint: Any, default: Any) -> Parameter:
    if get_origin(hint) is Literal:
        return Parameter(name, "choice", default, choices=get_args(hint))
    if get_origin(hint) is Annotated:
        _, *notes = get_args(hint)
        for note in notes:
            if isinstance(note, Range):
                return Parameter(name, "int", default, min=note.min, max=note.max)
            if isinstance(note, CpuSet):
                return Parameter(name, "cpus", default)
    raise ScenarioError(
        f"{build.__name__}: parameter {name} has no usable type",
        "use Annotated[int, Range(min, max)], Literal[...] or Annotated[str, CpuSet()]",
    )

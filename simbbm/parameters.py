"""Parameters of scenarios: keyword-only arguments of a function, with their types and bounds.

Beside those that its function has, every scenario has a parameter for each CPU's features
(`features_of`): `cpu1="bbm=3,ets2"` is what CPU 1 has in place of what the scenario gives it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from simbbm.arm64.features import FIELDS, Features, read_features
from simbbm.core.errors import ScenarioError, UsageError
from simbbm.core.programs.everyone import cpu_numbers
from simbbm.core.programs.symbols import N
from simbbm.host.reading import decimal, quoted


@dataclass(frozen=True)
class Range:
    """Allowed values of an int parameter, both ends included."""

    min: int
    max: int


@dataclass(frozen=True)
class CpuSet:
    """A parameter that names CPUs: `boot`, `all`, `none` or a list like `0,2`."""


PARTS_MAX = 16
"""Parts of a list of one's own."""


@dataclass(frozen=True)
class OneOf:
    """A parameter that is one of some names, or a list of parts: `pmd`, `pmd+pages`."""

    names: tuple[str, ...]
    parts: tuple[str, ...]


def cpu_set(text: str, cpus: int) -> frozenset[int]:
    """The CPUs that a `CpuSet` parameter names: numbers from 0 to `cpus` - 1; CPU 0 boots.

    `text` is `boot`, `all`, `none` or a list like `0,2`. UsageError if it names one that is not
    there.
    """
    numbered = cpu_numbers(cpus)
    named = {"boot": {0}, "all": set(numbered), "none": set[int]()}
    numbers = named[text] if text in named else {decimal(n) or 0 for n in text.split(",")}
    if type(cpus) is not int:
        if numbers - {0} and text != "all":
            raise UsageError(f"{text}: CPUs but the first are alike", "take boot, all or none")
        return frozenset(numbers)
    if outside := sorted(n for n in numbers if n >= cpus):
        raise UsageError(f"{text}: there is no cpu{outside[0]}", f"the last is cpu{cpus - 1}")
    return frozenset(numbers)


@dataclass(frozen=True)
class Parameter:
    """One parameter: its type (`int`, `choice`, `cpus`, `features`), default, allowed values."""

    name: str
    type: str
    default: Any
    choices: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    """What a list of one's own is made of, in place of a choice."""
    min: int | None = None
    max: int | None = None

    @property
    def allowed(self) -> str:
        """The allowed values, for people."""
        if self.type == "int":
            return f"{self.min}..{self.max}"
        if self.type == "features":
            return ",".join(FIELDS.values())
        own = f"|PART+PART... of {' '.join(self.parts)}" if self.parts else ""
        return "|".join(self.choices) + own if self.choices else "boot|all|none|LIST"

    def read(self, value: Any) -> Any:
        """Check a value, given as text or as what it means; UsageError if it is not allowed."""
        if self.type == "features":
            return self._features(value)
        if value is N and self.name == "cpus":
            return value  # every number of CPUs
        if not self._fits(value):
            raise UsageError(
                f"{self.name}={quoted(value)}: not allowed", f"{self.name} is {self.allowed}"
            )
        return int(value) if self.type == "int" else value

    def _features(self, value: Any) -> str:
        if isinstance(value, Features):
            return ",".join(
                f"{name}={'+'.join(field) if isinstance(field, tuple) else field}"
                for name, field in value._asdict().items()
            )
        try:
            read_features(Features(), str(value))
        except UsageError as error:
            raise UsageError(f"{self.name}={quoted(value)}: {error.message}", error.hint) from None
        return str(value)

    def _fits(self, value: Any) -> bool:
        if self.type == "int":
            number = decimal(value) if isinstance(value, str) else value
            return isinstance(number, int) and (self.min or 0) <= number <= (
                number if self.max is None else self.max
            )
        if not isinstance(value, str):
            return False
        if self.type == "choice":
            own = value.split("+") if self.parts else []
            fits = 0 < len(own) <= PARTS_MAX and all(part in self.parts for part in own)
            return value in self.choices or fits
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
        if self.parts:
            shown["parts"] = list(self.parts)
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
            if isinstance(note, OneOf):
                return Parameter(name, "choice", default, choices=note.names, parts=note.parts)
    raise ScenarioError(
        f"{build.__name__}: parameter {name} has no usable type",
        "use Annotated[int, Range(min, max)], Literal[...] or Annotated[str, CpuSet()]",
    )


_CPU = re.compile("cpu(0|[1-9][0-9]{0,3})")


def features_of(name: str) -> Parameter | None:
    """The parameter `cpuN`, what CPU N has in place of what a scenario gives it; else None."""
    return Parameter(name, "features", "") if _CPU.fullmatch(name) else None


def with_features(cpus: tuple[Any, ...], params: Mapping[str, str]) -> tuple[Any, ...]:
    """CPUs with features changed by parameters `cpuN`; UsageError for one that is not there."""
    changed = list(cpus)
    for name, text in params.items():
        number = int(name.removeprefix("cpu"))
        if number >= len(cpus):
            raise UsageError(
                f"{name}={quoted(text)}: there is no {name}", f"the last is cpu{len(cpus) - 1}"
            )
        features = read_features(cpus[number].features, text)
        changed[number] = cpus[number]._replace(features=features)
    return tuple(changed)

"""A program is what it has observed: nothing else can be reached from its code.

What a program's code can reach is walked by value, not by name: from its functions through the
globals that they look up, default arguments, the methods of classes and what is in tuples, to
whatever those lead to. All of it has to be constant: numbers, text, tuples, enums, frozen
dataclasses, functions and classes made of such, and the builtins that are functions of their
arguments. What is on no list is refused, so that nobody has to think of every way to cheat.

Trusted, not looked into: `simbbm.core` and `simbbm.arm64`, which steps are made of, and what is
written in C on the lists below.
"""

from __future__ import annotations

import abc
import builtins
import collections
import collections.abc
import contextlib
import dataclasses
import enum
import functools
import itertools
import math
import operator
import re
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from functools import WRAPPER_ASSIGNMENTS
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from simbbm.core.code import Name, is_inside, scan
from simbbm.core.errors import ScenarioError, Where
from simbbm.core.program import Routine
from simbbm.core.values import slots_of

HINT = (
    "a program may look at nothing but its arguments, what its awaits return and constants: "
    "numbers, text, tuples, enums, frozen dataclasses, MappingProxyType"
)
TRUSTED = ("simbbm.core.", "simbbm.arm64.")

_FUNCTIONS = (
    *(abs, all, any, ascii, bin, callable, chr, divmod, format, hex, isinstance, issubclass),
    *(getattr, hasattr, iter, len, max, min, next, oct, ord, pow, repr, round, sorted, sum),
    *(functools.reduce, dataclasses.replace, dataclasses.astuple, typing.cast, typing.assert_never),
    *(f for f in vars(math).values() if callable(f)),
    *(f for f in vars(operator).values() if isinstance(f, types.BuiltinFunctionType)),
)
_TYPES = (
    *(bool, bytearray, bytes, complex, dict, enumerate, filter, float, int, list, map, object),
    *(property, range, reversed, slice, str, super, tuple, type, zip, types.MappingProxyType),
    *(collections.Counter, collections.OrderedDict, collections.defaultdict, collections.deque),
    *(enum.Enum, enum.IntEnum, enum.StrEnum, enum.Flag, enum.IntFlag, enum.ReprEnum),
    *(abc.ABC, typing.Generic, typing.Protocol, re.Pattern),
    *(contextlib.suppress, contextlib.nullcontext),
    *(kind for kind in vars(itertools).values() if isinstance(kind, type)),
    *(kind for kind in vars(collections.abc).values() if isinstance(kind, type)),
    *(
        kind
        for kind in vars(builtins).values()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    ),
)
"""Their instances are a program's own, made where it runs; one that was made before is refused."""
_PURE = {id(value) for value in (*_FUNCTIONS, *_TYPES)}
_SCALARS = (
    *(int, bool, str, bytes, float, complex, range, slice),
    *(type(None), type(...), type(NotImplemented)),
)

_NOTHING = object()


class Binding(NamedTuple):
    """A name that a program looks up, and what it stood for."""

    names: Mapping[str, Any]
    name: str
    value: Any
    said: str


_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType, type(Binding.name), enum.property)
"""What stands in a class for a field of its instances."""


class Reached(NamedTuple):
    """A function that code can reach by name."""

    function: FunctionType
    framed: bool
    """Whether it is a routine: a frame of its own when it is awaited."""
    called: bool
    """Whether it is called right where it is looked up; else it is passed on as a value."""


class Purity:
    """What the programs of one automaton can reach; whatever is not constant is refused."""

    def __init__(self) -> None:
        self.functions: dict[FunctionType, list[Reached]] = {}
        """Every author's function that was walked, with those that it names itself."""
        self.values: list[Reached] = []
        """Functions that were met as values: in arguments, tuples and classes."""
        self._bindings: dict[tuple[int, str], Binding] = {}
        self._seen: dict[int, Any] = {}
        self._waiting: list[FunctionType] = []
        self._here: list[Reached] = self.values

    def require(self, value: Any, said: str) -> None:
        """Raise ScenarioError if a function or value leads to something that is not constant."""
        if isinstance(value, FunctionType):
            self._function(value, said)
        else:
            self._visit(value, said)
        while self._waiting:
            function = self._waiting.pop()
            self._here = self.functions[function]
            self._read(function)
            self._here = self.values

    def require_unchanged(self) -> None:
        """Raise ScenarioError if a name stands for something else than it did."""
        for names, name, value, said in self._bindings.values():
            if names.get(name, _NOTHING) is not value:
                raise ScenarioError(f"{said}, which has changed since", HINT)

    def _read(self, function: FunctionType) -> None:
        """Look up every name in a function's code."""
        code = function.__code__
        scanned = scan(code)
        for mistake in scanned.mistakes:
            at = Where(code.co_filename, mistake.line)
            raise ScenarioError(f"{at}: {function.__name__} {mistake.what}", mistake.hint)
        for name in scanned.names:
            if not name.path[0].startswith("@"):  # No author can write that: a tool has put it in.
                at = Where(code.co_filename, name.line)
                self._look_up(function.__globals__, name, f"{at}: {function.__name__} looks at")

    def _look_up(self, names: dict[str, Any], name: Name, said: str) -> None:
        value: Any = None
        space: Mapping[str, Any] = names
        for n, part in enumerate(name.path, 1):
            told = f"{said} {'.'.join(name.path[:n])}"
            value = space.get(part, _NOTHING)
            self._bindings[id(space), part] = Binding(space, part, value, told)
            if space is names and value is _NOTHING:
                value = vars(builtins).get(part, _NOTHING)
            if not isinstance(value, ModuleType):
                break
            space = vars(value)
        if isinstance(value, ModuleType):
            raise ScenarioError(f"{told}, a module", "name what you need of it: module.name")
        if value is _NOTHING and space is not names:
            raise _refusal(told, "which is not there until the module computes it")
        if name.path[0] != "__name__" and is_inside(name.path[0]):
            raise _refusal(told, "which is Python's own")
        if (
            space is not names
            and type(value) in _SCALARS
            and _of_machine(space.get("__name__", ""))
        ):
            raise _refusal(told, "which is of this machine")
        if isinstance(value, frozenset) and not name.tested and not _in_order(value):
            raise ScenarioError(
                f"{told}, a set", "its order is the hash seed's: make it a tuple, or only ask `in`"
            )
        if value is not _NOTHING:  # Else it is a NameError, if the program ever comes to it.
            self._visit(value, told, called=name.called)

    def _visit(self, value: Any, said: str, *, called: bool = False) -> None:
        kind = type(value)
        function = value.function if kind is Routine else value
        if isinstance(function, FunctionType):
            self._here.append(Reached(function, kind is Routine, called))
        if kind in _SCALARS or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, type):
            self._class(value, said)
        elif isinstance(value, enum.Enum):
            self._visit(kind, said)
            self._all(vars(value).values(), said)
        elif isinstance(value, tuple | frozenset):
            if kind not in (tuple, frozenset):
                self._visit(kind, said)
            self._all((*value, *getattr(value, "__dict__", {}).values()), said)
        elif dataclasses.is_dataclass(value) and kind.__dataclass_params__.frozen:
            self._visit(kind, said)
            names = {f.name for f in dataclasses.fields(value)} | slots_of(kind)
            self._all((getattr(value, n) for n in sorted(names) if hasattr(value, n)), said)
            self._all(getattr(value, "__dict__", {}).values(), said)
        elif kind is types.MappingProxyType:
            self._all((*value, *value.values()), said)
        elif kind is Routine:
            self._attributes(value, said)
            self._function(function, said)
        elif kind is FunctionType:
            self._function(value, said)
        elif kind is types.MethodType:
            self._all((value.__self__, value.__func__), said)
        elif kind is types.BuiltinFunctionType and id(value) not in _PURE:
            if not isinstance(value.__self__, (ModuleType, type(None))):
                self._visit(value.__self__, said)
            else:
                raise _refusal(said, "which is not known to be a function of its arguments")
        elif id(value) not in _PURE and not _is_hint(kind):
            raise _refusal(said, f"a {kind.__name__}, which is not constant")

    def _all(self, values: Iterable[Any], said: str) -> None:
        for value in values:
            self._visit(value, said)

    def _attributes(self, function: Any, said: str) -> None:
        """Refuse notes on a function; a decorator leaves what it wraps."""
        for name in vars(function):
            if name not in ("function", *WRAPPER_ASSIGNMENTS, "__wrapped__"):
                raise _refusal(said, f"a function with an attribute, {name}")

    def _function(self, function: FunctionType, said: str) -> None:
        module = function.__globals__.get("__name__", "")
        if id(function) in _PURE or module.startswith(TRUSTED):
            return
        if _of_python(module):
            raise _refusal(said, "which is not known to be a function of its arguments")
        for name in function.__code__.co_freevars:
            if name != "__class__":
                raise _refusal(said, f"a closure over {name}")
        self._attributes(function, said)
        if function in self.functions:
            return
        self.functions[function] = []
        self._waiting.append(function)
        at = Where(function.__code__.co_filename, function.__code__.co_firstlineno)
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        self._all(defaults, f"{at}: {function.__name__} has a default argument")

    def _class(self, kind: type, said: str) -> None:
        if id(kind) in _PURE:
            return
        if type(kind) not in (type, enum.EnumType, abc.ABCMeta, type(typing.Protocol)):
            raise _refusal(said, f"a class of the class {type(kind).__name__}")
        for base in kind.__mro__:
            module = base.__module__
            if module.startswith(TRUSTED):
                return
            if id(base) in _PURE:
                continue
            if _of_python(module):
                raise _refusal(said, f"a {base.__name__}, which is not constant")
            self._fields(base, f"{said}, whose field")

    def _fields(self, kind: type, said: str) -> None:
        """Look at what a class has; what Python keeps there for itself is left alone."""
        made = vars(kind).get("__dataclass_fields__", {})
        for field in made.values():
            given = (field.default, field.default_factory)
            self._all((v for v in given if v is not dataclasses.MISSING), f"{said} {field.name}")
        for name, value in vars(kind).items():
            wrapped = getattr(value, "__func__", value)
            if isinstance(wrapped, FunctionType):
                if not _made_by_python(wrapped):
                    self._visit(wrapped, f"{said} {name}")
                elif not made:
                    self._all(wrapped.__defaults__ or (), f"{said} {name}")
            elif isinstance(value, property):
                self._all(filter(None, (value.fget, value.fset, value.fdel)), f"{said} {name}")
            elif not (is_inside(name) or isinstance(value, _SLOTS)):
                self._visit(value, f"{said} {name}")
                self._bindings[id(kind), name] = Binding(vars(kind), name, value, said)


def _refusal(said: str, what: str) -> ScenarioError:
    return ScenarioError(f"{said}, {what}", HINT)


def _in_order(values: frozenset[Any]) -> bool:
    """Whether a set comes in the same order whatever the hash seed."""
    return all(isinstance(value, int) for value in values)


def _of_python(module: str) -> bool:
    """Whether a module is of Python's own library."""
    return module.partition(".")[0] in sys.stdlib_module_names


def _made_by_python(function: FunctionType) -> bool:
    """Whether a method of a class was made by dataclass, NamedTuple or Enum."""
    generated = function.__code__.co_filename.startswith("<")
    return generated or _of_python(function.__globals__.get("__name__", ""))


def _of_machine(module: str) -> bool:
    """Whether the constants of a module of Python's tell of the machine that it runs on."""
    return _of_python(module) and module not in ("math", "string", "errno")


def _is_hint(kind: type) -> bool:
    """Whether something is of use in annotations and casts alone."""
    return kind.__module__ == "typing" or kind in (types.GenericAlias, types.UnionType)

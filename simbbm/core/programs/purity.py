"""A program is what it has observed: nothing else can be reached from its code.

What a program's code can reach is walked by value, not by name: from its functions through the
globals that they look up, default arguments, the methods of classes and what is in tuples, to
whatever those lead to. All of it has to be constant: numbers, text, tuples, enums, frozen
dataclasses, functions and classes made of such, and the builtins that are functions of their
arguments. What is on no list is refused, so that no list of all ways to cheat is needed.

Trusted, not looked into: what `simbbm.core.program` offers and `simbbm.arm64`, which steps
are made of, and what is written in C on the lists of `trusted`.
"""

from __future__ import annotations

import abc
import builtins
import dataclasses
import enum
import gc
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import WRAPPER_ASSIGNMENTS
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from simbbm.core.errors import ScenarioError, Where
from simbbm.core.program import Routine
from simbbm.core.programs.code import Name, scan
from simbbm.core.programs.guarded import GUARDED, guard, text_of
from simbbm.core.programs.mistakes import LOOPS, ORDER, is_inside, why_not_named
from simbbm.core.programs.trusted import PURE, is_trusted, of_python
from simbbm.core.values import attributes_of, slots_of

HINT = (
    "a program may look at nothing but its arguments, what its awaits return and constants: "
    "numbers, text, tuples, enums, frozen dataclasses, MappingProxyType"
)

_SCALARS = (
    *(int, bool, str, bytes, float, complex, range),
    *(type(None), type(...), type(NotImplemented)),
)

_NOTHING = object()
_PLAIN = (*LOOPS, *(f.__name__ for f in GUARDED), "super")
"""Builtin names that have to keep their meaning in a program."""
_COMPARES = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__or__", "__ror__")
"""Methods to which an operator hands the dictionary that a MappingProxyType is made of."""
_GENERATED = ("_make", "_replace", "_asdict")


class Binding(NamedTuple):
    """A name that a program looks up, and what it stood for."""

    names: Mapping[str, Any]
    name: str
    value: Any
    said: str


class Bindings:
    """What names stood for when they were looked up first."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, str], Binding] = {}

    def add(self, holder: int, binding: Binding) -> None:
        """Note what a name stands for; `holder` is the identity of the module or class."""
        self._held.setdefault((holder, binding.name), binding)

    def changed(self) -> Binding | None:
        """A name that stands for something else now."""
        return next(
            (b for b in self._held.values() if b.names.get(b.name, _NOTHING) is not b.value), None
        )


_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType, type(Binding.name), enum.property)
"""The placeholder in a class for a field of its instances."""


class Reached(NamedTuple):
    """A function that code can reach by name."""

    function: FunctionType
    framed: bool
    """Whether it is a routine: a frame of its own when it is awaited."""
    called: bool
    """Whether it is called right where it is looked up; else it is passed on as a value."""


class Purity:
    """What the programs of one automaton can reach; whatever is not constant is refused."""

    def __init__(self, bindings: Bindings) -> None:
        self.functions: dict[FunctionType, list[Reached]] = {}
        """Every author's function that was walked, with those that it names itself."""
        self.values: list[Reached] = []
        """Functions that were found as values: in arguments, tuples and classes."""
        self._bindings = bindings
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

    def reaches(self, value: Any) -> bool:
        """Whether the code leads to this very value, under whatever name."""
        return id(value) in self._seen

    def require_unchanged(self) -> None:
        """Raise ScenarioError if a name stands for something else than it did."""
        if changed := self._bindings.changed():
            raise ScenarioError(f"{changed.said}, which has changed since", HINT)

    def _read(self, function: FunctionType) -> None:
        """Look up every name in a function's code."""
        code = function.__code__
        guard(function)
        for name in scan(code).names:
            if not name.path[0].startswith("@"):  # No source compiles to that.
                at = Where(code.co_filename, name.line)
                self._look_up(function, name, f"{at}: {function.__name__} looks at")

    def _look_up(self, function: FunctionType, name: Name, said: str) -> None:
        value: Any = None
        names = function.__globals__
        space: Mapping[str, Any] = names
        for n, part in enumerate(name.path, 1):
            told = f"{said} {'.'.join(name.path[:n])}"
            if space is names and (guarded := _guarded(function, part)):
                names[part] = guarded
            value = space.get(part, _NOTHING)
            self._bindings.add(id(space), Binding(space, part, value, told))
            if space is names and value is _NOTHING:
                value = _builtins_of(function).get(part, _NOTHING)
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
        plain: Any = vars(builtins).get(part)
        plain = GUARDED.get(plain, plain)
        if space is names and part in _PLAIN and value is not plain and value is not _NOTHING:
            raise ScenarioError(f"{told}, which is not Python's", "give it another name")
        if name.compared and not _is_singleton(value, name.path[n:]):
            raise _refusal(told, "of which it asks whether it is the same object: use ==")
        if isinstance(value, frozenset) and name.tested:
            self._all(value, told)
        elif value is not _NOTHING:  # Otherwise it is a NameError when the program reaches it.
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
        elif isinstance(value, frozenset) and not _in_order(value):
            raise ScenarioError(
                f"{said}, a set", f"{ORDER}, or only ask whether something is in it"
            )
        elif isinstance(value, tuple | frozenset):
            if kind not in (tuple, frozenset):
                self._visit(kind, said)
            self._all((*value, *attributes_of(value).values()), said)
        elif dataclasses.is_dataclass(value) and kind.__dataclass_params__.frozen:
            self._visit(kind, said)
            names = {f.name for f in dataclasses.fields(value)} | slots_of(kind)
            self._all((getattr(value, n) for n in sorted(names) if hasattr(value, n)), said)
            self._all(attributes_of(value).values(), said)
        elif kind is types.MappingProxyType:
            held: Any = gc.get_referents(value)[0]
            if type(held) is not dict:
                raise _refusal(said, "a MappingProxyType of something else than a dictionary")
            self._all((*value, *value.values()), said)
        elif kind is slice:
            self._all((value.start, value.stop, value.step), said)
        elif kind is Routine:
            self._attributes(value, said)
            self._function(function, said)
        elif kind is FunctionType:
            self._function(value, said)
        elif kind is types.MethodType:
            self._all((value.__self__, value.__func__), said)
        elif kind is types.BuiltinFunctionType and id(value) not in PURE:
            own = not isinstance(value.__self__, (ModuleType, type(None)))
            if own and not why_not_named(value.__name__):
                self._visit(value.__self__, said)
            else:
                raise _refusal(said, "which is not known to be a function of its arguments")
        elif id(value) not in PURE and not _is_hint(kind):
            raise _refusal(said, f"a {kind.__name__}, which is not constant")

    def _all(self, values: Iterable[Any], said: str) -> None:
        for value in values:
            self._visit(value, said)

    def _attributes(self, function: Any, said: str) -> None:
        """Refuse notes on a function; a decorator leaves what it wraps."""
        for name in vars(function):
            if name not in ("function", *WRAPPER_ASSIGNMENTS, "__wrapped__"):
                raise _refusal(said, f"a function with an attribute, {name}")

    def _function(self, function: FunctionType, said: str, *, constructs: bool = False) -> None:
        if id(function) in PURE or is_trusted(function):
            return
        module = function.__globals__.get("__name__", "")
        if of_python(module) or module.startswith("simbbm.core."):
            raise _refusal(said, "which is not known to be a function of its arguments")
        for name in function.__code__.co_freevars:
            if name != "__class__":
                raise _refusal(said, f"a closure over {name}")
        self._attributes(function, said)
        for mistake in scan(function.__code__).mistakes:
            if not (constructs and mistake.unless_constructor):
                at = Where(function.__code__.co_filename, mistake.line)
                raise ScenarioError(f"{at}: {function.__name__} {mistake.what}", mistake.hint)
        if function in self.functions:
            return
        self.functions[function] = []
        self._waiting.append(function)
        at = Where(function.__code__.co_filename, function.__code__.co_firstlineno)
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        self._all(defaults, f"{at}: {function.__name__} has a default argument")

    def _class(self, kind: type, said: str) -> None:
        if id(kind) in PURE:
            return
        if type(kind) not in (type, enum.EnumType, abc.ABCMeta, type(typing.Protocol)):
            raise _refusal(said, f"a class of the class {type(kind).__name__}")
        for base in kind.__mro__:
            if id(base) in PURE or is_trusted(base):
                continue
            if of_python(base.__module__):
                raise _refusal(said, f"a {base.__name__}, which is not constant")
            self._fields(base, f"{said}, whose field")
        if kind.__repr__ is object.__repr__:  # type: ignore[comparison-overlap]
            kind.__repr__ = text_of  # type: ignore[method-assign, assignment]

    def _fields(self, kind: type, said: str) -> None:
        """Look at what a class has; what Python keeps there for itself is left alone."""
        made = vars(kind).get("__dataclass_fields__", {})
        for field in made.values():
            given = (field.default, field.default_factory)
            self._all((v for v in given if v is not dataclasses.MISSING), f"{said} {field.name}")
        for name, value in vars(kind).items():
            wrapped = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            if isinstance(wrapped, FunctionType):
                if not _made_by_python(kind, name, wrapped):
                    self._method(kind, name, wrapped, f"{said} {name}")
                elif not made:
                    self._all(wrapped.__defaults__ or (), f"{said} {name}")
            elif isinstance(value, property):
                self._all(filter(None, (value.fget, value.fset, value.fdel)), f"{said} {name}")
            elif name == "__match_args__":
                for shown in filter(is_inside, value):
                    raise _refusal(f"{said} {name}", f"shows {shown}")
            elif not (is_inside(name) or isinstance(value, _SLOTS)):
                self._visit(value, f"{said} {name}")
                self._bindings.add(id(kind), Binding(vars(kind), name, value, said))

    def _method(self, kind: type, name: str, function: FunctionType, said: str) -> None:
        """Look at a method that an author wrote."""
        if issubclass(kind, enum.Enum) and name in ("__init__", "_new_member_", "__new_member__"):
            return  # Members are made when the file is loaded, and never again.
        if name == "__new__":
            raise _refusal(said, "which may return what is there already: use __init__")
        if name in _COMPARES:
            raise _refusal(said, "which is handed what nobody else may change")
        if name == "__init__":
            self._here.append(Reached(function, framed=False, called=True))
            self._function(function, said, constructs=True)
        else:
            self._visit(function, said)


def _refusal(said: str, what: str) -> ScenarioError:
    return ScenarioError(f"{said}, {what}", HINT)


def _in_order(values: frozenset[Any]) -> bool:
    """Whether a set comes in the same order whatever the hash seed."""
    return all(isinstance(value, int) for value in values)


def _made_by_python(kind: type, name: str, function: FunctionType) -> bool:
    """Whether a method of a class was made by dataclass, NamedTuple or Enum."""
    if not (is_inside(name) or name in _GENERATED):
        return False
    if function.__code__.co_filename.startswith("<"):
        return "__dataclass_fields__" in vars(kind) or hasattr(kind, "_fields")
    return of_python(function.__globals__.get("__name__", ""))


def _builtins_of(function: Any) -> dict[str, Any]:
    """The builtins of a function, which may have been replaced."""
    found: dict[str, Any] = function.__builtins__
    return found


def _guarded(function: FunctionType, name: str) -> Callable[..., Any] | None:
    """The guarded replacement of a builtin that a program calls by name."""
    value: Any = function.__globals__.get(name, _builtins_of(function).get(name))
    known = isinstance(value, types.BuiltinFunctionType) and value.__name__ == name
    return GUARDED.get(value) if known else None


def _is_singleton(value: Any, path: tuple[str, ...]) -> bool:
    """Whether there is but one object that is equal to a value, or to an enum's member of it."""
    for part in path:
        value = getattr(value, part, None) if isinstance(value, enum.EnumType) else _NOTHING
    single = (type, enum.Enum, bool, FunctionType, Routine, type(None), types.BuiltinFunctionType)
    return isinstance(value, single)


def _of_machine(module: str) -> bool:
    """Whether the constants of a standard module depend on the machine."""
    return of_python(module) and module not in ("math", "string", "errno")


def _is_hint(kind: type) -> bool:
    """Whether something is used in annotations and casts only."""
    return kind.__module__ == "typing" or kind in (types.GenericAlias, types.UnionType)

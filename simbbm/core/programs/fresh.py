"""A file that is loaded again has to give its programs the same constants.

Constants are made when a file is loaded, by code that may look at anything. A constant made from
the clock, from random numbers or from an object's address differs in every process that loads the
file, and so do the programs that use it.

Not seen: what is made of the environment, the process's number or the hash seed, which are the same
for both copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType, MappingProxyType
from typing import Any

from simbbm.core.errors import ScenarioError, Where
from simbbm.core.program import Routine
from simbbm.core.programs.code import scan
from simbbm.core.values import encode


def require_same_constants(names: Mapping[str, Any], again: Mapping[str, Any]) -> None:
    """Raise ScenarioError if a function of a module uses a constant that a fresh copy has not."""
    for function in _functions(names):
        for name in scan(function.__code__).names:
            first = name.path[0]
            if first in names and _content(names[first]) != _content(again.get(first)):
                at = Where(function.__code__.co_filename, name.line)
                raise ScenarioError(
                    f"{at}: {function.__name__} looks at {first}, which is another value each time "
                    "that the file is loaded",
                    "a constant is made of neither the clock nor chance",
                )


def _functions(names: Mapping[str, Any]) -> Iterator[FunctionType]:
    for value in names.values():
        function = value.function if isinstance(value, Routine) else value
        if isinstance(function, FunctionType) and function.__globals__ is names:
            yield function


def _content(value: Any) -> object:
    """The content of a constant, the same in both copies of the file."""
    if isinstance(value, float | complex):
        return repr(value)
    if isinstance(value, MappingProxyType):
        value = tuple(value.items())
    if isinstance(value, tuple):
        return type(value).__qualname__, tuple(map(_content, value))
    if isinstance(value, frozenset):
        return sorted(repr(_content(item)) for item in value)
    try:
        return encode(value)
    except AttributeError:  # It has no name by which it could be known.
        return None

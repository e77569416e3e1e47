"""Replacements for builtins with which a program could reach what it may not.

A name that a program computes for getattr(), or what repr() makes of something, can be seen only
when it asks. So its module gets these in front of Python's own, and its classes a text to refuse.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from simbbm.core.errors import ScenarioError, Where
from simbbm.core.programs.mistakes import why_not_named
from simbbm.core.values import why_not_frozen

_programs: set[CodeType] = set()
"""Code of programs; other code in the same modules is not restricted."""


def guard(function: FunctionType) -> None:
    """Restrict a program's function, and the functions inside it."""
    waiting = [function.__code__]
    while waiting:
        code = waiting.pop()
        _programs.add(code)
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]


def is_of_program(code: CodeType) -> bool:
    """Whether this is code of a program."""
    return code in _programs


def _getattr(thing: Any, name: str, *default: Any) -> Any:
    _require(name, why_not_named)
    return getattr(thing, name, *default)


def _hasattr(thing: Any, name: str) -> bool:
    _require(name, why_not_named)
    return hasattr(thing, name)


def _repr(thing: Any) -> str:
    return _require(repr(thing), why_not_frozen)


def _ascii(thing: Any) -> str:
    return _require(ascii(thing), why_not_frozen)


def _format(thing: Any, how: str = "") -> str:
    return _require(format(thing, how), why_not_frozen)


def text_of(thing: object) -> str:
    """The default repr of an object."""
    return _require(object.__repr__(thing), why_not_frozen)


def _require(text: str, why_not: Callable[[str], str | None]) -> str:
    """Raise ScenarioError if a program may not have this text, or ask for what it names."""
    frame = sys._getframe(2)  # noqa: SLF001 - there is no public way
    if frame.f_code in _programs and (why := why_not(text)):
        if frame.f_code.co_name == "__getattr__":  # It forwards calls of others.
            raise AttributeError(text)
        at = Where(frame.f_code.co_filename, frame.f_lineno)
        raise ScenarioError(f"{at}: {frame.f_code.co_name} looks at {text}", why)
    return text


GUARDED: dict[Callable[..., Any], Callable[..., Any]] = {
    getattr: _getattr,
    hasattr: _hasattr,
    repr: _repr,
    ascii: _ascii,
    format: _format,
}

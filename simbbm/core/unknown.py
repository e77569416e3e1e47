"""Values that are not known yet: what an awaited load returns while it is still in flight.

A program may hand a token on, as an operand or an argument: that is a dependency, as in hardware.
As soon as it looks at one (compares it, computes with it, branches on it, prints it) it is stopped
by `NeedsValueError`, which the caller catches.

Not noticed: `token is None` and `type(token)`. No load returns None, and no program needs its type.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, NoReturn


class NeedsValueError(BaseException):
    """A program inspected an unknown value.

    Not meant to be caught by the program's own handlers.
    """


class Token:
    """The value of an operation in flight, by the position of that operation in the window."""

    __slots__ = ("_place",)

    def __init__(self, place: int) -> None:
        object.__setattr__(self, "_place", place)

    def __getattribute__(self, name: str) -> NoReturn:
        raise NeedsValueError


def _looked_at(*_: Any) -> NoReturn:
    raise NeedsValueError


_LOOKS = """
    eq ne lt le gt ge hash bool repr str format int float index complex len iter contains
    getitem setattr delattr call add radd sub rsub mul rmul truediv rtruediv floordiv
    rfloordiv mod rmod divmod rdivmod pow rpow lshift rlshift rshift rrshift and rand or ror
    xor rxor matmul rmatmul neg pos abs invert round trunc floor ceil bytes enter exit await
    aiter anext dir sizeof
"""
for _name in _LOOKS.split():
    setattr(Token, f"__{_name}__", _looked_at)

_tokens: list[Token] = []


def token(place: int) -> Token:
    """The token of the operation at this position in the window."""
    while len(_tokens) <= place:
        _tokens.append(Token(len(_tokens)))
    return _tokens[place]


def place_of(unknown: Token) -> int:
    """Position in the window of the operation whose value the token stands for."""
    place: int = object.__getattribute__(unknown, "_place")
    return place


class Dependent(NamedTuple):
    """An operand that depends on values and is none of them, as by `eor x, x; add`."""

    operand: Any
    on: tuple[Any, ...]


def is_symbol(operand: Any) -> bool:
    """Whether it stands for a value of every number of CPUs (`core/programs/everyone.py`)."""
    return getattr(type(operand), "is_symbol", False)


def is_known(operand: Any) -> bool:
    """Whether an operand contains no unknown value."""
    if type(operand) is Token:
        return False
    if is_symbol(operand):
        return True
    if isinstance(operand, tuple):
        return all(map(is_known, operand))
    if dataclasses.is_dataclass(operand) and not isinstance(operand, type):
        return all(is_known(getattr(operand, f.name)) for f in dataclasses.fields(operand))
    return True

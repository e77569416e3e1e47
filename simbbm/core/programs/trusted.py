"""What the code of a program may lead to without being looked into.

Builtins that are functions of their arguments, kinds whose instances a program makes where it runs,
and what steps are made of: that is ours.
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
from types import FunctionType
from typing import Any

from simbbm.core import program
from simbbm.core.programs.guarded import GUARDED, text_of

_FUNCTIONS = (
    *(abs, all, any, bin, callable, chr, divmod, hex, isinstance, issubclass),
    *(iter, len, max, min, next, oct, ord, pow, round, sorted, sum, *GUARDED.values(), text_of),
    *(functools.reduce, dataclasses.replace, dataclasses.astuple, typing.cast, typing.assert_never),
    *(f for f in vars(math).values() if callable(f)),
    *(
        f
        for name, f in vars(operator).items()
        if isinstance(f, types.BuiltinFunctionType) and name not in ("is_", "is_not")
    ),
)
_TYPES = (
    *(bool, bytearray, bytes, complex, dict, enumerate, filter, float, int, list, map, object),
    *(property, range, reversed, slice, str, super, tuple, type, zip, types.MappingProxyType),
    *(collections.Counter, collections.OrderedDict, collections.defaultdict, collections.deque),
    *(enum.Enum, enum.IntEnum, enum.StrEnum, enum.Flag, enum.IntFlag, enum.ReprEnum),
    *(abc.ABC, typing.Generic, typing.Protocol, re.Pattern),
    *(contextlib.suppress, contextlib.nullcontext),
    *(kind for kind in vars(itertools).values() if isinstance(kind, type)),
    *(
        kind
        for kind in vars(collections.abc).values()
        if isinstance(kind, type) and not issubclass(kind, collections.abc.MappingView)
    ),
    *(
        kind
        for kind in vars(builtins).values()
        if isinstance(kind, type)
        and issubclass(kind, Exception)
        and not issubclass(kind, MemoryError | RecursionError)
    ),
    *(BaseException, GeneratorExit),
)
"""Their instances are a program's own, made where it runs; one that was made before is refused."""
PURE = {id(value) for value in (*_FUNCTIONS, *_TYPES)}
"""Identities of what is on the lists."""


def is_trusted(made: Any) -> bool:
    """Whether a function or class is part of the programming interface: it is not looked into."""
    name = made.__module__
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or not name.startswith((program.__name__, "simbbm.arm64.")):
        return False
    outermost = made.__qualname__.partition(".")[0]
    there = getattr(module, outermost, None)
    own = vars(module) is made.__globals__ if isinstance(made, FunctionType) else made is there
    return own and (module is not program or outermost in program.__all__)


def of_python(module: str) -> bool:
    """Whether a module is of Python's own library."""
    return module.partition(".")[0] in sys.stdlib_module_names

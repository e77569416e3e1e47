"""Frozen data: the values that may cross an await, and their canonical encoding.

Program histories are dictionary keys, so their equality has to be exact: Python says that `True`
and `1` are equal, and a memo keyed by plain equality would give one program the continuation of
another. `key` separates them; `encode` gives bytes that are equal on every machine and Python,
whatever the hash seed.
"""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from hashlib import blake2b
from types import FunctionType
from typing import Any

from simbbm.core.unknown import Token, place_of

_LARGE = 16
_ADDRESS = re.compile("<[^>]* at 0x[0-9a-f]{8}")
"""The default repr of an object, which contains its address and so differs between processes."""
_members: dict[int, Enum] = {}
"""Members of enums that were found frozen."""
_frozen: dict[int, tuple[Any, ...]] = {}
"""Large tuples that were found frozen: a kernel's addresses are an argument of every call."""


def qualified_name(function: Any) -> str:
    """The name by which a module-level function is known in control points and edits."""
    return f"{function.__module__}.{function.__qualname__}"


def why_not_frozen(value: Any) -> str | None:
    """Say what makes `value` unfit to cross an await, or None if it is frozen data.

    Frozen data are int, bool, str, bytes, None, enum members, tuples (named ones too), frozen
    dataclasses without hidden state, and module-level functions.
    """
    if type(value) is Token:
        return None
    if type(value) is str and _ADDRESS.search(value):
        return "there is an object's address in a text"
    if type(value) in (int, bool, str, bytes, type(None)):
        return None
    if isinstance(value, Enum):
        return None if id(value) in _members else _why_not_member(value)
    if isinstance(value, tuple):
        if type(value) is not tuple and attributes_of(value):
            return f"a {type(value).__name__} has hidden state"
        if len(value) < _LARGE:
            return next((why for item in value if (why := why_not_frozen(item))), None)
        if id(value) not in _frozen:
            if why := next((why for item in value if (why := why_not_frozen(item))), None):
                return why
            _frozen[id(value)] = value
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if not value.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            return f"dataclass {type(value).__name__} is not frozen"
        fields = dataclasses.fields(value)
        kept = {*attributes_of(value), *slots_of(type(value))}
        if kept - {f.name for f in fields}:
            return f"a {type(value).__name__} has hidden state"
        return next((why for f in fields if (why := why_not_frozen(getattr(value, f.name)))), None)
    if isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
        function = getattr(value, "__wrapped__", value)
        if function.__closure__ or "<" in function.__qualname__:
            return f"function {function.__qualname__} is a closure or a lambda"
        return None
    return f"a {type(value).__name__} is not frozen data"


def attributes_of(value: Any) -> dict[str, Any]:
    """The instance attributes of an object, without its slots; its __getattr__ is not called."""
    try:
        found: dict[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found


def slots_of(kind: type) -> set[str]:
    """Names of the slots of a class's instances, inherited ones included."""
    named = (vars(base).get("__slots__", ()) for base in kind.__mro__)
    every = {name for slots in named for name in ((slots,) if isinstance(slots, str) else slots)}
    return every - {"__dict__", "__weakref__"}


def _why_not_member(value: Enum) -> str | None:
    """Say why an enum member is not frozen data; members that are get remembered."""
    own = {name: held for name, held in vars(value).items() if not name.startswith("__")}
    own.pop("_sort_order_", None)
    if why := next((why for held in own.values() if (why := why_not_frozen(held))), None):
        return f"{value}: {why}"
    _members[id(value)] = value
    return None


def key(value: Any) -> Any:
    """A dictionary key that tells apart what Python's equality does not (True, 1, an IntEnum)."""
    kind = type(value)
    if kind is int or kind is str or value is None:
        return value
    if kind is bool:
        return ("bool", value)
    if kind is Token:
        return (Token, place_of(value))
    if isinstance(value, Enum):
        return (kind, value.name, key(value.value))  # members of a Flag may have no name
    if isinstance(value, tuple):
        return (kind, *map(key, value))
    if dataclasses.is_dataclass(kind):
        return (kind, *(key(getattr(value, f.name)) for f in dataclasses.fields(kind)))
    return value


class Encoded(bytes):
    """The encoding of a value, kept.

    It stands for that value inside values that are encoded later.
    """

    __slots__ = ()


def encode(value: Any) -> bytes:
    """Canonical bytes of frozen data, equal on every machine.

    A named tuple that got fields when there were recorded digests already has a method `recorded`:
    its fields, without those of the new ones that have their default.
    """
    if type(value) is Encoded:
        return value
    if value is None or (isinstance(value, int | str | bytes) and not isinstance(value, Enum)):
        return f"{type(value).__name__}:{value!r};".encode()
    if isinstance(value, Enum):
        named = value.name or repr(value.value)
        return f"enum:{type(value).__name__}.{named};".encode()
    if isinstance(value, tuple):
        recorded: Any = getattr(type(value), "recorded", None)
        items = recorded(value) if recorded else value
        return b"".join((f"{type(value).__name__}(".encode(), *map(encode, items), b")"))
    if isinstance(value, frozenset):
        return b"".join((b"{", *sorted(map(encode, value)), b"}"))
    if dataclasses.is_dataclass(value):
        fields = (encode(getattr(value, f.name)) for f in dataclasses.fields(value))
        return b"".join((f"{type(value).__name__}(".encode(), *fields, b")"))
    return f"function:{qualified_name(getattr(value, '__wrapped__', value))};".encode()


def digest(*values: Any) -> str:
    """32 hexadecimal digits that identify frozen data by content."""
    return blake2b(b"".join(map(encode, values)), digest_size=16).hexdigest()

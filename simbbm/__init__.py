"""Discrete-event concurrency simulator for block-size changes of the live arm64 linear map.

`from simbbm import scenario, Setup, Cpu, leaf` is what a scenario is written with (`public`), and
`from simbbm import explore` what looks at one (`library`). Both are loaded when they are asked for:
`simbbm --version` need not wait for the former, nor a scenario for the latter.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from simbbm.library import *  # noqa: F403 - what they offer is listed there, and nowhere else
    from simbbm.public import *  # noqa: F403

OFFERED = ("simbbm.public", "simbbm.library")
_SHADOWED = ("check", "explore", "scenario")


class _Package(ModuleType):
    """This package. Its folder `explore` does not take the place of the function `explore`.

    Python binds every module that is loaded to its package; `check`, `explore` and `scenario` are
    names of public functions too, and these are what `simbbm.explore` means, whatever was loaded
    first. `from simbbm.explore.runs import run` works; `import simbbm.explore.runs as runs`, which
    takes one attribute after the other, finds the function instead.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in _SHADOWED):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


if not TYPE_CHECKING:  # a type checker would believe that any name at all is there

    def __getattr__(name: str) -> Any:
        """Load what a name is part of, all of it: a program may name any of it (`simbbm.leaf`)."""
        if name == "__all__":
            return _every_name()
        if not (name.startswith("_") or _is_module(name)):
            for module in map(import_module, OFFERED):
                globals().update((offered, getattr(module, offered)) for offered in module.__all__)
                if name in globals():
                    return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _every_name() -> list[str]:
    return sorted(name for module in map(import_module, OFFERED) for name in module.__all__)


def _is_module(name: str) -> bool:
    """Whether `from simbbm import name` asks for a module of that name, which Python then loads."""
    here = sys.modules[__name__].__path__
    return name not in _SHADOWED and bool(PathFinder.find_spec(f"{__name__}.{name}", here))


def __dir__() -> list[str]:
    """Name what is offered, loaded or not."""
    return sorted({*globals(), *_every_name()})

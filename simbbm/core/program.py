"""What a program is written with: steps, routines and loops.

A program is an `async def` function. Each `await` asks for one architectural step and gets back
what the step observed; nothing else may be looked at, so that a program's control state *is* the
history of what it has observed. Three kinds of things can be awaited:

* a `Step`, made by a method of the `cpu` handle that the program gets as first argument;
* a call of a `@routine`: a frame of its own, whose history is dropped when it returns;
* `repeat_until(body, ...)`: a loop that remembers only its current turn.

What a step does is not defined here: that is the machine's part.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import update_wrapper
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar

from simbbm.core.errors import ScenarioError, Where
from simbbm.core.values import key, why_not_frozen

P = ParamSpec("P")
R = TypeVar("R")
Program = Callable[..., Coroutine[Any, Any, Any]]
"""An `async def` function at the top level of a module; a CPU's handle is its first argument."""


class Op(NamedTuple):
    """One operation that a program asks its CPU for; `args` are frozen data.

    `mnemonic` is the architecture's name and, with a variant after a dot, the part of a semantic
    label that says which operation it is (`dsb.ish`, `msr.ttbr1_el1`).
    """

    mnemonic: str
    args: tuple[Any, ...] = ()


def line_of_caller(depth: int) -> Where:
    """Return the line that is being executed `depth` calls further up."""
    frame = sys._getframe(depth)  # noqa: SLF001 - there is no public way
    return Where(frame.f_code.co_filename, frame.f_lineno)


class Request(Awaitable[R]):
    """An awaitable request. It remembers where it was made, for error messages.

    A program must not read that place: the path differs between machines.
    """

    __slots__ = ("_where_",)

    def __init__(self, depth: int = 2) -> None:
        self._where_ = line_of_caller(depth + 1)
        created.append(self)

    def content(self) -> Any:
        """Return the request as data, to compare."""
        raise NotImplementedError

    def require_frozen(self) -> None:
        """Raise ScenarioError if something that is not frozen data would cross the await."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __await__(self) -> Generator[Request[R], Any, R]:
        result: R = yield self
        return result


created: list[Request[Any]] = []
"""Requests made since the automaton last looked: one that was never awaited is an error."""


class Step(Request[R]):
    """A request for one operation. Lazy: nothing happens until it is awaited."""

    __slots__ = ("op",)

    def __init__(self, op: Op, depth: int = 3) -> None:
        super().__init__(depth)
        self.op = op

    def content(self) -> Any:
        """Return mnemonic and operands."""
        return key(self.op)

    def require_frozen(self) -> None:
        """Refuse operands that are not frozen data."""
        for arg in self.op.args:
            if why := why_not_frozen(arg):
                raise ScenarioError(f"{self._where_}: operand of {self.op.mnemonic}: {why}")


class Call(Request[R]):
    """A call of a routine: becomes a frame of its own."""

    __slots__ = ("args", "function")

    def __init__(self, function: Program, args: tuple[Any, ...], depth: int = 3) -> None:
        super().__init__(depth)
        self.function = function
        self.args = args

    def content(self) -> Any:
        """Return routine and arguments."""
        return self.function, key(self.args)

    def require_frozen(self) -> None:
        """Refuse arguments that are not frozen data, lambdas and closures."""
        require_module_level(self.function, self._where_)
        for arg in self.args:
            if why := why_not_frozen(arg):
                raise ScenarioError(
                    f"{self._where_}: argument of {self.function.__name__}: {why}",
                    "pass ints, strings, tuples, frozen dataclasses or module-level functions",
                )


class Loop(Call[R]):
    """A loop over a body: only the current turn is remembered."""

    __slots__ = ()


class Routine(Generic[P, R]):
    """An `async def` function that runs as a frame of its own when it is awaited."""

    def __init__(self, function: Callable[P, Coroutine[Any, Any, R]]) -> None:
        self.function = function
        update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<routine {self.function.__name__}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Request[R]:
        """Request a call: nothing runs until it is awaited."""
        if kwargs:
            names = ", ".join(kwargs)
            message = f"{line_of_caller(2)}: {self.function.__name__}: pass {names} by position"
            raise ScenarioError(message, "a frame is keyed by its positional arguments")
        return Call(self.function, args)


def routine(function: Callable[P, Coroutine[Any, Any, R]]) -> Routine[P, R]:
    """Make a module-level `async def` function a frame of its own when awaited.

    When `function` returns, what it has observed is dropped, so that there are fewer states. Its
    arguments are passed by position and are frozen data; ScenarioError if they are not.
    """
    return Routine(function)


def repeat_until(
    body: Callable[Concatenate[P], Awaitable[R]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Request[R]:
    """Await `body(*args)` until it returns something true, and return that.

    `body` is a module-level `async def` function, decorated or not, `args` are frozen data that it
    gets in every turn; only the current turn is remembered. ScenarioError for a lambda, a closure
    or `kwargs`.
    """
    if kwargs:
        message = f"{line_of_caller(2)}: repeat_until: pass the body's arguments by position"
        raise ScenarioError(message)
    function: Any = body
    return Loop(getattr(function, "__wrapped__", function), args)


def require_module_level(function: Callable[..., Any], where: Where | None = None) -> None:
    """Refuse lambdas and closures: a control point names its function by qualified name."""
    if why := why_not_frozen(function):
        code = getattr(function, "__code__", None)
        at = where or (Where(code.co_filename, code.co_firstlineno) if code else function)
        raise ScenarioError(
            f"{at}: {why}",
            "programs, routines and loop bodies are module-level async functions",
        )


__all__ = [
    "Call",
    "Loop",
    "Op",
    "Program",
    "Request",
    "Routine",
    "Step",
    "repeat_until",
    "routine",
]

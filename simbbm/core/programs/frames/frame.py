"""Run one frame of a program, a step at a time, and find an author's mistakes while doing so.

A frame that is watched gets an error where a loop never awaits, instead of hanging.
"""

from __future__ import annotations

import gc
import inspect
import sys
import types
from collections import Counter
from collections.abc import Coroutine, Iterator
from itertools import takewhile
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any, NamedTuple

from simbbm.core import program
from simbbm.core.errors import ScenarioError, Where
from simbbm.core.program import Call, Op, Program, Request, Step
from simbbm.core.programs.everyone import Sends
from simbbm.core.programs.frames.closing import runs_code
from simbbm.core.programs.guarded import is_of_program
from simbbm.core.programs.symbols import RUNNING
from simbbm.core.unknown import NeedsValueError
from simbbm.core.values import key, qualified_name, why_not_frozen

MAX_LINES_PER_STEP = 200_000
LINES_PER_TURN = 1_000
"""How many lines more a frame may run for each value that it observes."""
MAX_CALLS_DEEP = 300
"""Python's own recursion limit depends on the depth of the caller's stack."""


_WHERE = "simbbm raised at"
"""Key in an exception's attributes: where it was raised first."""


class Raised(NamedTuple):
    """An outcome in a frame's history: the awaited routine raised instead of returning."""

    kind: type[Exception]
    args: tuple[Any, ...]
    where: Where

    def content(self) -> tuple[str, tuple[Any, ...]]:
        """What identifies it in a digest: not the line, which moves when a file is edited."""
        return qualified_name(self.kind), self.args

    def rebuilt(self) -> Exception:
        """Make the exception that the awaiting frame sees."""
        error = self.kind(*self.args)
        vars(error)[_WHERE] = self.where
        return error


class Turn(NamedTuple):
    """What a frame does next: `request`, the `occurrence`-th of its kind, or an `outcome`."""

    request: Request[Any] | None
    occurrence: int
    outcome: Any
    where: Where
    awaiting: tuple[tuple[CodeType, int], ...] = ()
    """Code and line of the frame, and of the coroutines that it awaits within the frame."""

    def content(self) -> Any:
        """What must be the same whenever the frame is run."""
        if self.request is None:
            return key(self.outcome)
        return kind(self.request), self.occurrence, self.request.content()


def kind(request: Request[Any]) -> str:
    """The key by which occurrences are counted: the mnemonic, or the routine that is called."""
    if isinstance(request, Call):
        return qualified_name(request.function)
    assert isinstance(request, Step)
    return request.op.mnemonic


class Running:
    """A frame's coroutine: it is sent one observed value after another."""

    def __init__(
        self, function: Program, args: tuple[Any, ...], *, root: bool, watched: bool
    ) -> None:
        """`root`: nothing called it; `watched`: a loop that never awaits is ended with an error."""
        self._function, self._root = function, root
        self._counts: Counter[str] = Counter()
        self._sends = Sends()
        self._watchdog = _Watchdog(function) if watched else None
        self._ended: Turn | None = None
        """What it does for ever: it has returned or raised."""
        self._args = args
        self._coroutine: Any = None

    @property
    def can_wait(self) -> bool:
        """Whether it can be kept where it is, as nothing would be seen if it were closed there."""
        return self._ended is None and not runs_code(self._coroutine)

    def turn(self, value: Any = None) -> Turn:
        """What it does next, when it has observed a value; None where it begins."""
        if self._ended:
            return self._ended
        if self._coroutine is None:
            self._coroutine = _begun(self._function, self._args)
        program.created.clear()
        turn = None
        try:
            request = _checked(self._coroutine, self._sent(value))
            self._counts[kind(request)] += 1
            nth, awaiting = self._counts[kind(request)], tuple(_awaiting(self._coroutine))
            turn = Turn(request, nth, None, request._where_, awaiting)
        except StopIteration as stop:
            turn = self._ended = self._returned(stop.value)
        except ScenarioError:
            raise
        except _EndlessError as endless:
            raise ScenarioError(str(endless), "an endless loop that awaits nothing") from None
        except (KeyboardInterrupt, MemoryError):  # of the machine's that it runs on
            raise
        except NeedsValueError:  # it inspected an unknown value: it is run again when that is known
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the author's code raised
            turn = self._ended = self._raised(error)
        finally:
            if turn is None:
                self.close()
        return turn

    def _sent(self, value: Any) -> Any:
        """What it asks for next, when it has observed a value."""
        request, coroutine, previous = None, self._coroutine, sys.gettrace()
        # What the collector closes meanwhile would be taken for something that this program calls.
        collects = gc.isenabled()
        gc.disable()
        self._sends.before()
        try:
            with RUNNING:
                if self._watchdog:
                    sys.settrace(self._watchdog.another_turn())
                thrown = type(value) is Raised
                request = coroutine.throw(value.rebuilt()) if thrown else coroutine.send(value)
        except StopIteration:
            self._sends.after(None)
            raise
        finally:
            if self._watchdog:
                sys.settrace(previous)
            if collects:
                gc.enable()
        self._sends.after(request)
        return request

    def _returned(self, value: Any) -> Turn:
        _check_all_awaited(None)
        start = start_of(self._function)
        if why := why_not_frozen(value):
            message = f"{start}: {self._function.__name__} returns something unfit: {why}"
            raise ScenarioError(message) from None
        return Turn(None, 0, value, start)

    def _raised(self, error: BaseException) -> Turn:
        where = vars(error).get(_WHERE) or _raised_at(self._function, error)
        if isinstance(error, Exception) and not self._root:
            return Turn(None, 0, _outcome(error, where), where)
        if not isinstance(error, AssertionError):
            raise ScenarioError(f"{where}: {type(error).__name__}: {error}") from None
        return Turn(_panic(error, where), self._counts["panic"] + 1, None, where)

    def close(self) -> None:
        """Give it up; raise ScenarioError if it does something else than ending then."""
        program.created.clear()
        try:
            self._coroutine.close()
        except Exception as error:  # noqa: BLE001 - whatever the author's `finally` raised
            name = self._function.__name__
            if self._coroutine.cr_frame is not None:
                raise ScenarioError(
                    f"{_suspended_at(self._coroutine)}: {name} awaits while it is being closed",
                    "do not await in a `finally` that also runs when the program is abandoned",
                ) from None
            where = _raised_at(self._function, error)
            raise ScenarioError(
                f"{where}: {type(error).__name__} while {name} is being closed: {error}"
            ) from None
        finally:
            program.created.clear()


def _begun(function: Program, args: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
    try:
        coroutine = function(*args)
    except Exception as error:  # noqa: BLE001 - wrong arguments, or not a coroutine function
        raise ScenarioError(f"{start_of(function)}: {error}") from None
    if not inspect.iscoroutine(coroutine):
        raise ScenarioError(f"{start_of(function)}: {function.__name__} is not an async function")
    return coroutine


def _outcome(error: Exception, where: Where) -> Raised:
    """Return an exception as an outcome; it has to be frozen data like every other outcome."""
    try:
        again = type(error)(*error.args)
        unlike = again.args != error.args or _fields(again) != _fields(error)
    except Exception:  # noqa: BLE001 - an author's class
        unlike = True
    if unlike or vars(error).keys() - {_WHERE} or why_not_frozen(error.args):
        raise ScenarioError(
            f"{where}: {type(error).__name__}: {error}",
            "an exception leaves a routine only if its arguments are frozen data and all it has",
        ) from None
    return Raised(type(error), error.args, where)


def _fields(error: Exception) -> dict[str, Any]:
    """The data of an exception that are kept in slots of its class, beside its arguments."""
    kinds = takewhile(lambda kind: kind is not BaseException, type(error).__mro__)
    slots = (types.MemberDescriptorType, types.GetSetDescriptorType)
    names = (name for kind in kinds for name, held in vars(kind).items() if isinstance(held, slots))
    return {name: key(getattr(error, name, None)) for name in names if not name.startswith("__")}


def _panic(error: AssertionError, where: Where) -> Step[None]:
    """An assertion that fails and is not caught becomes a panic, like the kernel's BUG_ON().

    Of the file only the name is told: a state's digest is the same wherever the file lies.
    """
    said = f": {error}".partition("\n")[0] if str(error) else ""
    told = f"assertion failed at {PurePath(where.file).name}:{where.line}{said}"
    step = Step[None](Op("panic", (told,)))
    step._where_ = where
    return step


def _checked(coroutine: Coroutine[Any, Any, Any], request: Any) -> Request[Any]:
    if not isinstance(request, Request):
        raise ScenarioError(
            f"{_suspended_at(coroutine)}: awaited a {type(request).__name__}, which is not a step",
            "await only methods of cpu, routines and repeat_until",
        )
    _check_all_awaited(request)
    return request


def _check_all_awaited(awaited: Request[Any] | None) -> None:
    for request in program.created:
        if request is not awaited:
            name = kind(request)
            if isinstance(request, Call):
                name = name.rpartition(".")[2]
            message = f"{request._where_}: {name} was created but not awaited"
            raise ScenarioError(message, "write `await` before it")
    program.created.clear()


def _raised_at(function: Program, error: BaseException) -> Where:
    """Return the innermost line of the author's own file in the traceback."""
    where = start_of(function)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == where.file:
            where = Where(where.file, trace.tb_lineno)
        trace = trace.tb_next
    return where


def start_of(function: Program) -> Where:
    """Return the line on which a function is defined."""
    return Where(function.__code__.co_filename, function.__code__.co_firstlineno)


def _suspended_at(coroutine: Any) -> Where:
    """Return the innermost line of the author's own file in the chain of awaits."""
    file = coroutine.cr_code.co_filename
    *_, where = (Where(file, n) for code, n in _awaiting(coroutine) if code.co_filename == file)
    return where


def _awaiting(coroutine: Any) -> Iterator[tuple[CodeType, int]]:
    """Code and line of a coroutine, and of the coroutines inside that it awaits."""
    while inspect.iscoroutine(coroutine):
        code, frame = coroutine.cr_code, coroutine.cr_frame
        yield code, frame.f_lineno if frame else code.co_firstlineno
        coroutine = coroutine.cr_await


class _EndlessError(BaseException):
    """Too many lines without a step. A BaseException: authors' handlers do not catch it."""


class _Watchdog:
    """A trace function that ends a loop which never awaits, and calls that never return."""

    def __init__(self, function: Program) -> None:
        self.function = function
        self.left = MAX_LINES_PER_STEP - LINES_PER_TURN
        self.depth = 0

    def another_turn(self) -> _Watchdog:
        """It may run some more lines."""
        self.left += LINES_PER_TURN
        self.depth = 0
        return self

    def __call__(self, frame: FrameType, event: str, arg: Any) -> _Watchdog:  # noqa: ARG002
        self.left -= 1
        self.depth += {"call": 1, "return": -1}.get(event, 0)
        if event == "call" and Sends.now.in_turn and is_of_program(frame.f_code):
            Sends.now.require_no_code(frame.f_code.co_name)
        if self.depth > MAX_CALLS_DEEP:
            here = Where(frame.f_code.co_filename, frame.f_lineno)
            raise _EndlessError(f"{here}: calls nested more than {MAX_CALLS_DEEP} deep")
        if self.left < 0:
            here = Where(frame.f_code.co_filename, frame.f_lineno)
            raise _EndlessError(
                f"{here}: {self.function.__name__} ran {MAX_LINES_PER_STEP} lines without a step"
            )
        return self

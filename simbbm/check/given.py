"""What an author's scenario gives, held against what it should: one line says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import shorten
from types import TracebackType
from typing import Any

from simbbm.core.errors import ScenarioError, SimbbmError, Where
from simbbm.core.system import Problem


def require_kind(said: str, name: str, value: object, kind: Any, *, each: bool = False) -> None:
    """Raise ScenarioError unless `value` is of this kind; with `each`, a tuple of such values."""
    if each and type(value) is not tuple:
        raise ScenarioError(
            f"{said}: {name} is a {type(value).__name__}", f"it is a tuple: ({name}, )"
        )
    for one in value if isinstance(value, tuple) and each else (value,):
        if not isinstance(one, kind):
            wanted, told = kind.__name__, shorten(getattr(one, "__name__", repr(one)), 60)
            hint = f"{told}(...) may give one" if callable(one) else f"it takes a {wanted}"
            raise ScenarioError(f"{said}: {name}: {told} is no {wanted}", hint)


def built(said: str, build: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    """Call an author's function; whatever it raises is the author's mistake, with file and line."""
    try:
        return build(**parameters)
    except (SimbbmError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - an author's code
        raise _told(said, error) from None


def guarded(name: str, check: Callable[..., Any]) -> Callable[..., Any]:
    """A property's predicate of an author's, which may raise or return what it should not."""
    if getattr(check, "__module__", "").startswith("simbbm."):
        return check

    def judge(shared: Any, state: Any) -> Problem | None:
        try:
            problem = check(shared, state)
        except (SimbbmError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - an author's code
            raise _told(f"property {name}", error) from None
        if problem is not None and not isinstance(problem, Problem):
            told = f"property {name} returned a {type(problem).__name__}"
            raise ScenarioError(told, "it returns a Problem, or None where all is well")
        return problem

    return judge


def _told(said: str, error: Exception) -> ScenarioError:
    """The last line that is not of simbbm's own, on the way to the error."""
    where = ""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if not trace.tb_frame.f_globals.get("__name__", "").startswith("simbbm."):
            where = f"{Where(trace.tb_frame.f_code.co_filename, trace.tb_lineno)}: "
        trace = trace.tb_next
    return ScenarioError(f"{where}{said}: {type(error).__name__}: {error}")

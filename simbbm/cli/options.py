"""What several commands take: how counts, seeds, durations, ids and parameters are written."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simbbm.core.errors import UsageError
from simbbm.host.amounts import COUNT, DURATION, SIZE, Unit
from simbbm.host.reading import STEPS_MAX, decimal, is_file, number, quoted

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

_SEED_DIGITS = 38
"""As many as 126 bits have."""
JOBS_MAX = 1_024
WITNESS_DIR = Path(".simbbm/witness")
"""Where witnesses are kept unless somebody says otherwise."""
SYMBOLS_DIR = Path(".simbbm/symbols")
"""Where the symbols of kernel images are kept, once they are decoded."""


class _Quantity(click.ParamType[Any]):
    """A number with a unit."""

    unit: Unit

    def read(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; zero is none."""
        found = self.unit.read(value)
        if found is None:
            self.fail(f"{quoted(value)} is not {self.unit.told}", param, ctx)
        return found


class Count(_Quantity):
    """A positive number, `500`, `10k` or `2m`, perhaps not above a limit."""

    name = "count"
    unit = COUNT

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        count = value if isinstance(value, int) else int(self.read(value, param, ctx))
        if self.limit is not None and count > self.limit:
            self.fail(f"{quoted(value)} is more than {self.limit:,}", param, ctx)
        return count


class Seed(click.ParamType[int]):
    """A number, decimal or hexadecimal."""

    name = "seed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        seed = number(value.replace("_", ""), digits=_SEED_DIGITS)
        if seed is None:
            self.fail(f"{quoted(value)} is not a seed: write 42 or 0x2a", param, ctx)
        return seed


class Size(_Quantity):
    """An amount of memory in bytes, `500m` or `2g`."""

    name = "size"
    unit = SIZE

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        return value if isinstance(value, int) else int(self.read(value, param, ctx))


class Duration(_Quantity):
    """Seconds, `30s`, `10m` or `1h`."""

    name = "duration"
    unit = DURATION

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it."""
        return value if isinstance(value, int | float) else self.read(value, param, ctx)


class ScenarioId(click.ParamType[str]):
    """An id, a stem or a file."""

    name = "id"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return the shipped ids that begin like this, those of a file, or files."""
        from click.shell_completion import CompletionItem

        from simbbm import discovery
        from simbbm.core.errors import SimbbmError

        source, separator, _ = incomplete.partition("::")
        try:
            known = discovery.select([source]) if separator else discovery.shipped()
        except SimbbmError:
            return []
        ids = [s.id for s in known if s.id.startswith(incomplete)]
        if ids or separator:
            return [CompletionItem(i) for i in ids]
        return [CompletionItem(incomplete, type="file")]


def ids_on_the_line(ctx: click.Context) -> list[str]:
    """The ids that stand before the word that is completed.

    While an option has no value yet, click leaves them unparsed.
    """
    return [*(ctx.params.get("ids") or ctx.args)]


class Assignment(click.ParamType[tuple[str, str]]):
    """A parameter's new value, `name=value`."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split it; what it means depends on the scenario."""
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not (name and equals and text):
            self.fail(f"{quoted(value)} is not name=value: write -p cpus=4", param, ctx)
        return name, text

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return parameters of the scenarios that are named already, and their values."""
        from click.shell_completion import CompletionItem

        from simbbm import discovery
        from simbbm.core.errors import SimbbmError

        try:
            named = discovery.select(ids_on_the_line(ctx) or ["linear_map_split::good"])
        except SimbbmError:
            return []
        words = {
            f"{p.name}={value}": None
            for scenario in named
            for p in scenario.parameters
            for value in (p.choices or (p.default,))
        }
        return [CompletionItem(w) for w in words if w.startswith(incomplete)]


class StrategyName(click.ParamType[str]):
    """A strategy; which there are is known to those who search."""

    name = "strategy"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Return the strategies that begin like this."""
        from click.shell_completion import CompletionItem

        from simbbm.explore.strategies.named import STRATEGIES

        return [
            CompletionItem(s, help=h) for s, h in STRATEGIES.items() if s.startswith(incomplete)
        ]


def examples(*lines: str) -> str:
    """Return the end of a command's help: what one may type, line by line."""
    return "\b\n" + "\n".join(
        ("Examples:" if len(lines) > 1 else "Example:", *(f"  {x}" for x in lines))
    )


def common(function: F) -> F:
    """Give a command `--json` and `--log-format`."""
    function = click.option(
        "--log-format",
        type=click.Choice(["console", "json"]),
        default="console",
        show_default=True,
        help="How logs look on stderr.",
    )(function)
    return click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout.")(function)


def _once(
    ctx: click.Context,  # noqa: ARG001 - as click calls it
    param: click.Parameter,  # noqa: ARG001
    given: tuple[tuple[str, str], ...],
) -> tuple[tuple[str, str], ...]:
    """Refuse two values for one name, of which only one would count."""
    found: dict[str, str] = {}
    for name, value in given:
        if name in found:
            both = f"{quoted(found[name])} and {quoted(value)}"
            raise UsageError(f"-p {quoted(name)} is given twice: {both}", "leave one out")
        found[name] = value
    return given


ids_argument = click.argument("ids", nargs=-1, required=True, metavar="ID...", type=ScenarioId())
witness_argument = click.argument("witness", metavar="WITNESS|TOKEN")
allow_file_option = click.option(
    "--allow-file",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A scenario file that may be run if the witness names it; may be repeated.",
)
parameters_option = click.option(
    "-p",
    "--param",
    "given",
    type=Assignment(),
    multiple=True,
    callback=_once,
    metavar="NAME=VALUE",
    help="A parameter of the scenario, or a CPU's features (cpu1=bbm=3,ets2); may be repeated. "
    "`simbbm list` shows them.",
)
seed_option = click.option(
    "--seed", type=Seed(), default=0, show_default=True, help="Decimal or 0x...."
)
strategy_option = click.option(
    "--strategy",
    type=StrategyName(),
    default="default",
    show_default=True,
    help="How schedules are chosen, e.g. random or pct:depth=3.",
)
max_steps_option = click.option(
    "--max-steps",
    type=Count(STEPS_MAX),
    help="Steps after which a run is given up as INCONCLUSIVE.",
)
jobs_option = click.option(
    "-j", "--jobs", type=click.IntRange(1, JOBS_MAX), help="Worker processes. [default: all cores]"
)
search_jobs_option = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, JOBS_MAX),
    help="Worker processes. A search uses one core: several searches, or a sample, use more. "
    "[default: all cores]",
)
cross_check_option = click.option(
    "--cross-check",
    is_flag=True,
    help="Search again without reductions, as far as the limits go: two answers must not differ.",
)
witness_dir_option = click.option(
    "--witness-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=WITNESS_DIR,
    show_default=True,
    help="Where witnesses of failing runs are written.",
)


def limit_options(function: F) -> F:
    """Give a command the limits of a search."""
    for name, kind, text in (
        ("--max-memory", Size(), "Give up when this much memory is in use, e.g. 2g."),
        ("--max-seconds", Duration(), "Give up after this long, e.g. 30s or 10m."),
        ("--max-states", Count(), "Give up after this many states, e.g. 100k."),
    ):
        function = click.option(name, type=kind, help=text)(function)
    return function


def machine_option(command: F) -> F:
    """Give a command `--machine`, which sets the parameters that -p does not."""

    @wraps(command)
    def on_machine(*args: Any, machine: str | None, **rest: Any) -> Any:
        if machine is not None:
            if not rest["ids"]:
                hint = f"simbbm check linear_map_split::good --machine {quoted(machine)}"
                raise UsageError("--machine is for scenarios that are named", hint)
            context = click.get_current_context()
            own = dict(rest["given"])
            every = context.info_name == "prove" or rest.get("every_n") or own.get("cpus") == "all"
            rest["given"] = _of_machine(machine, own, every=bool(every))
        return command(*args, **rest)

    return click.option(
        "--machine",
        metavar="FILE|SOC[@KERNEL]",
        help="A machine, as `simbbm survey` takes it: its CPUs and page size as parameters. "
        "[default kernel: the newest]",
    )(on_machine)  # type: ignore[return-value]


def _of_machine(text: str, own: dict[str, str], *, every: bool) -> tuple[tuple[str, str], ...]:
    """The parameters for a machine, and those that are given; says what was made of it."""
    from simbbm.field import taken
    from simbbm.field.known import known
    from simbbm.field.scaled import scaled
    from simbbm.host.terminal import complain

    tables = known()
    file, at, kernel = text.rpartition("@")
    if not at or is_file(text):
        file, kernel = text, next(reversed(tables.kernels))
    (rules,) = taken.rules([kernel], tables, SYMBOLS_DIR)
    cpus = decimal(own.get("cpus", ""))
    found = scaled(taken.machine(file, tables), rules, tables, cpus=cpus, every=every)
    for line in found.told:
        complain(line)
    params = found.params | own
    complain(" ".join(f"-p {name}={value}" for name, value in params.items()))
    return tuple(params.items())

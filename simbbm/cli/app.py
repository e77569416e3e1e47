"""The `simbbm` command: finds subcommands, and ends every failure in one line and one exit code.

A subcommand's module is imported only when it runs, and what it needs only inside its function, so
that `simbbm run` of something small is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from simbbm import __version__
from simbbm.cli.exits import Exit
from simbbm.cli.options import examples
from simbbm.core.errors import ModelError, ReplayDivergence, SimbbmError, UsageError

COMMANDS = {
    "list": "simbbm.cli.listing:command",
    "new": "simbbm.cli.new:command",
    "check": "simbbm.cli.check:command",
    "run": "simbbm.cli.run:command",
    "stress": "simbbm.cli.stress:command",
    "explore": "simbbm.cli.explore:command",
    "ablate": "simbbm.cli.ablate:command",
    "replay": "simbbm.cli.replay:command",
    "shrink": "simbbm.cli.shrink:command",
    "show": "simbbm.cli.show:command",
    "litmus": "simbbm.cli.litmus:command",
    "guide": "simbbm.cli.guide:command",
}
WHOLE_TRACEBACK = "SIMBBM_TRACEBACK"

SHORT_HELP = """\
simbbm looks for schedules in which arm64 Linux's linear-map split goes wrong.

  simbbm list                   the scenarios, and what is expected of each
  simbbm check                  the merged protocol and all its bad twins
  simbbm new mine.py            a scenario of your own to start from

simbbm --help lists every command.
"""


class ClosedPipe(Exception):
    """Nobody reads stdout any more. Click would make exit code 1 of a BrokenPipeError."""


class App(click.Group):
    """The group of all subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a subcommand."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; suggest the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"commands are {', '.join(COMMANDS)}"
            raise UsageError(f"no command {args[0]}", hint)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ClosedPipe from None

    def main(  # type: ignore[override]  # click promises anything; this one never returns
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run, and end the process with an exit code of the contract."""
        args = sys.argv[1:] if args is None else list(args)
        extra.pop("standalone_mode", None)
        sys.exit(self._outcome(args, prog_name or "simbbm", extra))

    def _outcome(self, args: Sequence[str], prog_name: str, extra: dict[str, Any]) -> int:
        try:
            if "_SIMBBM_COMPLETE" in os.environ:
                import_module("simbbm.cli.completion").register()
            code = super().main(args, prog_name, "_SIMBBM_COMPLETE", standalone_mode=False, **extra)
        except (KeyboardInterrupt, click.Abort):
            return _fail(args, Exit.INTERRUPTED, "interrupted")
        except ClosedPipe:
            return _closed_pipe()
        except ReplayDivergence as error:
            return _fail(args, Exit.DIVERGED, error.message, error.hint)
        except ModelError as error:
            return _fail(args, Exit.INTERNAL, error.message, error.hint)
        except SimbbmError as error:
            return _fail(args, Exit.USAGE, error.message, error.hint)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else prog_name
            return _fail(args, Exit.USAGE, error.format_message(), f"see {path} --help")
        except OSError as error:
            if error.filename is None:
                _mute()
            return _fail(args, Exit.INTERNAL, f"{error.filename or 'stdout'}: {error.strerror}")
        except Exception as error:
            if os.environ.get(WHOLE_TRACEBACK):
                raise
            return _fail(args, Exit.INTERNAL, *internal(error))
        return code if isinstance(code, int) else Exit.EXPECTED


def internal(error: Exception) -> tuple[str, str]:
    """Say where it happened; the whole traceback is for whoever mends it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "?"
    if trace is not None:
        file = trace.tb_frame.f_code.co_filename
        where = f"{os.path.basename(file)}:{trace.tb_lineno}"  # noqa: PTH119 - a name, not a file
    message = f"internal error: {type(error).__name__}: {error} at {where}"
    return message, f"a defect of simbbm; {WHOLE_TRACEBACK}=1 shows the whole traceback"


def _fail(args: Sequence[str], code: Exit, message: str, hint: str | None = None) -> Exit:
    """Say in one line what is wrong and how to mend it; with --json on stdout as well."""
    message, hint = " ".join(message.split()), hint and " ".join(hint.split())
    if "--json" in args:
        from simbbm.report.rows import ErrorRow, encode

        with suppress(OSError):  # the line on stderr says it as well
            click.echo(encode(ErrorRow(message=message, hint=hint)))
    click.echo(f"simbbm: {message}{f' ({hint})' if hint else ''}", err=True)
    return code


def _closed_pipe() -> Exit:
    """Nobody reads on."""
    _mute()
    return Exit.CLOSED_PIPE


def _mute() -> None:
    """Say nothing more on stdout, not even when the interpreter flushes at its end."""
    with suppress(OSError, ValueError):  # no file: a test's capture, or closed already
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=App,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("simbbm check linear_map_split::good --twins")
    + '\n\nCompletion in bash: eval "$(_SIMBBM_COMPLETE=bash_source simbbm)"',
)
@click.version_option(__version__, message="simbbm %(version)s")
@click.pass_context
def simbbm(ctx: click.Context) -> None:
    """Look for schedules in which arm64 Linux's split of its live linear map goes wrong."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if ctx.invoked_subcommand is None:
        click.echo(SHORT_HELP, nl=False)

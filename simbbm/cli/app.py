"""The `simbbm` command: finds subcommands, and ends every failure in one line and one exit code.

A subcommand's module is imported only when it runs, and what it needs only inside its function, so
that `simbbm run` of something small is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from errno import EBADF, EDQUOT, EIO, EMFILE, ENFILE, ENOSPC, EPIPE
from importlib import import_module
from typing import Any, NoReturn

import click

from simbbm import __version__
from simbbm.cli.exits import Exit
from simbbm.cli.options import examples
from simbbm.core.errors import ModelError, ReplayDivergence, SimbbmError, UsageError
from simbbm.host import signals, terminal
from simbbm.host.defects import defect, whole_traceback
from simbbm.host.reading import nearest

COMMANDS = {
    "list": "simbbm.cli.commands.scenarios.listing:command",
    "new": "simbbm.cli.commands.scenarios.new:command",
    "check": "simbbm.cli.commands.check:command",
    "run": "simbbm.cli.commands.runs.run:command",
    "stress": "simbbm.cli.commands.runs.stress:command",
    "campaign": "simbbm.cli.commands.runs.campaign:command",
    "explore": "simbbm.cli.commands.explore:command",
    "prove": "simbbm.cli.commands.prove:command",
    "verify": "simbbm.cli.commands.verify:command",
    "ablate": "simbbm.cli.commands.ablate:command",
    "replay": "simbbm.cli.commands.witnesses.replay:command",
    "shrink": "simbbm.cli.commands.witnesses.shrink:command",
    "show": "simbbm.cli.commands.witnesses.show:command",
    "steps": "simbbm.cli.commands.scenarios.steps:command",
    "witness": "simbbm.cli.commands.witnesses.witness:command",
    "litmus": "simbbm.cli.commands.litmus:command",
    "kernel": "simbbm.cli.commands.kernels.kernel:command",
    "compare": "simbbm.cli.commands.kernels.compare:command",
    "survey": "simbbm.cli.commands.field.survey:command",
    "cost": "simbbm.cli.commands.field.cost:command",
    "guide": "simbbm.cli.commands.guide:command",
}
UNWRITABLE = (ENOSPC, EDQUOT, EIO, EBADF)
MESSAGE_MAX = 1_000
"""Characters of a message: somebody's text may be in it."""

SHORT_HELP = """\
simbbm looks for schedules in which arm64 Linux's linear-map split goes wrong.

  simbbm list                   the scenarios, and what is expected of each
  simbbm check                  the merged protocol and all its bad twins
  simbbm new mine.py            a scenario of your own to start from

simbbm --help lists every command.
"""


class Stopped(Exception):
    """Ctrl-C, or a signal like it."""


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
            close = nearest(args[0], COMMANDS, cutoff=0.5)
            hint = f"did you mean {close}?" if close else f"commands are {', '.join(COMMANDS)}"
            raise UsageError(f"no command {args[0]}", hint)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand. Click would make one thing of Ctrl-C and of a pipe that ends."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Stopped from None
        except EOFError as error:
            raise ModelError("a process of ours ended before it answered", str(error)) from error

    def main(  # type: ignore[override]  # click promises anything; this one never returns
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run, and end the process with an exit code of the contract."""
        args = sys.argv[1:] if args is None else list(args)
        extra.pop("standalone_mode", None)
        sys.exit(self._outcome(args, prog_name or "simbbm", extra))

    def _outcome(self, args: Sequence[str], prog_name: str, extra: dict[str, Any]) -> int:
        completing = "_SIMBBM_COMPLETE" in os.environ
        try:
            if completing:
                import_module("simbbm.cli.completion").register()
            code = super().main(args, prog_name, "_SIMBBM_COMPLETE", standalone_mode=False, **extra)
        except (KeyboardInterrupt, Stopped, click.Abort):
            return _fail(args, Exit.INTERRUPTED, "interrupted")
        except SystemExit:
            if completing:
                raise
            return _unwritten(args, EPIPE)  # what click makes of a closed pipe
        except terminal.CannotWrite as unwritten:
            return _unwritten(args, unwritten.error.errno)
        except ReplayDivergence as error:
            return _fail(args, Exit.DIVERGED, error.message, error.hint)
        except ModelError as error:
            return _fail(args, Exit.INTERNAL, error.message, error.hint)
        except SimbbmError as error:
            return _fail(args, Exit.USAGE, error.message, error.hint)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else _command_path(prog_name, args)
            return _fail(args, Exit.USAGE, error.format_message(), f"see {path} --help")
        except MemoryError:
            return _fail(args, Exit.INTERNAL, "out of memory", "look at a smaller machine")
        except OSError as error:
            return _short_of(args, error)
        except Exception as error:
            if whole_traceback():
                raise
            told = defect(error)
            return _fail(args, Exit.INTERNAL, told.message, told.hint)
        return code if isinstance(code, int) else Exit.EXPECTED


def _fail(args: Sequence[str], code: Exit, message: str, hint: str | None = None) -> Exit:
    """Say in one line what is wrong and how to mend it; with --json on stdout as well."""
    message, hint = _line(message), hint and _line(hint)
    if "--json" in args:
        from simbbm.report.rows import ErrorRow, encode

        try:
            terminal.echo(encode(ErrorRow(message=message, hint=hint)))
        except terminal.CannotWrite:  # the line on stderr says it as well
            _mute()
    terminal.complain(f"{message}{f' ({hint})' if hint else ''}")
    return code


def _command_path(prog_name: str, args: Sequence[str]) -> str:
    """Whose help to look at, where click does not know: an option that lacks its argument."""
    return " ".join((prog_name, *args[:1])) if args[:1] and args[0] in COMMANDS else prog_name


def _line(text: str) -> str:
    """A text in one line, without its middle if it is very long."""
    line = " ".join(text.split())
    half = MESSAGE_MAX // 2
    return line if len(line) <= MESSAGE_MAX else f"{line[:half]}…{line[-half:]}"


def _short_of(args: Sequence[str], error: OSError) -> Exit:
    """The system refuses something that no input asked for."""
    if error.filename is None and error.errno in UNWRITABLE:
        return _unwritten(args, error.errno)  # click's own: a help text, the version
    try:
        os.getcwd()  # noqa: PTH109 - a question, not a path
    except OSError:
        return _fail(args, Exit.USAGE, "the current directory is gone", "change to another one")
    hint = "raise ulimit -n, or lower -j" if error.errno in (EMFILE, ENFILE) else None
    what = f"{error.filename}: " if error.filename else ""
    return _fail(args, Exit.INTERNAL, f"{what}{error.strerror or error}", hint)


def _unwritten(args: Sequence[str], code: int | None) -> Exit:
    """The answer cannot be written, which is no pass; where nobody reads on that is no fault."""
    _mute()
    if signals.met():  # the terminal was closed
        return Exit.INTERRUPTED
    if code == EPIPE:
        return Exit.CLOSED_PIPE
    return _fail(args, Exit.INTERNAL, f"stdout: {os.strerror(code or 0)}")


def _mute() -> None:
    if sys.stdout is not None:
        terminal.mute(sys.stdout)


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
        terminal.echo(SHORT_HELP, nl=False)

"""The command line: stdout is the answer, stderr progress and logs, the exit code the verdict.

Read `app` first: it finds subcommands, each of which has a file in `commands/`, and ends every
failure in one line and one exit code. The other files are what several commands share.
"""

import gc
import sys

from simbbm.host import signals


def main() -> None:
    """Run the command line as a process of its own."""
    signals.handle()
    gc.set_threshold(100_000)  # modules and states stay: to look for garbage often costs a tenth
    try:
        from simbbm.cli.app import simbbm

        simbbm()
    except KeyboardInterrupt:  # before there was anything to end
        sys.exit(signals.INTERRUPTED)
    finally:
        gc.freeze()  # all that is left goes anyway: looking for garbage in it costs a tenth
        signals.let_go()


__all__ = ["main"]

"""The command line: stdout is the answer, stderr progress and logs, the exit code the verdict."""

import gc

from simbbm.cli.app import simbbm


def main() -> None:
    """Run the command line as a process of its own."""
    gc.set_threshold(100_000)  # modules and states stay: to look for garbage often costs a tenth
    try:
        simbbm()
    finally:
        gc.freeze()  # all that is left goes anyway: looking for garbage in it costs a tenth


__all__ = ["main", "simbbm"]

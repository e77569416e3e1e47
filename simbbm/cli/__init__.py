"""The command line: stdout is the answer, stderr progress and logs, the exit code the verdict."""

from simbbm.cli.app import main

__all__ = ["main"]

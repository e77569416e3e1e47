"""The command line as tests use it: in this process, with its output taken apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from simbbm.cli.app import simbbm as app


class Cli:
    """Runs `simbbm` with arguments; keeps nothing between runs but the directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *args: object, **environment: str) -> Result:
        """Run it; an exception that escapes fails the test."""
        runner = CliRunner(env={"COLUMNS": "100"} | environment)
        return runner.invoke(app, [str(a) for a in args], catch_exceptions=False)

    def ok(self, *args: object, code: int = 0, **environment: str) -> str:
        """Return stdout of a run that ends with this exit code."""
        result = self(*args, **environment)
        assert code == result.exit_code, result.output
        return result.stdout

    def rows(self, *args: object, code: int = 0) -> list[dict[str, Any]]:
        """Return the rows that `--json` prints; each has the schema and a type."""
        rows = [json.loads(line) for line in self.ok(*args, "--json", code=code).splitlines()]
        assert all(row["schema"] == "simbbm/1" and row["type"] for row in rows)
        return rows

    def row(self, *args: object, code: int = 0) -> dict[str, Any]:
        """Return the one row that `--json` prints."""
        (row,) = self.rows(*args, code=code)
        return row

    def refused(self, *args: object, code: int = 2) -> str:
        """Return the one line on stderr of a run that is refused; stdout stays empty."""
        result = self(*args)
        assert (code, "") == (result.exit_code, result.stdout), result.output
        (line,) = result.stderr.splitlines()
        return line.removeprefix("simbbm: ")

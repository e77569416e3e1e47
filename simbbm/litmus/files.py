"""Files of litmus tests: rows of JSON, or one test in herd7's own format (`.litmus`)."""

from __future__ import annotations

from pathlib import Path

from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.reading import check_name, is_one_line, quoted
from simbbm.litmus.herd.features import features_of
from simbbm.litmus.herd.machine import Made
from simbbm.litmus.herd.parser import parse
from simbbm.litmus.notation import reader
from simbbm.litmus.notation.reader import Line
from simbbm.litmus.notation.syntax import Malformed, Unsupported

HERD = ".litmus"
"""How the name of a file ends that holds a test of herd7."""


def read_file(path: Path) -> list[Line]:
    """Read a file of either format: its tests, or for each why there is none."""
    if path.suffix != HERD:
        return reader.read_file(path)
    check_name(str(path))
    return [read_herd(path.as_posix(), reading.text(path))]


def read_herd(file: str, text: str) -> Line:
    """Read a test of herd7; what is not understood has a line and a column."""
    name, features = Path(file).stem, tuple[str, ...]()
    try:
        test = parse(file, text)
        name = test.name if is_one_line(test.name) else name
        features = tuple(features_of(test))
        Made(test)
    except UsageError as error:
        kind = Unsupported if isinstance(error, Unsupported) else Malformed
        told = error.message if error.message.startswith(file) else f"{file}: {error.message}"
        return Line(1, name, error=kind(told, error.hint), features=features)
    except RecursionError:
        return Line(1, name, error=Malformed(f"{quoted(file)}: nested too deeply"))
    return Line(1, name, test, features=features)

"""Writes certificates to files."""

from __future__ import annotations

from pathlib import Path

from simbbm.core.errors import UsageError
from simbbm.explore.certificate.file import Either, pack
from simbbm.explore.witness.files import check_target
from simbbm.host import writing
from simbbm.host.reading import quoted


def refuse_certificate(path: Path | None, scenarios: int) -> None:
    """UsageError if a certificate is asked for that cannot be written, before a proof is sought."""
    if path is None:
        return
    if scenarios > 1:
        raise UsageError("one certificate is for one scenario", "name one")
    check_target(path)


def written(certificate: Either, path: Path) -> tuple[str | None, UsageError | None]:
    """Write a certificate; returns where it is, or an error to raise when the answer is said."""
    try:
        writing.write(path, pack(certificate))
    except OSError as error:
        return None, UsageError(f"cannot write {quoted(path)}: {writing.reason(error)}")
    return str(path.absolute()), None

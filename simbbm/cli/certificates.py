"""Writes certificates to files."""

from __future__ import annotations

from pathlib import Path

from simbbm.core.errors import UsageError
from simbbm.explore.certificate.file import Either, pack
from simbbm.host import writing


def written(certificate: Either, path: Path) -> Path:
    """Write a certificate; returns where it is."""
    try:
        writing.write(path, pack(certificate))
    except OSError as error:
        raise UsageError(f"{path}: {writing.reason(error)}") from None
    return path.absolute()

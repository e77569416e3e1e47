"""Machines and kernels as a command line names them: files, ids of tables, versions, images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from simbbm.binary.kernel import kernel
from simbbm.core.errors import UsageError
from simbbm.field import collector
from simbbm.field.collected import Collected, collected, machine_of
from simbbm.field.described import described
from simbbm.field.described import machine_of as machine_of_soc
from simbbm.field.known import Known, series
from simbbm.field.machines import Machine
from simbbm.field.noabort import Rules, rules_of, rules_of_image
from simbbm.host import reading
from simbbm.host.reading import is_file, nearest, quoted


def this_machine() -> Machine:
    """The machine that this runs on; UsageError if it is not an arm64 one."""
    return machine_of(msgspec.convert(collector.collect(), Collected), "this machine")


def machine(text: str, known: Known) -> Machine:
    """A machine by the name of a file (what a collector printed, or TOML), or a SoC's id."""
    if is_file(text):
        content, where = reading.content(Path(text)), quoted(Path(text).name)
        if not content.strip():
            raise UsageError(f"{where}: an empty file", "collect it again, or describe the machine")
        begins = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if begins == b"{" or Path(text).suffix == ".json":
            return collected(content, where)
        return described(reading.text(Path(text)), where, known)
    soc = known.socs.get(text.lower())
    if soc is None:
        close = nearest(text.lower(), known.socs, cutoff=0.6)
        near = f"did you mean {close}? " if close else ""
        raise UsageError(
            f"{quoted(text)}: no such file, and no SoC of the tables",
            f"{near}simbbm survey --field lists them",
        )
    return machine_of_soc(soc, known)


def rules(texts: Sequence[str], known: Known, symbols: Path) -> list[Rules]:
    """What kernels go by: those that are named, by version or as an image, else all that are known.

    `symbols` is the folder where symbols of images are kept.
    """
    if not texts:
        return [rules_of(row, known) for row in known.kernels.values()]
    return [_rules(text, known, symbols) for text in texts]


def _rules(text: str, known: Known, symbols: Path) -> Rules:
    version = text.removeprefix("v")
    if version in known.kernels:
        return rules_of(known.kernels[version], known)
    if not is_file(text):
        versions = ", ".join(known.kernels)
        if series(version):
            told = f"{quoted(text)}: no kernel of the tables, and no image"
            raise UsageError(told, f"versions are {versions}")
        raise UsageError(f"{quoted(text)}: no such image", f"or a version: {versions}")
    return rules_of_image(Path(text), kernel(Path(text), folder=symbols), known)

"""Machines and kernels as a command line names them: files, ids of tables, versions, images."""

from __future__ import annotations

import sys
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
    """A machine by the name of a file (what a collector printed, or TOML), `-`, or a SoC's id."""
    if text == "-":
        return _machine(sys.stdin.buffer.read(reading.FILE_MAX), "stdin", known)
    if is_file(text):
        return _machine(reading.content(Path(text)), quoted(Path(text).name), known)
    ids = {soc.casefold(): soc for soc in known.socs}
    soc = known.socs.get(ids.get(text.casefold(), ""))
    if soc is None:
        close = nearest(text.casefold(), known.socs, cutoff=0.6)
        near = f"did you mean {close}? " if close else ""
        raise UsageError(
            f"{quoted(text)}: no such file, and no SoC of the tables",
            f"{near}simbbm survey --field lists them",
        )
    return machine_of_soc(soc, known)


def _machine(content: bytes, where: str, known: Known) -> Machine:
    """A machine from what a collector printed, which is JSON, or from a description in TOML."""
    if not content.strip():
        raise UsageError(f"{where}: it is empty", "collect it again, or describe the machine")
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" or where.endswith(".json"):
        return collected(content, where)
    try:
        return described(content.decode("utf-8-sig"), where, known)
    except UnicodeDecodeError:
        hint = "a description is TOML, and what a collector prints is JSON"
        raise UsageError(f"{where}: not UTF-8", hint) from None


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

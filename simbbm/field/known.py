"""What is known of cores, kernels and SoCs: tables as data, which somebody may add rows to.

The files are `tables/*.toml`;
a file of one's own has the same rows, all kinds in one file. Rows that contradict each other, or
name what is not there, are refused.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from simbbm.core.errors import UsageError
from simbbm.field.facts import Core, Entry, KernelRow, Listing, Soc
from simbbm.field.revisions import revision_from
from simbbm.host import reading
from simbbm.host.reading import nearest, quoted


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of tables may have."""

    core: tuple[Core, ...] = ()
    list: tuple[Listing, ...] = ()
    kernel: tuple[KernelRow, ...] = ()
    soc: tuple[Soc, ...] = ()


class Known(NamedTuple):
    """All rows: cores by implementer and part, lists, kernels and SoCs by name, in order."""

    cores: dict[tuple[int, int], Core]
    lists: dict[str, Listing]
    kernels: dict[str, KernelRow]
    socs: dict[str, Soc]

    def core(self, name: str) -> Core | None:
        """The core of a name, however it is capitalised."""
        wanted = name.casefold()
        return next((c for c in self.cores.values() if c.name.casefold() == wanted), None)

    def core_names(self) -> list[str]:
        """What cores are called."""
        return [core.name for core in self.cores.values()]


TABLES = ("cores.toml", "kernels.toml", "socs.toml")


@cache
def known(own: Path | None = None) -> Known:
    """The package's tables, and the rows of a file of one's own; UsageError if they disagree."""
    folder = resources.files("simbbm") / "field" / "tables"
    texts = {name: (folder / name).read_text("utf-8") for name in TABLES}
    if own is not None:
        texts[quoted(own)] = reading.text(own)
    found = Known({}, {}, {}, {})
    for where, text in texts.items():
        _add(found, where, parsed(text, where, _File))
        for wrong in _wrong(found):
            raise UsageError(f"{where}: {wrong}", HINT) if own else AssertionError(wrong)
    kernels = sorted(found.kernels.values(), key=lambda row: series(row.version) or ())
    return found._replace(kernels={row.version: row for row in kernels})


HINT = "simbbm guide field says what tables are made of"


def _add(found: Known, where: str, file: _File) -> None:
    """Add the rows of a file; a row that is there already has to say the same."""
    for kind, into, rows in (
        ("core", found.cores, [(row.model, row) for row in file.core]),
        ("list", found.lists, [(row.name, row) for row in file.list]),
        ("kernel", found.kernels, [(row.version, row) for row in file.kernel]),
        ("soc", found.socs, [(row.id, row) for row in file.soc]),
    ):
        table: dict[Any, Any] = into  # the rows of one kind
        for key, row in rows:
            if key in table and table[key] != row:
                name = getattr(table[key], "name", key)
                hint = "leave it out: rows can be added, and none changed"
                raise UsageError(
                    f"{where}: {kind} {quoted(name)} is there already, and differs", hint
                )
            table[key] = row


def _wrong(found: Known) -> Iterator[str]:
    """What is wrong with tables: names that nothing has, revisions that are none."""
    names = found.core_names()
    for name in names:
        if [other.casefold() for other in names].count(name.casefold()) > 1:
            yield f"two cores are called {quoted(name)}"
    for core in found.cores.values():
        yield from _wrong_core(core)
    for listing in found.lists.values():
        for entry in listing.entries:
            yield from _wrong_entry(found, listing, entry)
    for kernel in found.kernels.values():
        if kernel.list is not None and kernel.list not in found.lists:
            yield f"kernel {quoted(kernel.version)}: there is no list {quoted(kernel.list)}"
        if series(kernel.version) is None:
            yield f"kernel {quoted(kernel.version)}: a version is written 6.18"
    for soc in found.socs.values():
        yield from _wrong_soc(found, soc)


def _wrong_core(core: Core) -> Iterator[str]:
    if core.bbm is not None and core.bbm_below is not None:
        yield f"core {quoted(core.name)}: with bbm there is no bbm_below"
    if not (0 < core.implementer < 1 << 8 and 0 <= core.part < 1 << 12):
        yield f"core {quoted(core.name)}: MIDR_EL1 has no such implementer or part"
    for erratum in core.errata:
        if erratum.fixed is not None and revision_from(erratum.fixed) is None:
            yield f"core {quoted(core.name)}: {quoted(erratum.fixed)} is no revision"


def _wrong_entry(found: Known, listing: Listing, entry: Entry) -> Iterator[str]:
    where = f"list {quoted(listing.name)}"
    core = found.core(entry.core)
    if core is None:
        yield f"{where}: there is no core {quoted(entry.core)}"
    elif entry.erratum is not None and entry.first not in {
        e.fixed for e in core.errata if e.number == entry.erratum
    }:
        yield f"{where}: {core.name} is not free of erratum {entry.erratum} from {entry.first} on"
    if entry.first is not None and revision_from(entry.first) is None:
        yield f"{where}: {quoted(entry.first)} is no revision"


def _wrong_soc(found: Known, soc: Soc) -> Iterator[str]:
    where, names = f"soc {quoted(soc.id)}", [one.core for one in soc.cores]
    for one in soc.cores:
        if found.core(one.core) is None:
            yield f"{where}: there is no core {quoted(one.core)}"
        if one.revision is not None and revision_from(one.revision) is None:
            yield f"{where}: {quoted(one.revision)} is no revision"
    if soc.boots is not None and soc.boots not in names:
        yield f"{where}: {quoted(soc.boots)} boots, and is none of its cores"


def parsed(text: str, where: str, kind: Any, hint: str = HINT) -> Any:
    """Read TOML of a kind of record. UsageError, with the nearest name for one that is wrong."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError) as error:  # ValueError: an int of many digits
        raise UsageError(f"{where}: not TOML: {quoted(error)}", hint) from None
    except RecursionError:
        raise UsageError(f"{where}: nested too deeply", hint) from None
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise UsageError(f"{where}: {quoted(error)}", hint) from None


def series(version: str) -> tuple[int, int] | None:
    """Major and minor number of a release, `6.18` of `6.18.5-arm64`; None if it is none."""
    parts = version.split("-", maxsplit=1)[0].split(".")
    numbers = [reading.decimal(part) for part in parts[:2]]
    if len(numbers) < 2 or None in numbers:
        return None
    return numbers[0] or 0, numbers[1] or 0


def nearest_core(found: Known, name: str) -> str:
    """What to say of a name that no core has."""
    close = nearest(name, found.core_names(), cutoff=0.5)
    return f"did you mean {close}?" if close else 'write its MIDR: midr = "0x410fd871"'

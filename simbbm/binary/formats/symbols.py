"""The symbols of an image: from .symtab, a System.map, or kallsyms; by name and by address."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from simbbm.binary.formats.elf import Symbol
from simbbm.binary.formats.image import Image
from simbbm.binary.formats.kallsyms import SYMBOLS_MAX, kallsyms
from simbbm.binary.formats.symbol_cache import recall, remember
from simbbm.core.errors import UsageError
from simbbm.host.reading import NAME_MAX, quoted, text

_LINE = re.compile(r"([0-9a-f]{16}) ([A-Za-z?]) (\S+)")


_SUFFIX = re.compile(
    r"(\.(isra|constprop|part|cold|llvm|lto_priv|__uniq|localalias|cfi|cfi_jt)(\.\d+)*|\.\d+)+$"
)
_PARTS = re.compile(r"\.(cold|part|cfi_jt)\b")
"""What is a piece of a function, or leads to one, and none of them."""


def plain(name: str) -> str:
    """A name without what compilers and linkers put behind it: split_pmd.isra.0, f.llvm.1234."""
    return _SUFFIX.sub("", name)


class Symbols:
    """Names and addresses of one image."""

    def __init__(self, found: Iterable[Symbol], source: str) -> None:
        self.source = source
        """Where they come from: ".symtab", "kallsyms", or the name of a file."""
        ordered = sorted(found, key=lambda symbol: symbol.address)
        self._symbols = {symbol.name: symbol for symbol in reversed(ordered)}
        self._ordered = ordered
        self._addresses = [symbol.address for symbol in ordered]

    def __len__(self) -> int:
        return len(self._ordered)

    def __iter__(self) -> Iterator[Symbol]:
        return iter(self._ordered)

    def find(self, *names: str) -> int | None:
        """The address of the first of these names that there is."""
        found = (self._symbols.get(name) or self._suffixed.get(name) for name in names)
        return next((symbol.address for symbol in found if symbol), None)

    def address(self, name: str) -> int:
        """The address of a name. UsageError if there is no such one."""
        return self._symbol(name).address

    def _symbol(self, name: str) -> Symbol:
        found = self._symbols.get(name) or self._suffixed.get(name)
        if found is None:
            raise UsageError(f"the kernel has no symbol {quoted(name)}")
        return found

    @cached_property
    def _suffixed(self) -> dict[str, Symbol]:
        """By its plain name a symbol that has a suffix, if it is the only one."""
        found: dict[str, list[Symbol]] = {}
        for symbol in self._ordered:
            if "." in symbol.name and not _PARTS.search(symbol.name):
                found.setdefault(plain(symbol.name), []).append(symbol)
        return {name: group[0] for name, group in found.items() if len(group) == 1}

    def named(self, pattern: str) -> list[Symbol]:
        """The symbols whose names match wholly, by address: static ones may share a name."""
        match = re.compile(pattern).fullmatch
        return [self._sized(symbol) for symbol in self._ordered if match(symbol.name)]

    def size(self, name: str) -> int:
        """How long it is: as its symbol says, or up to the next symbol that lies higher."""
        return self._sized(self._symbol(name)).size

    def _sized(self, symbol: Symbol) -> Symbol:
        if symbol.size:
            return symbol
        after = bisect_right(self._addresses, symbol.address)
        end = self._addresses[after] if after < len(self._addresses) else symbol.address
        return symbol._replace(size=end - symbol.address)

    def at(self, address: int) -> tuple[Symbol, int] | None:
        """The symbol that an address is in, and how far into it."""
        number = bisect_right(self._addresses, address) - 1
        if number < 0:
            return None
        symbol = self._sized(self._first_at(number))
        return symbol, address - symbol.address

    def _first_at(self, number: int) -> Symbol:
        """Of the symbols at one address the one that comes first: not an alias __pi_..."""
        address = self._addresses[number]
        same = number
        while same > 0 and self._addresses[same - 1] == address:
            same -= 1
        group = self._ordered[same : number + 1]
        plain = [symbol for symbol in group if not symbol.name.startswith(("__pi_", "$"))]
        return (plain or group)[0]

    def told(self, address: int) -> str:
        """An address as people read it: split_pmd+0x58."""
        found = self.at(address)
        if found is None:
            return f"{address:#x}"
        symbol, offset = found
        return f"{symbol.name}+{offset:#x}" if offset else symbol.name


def symbols_of(image: Image, system_map: Path | None = None, folder: Path | None = None) -> Symbols:
    """The symbols of an image; a System.map that somebody names comes first.

    What takes long to decode is kept in `folder`, if there is to be one.
    """
    if system_map is not None:
        return Symbols(_system_map(system_map, image), quoted(system_map.name))
    found = image.elf.symbols() if image.elf else ()
    if found:
        return Symbols(found, ".symtab")
    table = recall(image, folder) if folder else None
    if table is None:
        table = kallsyms(image)
        if table and folder:
            remember(table, image, folder)
    if table is None:
        raise UsageError(
            f"{quoted(image.name)}: it has no symbols: no .symtab, and no kallsyms",
            "name its System.map with --system-map",
        )
    return Symbols((Symbol(name, address, 0) for name, address in table), "kallsyms")


def _system_map(path: Path, image: Image) -> list[Symbol]:
    """The symbols of a System.map, which has to be this image's."""
    lines = text(path).splitlines()
    if len(lines) > SYMBOLS_MAX:
        raise UsageError(f"{quoted(path)}: it has more than {SYMBOLS_MAX:,} lines")
    matches = [_LINE.fullmatch(line) for line in lines if len(line) <= NAME_MAX]
    found = [Symbol(match[3], int(match[1], 16), 0) for match in matches if match]
    if ("_text", image.base) not in {(symbol.name, symbol.address) for symbol in found[:10_000]}:
        raise UsageError(
            f"{quoted(path)}: not the System.map of this image: _text is not {image.base:#x} in it"
        )
    return found

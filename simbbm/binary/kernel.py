"""A kernel image as a whole: what it is, and what of it the split is made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from simbbm.binary.a64.operations import Barrier, Load, Operation, Store, System
from simbbm.binary.features.alternatives import Alternative, Alternatives
from simbbm.binary.features.capabilities import Capabilities, capabilities
from simbbm.binary.features.jump_labels import JumpLabel, jump_labels
from simbbm.binary.features.midr import MidrRange, allow_list
from simbbm.binary.formats.image import Image, kernel_image
from simbbm.binary.formats.kaslr import NOWHERE, Kaslr, moved
from simbbm.binary.formats.symbols import symbols_of
from simbbm.binary.formats.types import types_of
from simbbm.binary.path import External, Function, Word, functions, is_padding, words
from simbbm.core.errors import UsageError
from simbbm.host.reading import quoted

DEFAULT_FEATURES = ("LSE",)
"""What each machine has that can split its linear map, and what changes the path."""
SPLITS = "linear_map_split_to_ptes"
"""Without it a kernel has no split to look at."""


class FunctionFacts(NamedTuple):
    """What can be said of a function without executing it."""

    function: Function
    words: list[Word]
    alternatives: list[Alternative]

    @property
    def instructions(self) -> int:
        """How many there are; NOPs are left out."""
        return sum(not is_padding(word) for word in self.words)

    @property
    def unknown(self) -> list[Word]:
        """Those that cannot be executed."""
        return [word for word in self.words if not word.known]

    def operations(self) -> Counter[str]:
        """What it asks of the machine but for plain loads and stores, by name, and how often."""
        met = (told(w.operation) for w in self.words if w.operation and not is_padding(w))
        return Counter(name for name in met if name)


class Kernel:
    """A kernel, patched for a machine with some capabilities."""

    def __init__(
        self,
        image: Image,
        system_map: Path | None = None,
        cpu_features: Iterable[str] | None = None,
        folder: Path | None = None,
        kaslr: Kaslr = NOWHERE,
    ) -> None:
        self.kaslr = kaslr
        symbols = symbols_of(image, system_map, folder)
        self.image, self.symbols = moved(image, symbols, kaslr)
        if self.symbols.find(SPLITS) is None:
            raise UsageError(
                f"{quoted(image.name)}: no {SPLITS} among its symbols",
                "was it built without the split, or is it the System.map of another one?",
            )
        self.btf = types_of(self.image, self.symbols)
        """Its types, of which DWARF says as much as BTF."""
        self.alternatives = Alternatives(self.image, self.symbols)
        known = {row.name for row in self.capabilities.rows.values()}
        self.cpu_features = tuple(
            (name for name in DEFAULT_FEATURES if name in known)
            if cpu_features is None
            else cpu_features
        )
        self._patches = self.alternatives.patches(self.capabilities.numbers(self.cpu_features))

    @cached_property
    def capabilities(self) -> Capabilities:
        """What it can be patched for; without types nothing is known of it."""
        if self.btf is None:
            return Capabilities({})
        return capabilities(self.image, self.symbols, self.btf)

    def word(self, address: int) -> int | None:
        """The instruction that runs there; None if a function of the kernel computes it."""
        if address in self._patches:
            return self._patches[address]
        return self.image.u32(address)

    @cached_property
    def _path(self) -> tuple[list[Function], list[External]]:
        return functions(self.symbols, self.word)

    @property
    def externals(self) -> list[External]:
        """What the paths call and what is not executed."""
        return self._path[1]

    @cached_property
    def functions(self) -> list[FunctionFacts]:
        """The functions of the paths, in the order in which they are met."""
        return [self.facts(function) for function in self._path[0]]

    @cached_property
    def jump_labels(self) -> list[JumpLabel]:
        """Those in the functions of the paths; as they were linked, they are executed."""
        ranges = [facts.function.symbol for facts in self.functions]
        return [
            label
            for label in jump_labels(self.image, self.symbols)
            if any(s.address <= label.place < s.address + s.size for s in ranges)
        ]

    def facts(self, function: Function) -> FunctionFacts:
        """What can be said of one."""
        symbol = function.symbol
        inside = self.alternatives.within(symbol.address, symbol.address + symbol.size)
        return FunctionFacts(function, words(symbol, self.word), inside)

    def function(self, name: str) -> FunctionFacts:
        """A function by its name; of several on the path's."""
        for facts in self.functions:
            if facts.function.symbol.name == name:
                return facts
        found = self.symbols.named(re.escape(name))
        if not found:
            raise UsageError(f"the kernel has no function {quoted(name)}")
        return self.facts(Function(found[0], ""))

    @property
    def build_id(self) -> str | None:
        """The GNU build id, which tells two builds of one version apart."""
        start = self.symbols.find("__start_notes")
        ids = self.image.build_ids
        notes = [digits for at, digits in ids if start is None or 0 <= at - start < 256]
        return notes[0] if notes else None

    @property
    def allowed(self) -> tuple[str, list[MidrRange]] | None:
        """The list of CPUs that may change the size of a live block."""
        return allow_list(self.image, self.symbols)

    @property
    def va_bits(self) -> int | None:
        """VA_BITS: 52 if the kernel asks whether the CPU has so many (ARM64_HAS_VA52)."""
        least = self.image.va_bits_min
        wide = any(row.name == "VA52" for row in self.capabilities.rows.values())
        return 52 if wide and least in (47, 48) else least

    @property
    def table_levels(self) -> int | None:
        """Levels of translation tables that it is built for (ARM64_HW_PGTABLE_LEVELS)."""
        if self.va_bits is None or self.image.page_size is None:
            return None
        return (self.va_bits - 4) // (self.image.page_size.bit_length() - 1 - 3)


def told(operation: Operation) -> str | None:
    """An operation as a list has it: "dsb ishst"; None for plain loads and stores."""
    match operation:
        case Load(acquire=False, acquire_pc=False, exclusive=False):
            return None
        case Store(release=False, exclusive=False):
            return None
        case Barrier(name=name, option=option):
            return f"{name} {option}".rstrip()
        case System(name=name, what=what):
            return f"{name} {what}"
    register = getattr(operation, "register", None)
    return f"{operation.name} {register}" if register else operation.name


def kernel(
    path: str | Path,
    system_map: Path | None = None,
    cpu_features: Iterable[str] | None = None,
    folder: Path | None = None,
    kaslr: Kaslr = NOWHERE,
) -> Kernel:
    """The kernel in a file; without `cpu_features` patched for DEFAULT_FEATURES that it knows.

    Its symbols are kept in `folder`, if there is to be one (`formats/symbol_cache.py`).
    """
    return Kernel(kernel_image(path), system_map, cpu_features, folder, kaslr)

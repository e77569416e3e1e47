"""A herd7 test made a machine: its header, listings, tables and data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.features import Features
from simbbm.arm64.translation.memory import MemoryPool
from simbbm.check.properties import Property
from simbbm.litmus.herd import tree
from simbbm.litmus.herd.layout import Layout, atoms_of
from simbbm.litmus.herd.lexer import error
from simbbm.litmus.herd.lowering import Lowering
from simbbm.litmus.herd.observer import Observer
from simbbm.litmus.notation.syntax import Malformed, Unsupported
from simbbm.litmus.setup import NEVER_REACHED, Options
from simbbm.scenario import CpuSetup, Setup, nothing

_RESUMES = {
    "handled": "again",
    "imprecise": "again",
    "fatal": "",
    "precise": "",
    "faulttonext": "behind",
    "skip": "behind",
}
"""What a fault does where there is no handler; without any of these it ends the thread."""
_HARMLESS = ("vmsa", "kvm", "ets2", "warn", "exp")
_INFORMATION = ("Hash", "Prefetch", "Com", "Orig", "Generator", "Cycle", "Relax", "Safe", "Author")


class Header(NamedTuple):
    """What the lines in front of the initial values ask for."""

    resumes: str
    ets2: bool
    user: frozenset[int]
    """Threads at EL0."""
    hardware_af: frozenset[int]
    """Threads whose walkers set access flags, and those that set dirty states as well."""
    hardware_dirty: frozenset[int]


def header_of(test: tree.HerdTest) -> Header:
    """Read the header; Unsupported for a variant that the machine does not have."""
    resumes, ets2, user = "", False, set[int]()
    flags, dirty = set[int](), set[int]()
    for key, value, at in test.header:
        place = f"{test.file}:{at.line}:{at.column}"
        words = re.findall(r"[\w.:-]+", value)
        if key.lower() == "variant":
            for word in words:
                if word.lower() in _RESUMES:
                    resumes = _RESUMES[word.lower()]
                elif word.lower() not in _HARMLESS:
                    raise Unsupported(f"{place}: variant {word} is not modelled")
                ets2 |= word.lower() == "ets2"
        elif key == "EL0":
            user |= {_thread(test, word, at) for word in words}
        elif key == "TTHM":
            for who, what in re.findall(r"(?:(P?\d+):)?(\w+)", value):
                if what not in ("HA", "HD"):
                    raise Unsupported(f"{place}: TTHM={what} is not modelled")
                every = range(len(test.threads))
                (flags if what == "HA" else dirty).update(
                    [_thread(test, who, at)] if who else every
                )
    return Header(resumes, ets2, frozenset(user), frozenset(flags | dirty), frozenset(dirty))


def _thread(test: tree.HerdTest, text: str, at: tree.At) -> int:
    match = re.fullmatch(r"P?(\d+)", text)
    if match is None or int(match[1]) >= len(test.threads):
        raise error(test.file, at, f"there is no thread {text}")
    return int(match[1])


def _check_threads(test: tree.HerdTest) -> None:
    """Refuse a thread that there is not: in a handler's column, in what is given, in conditions."""
    atoms = [a for c in (test.condition, test.filtered) if c for a in atoms_of(c)]
    named = [code.thread for code in test.code]
    named += [a.thread for a in atoms if isinstance(a, tree.Faulted)]
    places = [*test.shown, *(item.where for item in test.items)]
    places += [a.where for a in atoms if isinstance(a, tree.RegisterIs)]
    named += [place.thread for place in places if isinstance(place, tree.ThreadRegister)]
    for thread in named:
        if thread >= len(test.threads):
            last = len(test.threads) - 1
            raise Malformed(f"there is no thread P{thread}", f"threads are P0 to P{last}")


class Made:
    """A test with everything that is needed to run it."""

    def __init__(self, test: tree.HerdTest) -> None:
        self.test = test
        _check_threads(test)
        self.header = header_of(test)
        self.layout = Layout(test)
        self.listings = [
            Lowering(test, self.layout, i, user=i in self.header.user).listing(self.header.resumes)
            for i in range(len(test.threads))
        ]

    def setup(self, options: Options) -> Setup:
        """Return the machine's description."""
        layout, header = self.layout, self.header
        features = Features(conflict="either", ets2=options.ets2 or header.ets2)
        every = [
            features._replace(
                hardware_af=i in header.hardware_af, hardware_dirty=i in header.hardware_dirty
            )
            for i in range(len(self.listings))
        ]
        return Setup(
            geometry=layout.geometry,
            cpus=tuple(
                CpuSetup(
                    nothing,
                    layout.regime,
                    features=every[i],
                    el=0 if i in header.user else 1,
                    listing=listing,
                )
                for i, listing in enumerate(self.listings)
            ),
            tables=layout.tables(self._descriptors()),
            properties=(Property(NEVER_REACHED),),
            data=dict(self._data()),
            hardware=options.hardware._replace(window=options.window),
            symbols=layout.symbols(),
        )

    def observer(self, memories: MemoryPool) -> Observer:
        """Return what looks at final states."""
        return Observer(self.test, self.layout, self.listings, memories)

    def _descriptors(self) -> dict[str, Descriptor]:
        found = {}
        for item in self.test.items:
            if isinstance(item.where, tree.Descriptor) and isinstance(item.value, tree.Fields):
                found[item.where.name] = self.layout.descriptor(item.value, item.where.name)
            elif isinstance(item.where, tree.Descriptor) and item.value is not None:
                raise error(self.test.file, item.at, "a descriptor is (oa:PA(x), valid:0)")
        return found

    def _data(self) -> Iterator[tuple[int, int]]:
        for item in self.test.items:
            where = item.where
            if not isinstance(where, tree.Variable | tree.Page) or item.value is None:
                continue
            array = item.value if isinstance(item.value, tree.Array) else tree.Array((item.value,))
            for i, value in enumerate(array.values):
                found = self.layout.value(value)
                if type(found) is not int:
                    place = f"{self.test.file}:{item.at.line}:{item.at.column}"
                    raise Unsupported(f"{place}: addresses of descriptors in memory")
                yield self.layout.word(where) + i * item.size, found

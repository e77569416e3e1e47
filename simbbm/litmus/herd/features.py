"""What a test of herd7 is about: the parts of the architecture by which agreement is counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simbbm.litmus.herd import tree
from simbbm.litmus.herd.layout import atoms_of
from simbbm.litmus.herd.mnemonics import ATOMIC, BRANCHES, EXCLUSIVE_STORES

_FIELDS = {
    "valid": "validity",
    "af": "access flag",
    "db": "permission",
    "dbm": "dirty state",
    "el0": "EL0",
}
_INSTRUCTIONS = {
    **dict.fromkeys(("TLBI", "ISB", "ERET"), ""),
    **dict.fromkeys(("LDAR", "LDAPR", "STLR"), "acquire, release"),
    **dict.fromkeys((*EXCLUSIVE_STORES, "LDXR", "LDAXR"), "exclusives"),
    **dict.fromkeys((*BRANCHES, "B"), "branches"),
    **dict.fromkeys(("CSEL", "CSINC"), "selections"),
    "DSB": "DSB",
    "DMB": "DMB",
}


def features_of(test: tree.HerdTest) -> list[str]:
    """Return what a test uses, in order."""
    return sorted(dict.fromkeys(_features(test)))


def _features(test: tree.HerdTest) -> Iterator[str]:
    for key, value, _ in test.header:
        if key == "TTHM":
            yield from (f"TTHM {word}" for word in ("HA", "HD") if word in value)
    for code in test.code:
        if code.handler:
            yield "handlers"
        for line in code.lines:
            head = line.mnemonic.partition(".")[0]
            if ATOMIC.fullmatch(line.mnemonic):
                yield "atomics"
            elif head in _INSTRUCTIONS:
                yield _INSTRUCTIONS[head] or head
    if any(isinstance(atom, tree.Faulted) for atom in atoms_of(test.condition)):
        yield "faults"
    for fields in _values(test):
        yield from (_FIELDS[name] for name, _ in fields.values if name in _FIELDS)
        if fields.attributes:
            yield "memory attributes"


def _values(test: tree.HerdTest) -> Iterable[tree.Fields]:
    return (item.value for item in test.items if isinstance(item.value, tree.Fields))

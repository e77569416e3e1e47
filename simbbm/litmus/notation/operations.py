"""The verbs of the notation: one operation of a thread, read from its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from simbbm.arm64.ops import BARRIERS
from simbbm.arm64.translation.tlbi_operand import OPERANDS, is_by_range, is_range
from simbbm.host.reading import quoted
from simbbm.litmus.notation import syntax
from simbbm.litmus.notation.syntax import (
    NAME,
    NUMBER,
    PLACE,
    Location,
    Malformed,
    Unsupported,
    Value,
)

LOADS = ("ld", "ld.acq", "ld.acqpc")
STORES = ("st", "st.rel")
ACCESSES = (*LOADS, *STORES)

FORMS = (
    "r2 = ld x",
    "r2 = ld.acq x",
    "r2 = ld.acqpc x",
    "st x = 1",
    "st.rel x = 1",
    "r2 = ld pte(x)",
    "st pte(x) = INV",
    "st pte(x) = leaf(pa1,ro)",
    "st pte(x,L2) = table(newtab)",
    "dsb sy",
    "dmb ish",
    "isb",
    "tlbi vae1is x",
    "tlbi rvaae1is x pages=2",
    "tlbi vae1is x ttl=3",
    "tlbi vmalle1is",
    "tlbi aside1is asid=1",
    "msr ttbr0 = ttbr(root=page_table_base,asid=1)",
    "svc",
    "eret",
    "label L0",
    "ctrl r0",
    "r1 = 0",
    "r1 = eq r0 1",
    "stop",
)
"""One example of each operation."""

TEXT_MAX = 500
"""Characters of an operation."""
_OTHER_TLBI = r"(r?va{1,2}l?e[1-3]|r?ipas2l?e1|vmall(s12)?e1|aside1|alle[1-3]|pa\w*)([io]s)?(nxs)?"
"""TLBIs that there are and that are not modelled: of other regimes, outer shareable."""
OUT_OF_SCOPE = {
    "ic": "instruction fetch",
    "dc": "cache maintenance",
    "at": "address translation instructions",
    "hvc": "EL2",
    "smc": "EL3",
    "wfe": "event waits",
    "sev": "event waits",
    "ldxr": "exclusives",
    "ldaxr": "exclusives",
    "stxr": "exclusives",
    "stlxr": "exclusives",
    "swp": "atomics",
    "cas": "atomics",
    "ldadd": "atomics",
    "ldset": "atomics",
    "ldp": "pairs",
    "stp": "pairs",
}
"""Operations that other litmus tests have, and what they would need."""


class Shootdown(NamedTuple):
    """A TLBI as it is written. With `of_entry` it names the VA of a descriptor, not of a page."""

    op: str
    broadcast: bool
    location: Location | None = None
    asid: int | None = None
    of_entry: bool = False
    pages: int = 1
    """Of one by range: how many."""
    ttl: int = 0
    """The level that it hints at; 0: none."""


class Operation(NamedTuple):
    """One operation. Which fields count depends on `op`."""

    op: str
    text: str = ""
    destination: int | None = None
    location: Location | None = None
    value: Value | None = None
    address_from: tuple[int, ...] = ()
    data_from: tuple[int, ...] = ()
    option: str = ""
    tlbi: Shootdown | None = None
    number: int = -1
    """Place in its thread's list, from 0; negative in a handler."""


def operation(text: str, names: Iterable[str], number: int) -> Operation:
    """Read an operation; raise Malformed with the nearest one that the notation has.

    `names` are the variables that there are: what a mistyped word may have meant.
    """
    if len(text) > TEXT_MAX:
        raise Malformed(f"`{quoted(text)}` is longer than {TEXT_MAX:,} characters")
    try:
        return _operation(text, number)
    except Unsupported:
        raise
    except Malformed as error:
        head = re.match(r"\s*(?:r\d+\s*=\s*)?(\w*)", text)
        if head and head[1].lower() in OUT_OF_SCOPE:
            lacking = OUT_OF_SCOPE[head[1].lower()]
            raise Unsupported(f"`{text}`: not modelled in listings: {lacking}") from None
        hint = _nearest(text, names) or error.hint
        raise Malformed(f"`{text}`: {error.message}", hint) from None


def _operation(text: str, number: int) -> Operation:
    bare, address_from, data_from = _without_dependencies(text)
    for pattern, reader in _READERS:
        if match := syntax.whole(pattern, bare):
            found = reader(match)
            return found._replace(
                text=text,
                address_from=address_from,
                data_from=data_from + found.data_from,
                number=number,
            )
    raise Malformed("there is no such operation")


def _without_dependencies(text: str) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """Split off ` {addr:r0}` and ` {data:r1}`."""
    bare, *groups = re.split(r"\{([^{}]*)\}", text)
    kinds: dict[str, list[int]] = {"addr": [], "data": []}
    for group in groups[::2]:
        kind = ""
        for part in group.split(","):
            match = syntax.whole(r"(?:(addr|data)\s*:\s*)?r(\d+)", part)
            kind = match[1] or kind if match else ""
            if match is None or not kind:
                raise Malformed(f"`{{{group}}}` is no dependency", "write {addr:r0} or {data:r0}")
            kinds[kind].append(syntax.number(match[2]))
    if any(rest.strip() for rest in groups[1::2]):
        raise Malformed("something follows the dependency", "write {addr:r0} last")
    return bare, tuple(kinds["addr"]), tuple(kinds["data"])


def _location(text: str) -> Location:
    return syntax.read(text, syntax.location, "location", syntax.FORMS_OF_A_LOCATION)


def _load(match: re.Match[str]) -> Operation:
    return Operation(match[2], destination=syntax.number(match[1]), location=_location(match[3]))


def _store(match: re.Match[str]) -> Operation:
    location = _location(match[2])
    if location.level is None:
        value = syntax.read_value(match[3], _number_or_register, "number", "st x = 1 or st x = r1")
    else:
        forms = syntax.FORMS_OF_A_DESCRIPTOR + " or rN"
        value = syntax.read_value(match[3], _entry_or_register, "descriptor", forms)
    return Operation(match[1], location=location, value=value)


def _number_or_register(text: str) -> Value | None:
    found = syntax.value(text)
    return found if isinstance(found, int | syntax.Register) else None


def _entry_or_register(text: str) -> Value | None:
    return syntax.entry(text) or syntax.register(text)


def _barrier(match: re.Match[str]) -> Operation:
    if match[2] not in BARRIERS:
        raise Malformed(f"{match[1]} has no option {match[2]}", f"write {match[1]} sy|ish|st|ld")
    return Operation(match[1], option=match[2])


def _plain(match: re.Match[str]) -> Operation:
    return Operation(match[1])


def _tlbi(match: re.Match[str]) -> Operation:
    name = match[1].lower()
    op = name.removesuffix("is")
    if op not in OPERANDS:
        if re.fullmatch(_OTHER_TLBI, name):
            raise Unsupported(
                f"`{match[0].strip()}`: TLBI {name} is not modelled",
                f"{', '.join(OPERANDS)} are, each also with `is`",
            )
        raise Malformed(f"there is no TLBI {name}", "write tlbi vae1is x")
    wants_page, wants_asid = OPERANDS[op]
    operands, given = match[2] or "", dict[str, int]()
    for option in re.finditer(rf",?\s*\b(asid|pages|ttl)\s*=\s*({NUMBER})", operands):
        given[option[1]] = syntax.number(option[2])
        operands = operands.replace(option[0], "")
    rest = operands.strip()
    if bool(rest) != wants_page or ("asid" in given and not wants_asid):
        takes = "an address" if wants_page else "asid=N" if wants_asid else "nothing"
        raise Malformed(f"tlbi {name} takes {takes}", f"write tlbi {_example(op, name)}")
    if wants_asid and not wants_page and "asid" not in given:
        raise Malformed(f"tlbi {name} takes asid=N", f"write tlbi {name} asid=1")
    _check_range(name, op, given)
    location = _location(rest.removeprefix("&")) if rest else None
    of_entry = location is not None and location.level is not None
    if of_entry != rest.startswith("&"):
        raise Malformed(f"tlbi {name} takes an address", "write x or &pte(x)")
    return Operation("tlbi", tlbi=Shootdown(op, name != op, location, of_entry=of_entry, **given))


def _check_range(name: str, op: str, given: dict[str, int]) -> None:
    """Refuse what a register cannot say."""
    if is_by_range(op) != ("pages" in given):
        takes = "pages=N" if is_by_range(op) else "no pages"
        raise Malformed(f"tlbi {name} takes {takes}", f"write tlbi {_example(op, name)}")
    if not is_range(given.get("pages", 2)):
        why = "one TLBI is for 2 to 64 pages, and for two at a time"
        raise Malformed(f"tlbi {name} cannot be for {given['pages']} pages: {why}", "write pages=2")
    if "ttl" in given and (not OPERANDS[op][0] or not 1 <= given["ttl"] <= 3):
        raise Malformed(f"tlbi {name} takes no ttl={given['ttl']}", "write tlbi vae1is x ttl=3")


def _example(op: str, name: str) -> str:
    page, asid = OPERANDS[op]
    if is_by_range(op):
        return f"{name} x pages=2"
    return f"{name} x" if page else f"{name} asid=1" if asid else name


def _msr(match: re.Match[str]) -> Operation:
    name = match[1].lower().removesuffix("_el1")
    if name != "ttbr0":
        raise Unsupported(f"`{match[0].strip()}`: only TTBR0 can be written", "write msr ttbr0 = ")
    forms = "ttbr(root=page_table_base,asid=1) or rN"
    value = syntax.read_value(match[2], _base_or_register, "TTBR", forms)
    return Operation("msr", value=value, option="ttbr0_el1")


def _base_or_register(text: str) -> Value | None:
    return syntax.base(text) or syntax.register(text)


def _branch(match: re.Match[str]) -> Operation:
    return Operation(
        "ctrl", data_from=tuple(syntax.number(n) for n in re.findall(r"r(\d+)", match[1]))
    )


def _label(match: re.Match[str]) -> Operation:
    return Operation("label", option=match[1])


def _move(match: re.Match[str]) -> Operation:
    forms = "r1 = 0, r1 = r2, r1 = INV, r1 = eq r2 1, r1 = 1 if fault.level==3 else 2"
    value = syntax.read_value(match[2], syntax.value, "value", forms)
    return Operation("mov", destination=syntax.number(match[1]), value=value)


_READERS: tuple[tuple[str, Callable[[re.Match[str]], Operation]], ...] = (
    (rf"r(\d+)\s*=\s*(ld(?:\.acq|\.acqpc)?)\s+({PLACE})", _load),
    (rf"(st(?:\.rel)?)\s+({PLACE})\s*=\s*(.+)", _store),
    (r"(dsb|dmb)\s+(\w+)", _barrier),
    (r"(isb|svc|eret|stop)", _plain),
    (r"tlbi\s+(\w+)(?:\s+(.+))?", _tlbi),
    (r"msr\s+(\w+)\s*=\s*(.+)", _msr),
    (r"ctrl\s+(r\d+(?:\s*,\s*r\d+)*)", _branch),
    (rf"label\s+({NAME})", _label),
    (r"r(\d+)\s*=\s*(?!ld\b)(.+)", _move),
)

# Suggestions

_WORDS = (
    *(w for form in FORMS for w in re.findall(r"[A-Za-z][\w.]*", form)),
    *("sy", "ish", "ishst", "ishld", "st", "ld", "leaf", "ro", "el1ro", "el1rw", "af"),
    *(op + kind for op in OPERANDS for kind in ("", "is")),
    *(
        "newtab",
        "addr",
        "data",
        "if",
        "else",
        "fault.level",
        "fault.kind",
        "permission",
        "translation",
    ),
)


def _nearest(text: str, names: Iterable[str]) -> str | None:
    """Return the operation that was probably meant, or an example of one like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only when somebody mistyped

    known = dict.fromkeys((*_WORDS, *names))

    def mended(match: re.Match[str]) -> str:
        word = match[0]
        if word in known or re.fullmatch(rf"{syntax.REGISTER}|L\d|pa\w+|{NUMBER}", word):
            return word
        close = get_close_matches(word.lower(), known, n=1, cutoff=0.5)
        return close[0] if close else word

    better = re.sub(r"[A-Za-z][\w.]*", mended, text)
    try:
        _operation(better, -1)
    except (Malformed, Unsupported):
        close = get_close_matches(better, FORMS, n=1, cutoff=0.3)
        return f"the nearest is `{close[0]}`" if close else f"`{FORMS[0]}` is one"
    return f"the nearest is `{better.strip()}`"

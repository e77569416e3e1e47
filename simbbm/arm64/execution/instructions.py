"""The table of instructions: what each waits for, what waits for it, and what it does.

A program's operation, and an instruction of a listing, are decoded (`Decoded`); the executor knows
nothing else of them. How rows are read:

* An access is translated when its address is known and the last context synchronisation event is
  over: at any time before it is performed (R5), for a DSB does not hold translations up, unless
  FEAT_ETS2 says so (R17).
* It is performed when nothing that is earlier in program order holds it up: a DSB, an acquire, a
  DMB and an access of the kinds that the DMB orders (`ordering`).
* A store, TLBI or MSR, and whatever is done `alone`, is never speculative: all earlier branches,
  addresses and faults are known then (R6, R23).
* A DSB is done when earlier accesses of its kinds are performed; a full one waits for TLBIs as well
  (R7, R8, R9). A TLBI waits for DSBs, and not for DMBs (R8).
* A context synchronisation event waits for DSBs, MSRs and TLBIs, and nothing that is behind it is
  translated before (R14).

Simplified: exclusives, atomics, events, PSTATE, exceptions of programs and whatever else is `alone`
are done when they are the oldest (fewer behaviours: a later load or translation may precede them,
they precede nothing).
"""

from __future__ import annotations

from typing import Any, NamedTuple

LOAD, STORE = "load", "store"
EVERY = frozenset((LOAD, STORE))


class Rule(NamedTuple):
    """A row of the table."""

    does: str
    """What it does: the name of the executor's method."""
    kinds: frozenset[str] = frozenset()
    """Of which kinds of accesses it is: LOAD, STORE."""
    acquire: str = ""
    """Later accesses wait for it: `pc` (LDAPR); `sc`, which waits for earlier releases (LDAR)."""
    release: bool = False
    """It waits for all earlier accesses."""
    alone: bool = False
    """It is done when it is the oldest, translation and access in one step."""
    synchronises: bool = False
    """It is a context synchronisation event (R14)."""
    stops: bool = False
    """Nothing behind it is fetched before it is done."""
    observes: bool = False
    """The program gets a value."""
    silent: bool = False
    """It has no move of its own: it is retired when it is the oldest."""

    @property
    def access(self) -> bool:
        """Whether it accesses memory."""
        return bool(self.kinds)


_LOADS, _STORES = frozenset((LOAD,)), frozenset((STORE,))
_SYNCHRONISE = Rule("synchronise", synchronises=True, stops=True)
_EXCEPTION: dict[str, Any] = {"alone": True, "synchronises": True, "stops": True}

RULES: dict[str, Rule] = {
    "ldr": Rule("load", _LOADS, observes=True),
    "ldar": Rule("load", _LOADS, "sc", observes=True),
    "ldapr": Rule("load", _LOADS, "pc", observes=True),
    "ldxr": Rule("load_exclusive", _LOADS, alone=True, observes=True),
    "ldaxr": Rule("load_exclusive", _LOADS, "sc", alone=True, observes=True),
    "wait": Rule("wait", _LOADS, observes=True),
    "wait.acquire": Rule("wait", _LOADS, "sc", observes=True),
    "str": Rule("store", _STORES),
    "fill": Rule("store", _STORES),
    "stlr": Rule("store", _STORES, release=True),
    "stxr": Rule("store_exclusive", _STORES, alone=True, observes=True),
    "stlxr": Rule("store_exclusive", _STORES, release=True, alone=True, observes=True),
    "ldaddal": Rule("atomic_add", EVERY, "sc", release=True, alone=True, observes=True),
    "dmb": Rule("dmb", silent=True),
    "dsb": Rule("dsb"),
    "isb": _SYNCHRONISE,
    "tlbi": Rule("tlbi"),
    "ic": Rule("ic", alone=True),
    "fetch": Rule("fetch", alone=True, stops=True, observes=True),
    "msr": Rule("msr"),
    "mrs": Rule("mrs", alone=True, observes=True),
    "svc": Rule("svc", **_EXCEPTION),
    "hvc": Rule("hvc", **_EXCEPTION, observes=True),
    "eret": Rule("eret", **_EXCEPTION),
    "eret.el0": Rule("eret_to_el", synchronises=True, stops=True),
    "eret.el1": Rule("eret_to_el", synchronises=True, stops=True),
    "wfe": Rule("wfe", alone=True),
    "wfi": Rule("wfi", alone=True),
    "cpu_on": Rule("cpu_on", alone=True),
    "sev": Rule("sev", alone=True),
    "sevl": Rule("sev", alone=True),
    "forget_events": Rule("forget_events", alone=True),
    "daifset": Rule("mask", alone=True),
    "daifclr": Rule("mask", alone=True),
    "br": Rule("branch", alone=True, stops=True),
    "ctrl": Rule("nop", silent=True),
    "nop": Rule("nop", alone=True),
    "panic": Rule("panic", alone=True, stops=True),
    "might_sleep": Rule("might_sleep", alone=True),
}
"""By mnemonic. `ctrl` is a conditional branch both ways of which lead to what follows it."""

LISTED: dict[str, Rule] = {
    "ld": RULES["ldr"],
    "ld.acq": RULES["ldar"],
    "ld.acqpc": RULES["ldapr"],
    "st": RULES["str"],
    "st.rel": RULES["stlr"],
    **{name: RULES[name] for name in ("dmb", "dsb", "isb", "tlbi", "msr", "ctrl")},
    "mov": Rule("nop", silent=True),
    **dict.fromkeys(("b", "select"), Rule("predict")),
    "ld.ex": Rule("load_exclusive", _LOADS, observes=True),
    "ld.ex.acq": Rule("load_exclusive", _LOADS, "sc", observes=True),
    "st.ex": Rule("store_exclusive", _STORES, observes=True),
    "st.ex.rel": Rule("store_exclusive", _STORES, release=True, observes=True),
    "amo": Rule("modify", EVERY, observes=True),
    "amo.acq": Rule("modify", EVERY, "sc", observes=True),
    "amo.rel": Rule("modify", EVERY, release=True, observes=True),
    "amo.acqrel": Rule("modify", EVERY, "sc", release=True, observes=True),
    "amo.noret": Rule("modify", _STORES),
    "amo.noret.rel": Rule("modify", _STORES, release=True),
    **dict.fromkeys(("svc", "eret", "return", "eret.elr"), _SYNCHRONISE),
}
"""The same by the names of listings, whose exceptions, exclusives and atomics are instructions in
flight like others. `noret`: an atomic whose register is the zero register, which no DSB LD or DMB
LD waits for. `b` is a branch, and what is fetched behind it is a guess until its condition is
known; `select` is CSEL, and which register it takes is one."""


class Ordered(NamedTuple):
    """What a barrier orders: accesses of which kinds before it, with which behind it (R7)."""

    before: frozenset[str]
    after: frozenset[str]


def ordered_by(option: str) -> Ordered:
    """What DMB and DSB with this option order. The domain makes no difference here."""
    if option.endswith("ld"):
        return Ordered(_LOADS, EVERY)
    if option.endswith("st"):
        return Ordered(_STORES, _STORES)
    return Ordered(EVERY, EVERY)


def waits_for_tlbis(option: str) -> bool:
    """Whether a DSB with this option waits for TLBIs: only full ones do (R7)."""
    return not option.endswith(("ld", "st"))


class Decoded(NamedTuple):
    """An instruction as the executor sees it."""

    rule: Rule
    mnemonic: str
    option: str
    """What follows the dot: a barrier's option, a TLBI's, a register's name."""
    label: str
    where: object
    """The program's step, as error messages name it."""
    addressed: bool = True
    """Whether the values that its address depends on are known."""
    address: int = 0
    physical: bool = False
    """The address is a word of memory, and is not translated."""
    operands: tuple[Any, ...] | None = ()
    """Its other operands; None: one of them depends on a value that is not known yet."""

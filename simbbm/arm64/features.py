"""Features of a CPU, and which of the architecture's relaxations the machine shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from simbbm.arm64.platform.errata import ERRATA
from simbbm.core.errors import UsageError
from simbbm.host.reading import decimal, nearest, quoted


class Features(NamedTuple):
    """One CPU's features.

    `bbm` is ID_AA64MMFR2_EL1.BBM; `noabort` is Linux's BBML2_NOABORT, a promise from an allow-list
    of MIDRs that level 2 never takes a TLB conflict abort (level 3 makes it architectural).
    `conflict` is what an access that meets two conflicting entries may get besides either of them:
    `abort` a TLB conflict abort, `amalgam` a mixture of both, `either` nothing more.
    CPUs with the same `tlb`, other than 0, have a TLB in common, as SMT siblings do (`cnp`).
    `errata` are the numbers of its errata, and what each changes is one table (`platform.errata`).
    With `hardware_af` its walker sets access flags, with `hardware_dirty` dirty states as well
    (FEAT_HAFDBS, TCR_EL1.HA and HD; `hardware_update`).
    Without `ntlbpa` it may keep descriptors by their physical address (FEAT_nTLBPA;
    `physical_cache`).
    """

    bbm: int = 0
    noabort: bool = False
    ets2: bool = False
    conflict: str = "abort"
    tlb: int = 0
    errata: tuple[str, ...] = ()
    hardware_af: bool = False
    hardware_dirty: bool = False
    ntlbpa: bool = True

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        parts = (*self[:5], self.errata or False, *self[6:])
        if not self.ntlbpa:
            return parts
        if self.updates_descriptors:
            return parts[:8]
        return parts[: 6 if self.errata else 5 if self.tlb else 4]

    @property
    def updates_descriptors(self) -> bool:
        """Whether its walker writes to tables."""
        return self.hardware_af or self.hardware_dirty

    @property
    def tolerates_size_change(self) -> bool:
        """Whether Linux lets it see a live size change (R21; system_supports_bbml2_noabort)."""
        return self.noabort or self.bbm >= 3


FIELDS = {
    "bbm": "bbm=0..3",
    "noabort": "noabort",
    "ets2": "ets2",
    "conflict": "conflict=abort|either|amalgam",
    "tlb": "tlb=N",
    "errata": f"errata={'+'.join(ERRATA)}",
    "hardware_af": "hardware_af",
    "hardware_dirty": "hardware_dirty",
    "ntlbpa": "ntlbpa",
}
"""How each field of a CPU's features is written; one that stands alone is yes or no."""
_YES = {"": True, "yes": True, "True": True, "no": False, "False": False}


def read_features(features: Features, text: str) -> Features:
    """Features with some fields changed, as `bbm=3,ets2,noabort=no`; UsageError if it is not."""
    changed: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if name not in FIELDS:
            close = nearest(name, FIELDS)
            near = f"did you mean {close}? " if close else ""
            raise UsageError(
                f"there is no feature {quoted(name)}", f"{near}write {','.join(FIELDS.values())}"
            )
        known = _value(name, value if equals else "")
        if known is None:
            raise UsageError(f"{quoted(part)} is not allowed", f"write {FIELDS[name]}")
        changed[name] = known
    return features._replace(**changed)


def _value(name: str, text: str) -> int | bool | str | tuple[str, ...] | None:
    """What a field's text means; None: nothing."""
    if name == "errata":
        numbers = tuple(sorted(filter(None, text.split("+"))))
        return numbers if set(numbers) <= ERRATA.keys() else None
    if name in ("bbm", "tlb"):
        number = decimal(text)
        return number if number is not None and (name == "tlb" or number <= 3) else None
    if name == "conflict":
        return text if text in ("abort", "either", "amalgam") else None
    return _YES.get(text)


class Hardware(NamedTuple):
    """How hardware is modelled. The defaults are the architecture, the rest control experiments.

    `closure`: TLBs hold everything they may hold (else concrete entries, filled by walks).
    `speculation`: walks happen that no access asks for; a closure is made of them.
    `late_stores`: stores wait in a buffer (else they reach memory at once).
    `late_registers`: TTBR0, TTBR1 and TCR take effect at any time up to a synchronisation.
    `late_tlbis`: TLBIs act on each CPU when they get there.
    `early`: translations may have been made early, back to the last context synchronisation.
    `walk_cache`: table descriptors are cached too.
    `common_tlb`: CPUs that have a TLB in common use each other's entries under CnP.
    `spare_flags`: walkers that set access flags do so for accesses that are never made, too.
    `physical_copies`: CPUs without FEAT_nTLBPA keep descriptors by physical address.
    `evictions`: concrete entries that may be evicted per CPU and run.
    """

    closure: bool = True
    speculation: bool = True
    late_stores: bool = True
    late_registers: bool = True
    late_tlbis: bool = True
    early: bool = True
    walk_cache: bool = True
    common_tlb: bool = True
    spare_flags: bool = True
    physical_copies: bool = True
    evictions: int = 1
    window: int = 1
    """Instructions in flight, of a listing or of a program; pending stores are beyond it."""
    eager_steps: bool = True
    """Listings: take at once the steps that only enable others (`window`)."""
    combined_entries: bool = True
    """A TLB may hold entries that combine stage 1 and stage 2, as well as entries of each."""
    interrupts: str = ""
    """What may arrive once on each CPU, at any time: `irq`, `nmi`, `serror`, or nothing."""
    stale_text: bool = True
    """Text that was changed may be executed as it was (R27)."""
    errata: bool = True
    """CPUs have the errata that their features name."""
    unknown_reset: bool = True
    """What is unknown at reset, the event register and the TLB, may be anything (R26)."""
    event_stream: bool = False
    """Every WFE is woken in the end, by the timer, as Linux asks for; no protocol may need it."""
    ablations: tuple[str, ...] = ()
    """Rules that are switched off, to show that a test would notice. Not for users."""

    @property
    def freedoms(self) -> tuple[str, ...]:
        """Names of the freedoms that it has."""
        return tuple(name for name in FREEDOMS if self.without(name) != self)

    def without(self, freedom: str) -> Hardware:
        """Return it with one freedom taken away."""
        return self._replace(**FREEDOMS[freedom])


COMBINED_ENTRY, UNKNOWN_RESET = "combined entry", "unknown at reset"
HARDWARE_AF, PHYSICAL_CACHE = "hardware AF", "physical translation cache"
ERRATUM, STALE_TEXT = "erratum", "stale instruction"
FREEDOMS: Mapping[str, Mapping[str, Any]] = {
    "late drain": {"late_stores": False},
    "speculative walk": {"speculation": False, "closure": False, "evictions": 0},
    "walk cache": {"walk_cache": False},
    "late TTBR": {"late_registers": False},
    "asynchronous TLBI": {"late_tlbis": False},
    "early translation": {"early": False},
    "overtaking": {"window": 1},
    "TLB in common": {"common_tlb": False},
    COMBINED_ENTRY: {"combined_entries": False},
    UNKNOWN_RESET: {"unknown_reset": False},
    HARDWARE_AF: {"spare_flags": False},
    PHYSICAL_CACHE: {"physical_copies": False},
    ERRATUM: {"errata": False},
    STALE_TEXT: {"stale_text": False},
}
"""Relaxations that the architecture permits, by name: each with the fields of hardware without
it."""

DELAYED = Hardware()
CONCRETE = Hardware(closure=False, early=False)
EAGER = Hardware(
    closure=False,
    speculation=False,
    late_stores=False,
    late_registers=False,
    late_tlbis=False,
    early=False,
    walk_cache=False,
    common_tlb=False,
    combined_entries=False,
    unknown_reset=False,
    spare_flags=False,
    physical_copies=False,
    errata=False,
    stale_text=False,
    evictions=0,
)

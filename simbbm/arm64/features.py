"""What a CPU implements, and how much of Arm's relaxed hardware the machine shows."""

from __future__ import annotations

from typing import NamedTuple


class Features(NamedTuple):
    """One CPU's features.

    `bbm` is ID_AA64MMFR2_EL1.BBM; `noabort` is Linux's BBML2_NOABORT, a promise from an allow-list
    of MIDRs that level 2 never takes a TLB conflict abort (level 3 makes it architectural).
    `conflict` is what an access that meets two conflicting entries may get besides either of them:
    `abort` a TLB conflict abort, `amalgam` a mixture of both, `either` nothing more.
    """

    bbm: int = 0
    noabort: bool = False
    ets2: bool = False
    conflict: str = "abort"

    @property
    def tolerates_size_change(self) -> bool:
        """Whether Linux lets it see a live size change (system_supports_bbml2_noabort)."""
        return self.noabort or self.bbm >= 3


class Hardware(NamedTuple):
    """How hardware is modelled. The defaults are the architecture, the rest control experiments.

    `closure`: TLBs hold everything they may hold (else concrete entries, filled by walks).
    `eager`: stores, system registers and TLBIs take effect at once.
    `early`: translations may have been made early, back to the last context synchronisation.
    `walk_cache`: table descriptors are cached too.
    `evictions`: concrete entries that may be evicted per CPU and run.
    """

    closure: bool = True
    eager: bool = False
    early: bool = True
    walk_cache: bool = True
    evictions: int = 1
    window: int = 1
    """Instructions in flight: of a listing; of a program, a load and what it may overtake."""
    eager_steps: bool = True
    """Listings: take at once the steps that only enable others (`window`)."""
    ablations: tuple[str, ...] = ()
    """Rules that are switched off, to show that a test would notice. Not for users."""


DELAYED = Hardware()
CONCRETE = Hardware(closure=False, early=False)
EAGER = Hardware(closure=False, eager=True, early=False, walk_cache=False, evictions=0)

"""Weaker forms of operations, tried in their place to see whether the stronger form is needed.

Only where the machine tells the two apart: it does not know shareability domains of stores, so a
DSB ISHST is not tried as NSHST; of DSB ISH as NSH it knows that TLBIs of others are not waited for.
"""

from __future__ import annotations

from dataclasses import dataclass

from simbbm.arm64.translation.tlb import Tlbi
from simbbm.core.errors import EditError
from simbbm.core.program import Op

_LADDER: dict[str, tuple[str, ...]] = {
    "dsb.sy": ("dsb.nsh", "dmb.ish"),
    "dsb.ish": ("dsb.nsh", "dmb.ish"),
    "dsb.ishst": ("dmb.ishst",),
    "dsb.nsh": ("dmb.nsh",),
    "dsb.nshst": ("dmb.nshst",),
    "dmb.sy": ("dmb.ishst", "dmb.ishld"),
    "dmb.ish": ("dmb.ishst", "dmb.ishld"),
    "wait.acquire": ("wait",),
    "ldar": ("ldr",),
    "ldapr": ("ldr",),
    "ldaxr": ("ldxr",),
    "stlr": ("str",),
    "stlxr": ("stxr",),
}
_NARROWER = {
    "vae1": ("vale1",),
    "vaae1": ("vaale1",),
    "rvae1": ("rvale1",),
    "rvaae1": ("rvaale1",),
    "ipas2e1": ("ipas2le1",),
    "ripas2e1": ("ripas2le1",),
    "vmalls12e1": ("vmalle1",),
    "alle1": ("vmalls12e1", "vmalle1"),
}
"""Of TLBIs, those with a narrower scope."""
ACQUIRES = ("wait.acquire", "ldar", "ldapr", "ldaxr")
"""Only later loads tell these from relaxed ones: a matter of the program's `window`."""


@dataclass(frozen=True)
class As:
    """Makes another operation of one that takes the same operands."""

    mnemonic: str

    def __call__(self, op: Op) -> Op:
        """Return the operation in its other form; it has to be a weaker one."""
        if self.mnemonic not in (known := weaker_forms(op)):
            raise EditError(
                f"weaken: {self.mnemonic} is no weaker form of {op.mnemonic}",
                f"weaker forms of it: {', '.join(known) or 'none'}",
            )
        if self.mnemonic.startswith("tlbi."):
            name = self.mnemonic.removeprefix("tlbi.")
            tlbi: Tlbi = op.args[0]
            local = name.removesuffix("is")
            weaker = tlbi._replace(op=local, broadcast=name != local)
            return Op(self.mnemonic, (weaker,))
        return Op(self.mnemonic, op.args)


def weaker_forms(op: Op) -> tuple[str, ...]:
    """Mnemonics of the weaker forms of an operation, one step weaker each time."""
    if not op.mnemonic.startswith("tlbi."):
        return _LADDER.get(op.mnemonic, ())
    tlbi: Tlbi = op.args[0]
    shared = "is" if tlbi.broadcast else ""
    forms = [f"tlbi.{tlbi.op}"] if tlbi.broadcast else []
    return (*forms, *(f"tlbi.{op}{shared}" for op in _NARROWER.get(tlbi.op, ())))

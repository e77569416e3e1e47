"""The operations that a program can ask its CPU for: one method, one architectural step.

Addresses are in words (`page * page_words + word`), pages in pages, values are ints or descriptors.
A handle is frozen data and the same for every CPU, so that equal programs have equal histories; a
program learns which CPU it runs on by `mrs_mpidr`, an observation like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.execution.storebuffer import Word
from simbbm.arm64.platform.text import IC_OPS
from simbbm.arm64.registers import CpuOn, Sctlr, Sgi, Tcr, Ttbr, Vttbr
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.arm64.translation.tlbi_operand import AT_EL2, OPERANDS, decoded, is_by_range, is_range
from simbbm.core.errors import ScenarioError
from simbbm.core.program import Op, Step
from simbbm.core.programs.code import NO_OPERAND, UNKNOWN
from simbbm.core.unknown import Dependent, is_known, is_symbol

Text = str
"""`str` under a name that the method of the same name does not hide."""

DOMAINS = ("ish", "nsh", "osh")
BARRIERS = ("sy", "ld", "st", *(d + kind for d in DOMAINS for kind in ("", "ld", "st")))
IC_FORMS = ("iallu", "ialluis", "ivau address")
REGISTERS = (
    *("ttbr0_el1", "ttbr1_el1", "tcr_el1", "sctlr_el1", "vbar_el1", "mpidr_el1", "vttbr_el2"),
)
WRITE_ONLY = ("icc_sgi1r_el1",)
T = TypeVar("T")


def depending(operand: T, *on: Any) -> T:
    """An operand that depends on loaded values without being made of them, as by `eor x, x; add`.

    For `Hardware.window` above 1, where a program may hand on values that are not known yet.
    """
    dependent: Any = Dependent(operand, on)
    return dependent  # type: ignore[no-any-return]  # what stands for an operand


def _plain(word: Word) -> Word:
    """Return what memory keeps of a word: an enum's member or a bool is the int that it equals."""
    if not is_known(word) or is_symbol(word):
        return word
    return int(word) if isinstance(word, int) else word


def _checked(step: Step[T], fits: bool, what: Text, known: Iterable[Text]) -> Step[T]:  # noqa: FBT001
    if not fits:
        message = f"{step._where_}: there is no {step.op.mnemonic} with these operands"
        raise ScenarioError(message, f"{what} are {', '.join(known)}")
    return step


DAIF = ("i", "daif", "da")
"""Which exceptions DAIFSet and DAIFClr change: interrupts, all, all but interrupts."""


def _daif(mnemonic: str, mask: str) -> str:
    return mnemonic if mask == "i" else f"{mnemonic}.{mask}"


INTERRUPT = "interrupt"
"""`Aborted.access` of an asynchronous exception."""
SGI = "sgi"
"""`Aborted.kind` of an inter-processor interrupt."""
HVC = "hvc"


class Aborted(NamedTuple):
    """What an exception handler gets: ESR and FAR.

    `access` is read, write or fetch, svc, hvc (`page` is its operand), or INTERRUPT; then `kind`
    says which.
    """

    kind: str
    level: int
    page: int
    access: str
    intid: int = 0
    """Of an inter-processor interrupt (SGI): what ICC_IAR1_EL1 says."""
    ipa: int | None = None
    """Of a fault of stage 2: the intermediate physical page, as HPFAR_EL2 or AT say it; -1 if
    stage 1 does not translate the address any more."""

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        return self if self.ipa is not None else self[: 5 if self.kind == SGI else 4]


class Physical(NamedTuple):
    """The address of a word that is always mapped: its translation is not modelled.

    For litmus tests, which do not describe the mapping of tables and flags.
    """

    address: int


class Cpu(NamedTuple):
    """The handle that every program gets as its first argument."""

    def ldr(self, address: int) -> Step[Any]:
        """LDR (READ_ONCE): load a word."""
        return Step(Op("ldr", (address,)))

    def ldar(self, address: int) -> Step[Any]:
        """LDAR (smp_load_acquire): load-acquire, after this CPU's earlier store-releases."""
        return Step(Op("ldar", (address,)))

    def ldapr(self, address: int) -> Step[Any]:
        """LDAPR: load-acquire that need not wait for earlier store-releases."""
        return Step(Op("ldapr", (address,)))

    def ldxr(self, address: int) -> Step[Any]:
        """LDXR: load and set the local exclusive monitor."""
        return Step(Op("ldxr", (address,)))

    def ldaxr(self, address: int) -> Step[Any]:
        """LDAXR: LDXR with acquire."""
        return Step(Op("ldaxr", (address,)))

    def str(self, address: int, value: Word) -> Step[None]:
        """STR (WRITE_ONCE): store a word."""
        return Step(Op("str", (address, _plain(value))))

    def stlr(self, address: int, value: Word) -> Step[None]:
        """STLR (smp_store_release): store-release."""
        return Step(Op("stlr", (address, _plain(value))))

    def stxr(self, address: int, value: Word) -> Step[int]:
        """STXR: store if the monitor is still set; returns 0 for success, 1 for failure."""
        return Step(Op("stxr", (address, _plain(value))))

    def stlxr(self, address: int, value: Word) -> Step[int]:
        """STLXR: STXR with release."""
        return Step(Op("stlxr", (address, _plain(value))))

    def fill(self, address: int, first: Descriptor, stride: int, count: int) -> Step[None]:
        """Store `count` leaves, outputs `stride` pages apart, as one store.

        Stands for a loop of plain stores where nobody can look in between; if somebody can, it
        shows fewer interleavings than the loop.
        """
        return Step(Op("fill", (address, first, stride, count)))

    def ldaddal(self, address: int, value: int) -> Step[int]:
        """LDADDAL (atomic_add_return and relatives): add, fully ordered; returns the old value."""
        return Step(Op("ldaddal", (address, _plain(value))))

    def dmb(self, option: Text = "ish") -> Step[None]:
        """DMB: `sy`, `ish`, `ishld`, `ishst`, ... The domain makes no difference."""
        return _checked(Step(Op(f"dmb.{option}")), option in BARRIERS, "options", BARRIERS)

    def dsb(self, option: Text = "ish") -> Step[None]:
        """DSB: `sy`, `ish`, `ishld`, `ishst`, `nsh`, ...; only full ones wait for TLBIs."""
        return _checked(Step(Op(f"dsb.{option}")), option in BARRIERS, "options", BARRIERS)

    def isb(self) -> Step[None]:
        """ISB: context synchronisation event."""
        return Step(Op("isb"))

    def tlbi(
        self,
        op: Text,
        page: int | None = None,
        asid: int | None = None,
        pages: int | None = None,
        ttl: int = 0,
    ) -> Step[None]:
        """TLBI: `vmalle1`, `vae1`, `vaae1`, `vale1`, `vaale1`, `aside1`; broadcast with `is`.

        By range (`rvae1`, `rvaae1`, `rvale1`, `rvaale1`): for `pages` from `page` on. `ttl` hints
        at the level of the leaves, 1 to 3; of leaves at another level nothing need be removed.

        At EL2 also `ipas2e1` and `ipas2le1` (of an intermediate physical page; by range `ripas2e1`,
        `ripas2le1`), `vmalls12e1` and `alle1`. All but the last apply to the VMID in VTTBR_EL2.
        """
        name = op.removesuffix("is")
        tlbi = Tlbi(name, op.endswith("is"), page, asid, pages or 1, ttl)
        ranged = is_by_range(name)
        fits = (OPERANDS | AT_EL2).get(name) == (page is not None, asid is not None)
        fits &= ranged == (pages is not None) and (not ranged or is_range(pages or 1))
        fits &= ttl == 0 or (page is not None and 1 <= ttl <= 3)
        return _checked(Step[None](Op(f"tlbi.{op}", (tlbi,))), fits, "forms", _TLBI_FORMS)

    def tlbi_raw(self, op: Text, xt: int, shift: int = 12) -> Step[None]:
        """TLBI with its register as the architecture encodes it (`tlbi_operand`).

        `shift`: the bits of an offset in a page, as TCR_EL1.TG says; scaled pages stand for 4K.
        """
        tlbi = decoded(op, xt, shift)
        step = Step[None](Op(f"tlbi.{op}", (tlbi,)))
        return _checked(step, tlbi is not None, "operations", OPERANDS)

    def ic(self, op: Text, address: int | None = None) -> Step[None]:
        """IC: `iallu`, `ialluis`, or `ivau` of an address; completed by a DSB, as a TLBI."""
        step = Step[None](Op(f"ic.{op}", () if address is None else (address,)))
        return _checked(step, (address is not None) == (op == "ivau"), "forms", IC_FORMS)

    def fetch(self, address: int) -> Step[int]:
        """Fetch a word of text (`Setup.text`) as an instruction; returns what is executed."""
        return Step(Op("fetch", (address,)))

    def msr(self, register: Text, value: Ttbr | Tcr | Sctlr | Vttbr | Sgi | int) -> Step[None]:
        """MSR: `ttbr0_el1`, `ttbr1_el1`, `tcr_el1`, `sctlr_el1`, `vbar_el1`, `icc_sgi1r_el1`.

        Their values are a Ttbr, Tcr, Sctlr, a page, and an Sgi. The last one interrupts other CPUs:
        stores before it are not seen there without a DSB. At EL2 also `vttbr_el2`.
        """
        return Step(Op(f"msr.{register}", (value,)))

    def mrs(self, register: Text) -> Step[Any]:
        """MRS of the registers that MSR writes, but for `icc_sgi1r_el1`."""
        step = Step[Any](Op(f"mrs.{register}"))
        return _checked(step, register in REGISTERS, "registers", REGISTERS)

    def mrs_mpidr(self) -> Step[int]:
        """MRS MPIDR_EL1: the number of this CPU."""
        return Step(Op("mrs.mpidr_el1"))

    def wfe(self) -> Step[None]:
        """WFE: wait until the event register is set, and clear it."""
        return Step(Op("wfe"))

    def wfi(self) -> Step[None]:
        """WFI: wait until an interrupt that another CPU has sent is pending, masked or not."""
        return Step(Op("wfi"))

    def cpu_on(self, target: int) -> Step[None]:
        """PSCI CPU_ON: let a CPU come out of reset that starts with `CpuSetup(power="off")`."""
        return Step(Op("cpu_on", (CpuOn(target),)))

    def sev(self) -> Step[None]:
        """SEV: set every CPU's event register."""
        return Step(Op("sev"))

    def sevl(self) -> Step[None]:
        """SEVL: set this CPU's event register."""
        return Step(Op("sevl"))

    def forget_events(self) -> Step[None]:
        """Declare that what waits left in the event register and the monitor does not matter.

        From here on the monitor is open and the event register may be set or not;
        a program that sets them itself, by SEVL and LDXR, as every wait of Linux does, behaves the
        same. Fewer states.
        """
        return Step(Op("forget_events"))

    def br(self, page: int) -> Step[None]:
        """Branch: from here on instructions are fetched from this page."""
        return Step(Op("br", (page,)))

    def daifset(self, mask: Text = "i") -> Step[None]:
        """MSR DAIFSet: mask interrupts (`i`), or SErrors and pseudo-NMIs as well (`daif`)."""
        return _checked(Step(Op(_daif("daifset", mask))), mask in ("i", "daif"), "masks", DAIF)

    def daifclr(self, mask: Text = "i") -> Step[None]:
        """MSR DAIFClr: unmask interrupts (`i`), or all of DAIF; `da` leaves interrupts masked."""
        return _checked(Step(Op(_daif("daifclr", mask))), mask in DAIF, "masks", DAIF)

    def eret(self, *, retry: bool = True, result: Any = None) -> Step[None]:
        """ERET from an exception handler: retry the faulting operation, or skip it.

        In the latter case that operation returns `result`: what a system call returns, or an
        exception table's fixup leaves in a register.
        """
        return Step(Op("eret", (retry,) if result is None else (retry, result)))

    def eret_to_el0(self) -> Step[None]:
        """ERET to user space, of a task that was never interrupted there: go on at EL0."""
        return Step(Op("eret.el0"))

    def eret_to_el1(self) -> Step[None]:
        """ERET from EL2 to a guest that was never interrupted: the program goes on at EL1."""
        return Step(Op("eret.el1"))

    def hvc(self, number: int = 0) -> Step[Any]:
        """HVC: take an exception to EL2 (`Setup.hypervisor`); the program goes on after it.

        Returns the `result` of the hypervisor's ERET.
        """
        return Step(Op("hvc", (number,)))

    def svc(self, number: int = 0) -> Step[None]:
        """SVC: take an exception; the program goes on after it."""
        return Step(Op("svc", (number,)))

    def wait(
        self,
        address: int,
        predicate: Callable[..., bool],
        *args: int | Descriptor,
        acquire: bool = False,
    ) -> Step[Any]:
        """Poll a word until `predicate(value, *args)`; returns the value.

        A guard rather than a loop, but its polls are real loads: translated, and they may fault.
        """
        name = "wait.acquire" if acquire else "wait"
        return Step(Op(name, (address, predicate, args)))

    def might_sleep(self) -> Step[None]:
        """Sleep, perhaps: a violation where interrupts are masked."""
        return Step(Op("might_sleep"))

    def panic(self, message: Text) -> Step[None]:
        """The kernel gives up: a violation."""
        return Step(Op("panic", (message,)))

    def ctrl(self, value: int) -> Step[None]:
        """CBZ to what follows anyway: a control dependency on a value that need not be known yet.

        For `Hardware.window` above 1; in order it is a NOP.
        """
        return Step(Op("ctrl", (value,)))

    def nop(self) -> Step[None]:
        """NOP: a step that does nothing."""
        return Step(Op("nop"))


CPU = Cpu()
_TLBI_FORMS = tuple(
    " ".join((op, *("page",) * page, *("asid",) * asid, *("pages=2*n",) * is_by_range(op)))
    for op, (page, asid) in (OPERANDS | AT_EL2).items()
)
_VARIANTS = {
    "dmb": BARRIERS,
    "dsb": BARRIERS,
    **dict.fromkeys(
        ("tlbi", "tlbi_raw"), tuple(op + far for op in (*OPERANDS, *AT_EL2) for far in ("", "is"))
    ),
    "msr": (*REGISTERS, *WRITE_ONLY),
    "mrs": REGISTERS,
    "ic": IC_OPS,
}
"""Operations whose first operand is part of the mnemonic, and what it may be."""


def mnemonics(method: Text | None, operand: object, words: Collection[Text]) -> Iterator[Text]:
    """What a method of `Cpu` may ask for; any method, if its name is not known (None).

    `operand` is the first one if code says what it is, NO_OPERAND if there is none. `words` are
    among all that code says: without the word nothing is waited for with acquire.
    """
    if method is None:
        for name in Cpu.__dict__:
            yield from mnemonics(name, UNKNOWN, ("acquire",))
    elif method in _VARIANTS:
        if operand is NO_OPERAND:
            operand = "ish"
        for variant in (operand,) if isinstance(operand, Text) else _VARIANTS[method]:
            yield f"{method.removesuffix('_raw')}.{variant}"
    elif method == "wait":
        yield "wait"
        if "acquire" in words:
            yield "wait.acquire"
    elif method == "mrs_mpidr":
        yield "mrs.mpidr_el1"
    elif method in Cpu.__dict__ and not method.startswith("_"):
        yield method

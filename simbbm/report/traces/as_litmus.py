"""A counterexample as a litmus test in herd7's format, so that it can be put to herd7.

What each CPU has executed becomes a thread, without its branches; what its loads got, and where it
faulted, is the condition. A page whose descriptor the run changes, or that is not mapped at the
start, is a variable with a descriptor; every other word that is accessed is a variable of memory. A
return from a handler is an ISB: it is a context synchronisation event.

Not every run is a litmus test: tables above pages, TTBRs, block sizes and interrupts are not of
that language, and what a TLB may hold is not an outcome. Then one line says why (UsageError).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import INVALID, LEAF, Attributes, Descriptor
from simbbm.arm64.execution.decoding import decoded
from simbbm.arm64.geometry import LEAF_LEVEL
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.arm64.translation.walks import Fault, walk_root
from simbbm.core.errors import UsageError
from simbbm.core.system import STEP
from simbbm.explore.runs.play import RunStep
from simbbm.report.forms import Request
from simbbm.report.told.telling import Replayed
from simbbm.report.trace import observed

LOADS = {"ldr": "LDR", "ldar": "LDAR", "ldapr": "LDAPR", "wait": "LDR", "wait.acquire": "LDAR"}
STORES = {"str": "STR", "stlr": "STLR"}
SILENT = (
    "nop",
    "ctrl",
    "mrs",
    "sev",
    "sevl",
    "wfe",
    "wfi",
    "forget_events",
    "might_sleep",
    "panic",
)
"""Steps that order nothing and touch no memory."""
OUTCOMES = ("no_panic", "no_stale_translation")
"""Properties that fail by what programs have observed."""
NAMES = ("x", "y", "z", "u", "v", "w")


def as_litmus(request: Request) -> str:
    """Return the test; UsageError if the run is none."""
    return _Test(request.case.run).text()


def _not_said(why: str) -> UsageError:
    return UsageError(
        f"this is no litmus test: {why}", "--as columns, html and the other forms have all of it"
    )


class _Thread:
    """The code of one CPU, and the registers that it starts with."""

    def __init__(self) -> None:
        self.code: list[str] = []
        self.start: dict[str, str] = {}
        self.observed: list[str] = []
        self.entries: list[int] = []
        """Registers into which descriptors are loaded."""
        self.registers = 0

    def register(self) -> int:
        """A register that is not used yet."""
        self.registers += 1
        if self.registers > 29:
            raise _not_said("a CPU needs more registers than there are")
        return self.registers - 1

    def holding(self, value: str, kind: str = "") -> int:
        """The register that starts with this value."""
        for text, known in self.start.items():
            if known == value:
                return int(text.rpartition("X")[2])
        number = self.register()
        self.start[f"{kind}X{number}"] = value
        return number


class _Test:
    """A run on its way to a test."""

    def __init__(self, run: Replayed) -> None:
        self.run = run
        self.shared = run.shared
        self.geometry = run.shared.geometry
        self.first: Machine = run.states[0]
        self.threads = [_Thread() for _ in self.first.cpus]
        self.words: dict[int, str] = {}
        """Names of words of memory, by physical address."""
        self.pages: dict[int, tuple[str, int]] = {}
        """Pages that have a descriptor: name, and which word of them is used."""
        self.steps = [step for step in run.steps if step.move.kind == STEP]

    def text(self) -> str:
        """The test."""
        self._check()
        self._find_pages()
        for step in self.steps:
            self._step(step)
        threads = [thread for thread in self.threads if thread.code]
        condition = [seen.format(n) for n, each in enumerate(threads) for seen in each.observed]
        if not condition:
            raise _not_said("no load of it observes anything")
        columns = [thread.code for thread in threads]
        width = [max(map(len, code)) for code in columns]
        rows = zip_longest(*columns, fillvalue="")
        head = " | ".join(f"P{n}".ljust(w) for n, w in enumerate(width))
        body = "\n".join(
            " " + " | ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)) + " ;"
            for row in rows
        )
        start = "\n".join(f" {line}" for line in self._start())
        variant = "Variant=skip,ETS2" if self.first.cpus[0].features.ets2 else "Variant=skip"
        title = "".join(c if c.isalnum() or c in "-_" else "-" for c in self.run.witness.scenario)
        exists = " /\\ ".join(condition)
        return (
            f"AArch64 {title}\n{variant}\n{{\n{start}\n}}\n {head} ;\n{body}\nexists ({exists})\n"
        )

    def _check(self) -> None:
        """Refuse runs whose failure or whose machine has no words in a test."""
        failed = self.run.witness.property
        if failed not in OUTCOMES:
            raise _not_said(f"{failed or 'its end'} is no matter of what programs observe")
        features = {pe.features.ets2 for pe in self.first.cpus}
        if len(features) > 1 or any(pe.features.updates_descriptors for pe in self.first.cpus):
            raise _not_said("its CPUs have features of which a test says nothing")
        if any(pe.flight or pe.el != 1 for pe in self.first.cpus):
            raise _not_said("it has several instructions in flight, or begins at EL0")

    def _operation(self, step: RunStep) -> tuple[str, Any]:
        cpu: CpuState = step.before.state.cpus[step.move.cpu]
        assert cpu.point.op is not None
        return cpu.point.op.mnemonic, decoded(cpu.point)

    # Names

    def _find_pages(self) -> None:
        """Give names to pages that have a descriptor: it is accessed, or maps nothing yet."""
        described = {
            page
            for step in self.steps
            for mnemonic, code in (self._operation(step),)
            if code.rule.access and (page := self._described(code.address)) is not None
        }
        for step in self.steps:
            _, code = self._operation(step)
            if code.rule.access and self._described(code.address) is None:
                page, word = divmod(code.address, self.geometry.page_words)
                if page in described or isinstance(self._mapped(page), Fault):
                    self._page(page, word)
        for page in sorted(described):
            self._page(page)

    def _page(self, page: int, word: int | None = None) -> str:
        """The name of a page, of which one word is used."""
        name, known = self.pages.get(page, (None, None))
        if name is None:
            if len(self.pages) == len(NAMES):
                raise _not_said("more pages are changed than it has names for")
            name, known = NAMES[len(self.pages)], word or 0
            self.pages[page] = name, known
        elif word is not None and word != known:
            raise _not_said("two words of one page are used")
        return name

    def _word(self, physical: int) -> str:
        return self.words.setdefault(physical, f"m{len(self.words)}")

    def _mapped(self, page: int) -> Any:
        """What the first tables map a page to: a physical page, or a Fault."""
        context = next(iter(self.first.cpus[0].mmu.regime.contexts()))
        found = walk_root(self.geometry, self.first.memory.tables, context, page)
        if isinstance(found, Fault):
            return found
        descriptor, level = found
        return descriptor.output + page % self.geometry.pages(level)

    def _described(self, address: int) -> int | None:
        """The page whose descriptor is at an address; None if that is no table."""
        page, word = divmod(address, self.geometry.page_words)
        mapped = self._mapped(page)
        if isinstance(mapped, Fault):
            return None
        physical: int = mapped * self.geometry.page_words + word
        base: int = self.geometry.table(physical)
        if base not in self.first.memory.tables.by_address:
            return None
        places = {
            place[:2]
            for pe in self.first.cpus
            for place in self.shared.view(pe, self.first.memory).places(base)
        }
        if len(places) != 1 or (place := places.pop())[1] != LEAF_LEVEL:
            raise _not_said("it changes a table that maps more than pages, or none yet")
        return int(place[0]) + physical - base

    def _descriptor(self, value: Descriptor, page: int) -> str:
        """A descriptor of a page, as the format writes it."""
        plain = value.attributes._replace(write=True) == Attributes()
        if value.contiguous or value.kind not in (LEAF, INVALID) or not plain:
            raise _not_said(f"{value} has attributes of which a test says nothing")
        word = self._word(value.output * self.geometry.page_words + self.pages[page][1])
        fields = [f"oa:PA({word})", *(["valid:0"] if value.kind == INVALID else [])]
        fields += [] if value.attributes.write else ["db:0"]
        fields += [] if value.access_flag else ["af:0"]
        return f"({', '.join(fields)})"

    # Steps

    def _step(self, step: RunStep) -> None:
        mnemonic, code = self._operation(step)
        before, after = (s.state.cpus[step.move.cpu] for s in (step.before, step.after))
        thread = self.threads[step.move.cpu]
        if after.point is before.point:
            return
        if len(after.saved) > len(before.saved) and not code.rule.access:
            raise _not_said(f"an exception at {mnemonic}")
        head, _, option = mnemonic.partition(".")
        if head in ("dsb", "dmb"):
            thread.code.append(f"{head.upper()} {option.upper()}")
        elif head == "isb" or mnemonic == "eret":
            thread.code.append("ISB")
        elif head == "tlbi":
            thread.code += self._tlbi(thread, option, code.operands[0], before)
        elif mnemonic in LOADS or mnemonic in STORES:
            self._access(thread, step, mnemonic, code)
        elif head not in SILENT:
            raise _not_said(f"a step of it is {mnemonic}")

    def _tlbi(self, thread: _Thread, name: str, tlbi: Tlbi, pe: CpuState) -> Iterator[str]:
        asids = {context.asid for context in pe.mmu.regime.contexts()}
        if tlbi.pages > 1 or tlbi.ttl or tlbi.vmid or tlbi.asid not in (None, *asids):
            raise _not_said(f"tlbi {name} with a range, a level or another address space")
        if tlbi.op == "vmalle1":
            yield f"TLBI {name.upper()}"
        elif tlbi.page is not None:
            where = thread.holding(self._page(tlbi.page))
            number = thread.register()
            yield f"LSR X{number},X{where},#12"
            yield f"TLBI {name.upper()},X{number}"
        else:
            raise _not_said(f"a step of it is tlbi {name}")

    def _access(self, thread: _Thread, step: RunStep, mnemonic: str, code: Any) -> None:
        before, after = (s.state.cpus[step.move.cpu] for s in (step.before, step.after))
        described = self._described(code.address)
        page, word = divmod(code.address, self.geometry.page_words)
        if described is not None:
            place, wide = f"PTE({self._page(described)})", "X"
        elif page in self.pages:
            place, wide = self._page(page, word), "W"
        else:
            place, wide = self._word(self._mapped(page) * self.geometry.page_words + word), "W"
        where = thread.holding(place)
        if mnemonic in LOADS:
            number = thread.register()
            line = f"{LOADS[mnemonic]} {wide}{number},[X{where}]"
        else:
            (value,) = code.operands
            number = self._stored(thread, value, described)
            line = f"{STORES[mnemonic]} {wide}{number},[X{where}]"
        if len(after.saved) > len(before.saved):
            label = f"L{len(thread.code)}"
            thread.code.append(f"{label}:")
            thread.observed.append(f"fault(P{{}}:{label},{place})")
        elif mnemonic in LOADS:
            seen = observed(self.shared, step)
            if isinstance(seen, Descriptor):
                assert described is not None
                thread.entries.append(number)
                thread.observed.append(f"{{}}:X{number}={self._descriptor(seen, described)}")
            elif isinstance(seen, int):
                thread.observed.append(f"{{}}:X{number}={int(seen)}")
        thread.code.append(line)

    def _stored(self, thread: _Thread, value: Any, page: int | None) -> int:
        if page is None:
            return thread.holding(str(int(value)))
        return thread.holding(self._descriptor(value, page), "pteval_t ")

    def _start(self) -> Iterator[str]:
        """Memory, descriptors and registers as they start."""
        data = self.first.memory.data
        described: list[str] = []
        for page, (name, word) in self.pages.items():
            mapped = self._mapped(page)
            if isinstance(mapped, Fault):
                described.append(f"[PTE({name})]=(oa:PA({name}), valid:0);")
            else:
                physical = self._word(mapped * self.geometry.page_words + word)
                described.append(f"[PTE({name})]=(oa:PA({physical}));")
        yield from (f"int {name};" for name, _ in self.pages.values())
        yield from (f"int {name}={data.get(word, 0)};" for word, name in self.words.items())
        yield from described
        for n, thread in enumerate(t for t in self.threads if t.code):
            for register, value in thread.start.items():
                kind, _, number = register.rpartition("X")
                yield f"{kind}{n}:X{number}={value};"
            yield from (f"pteval_t {n}:X{number};" for number in thread.entries)

"""The assembler of the tests writes what other disassemblers read."""

from __future__ import annotations

import pytest

from tests.binary.assembler import assemble

LINES = """
nop
yield
wfe
sevl
paciasp
autiasp
isb
ret
dsb ishst
dmb ish
dsb nsh
tlbi vmalle1
tlbi vmalle1is
tlbi vaale1is, x3
mrs x0, sp_el0
mrs x1, daif
msr ttbr1_el1, x4
msr tcr_el1, x9
msr daifset, #0xf
ldr x0, [x1, #0x18]
ldr w0, [x1]
ldrb w0, [x1, #3]
str x2, [sp, #8]
stp x29, x30, [sp, #-0x10]!
ldp x29, x30, [sp], #0x10
ldp x0, x1, [x2, #0x20]
ldxr w0, [x1]
ldaxr x0, [x1]
stxr w2, w0, [x1]
stlxr w2, x0, [x1]
ldar w2, [x3]
stlr w2, [x3]
add w0, w0, #1
add x0, x1, x2
subs x0, x1, #7
mov x0, #0x20
mov x0, x1
br x3
blr x2
stset x1, [x0]
brk #0x800
""".strip().splitlines()


def test_every_form_reads_back() -> None:
    capstone = pytest.importorskip("capstone", reason="capstone is not installed")
    engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    for line in LINES:
        (word,) = assemble(line, 0x1000, {})
        told = [
            f"{name} {operands}".rstrip()
            for _, _, name, operands in engine.disasm_lite(word.to_bytes(4, "little"), 0x1000)
        ]
        assert told == [line]


def test_labels() -> None:
    words = assemble(
        "start:\nb end\nb.ne start\ncbz x3, start\nend:\nbl far", 0x1000, {"far": 0x900}
    )

    assert words == [0x14000003, 0x54FFFFE1, 0xB4FFFFC3, 0x97FFFE3D]
    with pytest.raises(ValueError, match="fadd"):
        assemble("fadd s0, s1, s2", 0, {})

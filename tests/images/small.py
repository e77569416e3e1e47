"""A kernel of our own that splits its linear map: what the protocol needs, and nothing else.

It has the names of Linux's functions and parks its secondaries as Linux does; its boot CPU knows
where the one block is, and walks no tables to find it.
"""

from __future__ import annotations

from struct import pack
from typing import Any

from tests.binary.assembler import assemble
from tests.binary.images import Builder
from tests.binary.kernels import CONSTANTS, SPLIT_PMD, STRUCTS

VARIABLES = {"memstart_addr": 8, "kimage_voffset": 8, "init_mm": 64}
WRITTEN = {"__num_online_cpus": 4, "idmap_kpti_bbml2_flag": 4}
TABLES = ("swapper_pg_dir", "reserved_pg_dir", "idmap_pg_dir")

IDMAP = {
    "wait_linear_map_split_to_ptes": """
        mrs x4, ttbr1_el1
        msr ttbr1_el1, x3
        isb
        tlbi vmalle1
        dsb nsh
        isb
    count:
        ldxr w5, [x0]
        add w5, w5, #1
        stxr w6, w5, [x0]
        cbnz w6, count
        sevl
    wait:
        wfe
        ldxr w5, [x0]
        cbnz w5, wait
        msr ttbr1_el1, x4
        isb
        ret
    """,
}
FUNCTIONS = {
    "panic": "brk #0x800",
    "get_free_pages_noprof": "ret",
    "split_pmd": SPLIT_PMD,
    "flush_tlb_kernel_range": """
        dsb ishst
        tlbi vmalle1is
        dsb ish
        isb
        ret
    """,
    "cpu_install_idmap": """
        stp x29, x30, [sp, #-16]!
        adr x2, kimage_voffset
        ldr x2, [x2]
        adr x5, idmap_pg_dir
        sub x5, x5, x2
        msr ttbr0_el1, x5
        isb
        adr x0, idmap_kpti_bbml2_flag
        sub x0, x0, x2
        adr x1, wait_linear_map_split_to_ptes
        sub x1, x1, x2
        adr x3, reserved_pg_dir
        sub x3, x3, x2
        blr x1
        msr ttbr0_el1, x3
        isb
        ldp x29, x30, [sp], #16
        ret
    """,
    "linear_map_split_to_ptes": """
        mrs x0, sp_el0
        ldr w1, [x0, #24]
        cbz w1, boot
        b cpu_install_idmap
    boot:
        stp x29, x30, [sp, #-16]!
        adr x3, idmap_kpti_bbml2_flag
        adr x4, __num_online_cpus
        ldr w5, [x4]
        sevl
    others:
        wfe
        ldaxr w2, [x3]
        subs w6, w2, w5
        b.ne others
        bl split_pmd
        bl flush_tlb_kernel_range
        adr x3, idmap_kpti_bbml2_flag
        mov w5, #0
        str w5, [x3]
        ldp x29, x30, [sp], #16
        ret
    """,
}
PAGE = 4096
PAGES_16K = {
    "split_pmd": SPLIT_PMD.replace("#512", "#2048").replace("#4096", "#16384"),
}
"""What of it knows the page size."""
PMD_TABLE_16K = 0xFFFF_0000_0010_4000


def small_image(page: int = PAGE, /, **functions: str) -> bytes:
    """The image, with other bodies for some of its functions."""
    built = Builder()
    if page != PAGE:
        functions = PAGES_16K | functions
    for name, size in VARIABLES.items():
        built.put(name, bytes(size), 16)
    constants = CONSTANTS | ({} if page == PAGE else {"pmd_table": PMD_TABLE_16K})
    for name, value in constants.items():
        built.put(name, pack("<Q", value))
    for name in TABLES:
        built.put(name, bytes(page), page)
    built.align(page)
    for name, size in WRITTEN.items():
        built.put(name, bytes(size), 4)
    for section in (IDMAP, FUNCTIONS):
        built.align(page)
        for name, source in section.items():
            body = functions.get(name, source)
            built.align(16)
            built.code(name, *assemble(body, built.here, built.symbols | {name: built.here}))
    built.put("_etext", bytes(8))
    built.capabilities({1: "", 7: "LSE atomic instructions"})
    first = built.symbols["arm64_features"]
    packed = (first + 16, 1 | 1 << 3, built.symbols["pointers"], 0xFF)
    built.relocations(first + 24, packed=packed)
    built.put("supports_bbml2_noabort_list", pack("<III", 0, 0, 0))
    built.btf(STRUCTS)
    built.put("_end", b"")
    built.kallsyms()
    return built.image(flags=0b0010 if page == PAGE else 0b0100)


def without(function: str, line: str, by: str = "nop", **more: Any) -> dict[str, str]:
    """The function with one line changed."""
    source = (IDMAP | FUNCTIONS)[function]
    assert source.count(line) == 1, line
    return {function: source.replace(line, by), **more}

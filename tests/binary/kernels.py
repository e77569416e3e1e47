"""A kernel of our own that has the names of the split's functions, and does little in them."""

from __future__ import annotations

from struct import pack

from simbbm.binary.features.alternatives import CALLBACK
from tests.binary.assembler import assemble
from tests.binary.images import BANNER, BASE, CAPABILITIES, Builder

FUNCTIONS = {
    "panic": "brk #0x800",
    "alloc_pages_noprof": "ret",
    "get_free_pages_noprof": "ret",
    "alt_cb_patch_nops": "ret",
    "cpu_install_idmap": "ret",
    "cpu_uninstall_idmap": "ret",
    "split_pmd": """
        paciasp
        stp x29, x30, [sp, #-16]!
        bl alloc_pages_noprof
        cbz x0, out
        adr x1, swapper_pg_dir
        mov x2, #3
        dsb ishst
        str x2, [x1]
        dsb ishst
        isb
    out:
        ldp x29, x30, [sp], #16
        autiasp
        ret
    """,
    "split_to_ptes_pmd_entry": "b split_pmd",
    "flush_tlb_kernel_range": """
        dsb ishst
        tlbi vmalle1is
        dsb ish
        isb
        ret
    """,
    "scondary_cpu_wait": """
        ldxr w0, [x1]
        add w0, w0, #1
        stxr w2, w0, [x1]
        cbnz w2, scondary_cpu_wait
        sevl
    wait:
        wfe
        ldxr w0, [x1]
        cbnz w0, wait
        msr ttbr1_el1, x3
        isb
        ret
    """,
    "wait_linear_map_split_to_ptes": """
        msr ttbr1_el1, x4
        isb
        tlbi vmalle1
        dsb nsh
        isb
        b scondary_cpu_wait
    """,
    "linear_map_split_to_ptes": """
        mrs x0, sp_el0
        ldr w1, [x0, #24]
        cbz w1, boot
        adr x1, idmap_kpti_bbml2_flag
        b wait_linear_map_split_to_ptes
    boot:
        stp x29, x30, [sp, #-16]!
        adr x3, idmap_kpti_bbml2_flag
        adr x4, __num_online_cpus
    others:
        ldar w2, [x3]
        ldr w5, [x4]
        subs w5, w2, w5
        b.ne others
        bl split_to_ptes_pmd_entry
        bl flush_tlb_kernel_range
        adr x3, idmap_kpti_bbml2_flag
        mov w5, #0
        stlr w5, [x3]
        ldp x29, x30, [sp], #16
        ret
        bl panic
        udf
    """,
    "multi_cpu_stop": """
        b lse
        stset x1, [x0]
        ret
    lse:
        dmb ish
        blr x2
        ret
    """,
    "idmap_kpti_install_ng_mappings": """
        msr ttbr1_el1, x0
        isb
        ret
    """,
}
MIDRS = ((0x410FD820, 3, 0xF), (0xC00FAC30, 0, 0xF0000F), (0, 0, 0))
STRUCTS = {
    "arm64_cpu_capabilities": CAPABILITIES,
    "thread_info": (32, {"flags": 0, "preempt_count": 8, "cpu": 24}),
    "task_struct": (64, {"thread_info:thread_info": 0, "active_mm": 40}),
    "mm_struct": (64, {"pgd": 8}),
    "page": (64, {"flags": 0}),
}
DATA = {
    "swapper_pg_dir": 4096,
    "reserved_pg_dir": 4096,
    "idmap_pg_dir": 4096,
    "init_mm": 64,
    "memstart_addr": 8,
    "kimage_voffset": 8,
    "__num_online_cpus": 4,
    "idmap_kpti_bbml2_flag": 4,
}
"""Variables, all zero, and their sizes."""
CONSTANTS = {
    "pmd_table": 0xFFFF_0000_0004_1000,
    "table_bits": 0x4000_0003 - (0xFFFF << 48) & (1 << 64) - 1,
}
"""The table with the block, as `booted` lays it out; a table's address becomes its descriptor."""
SPLIT_PMD = """
    stp x29, x30, [sp, #-16]!
    bl get_free_pages_noprof
    adr x3, pmd_table
    ldr x3, [x3]
    ldr x2, [x3]
    add x2, x2, #2
    mov x1, #512
    mov x5, #4096
    mov x4, x0
fill:
    str x2, [x4]
    add x2, x2, x5
    add x4, x4, #8
    subs x1, x1, #1
    b.ne fill
    adr x6, table_bits
    ldr x6, [x6]
    add x0, x0, x6
    dsb ishst
    str x0, [x3]
    ldp x29, x30, [sp], #16
    ret
"""
"""One that splits the block, for 4K pages."""


def small_kernel(
    *,
    base: int = BASE,
    banner: bytes = BANNER,
    leave_out: tuple[str, ...] = (),
    extra: dict[str, str] | None = None,
    keys: dict[str, str] | None = None,
) -> Builder:
    """All of it, with kallsyms at the end; `keys` are jump labels at the start of functions."""
    built = Builder(base, banner)
    for name, size in DATA.items():
        built.put(name, bytes(size), 16)
    for name, value in CONSTANTS.items():
        built.put(name, pack("<Q", value))
    for name, source in (FUNCTIONS | (extra or {})).items():
        if name not in leave_out:
            built.align(16)
            built.code(name, *assemble(source, built.here, built.symbols | {name: built.here}))
    built.put("_etext", bytes(8))
    built.capabilities({1: "", 7: "LSE atomic instructions", 9: "52-bit Virtual Addressing (LPA2)"})
    stop, nops = built.symbols["multi_cpu_stop"], built.symbols["alt_cb_patch_nops"]
    barrier = built.code("replacement", 0xD5033B9F)
    built.alternatives((stop, nops, 7 | CALLBACK, 4, 0), (stop + 12, barrier, 9, 4, 4))
    first = built.symbols["arm64_features"]
    built.relocations(
        *(first + 24 * n for n in (1, 2)),  # desc; the first row has none
        packed=(first + 16, 1 | 1 << 3 | 1 << 6, built.symbols["pointers"], 0xFF),
    )
    rows = []
    for key, function in (keys or {}).items():
        place = built.symbols[function]
        rows.append((place, place + 8, built.put(key, bytes(16)) | 1))
    built.jump_labels(*rows)
    built.put("supports_bbml2_noabort_list", b"".join(pack("<III", *row) for row in MIDRS))
    built.put("__start_notes", pack("<III", 4, 20, 3) + b"GNU\0" + bytes(range(20)))
    if "btf" not in leave_out:
        built.btf(STRUCTS)
    built.put("_end", b"")
    built.kallsyms()
    return built


LIKE_THE_MODEL = {
    "split_pmd": SPLIT_PMD.replace("ldr x2, [x3]", "ldr x2, [x3]\n" * 4),
    "flush_tlb_kernel_range": """
        dsb ishst
        isb
        dsb ishst
        tlbi vmalle1is
        dsb ish
        isb
        ret
    """,
    "scondary_cpu_wait": FUNCTIONS["scondary_cpu_wait"],
    "wait_linear_map_split_to_ptes": """
        adr x1, idmap_kpti_bbml2_flag
        msr ttbr1_el1, x4
        isb
        tlbi vmalle1
        dsb nsh
        isb
        b scondary_cpu_wait
    """,
    "cpu_uninstall_idmap": """
        msr ttbr0_el1, x4
        isb
        dsb nshst
        tlbi vmalle1
        dsb nsh
        isb
        ret
    """,
    "cpu_install_idmap": """
        msr ttbr0_el1, x4
        isb
        dsb nshst
        tlbi vmalle1
        dsb nsh
        isb
        msr ttbr0_el1, x4
        msr ttbr1_el1, x3
        msr ttbr0_el1, x5
        isb
        ret
    """,
    "linear_map_split_to_ptes": """
        stp x29, x30, [sp, #-16]!
        mrs x0, sp_el0
        ldr w1, [x0, #24]
        cbz w1, boot
        adr x9, kimage_voffset
        ldr x9, [x9]
        adr x3, swapper_pg_dir
        sub x3, x3, x9
        adr x4, reserved_pg_dir
        sub x4, x4, x9
        adr x5, idmap_pg_dir
        sub x5, x5, x9
        bl cpu_install_idmap
        adr x8, wait_linear_map_split_to_ptes
        sub x8, x8, x9
        blr x8
        bl cpu_uninstall_idmap
        ldp x29, x30, [sp], #16
        ret
    boot:
        adr x3, idmap_kpti_bbml2_flag
        adr x4, __num_online_cpus
    others:
        ldar w2, [x3]
        ldr w5, [x4]
        subs w5, w2, w5
        b.eq all
        sevl
    sleep:
        wfe
        ldxr w6, [x3]
        subs w6, w6, w2
        b.eq sleep
        b others
    all:
        bl split_pmd
        bl flush_tlb_kernel_range
        adr x3, idmap_kpti_bbml2_flag
        mov w5, #0
        str w5, [x3]
        ldp x29, x30, [sp], #16
        ret
    """,
}
"""Functions that do what the model does, in the same order; nothing is copied from a kernel."""

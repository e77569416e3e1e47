"""What arm64 Linux does to a user's page tables, function by function, under the kernel's names.

* `mm`: a user address space with one table, its lock (mm/memory.c) and its flushes
  (asm/tlbflush.h);
* `fault`: a page fault (mm/fault.c, mm/memory.c), and how access flags and write permission are
  set (`ptep_set_access_flags`);
* `contpte` (mm/contpte.c): pages that are folded into a contiguous group, and unfolded;
* `asid` (mm/context.c): who has which ASID, and what happens when they run out.
"""

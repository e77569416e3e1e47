"""Tables, TLBs, and what a CPU may translate an address to.

Read `view` first: everything that a CPU may hold and reach. Below it are `memory` (tables and
words), `tlb` (entries, and what a TLBI takes away) and `walks`; above it `mmu` (what a CPU holds,
and how stores, TLBIs and synchronisation change it), `translate` (the results of one access),
`tlbi_completion` (what the completion of a TLBI waits for) and `cnp` (TLBs that CPUs have in
common). `builder` lays tables out before a machine starts, `constant` finds pages that no listing
can change.
"""

"""arm64 Linux's linear-map split, function by function, under the kernel's names.

Every modelled function says where the kernel has it (`file:function`, about v6.18) and which step
of the protocol it is (`simbbm guide protocol`: F1 to B6). Arguments that the kernel finds in
globals come in one frozen record, `Kernel`. Read `mmu` first, beside the kernel's mm/mmu.c.

The protocol, in the order in which a CPU comes to it:

* `mmu`: the decision to repaint, and what each CPU does inside stop_machine();
* `stop_machine`: how all CPUs are brought there and let go;
* `mmu_context`, `proc`: how a secondary gets into the idmap, waits, and comes back;
* `barrier`: how the boot CPU waits for them;
* `split`, `pgtable`: how it splits leaves, and how it writes entries;
* `tlbflush`: how it flushes.

What it works on: `kernel` (addresses and constants), `layout` (where everything lies at the start).
Who else uses flag, idmap or split: `kpti`, `set_memory` (splits at run time), `hotplug` (a CPU
comes online), `memory_hotplug`, `mem_encrypt` (pages that a realm shares).
"""

"""arm64 Linux's linear-map split, function by function, under the kernel's names.

Every modelled function says where the kernel has it (`file:function`, about v6.18) and which step
of the protocol it is (`simbbm guide protocol`: F1 to B6). Arguments that the kernel finds in
globals come in one frozen record, `Kernel`, or one that inherits from it. Read `mmu` first, beside
the kernel's arch/arm64/mm/mmu.c, then `proc` beside mm/proc.S.

The protocol, in the order in which a CPU comes to it, and the kernel's file of each:

* `mmu` (mm/mmu.c): the decision to repaint, what each CPU does inside stop_machine(), and how the
  boot CPU splits leaves; `pagewalk` (mm/pagewalk.c): the walk that comes to them; `pgtable`
  (asm/pgtable.h, asm/pgalloc.h): how entries are written;
* `stop_machine` (kernel/stop_machine.c): how all CPUs are brought there and let go;
* `mmu_context` (asm/mmu_context.h), `proc` (mm/proc.S): how a secondary gets into the idmap, waits,
  and comes back;
* `barrier` (asm/barrier.h): how the boot CPU waits for them;
* `tlbflush` (asm/tlbflush.h): how it flushes.

What it works on: `kernel` (addresses and constants), `layout` (where everything lies at the start).
Who else uses flag, idmap or split: `kpti` (mm/mmu.c, mm/proc.S), `set_memory` (mm/mmu.c: splits at
run time), `hotplug` (kernel/cpu.c, smp.c: a CPU comes online), the room `memory` (memory that is
added, or shared by a realm). A user's page tables are in the room `user`.
"""

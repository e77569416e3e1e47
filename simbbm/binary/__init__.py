"""The kernel's own machine code: what an arm64 kernel image holds, and what its words mean.

* `container`: what a file is (arm64 Image, gzip, xz, zstd, zboot, ELF), and the kernel in it;
* `elf`: segments, symbols and relocations of a vmlinux;
* `image`: the kernel at its virtual addresses;
* `symbols`: names and addresses, which `kallsyms` finds in a stripped image;
* `btf`: where members of structures are;
* `capabilities`: what a machine may have, by the names that the kernel has for it; `alternatives`:
  instructions that it replaces for them; `midr`: CPUs on its allow lists;
* `a64/`: which word is which instruction, and what it does;
* `path`: the functions that the split is made of; `kernel`: all of it together;
* `booted`: memory and registers when the split begins; `memory`: words that are read and written;
* `codec`: words as descriptors, TTBRs and TCR, and back;
* `process`: one CPU that executes a function, alone; `trace`: what it asks for, in order;
* `disassembly`: instructions as text, for people.

Read `kernel` first.
"""

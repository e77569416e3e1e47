"""The kernel's own machine code: what an arm64 kernel image holds, and what its words mean.

* `formats/`: from a file to words, names and structures;
* `features/`: what a machine may have, and what the kernel makes of it;
* `a64/`: which word is which instruction, and what it does;
* `path`: the functions that the split is made of; `kernel`: all of it together;
* `booted`: memory and registers when the split begins; `memory`: words that are read and written;
* `codec`: words as descriptors, TTBRs and TCR, and back;
* `process`: one CPU that executes a function, alone; `trace`: what it asks for, in order;
* `code/`: machine code as the programs of a machine;
* `disassembly`: instructions as text, for people.

Read `kernel` first.
"""

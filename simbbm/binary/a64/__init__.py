"""A64 instructions: which word is which, what it does to a CPU's registers, what it asks for.

* `forms`: how a row of the decode table is written, and how a word is found in it;
* `immediate`, `register`, `branches`, `system`, `single`, `pairs`, `exclusives`: the rows, by the
  groups of the Arm ARM (C4.1), each with the function that executes it;
* `bits`: the arithmetic that the manual's pseudocode shares;
* `cpu`: the registers that an instruction reads and writes;
* `operations`: what an instruction asks of the machine, and stops at;
* `execution`: one instruction, and private memory.

Read `execution` first.
"""

"""A kernel's machine code as the programs of a machine.

* `memory_map`: which bytes are whose: shared words, tables, a CPU's own memory;
* `parts`: the leaves of its linear map;
* `layout`: a kernel that has booted, with its translation tables, as a machine starts;
* `local`: registers and private memory, as a value;
* `asking`: instructions as the operations of `arm64/ops.py`, and the values that they observe;
* `executed`, `accesses`: a CPU while it is executed, and what it does to memory;
* `running`: private computation up to the next operation;
* `spinning`: loops of loads as waits;
* `machine_code`: control points, and edits of instructions.

Read `machine_code` first.
"""

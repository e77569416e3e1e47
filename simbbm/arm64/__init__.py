"""The machine: relaxed virtual memory of Armv8-A, as a value and its transitions.

Read `machine` first: what a state is, and how moves change it. `cpu` is one CPU's part of it,
`ops` what its program may ask for. Then, by question:

* What does an instruction wait for, and what does it do? `execution/instructions`.
* What may an access be translated to? `translation/view` and `translation/translate`.
* What may hardware do asynchronously? `agents`.
* What is beside a core and its MMU? `platform`.
* Which freedoms has hardware, and which features a CPU? `features`.
* Which moves commute? `footprints`, for searches.
* How are many states searched? By numbers of their parts: `rows`.
* What is written down in tables and registers? `descriptor`, `geometry`, `registers`.
"""

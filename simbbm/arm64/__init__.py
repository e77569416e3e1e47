"""The machine: relaxed virtual memory of Armv8-A, as a value and its transitions.

Read `machine` first: what a state is, and how moves change it. `cpu` is one CPU's part of it,
`ops` what its program may ask for. Then, by question:

* What does an instruction wait for, and what does it do? `execution/instructions`.
* What may an access be translated to? `translation/view` and `translation/translate`.
* What may hardware do asynchronously? `agents`.
* Which freedoms has hardware, and which features a CPU? `features`.
* Which moves commute? `footprints`, for searches.
* How are many states searched? By numbers of their parts: `rows`.
* What can an edit of a program name? `steps`.
* What is written down in tables and registers? `descriptor`, `geometry`, `registers`.
"""

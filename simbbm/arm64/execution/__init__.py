"""Instructions in flight: one executor, one table, three sources.

Read `instructions` first: a row for each instruction, what it waits for, holds back and does. The
executor is `ordering` (what must have happened before), `accesses` (loads and stores), `updates`
(what their walkers write), `atomics` (exclusives and atomic instructions) and `execute` (everything
else). It is fed by a source (`flight` says what that is): `in_order`, a program asked for one
operation at a time; `ahead`, one asked as far as the values are known that it looks at; `listed`, a
listing of a litmus test (`listing`). `decoding` turns a program's operation into what the executor
sees, and refuses operands that make no sense. `storebuffer` holds stores beyond the window,
`exceptions` entry and return; `weaken` lists weaker forms of operations, for edits.
"""

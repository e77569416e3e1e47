"""Programs: `async def` functions that are functions of what they have observed.

Read `core/program` first (what is awaited), then `automaton` (how a program becomes control
points) and `frames` (how one frame is run from its history). `labels` are the names of steps, and
`edits` how twins change a program by these names.

What a program may not look at is found by `purity`, with `code` and `bytecode` (what its code
reaches), `mistakes` (what no program may do), `trusted` (what is not looked into), `guarded`
(replacements for builtins that would reveal more than a program may see), `fresh` (a file loaded
twice) and `blame` (whether an exception is the author's mistake).
"""

"""Programs: `async def` functions that are functions of what they have observed.

Read `core/program` first (what is awaited), then `automaton` (how a program becomes control
points) and `frames` (how one frame is run from its history). `labels` is what steps are called.

What a program may not look at is found by `purity`, with `code` and `bytecode` (what its code
reaches), `mistakes` (what no program may do), `trusted` (what is not looked into), `guarded` (what
stands for functions that say more than they should), `fresh` (a file loaded twice) and `blame`
(whose mistake an exception is).
"""

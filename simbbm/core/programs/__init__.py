"""Programs: `async def` functions that are functions of what they have observed.

Read `program` first (what is awaited), then `automaton` (how a program becomes control points) and
`frames` (how one frame is run from its history). What a program may not look at is found by
`purity`, with `code` (what its code reaches), `fresh` (a file loaded twice) and `blame` (where).
"""

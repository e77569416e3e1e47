"""Many runs on many cores, and one answer that depends on nothing but the request.

Read `planner` first: which runs to make next and when there is an answer, events in, chunks out,
with no I/O. `worker` is what a process does, `tally` what runs come to, `pool` the processes, and
`orchestrator` the asyncio loop between planner and pool, the only part that does I/O. `stress` is
what is asked from outside. `side_by_side` is for tasks that cannot be split, a process each:
searches, and rows of tables.
"""

"""Many runs on many cores: a planner that does no I/O, workers, and an asyncio loop over them.

Read `planner` first: which runs are made next and when there is an answer, as rules without clocks
or processes. `stress` is what the command line and the library call; `orchestrator` is the loop
between planner and `pool`, whose processes run `worker`. A `tally` counts the results of runs, so
that counts can be added in any order. `side_by_side` is for tasks that cannot be split, a process
each: searches, and rows of tables.
"""

"""Many runs, and many searches, on many cores: planners, one pool of workers, a loop between them.

A planner does no I/O: it is told `events`, and says what is to be done next. Read `planner` first,
that of a campaign: which runs are made next and when there is an answer. `tasks` has that of tasks
which cannot be split. `orchestrator` is the asyncio loop that carries work from a planner to the
`pool`, and tells it what has become of it. The pool's processes, made by `processes`, run `worker`.

Campaigns: `stress` is what the command line and the library call, workers run `chunks`, a `tally`
counts the results of runs so that counts can be added in any order, and `judging` is what may be
said of them. What other workers are asked for is in `answers/`. Campaigns by plan, that are kept in
a store and gone on with, are in `stored/`; `executors` knows where their work can be done.
"""

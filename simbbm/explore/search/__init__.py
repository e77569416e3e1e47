"""Searches of all schedules, and the reductions that keep their verdicts.

Read `prove` first: from searches to a verdict. `attempt` is one search, `breadth_first` how it is
done, `landmarks` what it counts; `reductions/` says what it need not visit.
Runs that never end: `livelock`, `fairness`, `digraph`. `canonical_counterexample` and `fewest`
choose among shortest counterexamples, `coverage` says which steps were never reached, `cross_check`
asks once more with no reduction.
"""

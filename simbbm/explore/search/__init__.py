"""Searches of all schedules, and the reductions that keep their verdicts.

Read `prove` first: from searches to a verdict. `attempt` is one search, `breadth_first` how it is
done, `reduced_system` the states that it walks, `met` what it keeps. Reductions: persistent sets
(`persistent_sets`, with `standing`, `drains` and `invalidations`), and symmetry (`arm64/symmetry`).
Runs that never end: `livelock`, `fairness`, `digraph`. `canonical_counterexample` and `fewest`
choose among shortest counterexamples, `coverage` says which steps were never reached, `cross_check`
asks once more with no reduction.
"""

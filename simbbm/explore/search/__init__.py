"""All schedules: what is searched, what is left out and why that loses nothing.

Read `prove` first: from searches to a verdict. `attempt` is one search, `breadth_first` how it is
done, `space` the states that it walks. Reductions: persistent sets (`ample`, with `standing`), and
symmetry (`arm64/symmetry`). Rounds that never end: `livelock`, `fairness`, `digraph`. `politest`
and `fewest` choose among shortest counterexamples, `coverage` says which steps were never reached,
`cross_check` asks once more with no reduction.
"""

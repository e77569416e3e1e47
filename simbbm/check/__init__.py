"""Properties and verdicts: what a scenario promises, and what a search may say about it.

Read `properties` first: every property, what it judges, and its one-sentence meaning. `verdict` has
the verdicts and the expectations that they are held against, `landmarks` the kinds of states that
show that a proof has content, `given` the checks of what an author's scenario returns.
"""

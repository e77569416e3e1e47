"""Properties and verdicts: what a scenario promises, and what a search may say about it.

Read `kinds` first: the five kinds of properties, and what each is judged on. `catalogue` has every
property's name and meaning, `properties` the properties, `split` the list of those of a split,
`verdict` the verdicts and the expectations that they are compared with, `landmarks` kinds of states
that show that a proof has content, `alone` properties of authors that judge one CPU at a time,
`given` the checks of what an author's scenario returns, `steps` what an edit of its programs can
name.
"""

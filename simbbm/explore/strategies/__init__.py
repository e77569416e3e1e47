"""How runs choose among what is enabled, and what a number of runs says.

Read `named` first: strategies by name. Each has a file: `random_walk`, `pct`, `pos`, `surprise`,
`urw`, `polite`, and `portfolio`, the default, which takes turns. `menu` is what a chooser sees in a
node; `calibrate` and `profile` measure what runs are like. `bound`, `estimate` and `kill` are about
numbers of runs: a lower bound, what was not seen, runs until a known mistake is found.
"""

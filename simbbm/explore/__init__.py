"""Which schedules to look at, and how to come back to one.

* `strategies/`: how a campaign's runs choose. Read `strategies/named` first.
* `runs/`: one run, and the replay of one. Read `runs/play` first.
* `search/`: all schedules: reductions, proofs, rounds. Read `search/prove` first.
* `every_n/`: proofs for every number of CPUs. Read `every_n/prove` first.
* `certificate/`: what such a proof is, for others to check. Read `certificate/verify` first.
* `witness/`: a run as data, in files and tokens. Read `witness/record` first.
* `beside/`: a kernel image's code beside the model. Read `images/compare` first.
* `counterexample/`: what can be said of a failure, and made of it. Read `counterexample/explain`.
"""

"""What knows nothing of Arm: transition systems, programs, choices, runs.

Read `system` first: the one interface between a machine and whoever walks it. Then:

* `program`: what a program is written with; `programs/`: programs as automata, and what they may
  look at.
* `graph`: the states that a process has met, as nodes that remember what follows.
* `choice`: who decides what is next; tapes, and the polite default.
* `engine`: one schedule, as a SimPy simulation: agents are processes, and `step` asks the chooser.
* `trace`, `values`, `unknown`, `errors`: what a step looks like from outside, frozen data and their
  digests, values that are not known yet, mistakes and who made them.
"""

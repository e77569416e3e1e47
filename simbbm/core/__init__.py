"""What knows nothing of Arm: transition systems, programs, choices, runs.

Read `system` first: the one interface between a machine and the code that runs or searches it.
Then:

* `program`: what a program is written with; `programs/`: programs as automata, and what they may
  look at.
* `points`: what a machine sees of programs, whichever kind they are: Python or machine code.
* `graph`: the states that a process has met, as nodes that remember what follows.
* `choice`: choosers, which decide the next move; hash tapes; the default schedule.
* `engine`: one schedule, as a SimPy simulation: agents are processes, and `step` asks the chooser.
* `trace`, `values`, `unknown`, `errors`: records of a run, frozen data and their digests, values
  that are not known yet, errors.
"""

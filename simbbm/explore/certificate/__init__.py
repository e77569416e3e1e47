"""Certificates: of all states of a machine, or of a proof for every number of CPUs; their checkers.

`file` is what a certificate consists of, and how it is read without trusting it. `verify` checks
one for every number of CPUs: the machine is asked for every step anew; gluing (`verify`), counters
(`counted`), the ranks that say that runs end (`ending`) and the search of few CPUs (`few`) are
written for the check alone. It uses nothing of `every_n/` but the machine that a scenario has for
every number of CPUs (`every_n/setting.py`), and where the boot CPU itself cannot tell one order of
its stores or TLBIs from another (`orders`; `search/reductions/first_move.py`). `listed` checks one
of states, which `enumeration` makes. Read `verify` first.
"""

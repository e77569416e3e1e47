"""Certificates of proofs for every number of CPUs, and their checker.

`file` is what a certificate consists of, and how it is read without trusting it. `verify` checks
one: the machine is asked for every step anew; gluing (`verify`), counters (`counted`), the ranks
that say that runs end (`ending`) and the search of few CPUs (`few`) are written for the check
alone. It uses nothing of `every_n/` but the machine that a scenario has for every number of CPUs
(`every_n/setting.py`). Read `verify` first.
"""

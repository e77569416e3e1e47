"""One file for each subcommand: options, and what is printed (`litmus_table`: of litmus tests).

No rules live here.
"""

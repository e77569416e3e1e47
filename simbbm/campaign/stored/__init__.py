"""Campaigns that are kept: what was planned, what is done, and going on after whatever happened.

* `plan`: what is swept over, as TOML says it, and the arms that it makes;
* `store`: what is done, in SQLite; `counts`: the counts of runs as the store has them;
* `batches`: the planner, which says what is to be done next; `shares`: how runs are shared out;
* `work`: what workers do; `conduct`: all of it together, from a plan and a store to an end;
* `account`: the rows that a store makes, finished or not.

Read `conduct` first.
"""

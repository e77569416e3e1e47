"""What a search need not visit, and why its verdict stays.

Read `reduced_system` first: the states that a search walks. `symmetry`: CPUs that are alike may be
exchanged. `persistent_sets`: where one CPU's moves are enough; `standing` looks ahead for it at
what the others may do while it stands still. `drains` and `invalidations`: where one of a CPU's
pending stores, or of the TLBIs that are pending on it, is enough; `first_move` asks both.
"""

"""What is there before the protocol begins.

Read `layout` first: the memory that the kernel has mapped, and its tables. `kernel` is the record
of addresses that every modelled function takes.
"""

"""What is beside a core and its MMU: interrupt controller, power, caches; errata.

Each part is a file that says what it keeps of a CPU's state, and which moves it has; whoever does
not use it pays nothing for it.
"""

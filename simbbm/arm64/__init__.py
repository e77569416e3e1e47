"""Arm's relaxed virtual memory as a value: descriptors, MMU, store buffer, DVM, CPUs, machine."""

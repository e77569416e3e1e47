"""Litmus tests of virtual memory: their notation, and how they are run on the machine."""

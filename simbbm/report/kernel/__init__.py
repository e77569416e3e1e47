"""Kernel images: `rows` are the records, `described` makes those of one image.

Texts are made from rows by the commands that print them.
"""

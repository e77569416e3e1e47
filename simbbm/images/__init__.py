"""Kernel images as scenarios: what runs, searches, replays and shows scenarios does so with images.

* `scenario`: the scenarios of an image, `path/to/vmlinuz::linear_map_split`.
"""

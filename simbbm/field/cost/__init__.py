"""What it costs to split a linear map to pages: memory exactly, time by a model of latencies.

Read `tables` first: how map_mem() lays out RAM, and how many tables a split allocates.
"""

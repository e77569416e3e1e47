"""Tests in herd7's own format for AArch64 with virtual memory: read, lowered, observed.

Read `machine` first. `lexer` and `parser` make a `tree` of a file; `layout` says where its names
are, `lowering` makes listings of its threads, `arithmetic` is what their instructions compute.
`reader` makes a test of a file, or says why there is none.
"""

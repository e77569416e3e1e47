"""Discrete-event concurrency simulator for block-size changes of the live arm64 linear map."""

__version__ = "0.1.0"

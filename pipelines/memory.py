"""Keeps a long-lived worker's memory flat, by telling glibc to give freed memory back; other C libraries are
left alone.

An extractor may make a graph and its threads anew for every clip. By itself glibc keeps what they freed, and
raises the size from which it gives blocks back: a worker comes to hold gigabytes that nothing uses.
"""

from __future__ import annotations

import ctypes

LARGE_BLOCK_BYTES = 256 * 2**10

_M_MMAP_THRESHOLD = -3
"""glibc's number of the parameter (malloc.h)."""


def return_large_blocks() -> None:
    """From now on, have every large block returned to the system when it is freed."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


def return_freed() -> None:
    """Return what was freed in smaller blocks."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)

"""How much memory this process uses."""

from __future__ import annotations

import resource
from pathlib import Path


def memory_used() -> int:
    """Bytes in use now, so that memory freed earlier does not count.

    Where the system does not tell, its peak.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()

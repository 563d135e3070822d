"""The machine that figures were measured on."""

import os
import platform
import time


def describe() -> dict[str, object]:
    """Cores, memory in GiB, kernel, today's date, and the load of the last minute."""
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release().split("-")[0],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load": round(os.getloadavg()[0], 1),
    }

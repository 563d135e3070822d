"""`ws-doctor` in a healthy workspace, against a bare Python of the image; prints JSON.

Usage: doctor.py whole|metadata ROUNDS

The line for the metadata is measured twice: when a glance is enough, as it is in most minutes, and when all
checks run, because nothing is remembered. Those figures have names that begin with ``complete_``.
"""

import json
import os
import sys
from pathlib import Path

from benchmarks.inside.timing import Pairs, pairs

BASELINE = ("python3", "-c", "pass")
LINE = ("ws-doctor", "--metadata")
WHOLE = ("ws-doctor", "--strict")
MEMORY = Path("/run/coder-ws/doctor")
"""What a complete look that found nothing leaves behind."""


def metadata(rounds: int) -> Pairs:
    """The line at a glance, and after all checks.

    Raises:
        FileNotFoundError: the checks found something, so that no glance was enough.
    """
    usual = pairs(LINE, BASELINE, dict(os.environ), rounds)
    MEMORY.stat()
    complete = pairs(LINE, BASELINE, dict(os.environ), rounds, reset=lambda: MEMORY.unlink(missing_ok=True))
    return {**usual, **{f"complete_{name}": complete[name] for name in ("seconds", "processor_seconds")}}


if __name__ == "__main__":
    number = int(sys.argv[2])
    measured = (
        metadata(number) if sys.argv[1] == "metadata" else pairs(WHOLE, BASELINE, dict(os.environ), number)
    )
    print(json.dumps(measured))

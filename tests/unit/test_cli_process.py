"""How a command ends: what was written is out, what was registered has run."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import atexit, sys
from coder_ws_runtime.cli.plain import leave
atexit.register(print, "registered", file=sys.stderr)
print("said")
leave(3)
"""


def end(stdout: int, *, before: str = "") -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-I", "-c", before + PROGRAM]
    return subprocess.run(words, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_a_command_ends_with_its_output_and_its_status() -> None:
    done = end(subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "registered\n")


def test_a_command_says_that_its_output_cannot_be_written() -> None:
    with Path("/dev/full").open("w") as full:
        done = end(full.fileno())
    assert done.returncode == 120  # Python's status for it
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("how", ["sys.stdout = None", "sys.stderr = None", "sys.stderr.close()"])
def test_a_command_ends_without_the_stream_that_was_closed(how: str) -> None:
    done = end(subprocess.PIPE, before=f"import sys; {how}")
    assert done.returncode == 3

"""Where to strike: every call that changes something, as a clean trace has them."""

import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.crash.world import World

CALLS = (
    "fchmod",
    "fchown",
    "fchownat",
    "flock",
    "fsetxattr",
    "fsync",
    "ftruncate",
    "linkat",
    "mkdir",
    "mkdirat",
    "openat",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "symlinkat",
    "syncfs",
    "unlink",
    "unlinkat",
    "utimensat",
    "write",
)
# Of the calls that strace(1) counts among %file and %desc, what changes nothing on a file system.
_READING = """
    access chdir close dup epoll_create1 execve faccessat faccessat2 fadvise64 fcntl fgetxattr flistxattr
    fstat fstatfs getcwd getdents64 getxattr ioctl listxattr lseek lstat mmap newfstatat openat2 poll pread64
    read
    readlink readlinkat stat statfs statx
"""
HARMLESS = frozenset(_READING.split())
_LINE = re.compile(r"^(?:\[pid +\d+\] )?(?:\d+ +)?(\w+)\((.*)")


@dataclass(frozen=True)
class Point:
    """The `number`-th call of its name in the process, beginning with 1."""

    call: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.call}-{self.number}"


def clean(world: World, verb: str, output: Path) -> list[Point]:
    """All calls of a clean run that change something, in their order."""
    done = world.run(verb, "-y", "-e", f"trace={','.join(CALLS)}", "-o", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    counts: Counter[str] = Counter()
    points: list[Point] = []
    for line in output.read_text().splitlines():
        found = _LINE.match(line)
        if not found:
            continue
        call, text = found.groups()
        counts[call] += 1
        # Files that are opened for reading only, and what is said on the way, lose nothing.
        if call == "openat" and "O_CREAT" not in text:
            continue
        if call == "write" and re.match(r"[12]<", text):
            continue
        if "(INJECTED)" in text:  # it fails in every run of this world, and cannot be struck as well
            continue
        points.append(Point(call, counts[call], text))
    return points


def share(points: list[Point], count: int, *, whole: bool, seed: int) -> list[Point]:
    """All points, or so many of them: every name is among them, the rest is drawn."""
    if whole or len(points) <= count:
        return points
    draw = random.Random(seed)
    chosen = {point.call: point for point in draw.sample(points, len(points))}
    rest = [point for point in points if point not in chosen.values()]
    return [*chosen.values(), *draw.sample(rest, max(0, count - len(chosen)))]

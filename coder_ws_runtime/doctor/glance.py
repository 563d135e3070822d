"""A glance: whether the workspace is still as the last complete look left it, which found nothing wrong.

Coder asks for the doctor's line every minute, in every workspace. :mod:`.remember` stores questions with
their answers after a complete look without findings. A glance asks them again. If an answer is another one,
or what is remembered is old or not for this boot, user, environment and version, a complete look follows.

This module and what it imports have to load fast: that is most of the time of a glance.
"""

from __future__ import annotations

import os
import time

from coder_ws_runtime import __version__
from coder_ws_runtime.digest import hex_digest
from coder_ws_runtime.doctor import room
from coder_ws_runtime.system.probe import takes_changes
from coder_ws_runtime.system.quick import output_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MEMORY = "/run/coder-ws/doctor"
"""Layout.doctor_memory, which takes too long to load here."""

WELL = "well"
"""The line for a workspace in which nothing is wrong."""

MAX_AGE = 600.0
"""Seconds between complete looks. What no question is about is seen that much later. A complete look takes
some seven times the processor time of a glance, so every ten minutes it doubles what the line costs."""

_PROC = "/proc"
_PATIENCE = 8.0
"""How many seconds systemd may take to answer, as for a complete look."""
_LIMIT = 1 << 20
"""Bytes. More is not ours."""
_KIND, _DIRECTORY, _REGULAR, _OTHERS = 0o170000, 0o040000, 0o100000, 0o077
"""Masks and values of st_mode (inode(7)); the module `stat` would be one more to load."""
_ACTIVE = 2
"""The column of the state in the output of systemctl(1) list-units: UNIT LOAD ACTIVE SUB."""


def is_unchanged(memory: str) -> bool:
    """Whether nothing was wrong at the last complete look, and nothing shows that this has changed.

    Args:
        memory: the file with what is remembered.
    """
    if os.geteuid() == 0:  # root trusts no file of the user's
        return False
    try:
        seal, _, body = _read(memory).partition("\0")
        if seal != seal_of(body):
            return False
        looked, *pairs = body.split("\0")
        if not 0 <= now() - float(looked) < MAX_AGE:
            return False
    except (OSError, ValueError):
        return False
    return all(answer(question) == known for question, known in zip(pairs[::2], pairs[1::2], strict=True))


def seal_of(body: str) -> str:
    """A digest of what is remembered, and for what: this boot, user, environment and version.

    Raises:
        OSError: the boot is not known.
    """
    with open(f"{_PROC}/sys/kernel/random/boot_id") as boot, open(f"{_PROC}/1/stat") as first:
        # A container starts again without a boot of the host: PID 1 then has another start time (proc(5)).
        started = (boot.read(), first.read().rpartition(")")[2].split()[19])
    environment = (f"{name}={value}" for name, value in sorted(os.environ.items()))
    parts = (__version__, str(os.geteuid()), *started, *environment, body)
    return hex_digest("\0".join(parts).encode(errors="surrogateescape"))


def now() -> float:
    """Seconds since the boot, which no change of the clock moves."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def answer(question: str) -> str:
    """The answer to a question: its kind, a blank, and what it is about. Empty: it cannot be known."""
    kind, _, about = question.partition(" ")
    try:
        return _KINDS[kind](about)
    except OSError as error:
        return f"errno {error.errno}"


def units_text(rows: Iterable[Iterable[str]]) -> str:
    """The answer about units, from their names and states: load, active, sub."""
    return "\n".join(sorted(" ".join(row) for row in rows))


def _read(file: str) -> str:
    """The content of our own file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is a link, or not a file that only this user can write and read.
    """
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, encoding="utf-8", errors="surrogateescape", newline="") as opened:
        found = os.fstat(fd)
        private = found.st_uid == os.geteuid() and not found.st_mode & _OTHERS
        if found.st_mode & _KIND != _REGULAR or not private or found.st_size > _LIMIT:
            raise ValueError(file)
        return opened.read()


def _place(path: str) -> str:
    """What is there and whom it belongs to, not what is in it. A mount shows as another device."""
    found = os.stat(path)
    names = 0 if found.st_mode & _KIND == _DIRECTORY else found.st_nlink
    return f"{found.st_dev} {found.st_ino} {found.st_mode} {found.st_uid} {found.st_gid} {names}"


def _file(path: str) -> str:
    """The same, and when it changed last: its content, or the names in a directory."""
    return f"{_place(path)} {os.stat(path).st_ctime_ns}"


def _link(path: str) -> str:
    """Where a link leads, and to what kind of file."""
    target = os.readlink(path)
    try:
        return f"{target} {os.stat(path).st_mode & _KIND:o}"
    except OSError as error:
        return f"{target} errno {error.errno}"


def _room(path: str) -> str:
    """What a file system wants, and how it is mounted."""
    there = os.statvfs(path)
    flags = there.f_flag & (os.ST_RDONLY | os.ST_NOEXEC)
    return f"{flags} {' '.join(room.wants(there))}"


def _killed(events: str) -> str:
    """How many programs the kernel has ended for lack of memory, in the words of a control group."""
    with open(events) as file:
        return f"ended {[line for line in file if line.startswith('oom_kill ')]}"


def _volume(path: str) -> str:
    """Whether a change of the volume ends: the first question, because others would hang."""
    return "takes changes" if takes_changes(path) else ""


def _units(names: str) -> str:
    """The states of units that do not rest, and of all that have failed."""
    command = ("systemctl", "list-units", "--plain", "--no-legend", "--full")
    rows = [line.split()[:4] for line in (output_of(command, _PATIENCE) or "").splitlines()]
    ours = names.split()
    return units_text(row for row in rows if row[0] in ours or row[_ACTIVE] == "failed")


_KINDS = {
    "file": _file,
    "killed": _killed,
    "link": _link,
    "place": _place,
    "room": _room,
    "units": _units,
    "volume": _volume,
}

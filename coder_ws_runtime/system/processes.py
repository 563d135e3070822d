"""Running programs, from the process file system."""

import os
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.system.text_file import read


@dataclass(frozen=True, slots=True)
class Process:
    """One running program; see proc(5)."""

    pid: int
    name: str
    argv: tuple[str, ...]


def in_cgroup(proc: Path, cgroup: str) -> list[Process]:
    """The programs in a unit's control group and below it.

    Args:
        proc: the process file system.
        cgroup: the unit's ``ControlGroup``, from systemd; empty means none.
    """
    return [item for item in running(proc) if cgroup and _belongs(read(proc / f"{item.pid}/cgroup"), cgroup)]


def started(proc: Path, pid: int) -> float:
    """When a program was started, in seconds since the epoch; 0 if unknown (proc_pid_stat(5))."""
    boot = next((line for line in read(proc / "stat").splitlines() if line.startswith("btime ")), "")
    fields = read(proc / f"{pid}/stat").rpartition(")")[2].split()
    try:
        return float(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (IndexError, ValueError):
        return 0.0


def is_paused(proc: Path, pid: int | str) -> bool:
    """Whether a signal has stopped a program, which does nothing until SIGCONT (signal(7))."""
    return read(proc / f"{pid}/stat").rpartition(")")[2].split()[:1] == ["T"]


def running(proc: Path) -> Iterator[Process]:
    """All running programs, without kernel threads.

    Args:
        proc: the process file system.
    """
    try:
        names = os.listdir(proc)
    except OSError:
        return
    for name in names:
        if name.isdecimal():
            argv = read(proc / name / "cmdline").split("\0")[:-1]
            if argv:  # otherwise it is a kernel thread, or has ended
                yield Process(int(name), read(proc / name / "comm").strip(), tuple(argv))


def _belongs(cgroups: str, cgroup: str) -> bool:
    """Whether a line of /proc/PID/cgroup, ``ID:controllers:path``, has this path or one below it."""
    paths = (line.split(":", 2)[-1] for line in cgroups.splitlines())
    return any(path == cgroup or path.startswith(f"{cgroup}/") for path in paths)

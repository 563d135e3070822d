"""Checks of room: on the volumes, in the container, in /tmp, in memory."""

import os
import re
from pathlib import Path

from coder_ws_runtime.doctor.context import Context, text
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import (
    Finding,
    Remedy,
    Verdict,
    Where,
    failure,
    found,
    ok,
    skipped,
    warning,
)
from coder_ws_runtime.doctor.template import in_pod
from coder_ws_runtime.settings import Engine
from coder_ws_runtime.system.cgroups import own_groups
from coder_ws_runtime.system.mounts import unescaped
from coder_ws_runtime.text import size

_LITTLE = 0.10
"""The part of a file system's room from which on it is told as a warning, unless much is left."""
_MUCH = 5 << 30
"""So many bytes are enough, however small a part they are."""
_NOTHING = 0.01
_STALLED = 10.0
"""Percent of a minute without any work done for want of memory: people feel that."""
_FULL_BYTES = 16 << 20
"""With less than this, saving a file may fail at any time."""


@check("disk.volume", "room on the volume of the home", needs=[Need.VOLUME])
def volume(context: Context) -> Verdict:
    """The owner's volume has room, and inodes, for what is saved."""
    path = context.layout.volume
    commands = (
        f"du -xh --max-depth=2 {path} | sort -h | tail",
        context.as_user("home-persist attic prune --older-than 1 --yes"),
    )
    return _room(
        path, "the volume of the home", Remedy("see what fills it; what the attic keeps can go", commands)
    )


@check("disk.projects", "room for projects")
def projects(context: Context) -> Verdict:
    """The volume of the projects has room."""
    name = context.settings.projects
    path = context.layout.root / name.lstrip("/")
    if not name or not path.is_dir():
        return skipped("no directory of projects is known")
    commands = (f"du -xh --max-depth=2 {path} | sort -h | tail",)
    return _room(path, "the volume of the projects", Remedy("see what fills it, and remove it", commands))


@check("disk.root", "room in the container", needs=[Need.LIVE])
def root(context: Context) -> Verdict:
    """The container's own file system, which is the host's disk under Docker's directory, has room."""
    prune = Remedy(
        "let Docker remove what no container uses: images, build cache, stopped containers",
        ("docker system df", "docker system prune"),
    )
    if not in_pod(context):
        return _room(context.layout.root, "the container's file system", prune)
    # The disk is the node's, for all of its pods; Docker's data are on a volume of the workspace.
    look = Remedy("see what fills it, and remove it", ("sudo du -xh --max-depth=2 / | sort -h | tail",))
    own = _room(context.layout.root, "the node's disk", look)
    data = context.layout.docker_data
    if context.settings.engine is not Engine.OWN or not os.path.ismount(data):
        return own
    docker = _room(data, "the volume of the Docker engine", prune)
    summary = f"{own.summary}; for Docker {docker.summary}"
    return found([*own.findings, *docker.findings], summary)


@check("disk.tmp", "room for temporary files", needs=[Need.LIVE])
def tmp(context: Context) -> Verdict:
    """Programs can be run from /tmp, as the agent is, and it has room; on a tmpfs its files take memory."""
    path = context.layout.tmp
    kind, options = _mounted(text(context.layout.proc / "self/mountinfo"), path)
    if not path.is_dir() or path.stat().st_mode & 0o1777 != 0o1777:  # noqa: PLR2004 - as tmpfiles.d makes it
        remedy = Remedy(
            "give it the mode that it must have", (context.as_root(f"chmod 1777 {path}"),), safe=True
        )
        return found([failure(f"not everybody can write to {path}", remedy)], "")
    if "noexec" in options:
        remedy = Remedy(
            "mount it so that programs can run: the agent is downloaded there; for the next start, look at"
            " the template's tmpfs",
            (context.as_root(f"mount -o remount,bind,exec {path}"),),
        )
        return found([failure(f"no program can be run from {path} (noexec)", remedy)], "")
    commands = (f"du -xh --max-depth=2 {path} | sort -h | tail",)
    full = _room(path, str(path), Remedy("see what fills it, and remove it", commands))
    if full.findings or kind != "tmpfs":
        return full
    used = _used(path)
    limit = memory_limit(own_groups(context.layout))
    if limit and used > limit / 2:
        remedy = Remedy("see what fills it, and remove it", commands)
        problem = f"{path} is a tmpfs, and its {size(used)} are more than half of the memory of the workspace"
        return found([warning(problem, remedy, evidence=[f"memory limit: {size(limit)}"])], "")
    return ok(f"a tmpfs: {size(used)} of memory; {full.summary}")


@check("disk.memory", "memory", needs=[Need.LIVE])
def memory(context: Context) -> Verdict:
    """Programs have memory: below the limit, without waiting for it, and none was ended for want of it."""
    groups = own_groups(context.layout)
    limit, used = memory_limit(groups), memory_used(groups)
    remedy = Remedy(
        "see what takes it, and end what is not needed; or choose a higher limit for the workspace",
        ("ps -eo pid,user,rss,comm --sort=-rss | head",),
    )
    findings: list[Finding] = []
    if limit and used > 0.95 * limit:
        problem = f"{size(used)} of the {size(limit)} of memory are used"
        findings.append(warning(problem, remedy))
    whose, lost = _pressure(context)
    if lost > _STALLED:
        problem = f"{whose} stood still for want of memory in {lost:.0f} % of the last minute"
        findings.append(warning(problem, remedy))
    killed = _killed(groups)
    if killed:
        problem = f"the kernel has ended {killed} program{'' if killed == 1 else 's'} for want of memory"
        more = Remedy(
            "choose a higher memory limit for the workspace; a restart of it begins the count anew",
            (context.restart(),),
            Where.CLIENT,
        )
        findings.append(
            warning(problem, more, evidence=[f"limit {size(limit) if limit else 'none'}, used {size(used)}"])
        )
    return found(findings, f"{size(used)} of {size(limit)} used" if limit else f"{size(used)} used, no limit")


_UNLIMITED = 1 << 60
"""What the kernel writes without a limit, on version 1 of control groups, is larger than this."""


def memory_limit(groups: Path) -> int:
    """The memory limit in bytes, 0 if there is none; on both versions of control groups."""
    written = text(groups / "memory.max") or text(groups / "memory/memory.limit_in_bytes")
    return int(written) if written.strip().isdecimal() and int(written) < _UNLIMITED else 0


def memory_used(groups: Path) -> int:
    """The memory in use in bytes, without the cache of files, which gives way."""
    second = text(groups / "memory.current")
    written = second or text(groups / "memory/memory.usage_in_bytes")
    used = int(written) if written.strip().isdecimal() else 0
    stat = _pairs(text(groups / "memory.stat" if second else groups / "memory/memory.stat"))
    return max(0, used - stat.get("inactive_file" if second else "total_inactive_file", 0))


def _pressure(context: Context) -> tuple[str, float]:
    """Whose programs all waited for memory, and in how many percent of the last minute.

    The kernel tells it for each control group on their version 2, else for the host
    (Documentation/accounting/psi.rst there); 0 where it does not.
    """
    own = text(own_groups(context.layout) / "memory.pressure")
    shown = own or text(context.layout.proc / "pressure/memory")
    stalled = re.search(r"^full .*\bavg60=([0-9.]+)", shown, re.MULTILINE)
    return "the workspace's programs" if own else "the host", float(stalled[1]) if stalled else 0.0


def _killed(groups: Path) -> int:
    events = text(groups / "memory.events") or text(groups / "memory/memory.oom_control")
    return _pairs(events).get("oom_kill", 0)


def _pairs(lines: str) -> dict[str, int]:
    words = (line.split() for line in lines.splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdecimal()}  # noqa: PLR2004


def _used(path: Path) -> int:
    there = os.statvfs(path)
    return (there.f_blocks - there.f_bfree) * there.f_frsize


def _room(path: Path, what: str, remedy: Remedy) -> Verdict:
    there = os.statvfs(path)
    total, free = there.f_blocks * there.f_frsize, there.f_bavail * there.f_frsize
    findings: list[Finding] = []
    if total:
        evidence = [f"{path}: {size(free)} of {size(total)} free"]
        if free < _FULL_BYTES or (free / total < _NOTHING and free < _MUCH):
            findings.append(failure(f"{what} is full", remedy, evidence=evidence))
        elif free / total < _LITTLE and free < _MUCH:
            findings.append(warning(f"{what} is nearly full", remedy, evidence=evidence))
    if there.f_files and there.f_favail / there.f_files < _LITTLE:
        evidence = [f"{path}: {there.f_favail} of {there.f_files} inodes free"]
        make = failure if there.f_favail / there.f_files < _NOTHING else warning
        findings.append(
            make(f"{what} has hardly room for more files, however small", remedy, evidence=evidence)
        )
    return found(findings, f"{size(free)} of {size(total)} free")


def _mounted(mountinfo: str, path: Path) -> tuple[str, frozenset[str]]:
    """The type and the options of what is mounted at `path`; empty if nothing is."""
    found_: tuple[str, frozenset[str]] = "", frozenset()
    for line in mountinfo.splitlines():
        # See proc_pid_mountinfo(5): the fields before " - " vary in number.
        front, _, back = line.partition(" - ")
        fields = front.split(" ")
        if len(fields) > 5 and unescaped(fields[4]) == str(path):  # noqa: PLR2004 - mount point, options
            found_ = back.split(" ")[0], frozenset(fields[5].split(","))
    return found_

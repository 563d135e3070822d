"""Checks of free space: on the volumes, in the container, in /tmp, in memory."""

import os
import re
import shlex
from pathlib import Path

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.doctor import remedies, room
from coder_ws_runtime.doctor.checks.home import read_only
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import (
    Finding,
    Remedy,
    Verdict,
    failure,
    found,
    ok,
    skipped,
    warning,
)
from coder_ws_runtime.doctor.template import in_pod
from coder_ws_runtime.settings import Engine
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.cgroups import own_groups
from coder_ws_runtime.system.mounts import find_mount, parse_mounts
from coder_ws_runtime.text import plural, size

_STALLED = 10.0
"""Percentage of a minute in which all programs waited for memory; from here on, people notice it."""


def _largest(context: Context, path: Path) -> str:
    """The command that lists the largest files and directories at any depth; as root, to read them all."""
    return f"{context.as_root(f'du -xah {shlex.quote(str(path))}')} | sort -h | tail -n 20"


@check("disk.volume", "free space on the volume of the home", needs=[Need.VOLUME])
def volume(context: Context) -> Verdict:
    """The owner's volume has free space and free inodes."""
    path = context.layout.volume
    prune = context.as_user("home-persist attic prune --older-than 1 --yes")
    remedy = Remedy(
        "see what fills it; the replaced versions in the attic can be removed",
        (_largest(context, path), prune),
    )
    return _room("disk.volume", path, "the volume of the home", remedy)


@check("disk.projects", "free space for projects")
def projects(context: Context) -> Verdict:
    """The volume of the projects has free space."""
    name = context.settings.projects
    path = context.layout.root / name.lstrip("/")
    if not name or not path.is_dir():
        return skipped("no projects directory is known")
    remedy = Remedy("see what fills it, and remove it", (_largest(context, path),))
    return _room("disk.projects", path, "the volume of the projects", remedy)


@check("disk.root", "free space in the container", needs=[Need.LIVE])
def root(context: Context) -> Verdict:
    """The container's own file system has free space. It is on the host's disk, in Docker's directory."""
    prune = Remedy(
        "let Docker remove what no container uses: images, build cache, stopped containers",
        ("docker system df", "docker system prune"),
    )
    path = context.layout.root
    if not in_pod(context):
        return _room("disk.root", path, "the container's file system", prune)
    # The disk belongs to the node and its pods; Docker's data is on a volume of the workspace.
    look = Remedy("see what fills it, and remove it", (_largest(context, path),))
    own = _room("disk.root", path, "the node's disk", look)
    data = context.layout.docker_data
    if context.settings.engine is not Engine.OWN or not os.path.ismount(data):
        return own
    docker = _room("disk.engine", data, "the volume of the Docker engine", prune)
    summary = f"{own.summary}; for Docker {docker.summary}"
    return found([*own.findings, *docker.findings], summary)


@check("disk.tmp", "free space for temporary files", needs=[Need.LIVE])
def tmp(context: Context) -> Verdict:
    """Programs can run from /tmp, and it has free space. On a tmpfs, its files take memory."""
    path = context.layout.tmp
    elsewhere = _tmp_variable(context)
    if elsewhere:
        return found([elsewhere], "")
    closed = _closed_tmp(context, path)
    if closed:
        return found([closed], "")
    remedy = Remedy("see what fills it, and remove it", (_largest(context, path),))
    mount = find_mount(text_file.read(context.layout.proc / "self/mountinfo"), str(path))
    kind = mount.kind if mount and mount.point == str(path) else ""
    full = _room("disk.tmp", path, str(path), remedy)
    if full.findings or kind != "tmpfs":
        return full
    used = _used(path)
    limit = memory_limit(own_groups(context.layout))
    if limit and used > limit / 2:
        problem = f"{path} is a tmpfs, and its {size(used)} are more than half of the workspace's memory"
        evidence = [f"memory limit: {size(limit)}"]
        return found([warning("disk.tmp-in-memory", problem, remedy, evidence=evidence)], "")
    return ok(f"a tmpfs: {size(used)} of memory; {full.summary}")


def _closed_tmp(context: Context, path: Path) -> Finding | None:
    """Why programs cannot make files in the directory, or cannot run them."""
    if not path.is_dir() or path.stat().st_mode & 0o1777 != 0o1777:  # noqa: PLR2004 - as tmpfiles.d makes it
        mode = (context.as_root(f"mkdir -p {path}"),) if not path.is_dir() else ()
        commands = (*mode, context.as_root(f"chmod 1777 {path}"))
        remedy = Remedy("give it the standard mode", commands, safe=True)
        return failure("disk.tmp-mode", f"not all users can write to {path}", remedy)
    unwritable = read_only(context, path)
    if unwritable:
        problem = f"programs cannot make temporary files: {path} is on a read-only file system"
        return failure("disk.tmp-read-only", problem, unwritable[0], evidence=unwritable[1])
    if os.statvfs(path).f_flag & os.ST_NOEXEC:
        remedy = Remedy(
            "mount it so that programs can run: the agent is downloaded to it; for the next start, look at"
            " the template's tmpfs",
            _remount(context, path),
        )
        problem = f"no program can run from {path} (noexec)"
        return failure("disk.tmp-noexec", problem, remedy)
    return None


def _tmp_variable(context: Context) -> Finding | None:
    """TMPDIR where it names what programs cannot write to: they do not look elsewhere."""
    named = context.env.get("TMPDIR", "")
    if not named or (os.path.isdir(named) and os.access(named, os.W_OK | os.X_OK)):
        return None
    from coder_ws_runtime.doctor.variables import take_out  # noqa: PLC0415 - rarely needed

    remedy, set_in = take_out(context, "TMPDIR", f"use {context.layout.tmp}")
    problem = f"programs cannot make temporary files: TMPDIR is {named}, which cannot be written"
    return failure("disk.tmp-variable", problem, remedy, evidence=set_in)


def _remount(context: Context, path: Path) -> tuple[str, ...]:
    """The commands that let programs run from a directory, which may be a mount point or inside one."""
    quoted = shlex.quote(str(path))
    # Not os.path.ismount(), which does not recognize a bind mount within one file system.
    mounts = parse_mounts(text_file.read(context.layout.proc / "self/mountinfo"))
    bind = () if str(path) in mounts else (context.as_root(f"mount --bind {quoted} {quoted}"),)
    return (*bind, context.as_root(f"mount -o remount,bind,exec {quoted}"))


@check("disk.noexec", "programs in the home")
def noexec(context: Context) -> Verdict:
    """Programs can run from the home, and IDEs from the volume: neither is mounted noexec."""
    findings = []
    for path, what in ((context.layout.home, "the home"), (context.layout.volume, "the volume of the home")):
        if path.is_dir() and os.statvfs(path).f_flag & os.ST_NOEXEC:
            text = "mount it so that programs can run; for the next start, look at the mount's options"
            problem = f"no program can run from {what} (noexec): tools and IDEs there do not start"
            evidence = [f"{path}: noexec"]
            remedy = Remedy(text, _remount(context, path))
            findings.append(warning("disk.noexec", problem, remedy, evidence=evidence, about=str(path)))
    return found(findings, "programs can run from the home and from the volume")


@check("disk.memory", "memory", needs=[Need.LIVE])
def memory(context: Context) -> Verdict:
    """Memory use is below the limit, programs do not wait for memory, and none was killed for lack of it."""
    groups = own_groups(context.layout)
    limit, used = memory_limit(groups), memory_used(groups)
    remedy = Remedy(
        "see what uses it, and end what is not needed; or choose a higher limit for the workspace",
        ("ps -eo pid,user,rss,comm --sort=-rss | head",),
    )
    findings: list[Finding] = []
    if limit and used > 0.95 * limit:
        problem = f"{size(used)} of the {size(limit)} of memory are in use"
        findings.append(warning("disk.memory-short", problem, remedy))
    whose, lost = _pressure(context)
    if lost > _STALLED:
        problem = f"{whose} waited for memory during {lost:.0f} % of the last minute"
        findings.append(warning("disk.memory-pressure", problem, remedy))
    killed = _killed(groups)
    if killed:
        problem = f"the kernel has killed {plural(killed, 'program')} for lack of memory"
        more = remedies.restart_workspace(
            context, "choose a higher memory limit for the workspace; its restart resets the count"
        )
        evidence = [f"limit {size(limit) if limit else 'none'}, used {size(used)}"]
        findings.append(warning("disk.memory-killed", problem, more, evidence=evidence))
    return found(findings, f"{size(used)} of {size(limit)} used" if limit else f"{size(used)} used, no limit")


_UNLIMITED = 1 << 60
"""On cgroup v1, "no limit" is written as a number larger than this."""


def memory_limit(groups: Path) -> int:
    """The memory limit in bytes, 0 if there is none; on cgroup v1 and v2."""
    written = text_file.read(groups / "memory.max") or text_file.read(groups / "memory/memory.limit_in_bytes")
    return int(written) if written.strip().isdecimal() and int(written) < _UNLIMITED else 0


def memory_used(groups: Path) -> int:
    """The memory in use in bytes, without the page cache, which can be reclaimed."""
    second = text_file.read(groups / "memory.current")
    written = second or text_file.read(groups / "memory/memory.usage_in_bytes")
    used = int(written) if written.strip().isdecimal() else 0
    stat = _pairs(text_file.read(groups / "memory.stat" if second else groups / "memory/memory.stat"))
    return max(0, used - stat.get("inactive_file" if second else "total_inactive_file", 0))


def _pressure(context: Context) -> tuple[str, float]:
    """Whose programs all waited for memory, and during what percentage of the last minute.

    On cgroup v2 the kernel reports it for each control group, otherwise for the host
    (Documentation/accounting/psi.rst in its source); 0 if it does not.
    """
    own = text_file.read(own_groups(context.layout) / "memory.pressure")
    shown = own or text_file.read(context.layout.proc / "pressure/memory")
    stalled = re.search(r"^full .*\bavg60=([0-9.]+)", shown, re.MULTILINE)
    return "the workspace's programs" if own else "the host", float(stalled[1]) if stalled else 0.0


def _killed(groups: Path) -> int:
    events = text_file.read(groups / "memory.events") or text_file.read(groups / "memory/memory.oom_control")
    return _pairs(events).get("oom_kill", 0)


def _pairs(lines: str) -> dict[str, int]:
    words = (line.split() for line in lines.splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdecimal()}  # noqa: PLR2004


def _used(path: Path) -> int:
    there = os.statvfs(path)
    return (there.f_blocks - there.f_bfree) * there.f_frsize


def _counted(command: str) -> str:
    """The command that lists the largest files, as one that counts files."""
    return command.replace("du -xah", "du -xa --inodes").replace("sort -h", "sort -n")


def _room(check_id: str, path: Path, what: str, remedy: Remedy) -> Verdict:
    there = os.statvfs(path)
    total, free = there.f_blocks * there.f_frsize, there.f_bavail * there.f_frsize
    summary = f"{size(free)} of {size(total)} free"
    wanted = room.wants(there)
    if not wanted:
        return ok(summary)
    evidence = [f"{path}: {summary}"]
    # What takes inodes is many files, however small: the command counts them.
    counting = replace(remedy, commands=tuple(map(_counted, remedy.commands)))
    inodes = [f"{path}: {there.f_favail} of {there.f_files} inodes free"]
    full = f"{what} has no room for more files, however small (no free inodes)"
    few = f"{what} has hardly any room for more files, however small (few free inodes)"
    every = {
        room.FULL: failure(f"{check_id}-full", f"{what} is full", remedy, evidence=evidence),
        room.NEARLY_FULL: warning(
            f"{check_id}-nearly-full", f"{what} is nearly full", remedy, evidence=evidence
        ),
        room.NO_INODES: failure(f"{check_id}-no-inodes", full, counting, evidence=inodes),
        room.FEW_INODES: warning(f"{check_id}-few-inodes", few, counting, evidence=inodes),
    }
    return found([every[want] for want in wanted], summary)

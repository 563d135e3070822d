"""The check of sudo: without it, the commands for root that the doctor prints are of no use."""

import os
import re
import shlex
import stat
from pathlib import Path

from coder_ws_runtime.doctor import remedies
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, ok, skipped, warning
from coder_ws_runtime.doctor.template import by_template
from coder_ws_runtime.layout import DEFAULT_USER, Layout
from coder_ws_runtime.settings import Engine
from coder_ws_runtime.system.container import own_container
from coder_ws_runtime.system.process import TIMED_OUT, Completed, find_program

_SECONDS = 4.0
_NO_FAULT = ("a password is required", "unable to resolve host", "cannot be preloaded")
"""These are also printed if sudo's settings are in order; the last by ld.so(8), which has its own check."""
_FORBIDDEN = ('"no new privileges" flag', "'nosuid' option set")
"""What it says if the container does not allow programs to become root."""
_BAD_LINE = re.compile(r"^(/[^:]+):(\d+):\d+: ", re.MULTILINE)
_OTHERS_WRITE = 0o022
_TEXT = "give its files the owner and mode that it needs, and comment out lines that it cannot read"


@check("system.sudo", "sudo", needs=[Need.LIVE])
def sudo(context: Context) -> Verdict:
    """The user can become root with sudo, as the printed commands for root do."""
    if context.uid == 0:
        return skipped("you are root")
    program = find_program("sudo", context.env.get("PATH", os.defpath))
    if program is None:
        remedy = remedies.change_template(context, remedies.TOO_OLD)
        problem = "there is no sudo, so nobody can become root inside the workspace"
        return found([failure("system.sudo-missing", problem, remedy)], "")
    # Unlike running a command, listing is not logged: the doctor checks every minute.
    done = context.run([program, "-n", "-l", "true"], timeout=_SECONDS, env={**context.env, "LC_ALL": "C"})
    if done.status == TIMED_OUT:
        return skipped("it did not answer in time")
    said = [line for line in done.stderr.splitlines() if line.strip() and not any(map(line.count, _NO_FAULT))]
    if not said and not done.ok and _has_no_password(context):
        return found([_asks_in_vain(context)], "")
    if not said:
        return ok("the user may become root" if done.ok else "it asks for a password")
    return found([_fault(context, Path(program), done, said)], "")


def _fault(context: Context, program: Path, done: Completed, said: list[str]) -> Finding:
    if any(word in done.stderr for word in _FORBIDDEN):
        return _forbidden(context, said)
    fixes = [*_closing(context.layout, program), *_commenting(done.stderr)]
    evidence = list(dict.fromkeys(said))[:4]
    if not done.ok:
        return _broken(context, fixes, evidence)
    remedy = Remedy(_TEXT, tuple(map(context.as_root, fixes))) if fixes else _restart(context)
    problem = "sudo complains at each call, and ignores a part of its settings"
    return warning("system.sudo-complains", problem, remedy, evidence=evidence)


def _broken(context: Context, fixes: list[str], evidence: list[str]) -> Finding:
    """Root can then be reached through the Docker engine, which the user may use."""
    container = own_container(context.layout.proc) if context.settings.engine is Engine.HOST_SOCKET else ""
    if fixes and container and os.access(context.layout.docker_socket, os.W_OK):
        commands = tuple(f"docker exec --user root {container[:12]} {command}" for command in fixes)
        remedy = Remedy(f"{_TEXT}, as root through the Docker engine", commands)
    else:
        remedy = _restart(context)
    problem = "sudo does not work, so commands for root fail, including those printed here"
    return failure("system.sudo-broken", problem, remedy, evidence=evidence)


def _has_no_password(context: Context) -> bool:
    """Whether no password is the right one (passwd(1), --status)."""
    return context.run(["passwd", "--status"], timeout=_SECONDS).stdout.split()[1:2] == ["L"]


def _asks_in_vain(context: Context) -> Finding:
    remedy = remedies.restart_workspace(
        context,
        "restart the workspace: that restores the image's files; if it stays so, the image needs the line"
        f" '{DEFAULT_USER} ALL=(ALL) NOPASSWD: ALL' in a file in /etc/sudoers.d",
    )
    problem = (
        "commands for root fail, including those printed here: sudo asks for a password, and there is none"
    )
    return failure("system.sudo-password", problem, remedy)


def _forbidden(context: Context, said: list[str]) -> Finding:
    remedy = remedies.change_template(
        context,
        by_template(
            context,
            "let programs become root: remove no-new-privileges from security_opts of the docker_container",
            "let programs become root: in the security_context of the container set"
            " allow_privilege_escalation = true",
        ),
    )
    problem = "the template forbids sudo, so commands for root fail, including those printed here"
    return warning("system.sudo-forbidden", problem, remedy, evidence=said[:2])


def _restart(context: Context) -> Remedy:
    return remedies.restart_workspace(context, "restart the workspace: that restores the image's files")


def _closing(layout: Layout, program: Path) -> list[str]:
    """Commands that give sudo and its settings the owner and mode that it needs."""
    commands = []
    settings = [
        layout.root / "etc/sudo.conf",
        layout.root / "etc/sudoers",
        *_files(layout.root / "etc/sudoers.d"),
    ]
    for path in settings:
        try:
            status = path.stat()
        except OSError:
            continue
        if status.st_uid != 0 or status.st_gid != 0:
            commands.append(f"chown root:root {shlex.quote(str(path))}")
        if status.st_mode & _OTHERS_WRITE:
            mode = "0755" if stat.S_ISDIR(status.st_mode) else "0440"
            commands.append(f"chmod {mode} {shlex.quote(str(path))}")
    status = program.stat()
    if status.st_uid != 0 or not status.st_mode & stat.S_ISUID:
        commands += [f"chown root:root {program}", f"chmod 4755 {program}"]
    return commands


def _files(directory: Path) -> list[Path]:
    try:
        return [directory, *sorted(directory.iterdir())]
    except OSError:
        return [directory]


def _commenting(said: str) -> list[str]:
    """Commands that comment out the lines that sudo cannot read."""
    bad: dict[str, list[str]] = {}
    for file, line in _BAD_LINE.findall(said):
        bad.setdefault(file, []).append(f"{line}s/^/# /")
    return [f"sed -i {shlex.quote(';'.join(edits))} {shlex.quote(file)}" for file, edits in bad.items()]

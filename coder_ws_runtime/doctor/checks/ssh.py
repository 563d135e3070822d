"""The check of ssh's files: ssh refuses files that others can change or read, and fails at invalid lines."""

import os
import re
import shlex
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, warning
from coder_ws_runtime.doctor.user_files import Complaints, comment_out
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.process import Completed, find_program

_SECONDS = 4.0
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_BAD_LINE = re.compile(r"line (\d+): ")
_RUNS_PROGRAMS = re.compile(r"^\s*(match\b.*\bexec|include)\b", re.IGNORECASE | re.MULTILINE)
"""With these, `ssh -G` would run the user's commands, or read files that may contain such lines."""


@check("programs.ssh", "ssh's files", needs=[Need.LIVE])
def ssh(context: Context) -> Verdict:
    """The program ssh reads its settings and uses the user's keys, closed to others; its agent answers."""
    directory = context.layout.home / ".ssh"
    agent = _dead_agent(context)
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        # If the user cannot read it, home.owners reports that.
        return found([agent] if agent else [], "there are none")
    keys = [key for key in _keys(directory, names) if _mode(key) & _OTHERS]
    findings = [_open_keys(context, keys)] if keys else []
    settings = directory / "config"
    if _mode(settings) & _OTHERS_WRITE:
        remedy = Remedy("close it to others", (_chmod(context, [settings]),), safe=True)
        problem = f"every ssh command fails: other users can change {settings}"
        evidence = [f"{settings}: mode {_mode(settings):04o}"]
        about = str(settings)
        findings.append(
            failure("programs.ssh-settings-open", problem, remedy, evidence=evidence, about=about)
        )
    invalid = _invalid(context, settings)
    return found([*findings, *(item for item in (invalid, agent) if item)], "ssh accepts them")


def _dead_agent(context: Context) -> Finding | None:
    """An agent that has ended: that of a connection that is closed, in a terminal that has outlived it."""
    path = context.env.get("SSH_AUTH_SOCK", "")
    if not path:
        return None
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_SECONDS)
        try:
            client.connect(path)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            why = error.strerror
        except (OSError, ValueError):
            return None
        else:
            return None
    from coder_ws_runtime.doctor.variables import take_out  # noqa: PLC0415 - rarely needed

    remedy, set_in = take_out(context, "SSH_AUTH_SOCK", "use the keys in ~/.ssh, or open a new terminal")
    problem = "ssh does not get keys from its agent: no agent listens on the socket that SSH_AUTH_SOCK names"
    return warning("programs.ssh-agent-dead", problem, remedy, evidence=[f"{path}: {why}", *set_in])


def _keys(directory: Path, names: list[str]) -> Iterator[Path]:
    """The user's private keys. ssh checks the mode of keys that belong to its caller."""
    for name in names:
        path = directory / name
        if name.endswith(".pub") or not _is_users(path):
            continue
        begin = text_file.read(path, 64)
        if begin.startswith("-----BEGIN ") and "PRIVATE KEY" in begin:
            yield path


def _is_users(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_uid == path.parent.stat().st_uid


def _mode(path: Path) -> int:
    """The permissions of a file; 0 if it does not exist."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _chmod(context: Context, paths: list[Path]) -> str:
    return context.as_user(f"chmod go= {' '.join(shlex.quote(str(path)) for path in paths)}")


def _open_keys(context: Context, keys: list[Path]) -> Finding:
    evidence = [f"{key}: mode {_mode(key):04o}" for key in keys]
    names = ", ".join(key.name for key in keys)
    problem = f"ssh does not use {names}: other users may read the private key"
    remedy = Remedy("close it to others", (_chmod(context, keys),), safe=True)
    return failure("programs.ssh-key-open", problem, remedy, evidence=evidence, about=str(keys[0]))


def _invalid(context: Context, settings: Path) -> Finding | None:
    """The complaint of ssh about its settings, unless it would have to run programs for that."""
    program = find_program("ssh", context.env.get("PATH", os.defpath))
    text = text_file.read(settings)
    if program is None or not text or _RUNS_PROGRAMS.search(text):
        return None

    def ask(file: str, stdin: str | None = None) -> Completed:
        return context.run([program, "-G", "-F", file, "localhost"], timeout=_SECONDS, stdin=stdin)

    def complaints(written: str) -> Complaints:
        done = ask("/dev/stdin", written)
        return Complaints(done.ok, [int(number) for number in _BAD_LINE.findall(done.stderr)])

    done = ask(str(settings))
    said = [line for line in done.stderr.splitlines() if _BAD_LINE.search(line)]
    if done.ok or not said:
        return None
    remedy = comment_out(context, settings, complaints)
    problem = f"every ssh command fails: ssh cannot read {settings}"
    return failure("programs.ssh-settings-invalid", problem, remedy, evidence=said[:3], about=str(settings))

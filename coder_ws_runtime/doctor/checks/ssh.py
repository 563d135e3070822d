"""The check of ssh's files: ssh refuses files that others can change or read, and fails at invalid lines."""

import os
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, ok
from coder_ws_runtime.doctor.user_files import comment_out
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.process import find_program

_SECONDS = 4.0
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_BAD_LINE = re.compile(r"line (\d+): ")
_RUNS_PROGRAMS = re.compile(r"^\s*(match\b.*\bexec|include)\b", re.IGNORECASE | re.MULTILINE)
"""With these, `ssh -G` would run the user's commands, or read files that may contain such lines."""


@check("programs.ssh", "ssh's files", needs=[Need.LIVE])
def ssh(context: Context) -> Verdict:
    """The program ssh reads its settings and uses the user's keys: both must be closed to others."""
    directory = context.layout.home / ".ssh"
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return ok("there are none")  # if the user cannot read it, home.modes reports that
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
    return found([*findings, *([invalid] if invalid else [])], "ssh accepts them")


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

    def ask(file: str, stdin: str | None = None) -> str:
        done = context.run([program, "-G", "-F", file, "localhost"], timeout=_SECONDS, stdin=stdin)
        return "" if done.ok else done.stderr

    said = [line for line in ask(str(settings)).splitlines() if _BAD_LINE.search(line)]
    if not said:
        return None

    def bad_lines(written: str) -> list[int]:
        return [int(number) for number in _BAD_LINE.findall(ask("/dev/stdin", written))]

    remedy = comment_out(context, settings, bad_lines)
    problem = f"every ssh command fails: ssh cannot read {settings}"
    return failure("programs.ssh-settings-invalid", problem, remedy, evidence=said[:3], about=str(settings))

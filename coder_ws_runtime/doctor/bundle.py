"""One archive for whoever is asked for help: what the doctor says, and what it looked at."""

import io
import json
import os
import platform
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from coder_ws_runtime import __version__
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.checks import agent
from coder_ws_runtime.doctor.checks.home import declarations
from coder_ws_runtime.doctor.context import Context, text
from coder_ws_runtime.doctor.engine import Result
from coder_ws_runtime.doctor.redaction import GONE, is_sensitive, redact, secrets_of
from coder_ws_runtime.doctor.report import as_json
from coder_ws_runtime.persist.manifest.files import manifest_files, user_files

_LARGEST = 512 * 1024
"""Characters that are kept of one file, its last ones."""
_JOURNAL_LINES = 2000

Item = tuple[str, str]
"""A name in the archive, and a text."""


def contents(context: Context, results: Sequence[Result], seconds: float, report: str) -> list[Item]:
    """All that goes into the archive, without secrets.

    Args:
        context: the workspace.
        results: of all checks.
        seconds: how long they took.
        report: the same for people.
    """
    secrets = _secrets(context)
    document = json.dumps(as_json(results, context, seconds), indent=2, ensure_ascii=False)
    items = [("report.txt", report), ("report.json", document), *_collected(context)]
    return [(name, redact(content[-_LARGEST:], secrets)) for name, content in items if content.strip()]


def write(file: Path, top: str, items: Sequence[Item]) -> None:
    """Write the archive, readable for its owner only; an existing file is left alone.

    Args:
        file: a new file, ``.tar.gz``.
        top: the directory in the archive that holds everything.
        items: what goes into it.

    Raises:
        OSError: it cannot be written, or is there.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    now = time.time()
    with open(descriptor, "wb") as opened, tarfile.open(fileobj=opened, mode="w:gz") as archive:
        for name, content in items:
            encoded = content.encode()
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime, entry.mode = len(encoded), int(now), 0o600
            archive.addfile(entry, io.BytesIO(encoded))


def _secrets(context: Context) -> set[str]:
    known = secrets_of(context.env)
    if context.ask(systemd.boots):
        theirs = context.ask(agent.environment)
        known |= secrets_of(theirs) if theirs else set()
    return known


def _collected(context: Context) -> Iterator[Item]:
    layout = context.layout
    yield "versions.txt", _versions(context)
    yield "links.txt", "\n".join(_links(context))
    yield "environment.txt", "\n".join(_environment(context))
    yield "settings.json", text(layout.settings_file)
    for file in manifest_files(layout):
        yield f"manifests/{file.name}", text(file)
    for file in user_files(layout, context.settings.workspace.id):
        yield f"manifests-of-the-user/{file.name}", text(file)
    yield "watch.json", text(layout.watch_report)
    yield "mountinfo.txt", text(layout.proc / "self/mountinfo")
    for name in _names(layout.hook_logs):
        yield f"hooks/{name}", text(layout.hook_logs / name)
    if context.ask(systemd.boots):
        yield from _system(context)


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _system(context: Context) -> Iterator[Item]:
    for unit in systemd.UNITS:
        name = unit.removesuffix(".service")
        command = ["journalctl", "--quiet", "--no-pager", "--output=short-iso", f"--lines={_JOURNAL_LINES}"]
        yield f"journal/{name}.log", context.run([*command, "-u", unit], timeout=10).stdout
    status = ["systemctl", "--no-pager", "--full", "status", *systemd.UNITS]
    yield "units.txt", context.run(status, timeout=10).stdout
    yield (
        "failed-units.txt",
        context.run(["systemctl", "--no-pager", "list-units", "--failed"], timeout=10).stdout,
    )
    yield "processes.txt", context.run(["ps", "-eo", "pid,ppid,user,stat,lstart,rss,comm"], timeout=10).stdout


def _versions(context: Context) -> str:
    lines = [
        f"coder-ws-runtime {__version__}",
        f"python {sys.version.split()[0]}",
        f"kernel {platform.release()}",
    ]
    lines += [
        line
        for line in text(context.layout.os_release).splitlines()
        if line.startswith(("PRETTY_NAME", "VERSION_ID"))
    ]
    for command in (
        ["systemctl", "--version"],
        ["docker", "--version"],
        ["git", "--version"],
        ["curl", "--version"],
    ):
        done = context.run(command, timeout=5)
        lines.append((done.stdout.splitlines() or [f"{command[0]}: {done.complaint}"])[0])
    return "\n".join(lines)


def _links(context: Context) -> Iterator[str]:
    """Every declared path: what is declared, and what the home and the volume have."""
    for entry in context.ask(declarations).entries:
        home = context.layout.home / entry.path
        try:
            there = f"-> {os.readlink(home)}"
        except OSError as error:
            there = "no link" if os.path.lexists(home) else error.strerror or "?"
        target = context.layout.volume / entry.on_volume
        have = "directory" if target.is_dir() else "file" if target.is_file() else "nothing"
        what = f"{entry.kind.value}, {entry.scope.value}, {entry.source}"
        yield f"~/{entry.path} [{what}] {there}; volume: {have}"
    for refused in context.ask(declarations).refused:
        yield f"refused: {refused}"


def _environment(context: Context) -> Iterator[str]:
    for name, value in sorted(context.env.items()):
        yield f"{name}={GONE if is_sensitive(name) else value}"

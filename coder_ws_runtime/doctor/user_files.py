"""Remedies for a user's file that its program cannot read: nothing in the file is lost."""

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor import remedies
from coder_ws_runtime.doctor.context import Context, account
from coder_ws_runtime.doctor.findings import Remedy
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.mounts import parse_mounts

_READ = 0o400
_ROUNDS = 12
"""How often a program is asked again for further lines that it cannot read."""
_SIZE = 1 << 20
"""Bytes; people do not write larger files."""


def renamed(path: str | Path, suffix: str = "broken") -> str:
    """The command that gives a path another name; what had that name before is kept, too (mv(1))."""
    return f"mv -T --backup=numbered {shlex.quote(str(path))} {shlex.quote(f'{path}.{suffix}')}"


def move_away(context: Context, path: Path, text: str = "move it away") -> Remedy:
    """Rename what is in the place of a file, unless the template mounts it there."""
    mounts = parse_mounts(text_file.read(context.layout.proc / "self/mountinfo"))
    if os.path.realpath(path) in mounts:
        text = f"mount a file at {path}, or nothing: Docker mounts a directory if the host has no such file"
        return remedies.change_template(context, text)
    return Remedy(text, (runner_for(context, path.parent / "_")(renamed(path)),))


def runner_for(context: Context, file: str | Path) -> Callable[[str], str]:
    """Who has to run a command that changes a file: the user in a directory of theirs, else root."""
    user = context.ask(account)
    try:
        owner = os.stat(os.path.dirname(os.path.realpath(file))).st_uid
    except OSError:
        return context.as_user
    return context.as_user if user is None or owner == user.uid else context.as_root


@dataclass(frozen=True, slots=True)
class Complaints:
    """What a program said about a text."""

    accepted: bool
    """Whether it can read all of it: one that did not answer has not accepted it."""
    lines: Sequence[int] = ()
    """The lines that it cannot read, counted from 1. Many programs name only one."""


def comment_out(context: Context, file: Path, complaints: Callable[[str], Complaints]) -> Remedy:
    """Comment out the lines that a program cannot read; if that does not help, set the file aside.

    Args:
        context: the workspace.
        file: the file to change; if it is a link, the command changes its target.
        complaints: asks the program about a text.
    """
    text = text_file.read(file, _SIZE)
    bad: set[int] = set()
    for _ in range(_ROUNDS):
        lines = text.split("\n")
        said = complaints(_commented(lines, bad))
        # At an end without a line break some count one more.
        found = {min(number, len(lines)) for number in said.lines}
        if said.accepted and bad:
            script = ";".join(f"{number}s/^/# /" for number in sorted(bad))
            command = f"sed -i --follow-symlinks {shlex.quote(script)} {shlex.quote(str(file))}"
            several = "lines" if len(bad) > 1 else "line"
            numbers = ", ".join(map(str, sorted(bad)))
            text = f"comment out {several} {numbers}, and correct it later"
            return Remedy(text, (runner_for(context, file)(command),))
        if not found - bad:
            break
        bad |= found
    return set_aside(context, file)


def _commented(lines: Sequence[str], bad: set[int]) -> str:
    return "\n".join(f"# {line}" if number in bad else line for number, line in enumerate(lines, 1))


def set_aside(context: Context, file: Path, instead: Path | None = None, text: str = "") -> Remedy:
    """Copy a file, and start a new one. Not a rename: the file may be a link into the volume.

    Args:
        context: the workspace.
        file: the file to set aside; if it is a link, the copy is next to its target, and kept as long.
        instead: the file that replaces it.
        text: its new content, if no file replaces it.
    """
    run = runner_for(context, file)
    there = Path(os.path.realpath(file))
    name, copy = shlex.quote(str(there)), shlex.quote(f"{there}.broken")
    if instead:
        begin, said = run(f"cp {shlex.quote(str(instead))} {name}"), f"with {instead}"
    elif text:
        begin, said = f"echo {shlex.quote(text)} | {run(f'tee {name}')}", f"with {text}"
    else:
        begin, said = run(f"truncate --size=0 {name}"), "without content"
    return Remedy(
        f"keep a copy in {there}.broken, and start again {said}",
        (run(f"cp --backup=numbered {name} {copy}"), begin),
    )


def is_closed(context: Context, path: Path) -> bool:
    """Whether the user owns a file and may not read it; what root owns is a finding of home.owners."""
    user = context.ask(account)
    try:
        status = path.stat()
    except OSError:
        return False
    return user is not None and status.st_uid == user.uid and not status.st_mode & _READ


def shown_mode(path: Path) -> str:
    """The mode of a file, as evidence."""
    return f"{path}: mode {path.stat().st_mode & 0o7777:04o}"


def open_up(context: Context, path: Path) -> Remedy:
    """Let the user, who owns it, read and write a file."""
    command = context.as_user(f"chmod u+rw {shlex.quote(str(path))}")
    return Remedy("open it to the user", (command,), safe=True)

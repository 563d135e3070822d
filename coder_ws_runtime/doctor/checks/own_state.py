"""home-persist's own directories: they exist, belong to the user, and are accessible.

Without them, no link is restored and `home-persist resolve` refuses, whatever the links look like.
"""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Finding, Remedy, failure
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.persist.store.ownership import give

_OPEN = 0o700
_LEDGER = ("copied",)
_LOST = "so a file that a program saves in place of a link may be lost"


def problems(context: Context, uid: int) -> Iterator[Finding]:
    """What is wrong with them: one finding of each kind.

    Args:
        context: the workspace.
        uid: the user's ID.
    """
    layout = context.layout
    missing = [path for path in (layout.ledger_dir, layout.runtime_dir) if not path.exists()]
    if missing and context.live:  # a tree of files may be one on which nothing has run
        make = f"install -d -o {DEFAULT_USER} -g {DEFAULT_USER} {_words(missing)}"
        evidence = [f"{path}: no such directory" for path in missing]
        problem = f"home-persist's own {missing[0]} is missing, {_LOST}"
        yield _failure(context, "home.state-missing", problem, "create it again", make, evidence)
    there = {path: path.stat() for path in _directories(context)}
    foreign = foreign_directories(context, uid)
    if foreign:
        command = give(map(str, foreign), DEFAULT_USER)
        evidence = [f"{path}: uid {owner}" for path, owner in foreign.items()]
        problem = f"home-persist's own {next(iter(foreign))} belongs to another user, {_LOST}"
        yield _failure(context, "home.state-foreign", problem, "give it to the user", command, evidence)
    closed = [
        path for path, status in there.items() if status.st_uid == uid and status.st_mode & _OPEN != _OPEN
    ]
    if closed:
        open_up = f"chmod u+rwx {_words(closed)}"
        evidence = [f"{path}: mode {there[path].st_mode & 0o7777:04o}" for path in closed]
        problem = f"home-persist may not use its own {closed[0]}, {_LOST}"
        yield _failure(context, "home.state-closed", problem, "give the user access", open_up, evidence)


def foreign_directories(context: Context, uid: int) -> dict[Path, int]:
    """home-persist's directories that do not belong to the user, each with its owner's UID."""
    owners = {path: path.stat().st_uid for path in _directories(context)}
    return {path: owner for path, owner in owners.items() if owner != uid}


def _directories(context: Context) -> list[Path]:
    """The directories that home-persist works in, as far as they exist."""
    layout = context.layout
    # Not the ledger's cache of validated manifests: root's boot steps write there too.
    ledger = (layout.ledger_dir, *(layout.ledger_dir / name for name in _LEDGER))
    every = (*ledger, layout.runtime_dir, layout.state, *_inside(layout.state))
    return [path for path in every if path.is_dir() and not path.is_symlink()]


def _failure(  # noqa: PLR0913, PLR0917 - the parts of a finding
    context: Context, code: str, problem: str, text: str, command: str, evidence: list[str]
) -> Finding:
    names = " ".join(unit.removesuffix(".service") for unit in (systemd.RESOLVE, systemd.WATCH))
    commands = (context.as_root(command), context.as_root(f"systemctl restart {names}"))
    remedy = Remedy(f"{text}, and link again what could not be linked", commands, safe=True)
    return failure(code, problem, remedy, evidence=evidence)


def _words(paths: Iterable[Path]) -> str:
    return " ".join(shlex.quote(str(path)) for path in paths)


def _inside(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []

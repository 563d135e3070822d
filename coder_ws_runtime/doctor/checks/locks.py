"""The check of stale locks, which stop the programs that take them."""

import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found
from coder_ws_runtime.doctor.user_files import runner_for
from coder_ws_runtime.persist.store.lease import leases
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.processes import running

_SETTLED = 1.5
"""Seconds: git and zsh hold such a lock for milliseconds, so an older one is stale."""


@dataclass(frozen=True, slots=True)
class _Lock:
    path: str
    """Relative to the home."""
    program: str
    stops: str
    """What does not work while the lock exists."""


_GIT = "git config --global fails, and so does what uses it"
_LOCKS = (
    _Lock(".gitconfig.lock", "git", _GIT),
    _Lock(".config/git/config.lock", "git", _GIT),
    _Lock(".zsh_history.LOCK", "zsh", "zsh waits at each command, and saves no history"),
)
_GPG_LOCKS = (
    "pubring.db.lock",
    "pubring.kbx.lock",
    "pubring.gpg.lock",
    "trustdb.gpg.lock",
    "gnupg_spawn_agent_sentinel.lock",
    "gnupg_spawn_keyboxd_sentinel.lock",
    "public-keys.d/pubring.db.lock",
)
_REPOSITORY_LOCKS = ("index.lock", "HEAD.lock", "config.lock")
_GPG = frozenset({"gpg", "gpg-agent", "keyboxd", "gpgsm", "scdaemon", "dirmngr", "gpgconf"})


@check("home.locks", "stale locks", needs=[Need.VOLUME])
def locks(context: Context) -> Verdict:
    """No stale lock stops git, gpg or zsh: in the home, or in a project."""
    findings = [
        *(
            _stale(context, path, lock.program, lock.stops)
            for lock in _LOCKS
            for path in _left(context, lock)
        ),
        *(_stale(context, path, "gpg", "gpg waits for it") for path in _left_by_gpg(context)),
        *(
            _stale(context, path, "git", f"git refuses to work in {path.parent.parent}")
            for path in _left_in_projects(context)
        ),
    ]
    return found(findings, "there are none")


def _stale(context: Context, path: Path, program: str, stops: str) -> Finding:
    # -f, because rm(1) asks a terminal about a file that root has made.
    remedy = Remedy("remove it", (runner_for(context, path)(f"rm -f {shlex.quote(str(path))}"),))
    problem = f"{path} was left by a {program} that has ended: {stops}"
    evidence = [f"{path}: {max(0.0, time.time() - _changed(path)):.0f} s old"]
    return failure("home.lock-stale", problem, remedy, evidence=evidence, about=str(path))


def _left(context: Context, lock: _Lock) -> Iterator[Path]:
    """Where such a lock exists and is not new: next to the link, or next to the link's target."""
    next_to_link = context.layout.home / lock.path
    base, _, suffix = lock.path.rpartition(".")
    target = Path(f"{os.path.realpath(context.layout.home / base)}.{suffix}")
    places = [next_to_link, target, context.layout.volume / lock.path]
    for place in dict.fromkeys(path.parent.resolve() / path.name for path in places):
        if _is_settled(place):
            yield place


def _left_by_gpg(context: Context) -> Iterator[Path]:
    directory = Path(os.path.realpath(context.layout.home / ".gnupg"))
    for path in (directory / name for name in _GPG_LOCKS):
        if os.path.lexists(path) and not _gpg_runs(context, path):
            yield path


def _gpg_runs(context: Context, lock: Path) -> bool:
    """Whether the program that a GnuPG lock names may still run.

    The file holds a process ID and a host name (libgpg-error, ``common/dotlock.h``). gpg takes a process of a
    deleted container for one of this host, or waits without end for a process of another host.
    """
    words = text_file.read(lock, 256).split()
    if len(words) < 2 or not words[0].isdecimal():  # noqa: PLR2004 - process and host
        return not _is_settled(lock)
    process, host = words[0], words[1]
    if host == os.uname().nodename:
        name = text_file.read(context.layout.proc / process / "comm").strip()
        # GnuPG itself removes a lock whose process does not exist.
        return not name or name in _GPG
    return any(
        lease.in_use and lease.workspace_name.lower() == host for lease in leases(context.layout.volume)
    )


def _left_in_projects(context: Context) -> Iterator[Path]:
    """Locks of repositories. git holds one while an editor is open for a commit message."""
    name = context.settings.projects
    projects = context.layout.root / name.lstrip("/")
    try:
        repositories = [projects / entry for entry in os.listdir(projects)] if name else []
    except OSError:
        return
    for repository in repositories:
        locks = (repository / ".git" / lock for lock in _REPOSITORY_LOCKS)
        left = [path for path in locks if os.path.lexists(path)]
        if left and not _git_works_in(repository, context.layout.proc):
            yield from filter(_is_settled, left)


def _git_works_in(repository: Path, proc: Path) -> bool:
    """Whether a git may hold a lock of a repository.

    One that works elsewhere does not: ``git credential-cache--daemon`` runs for as long as a session.
    """
    gits = (process for process in running(proc) if process.name == "git")
    return any(_may_work_in(repository, proc / str(git.pid), git.argv) for git in gits)


def _may_work_in(repository: Path, process: Path, argv: tuple[str, ...]) -> bool:
    """Whether a git's working directory, or a path that it was given, is in a repository."""
    try:
        start = os.readlink(process / "cwd")
    except OSError as error:
        return isinstance(error, PermissionError)  # another user's; otherwise it has ended
    variables = text_file.read(process / "environ").split("\0")
    given = [*argv, *(pair for pair in variables if pair.startswith("GIT_"))]
    places = [start, *(os.path.normpath(os.path.join(start, word.rpartition("=")[2])) for word in given)]
    tops = (str(repository), os.path.realpath(repository))
    return any(place == top or place.startswith(f"{top}/") for place in places for top in tops)


def _is_settled(path: Path) -> bool:
    """Whether it exists and stays; one that was just made is checked again."""
    age = time.time() - _changed(path)
    if age > _SETTLED:
        return os.path.lexists(path)
    time.sleep(min(_SETTLED, _SETTLED - age))
    return os.path.lexists(path)


def _changed(path: Path) -> float:
    """When it was made, in seconds since the epoch; 0 if it does not exist."""
    try:
        return path.lstat().st_ctime
    except OSError:
        return 0.0

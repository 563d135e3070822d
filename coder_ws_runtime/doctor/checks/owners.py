"""The check of owners: the user's programs cannot change what root or another user owns in the home."""

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.checks import modes, own_state
from coder_ws_runtime.doctor.checks.home import declarations
from coder_ws_runtime.doctor.context import Context, account
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, skipped
from coder_ws_runtime.doctor.home_walk import home_walk
from coder_ws_runtime.fs.anchored import Anchor, Owner
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.persist.store.ownership import find_foreign, give
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.accounts import User
from coder_ws_runtime.system.budget import Budget
from coder_ws_runtime.system.mounts import parse_mounts
from coder_ws_runtime.text import plural

_SECONDS = 0.1
"""How many seconds the walk through the kept directories may work."""
_SHARED = (".cache", ".config", ".local", ".local/share", ".local/state")
"""Directories that many programs share; an engine creates them as root to mount something in them."""
_SHOWN = 5
_FEW = 8
"""A command names at most this many paths one by one."""


@check("home.owners", "owners and modes of what is in the home", needs=[Need.VOLUME], made_by=Need.BOOT)
def owners(context: Context) -> Verdict:
    """What is in the home, and what is kept of it, is the user's to enter, read and change."""
    user = context.ask(account)
    if user is None:
        return skipped("the workspace's user does not exist")
    home = context.layout.home
    in_home = {str(home / path): uid for path, uid in context.ask(home_walk).foreign.items()}
    in_home |= dict(_parents(context, user.uid))
    kept = {
        f"{context.layout.volume}/{entry.on_volume}": entry for entry in context.ask(declarations).entries
    }
    on_volume = _on_volume(context, user)
    unusable = [*own_state.problems(context, user.uid), *modes.problems(context, user.uid)]
    every = {**in_home, **on_volume}
    if not every:
        return found(unusable, "everything belongs to the user")
    own = own_state.foreign_directories(context, user.uid)
    if own:  # one cause: the kept files and home-persist's own ones got their owner together
        every |= {str(path): uid for path, uid in own.items()}
        unusable = [finding for finding in unusable if finding.code != "home.state-foreign"]
    places = [
        *in_home,
        *(str(home / entry.path) for target, entry in kept.items() if _has(target, on_volume)),
    ]
    return found([*unusable, _foreign(context, every, places)], "")


def _parents(context: Context, uid: int) -> Iterator[tuple[str, int]]:
    """Directories of the home that links and programs need, including those that the image created."""
    home = context.layout.home
    parents = {
        str(parent)
        for entry in context.ask(declarations).entries
        for parent in Path(entry.path).parents
        if str(parent) != "."
    }
    for name in sorted({*parents, *_SHARED}):
        try:
            status = (home / name).lstat()
        except OSError:
            continue
        if status.st_uid != uid and stat.S_ISDIR(status.st_mode):
            yield str(home / name), status.st_uid


def _has(target: str, foreign: Iterable[str]) -> bool:
    """Whether a path that is another user's is a target, in it, or above it."""
    return any(f"{path}/".startswith(f"{target}/") or f"{target}/".startswith(f"{path}/") for path in foreign)


def _on_volume(context: Context, user: User) -> dict[str, int]:
    """What is not the user's of what is kept, and of the directories above it."""
    owner = Owner(user.uid, user.gid)
    budget = Budget(_SECONDS)
    owners: dict[str, int] = {}
    with Anchor(context.layout.volume) as volume:
        for entry in context.ask(declarations).entries:
            found = find_foreign(volume, entry.on_volume, owner, budget)
            owners |= found.owners if found else {}
    return owners


def _foreign(context: Context, every: dict[str, int], places: list[str]) -> Finding:
    uids = sorted(set(every.values()))
    whose = "root" if uids == [0] else f"uid {', '.join(map(str, uids))}"
    names = [_shown(context, path) for path in every]
    more = len(names) - _SHOWN
    evidence = [f"{name}: uid {uid}" for name, uid in list(zip(names, every.values(), strict=True))[:_SHOWN]]
    evidence += [f"and {more} more"] if more > 0 else []
    what = names[0] if len(names) == 1 else plural(len(names), "path")
    again = systemd.restart_command(context, systemd.RESOLVE, "home-persist resolve")
    remedy = Remedy(
        "give it to the user, and link again what could not be linked",
        (context.as_root(_give(context, list(every))), again),
        safe=uids == [0],
    )
    problem = (
        f"{what} of the home belong{'s' if len(names) == 1 else ''} to {whose}: programs cannot save there"
    )
    about = places[0] if len(places) == 1 else str(context.layout.home)
    return failure("home.owner-foreign", problem, remedy, evidence=evidence, about=about)


def _shown(context: Context, path: str) -> str:
    home = f"{context.layout.home}/"
    return f"~/{path.removeprefix(home)}" if path.startswith(home) else path


def _give(context: Context, paths: list[str]) -> str:
    """The command that gives the user these paths and their contents; never what is mounted there."""
    tops = paths
    if len(paths) > _FEW:
        tops = sorted({str(top) for top in _tops(context, paths)})
    mounts = parse_mounts(text_file.read(context.layout.proc / "self/mountinfo"))
    below = [point for point in mounts if any(point.startswith(f"{top}/") for top in tops)]
    return give(tops, DEFAULT_USER, but=below)


def _tops(context: Context, paths: list[str]) -> Iterator[Path]:
    """The first component of each path below the home or the volume."""
    for path in map(Path, paths):
        base = context.layout.home if path.is_relative_to(context.layout.home) else context.layout.volume
        yield base / path.relative_to(base).parts[0]

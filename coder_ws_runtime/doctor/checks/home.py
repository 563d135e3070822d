"""Checks of the home: the directory, the volume, copies of other workspaces."""

import os
import shlex
import time
from pathlib import Path

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.doctor import remedies, systemd
from coder_ws_runtime.doctor.context import Context, account
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
from coder_ws_runtime.doctor.template import by_template
from coder_ws_runtime.doctor.user_files import renamed
from coder_ws_runtime.doctor.volume import Usable, usable
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.persist.manifest.entry import Declarations
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.store.format import refusal as format_refusal
from coder_ws_runtime.persist.store.lease import leases
from coder_ws_runtime.persist.store.ownership import give
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.accounts import User
from coder_ws_runtime.system.mounts import find_mount, parse_mounts
from coder_ws_runtime.text import plural

_DAY = 86400.0
_WHOLE = 0o700
_STATE = "HOME_PERSIST_STATE"
_AGAIN = "systemctl restart home-persist-resolve home-persist-watch"
_REMOTE = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "virtiofs")
"""Prefixes of file system types that are served by a server or a program."""


def declarations(context: Context) -> Declarations:
    """Everything that is declared for this workspace."""
    return load_declarations(context.layout, context.settings)


@check("home.home", "the home directory")
def home(context: Context) -> Verdict:
    """The home exists and belongs to the user; otherwise no program can save its settings."""
    path, user = context.layout.home, context.ask(account)
    again = systemd.restart_command(context, systemd.RESOLVE, "home-persist resolve")
    proper = _proper_home(context)
    if proper and os.path.realpath(proper) != os.path.realpath(path):
        remedy = Remedy("use the user's home", (f"export HOME={shlex.quote(str(proper))}",))
        evidence = [f"HOME={path}", f"{context.layout.passwd_file}: {proper}"]
        problem = f"HOME is not the user's home, so programs in this shell look for their files in {path}"
        return found([failure("home.home-variable", problem, remedy, evidence=evidence)], "")
    try:
        status = path.stat()
    except OSError as error:
        make = context.as_root(f"install -d -o {DEFAULT_USER} -g {DEFAULT_USER} {shlex.quote(str(path))}")
        problem = "the home directory is missing"
        evidence = [f"{path}: {error.strerror}"]
        remedy = Remedy("create it, and link what is kept", (make, again))
        return found([failure("home.home-missing", problem, remedy, evidence=evidence)], "")
    if user and status.st_uid != user.uid:
        owner = context.as_root(f"chown {DEFAULT_USER}: {shlex.quote(str(path))}")
        evidence = [f"{path}: uid {status.st_uid}, mode {status.st_mode & 0o7777:04o}"]
        remedy = Remedy("give it to the user, and link what is kept", (owner, again), safe=True)
        problem = f"the home directory does not belong to {user.name}, so nothing can be saved in it"
        return found([failure("home.home-foreign", problem, remedy, evidence=evidence)], "")
    if user and status.st_mode & _WHOLE != _WHOLE:
        evidence = [f"{path}: mode {status.st_mode & 0o7777:04o}"]
        remedy = Remedy(
            "give the user access",
            (context.as_user(f"chmod u+rwx {shlex.quote(str(path))}"), again),
            safe=True,
        )
        problem = f"{user.name} cannot use the home directory, so nothing can be saved in it"
        return found([failure("home.home-closed", problem, remedy, evidence=evidence)], "")
    if context.ask(systemd.steps_ran) and (closed := read_only(context, path)):
        remedy, evidence = closed
        if remedy.commands:
            remedy = replace(remedy, commands=(*remedy.commands, again))
        problem = "the home directory is on a read-only file system, so nothing can be saved in it"
        return found([failure("home.home-read-only", problem, remedy, evidence=evidence)], "")
    projects = _projects_problem(context, user)
    return found([projects] if projects else [], f"{path} belongs to the user")


def _proper_home(context: Context) -> Path | None:
    """The home of the workspace's user; None if another user runs the check."""
    user = context.ask(account)
    if not context.live or user is None or context.uid != user.uid:
        return None
    import pwd  # noqa: PLC0415 - only here

    try:
        return Path(pwd.getpwuid(user.uid).pw_dir)
    except KeyError:
        return None


def read_only(context: Context, path: Path) -> tuple[Remedy, list[str]] | None:
    """How to make a directory on a read-only file system writable, and what shows it; None if it is not."""
    if not context.live or not os.statvfs(path).f_flag & os.ST_RDONLY:
        return None
    mount = find_mount(text_file.read(context.layout.proc / "self/mountinfo"), str(path))
    point = mount.point if mount else "/"
    if point == "/":
        remedy = remedies.change_template(
            context,
            by_template(
                context,
                "remove read_only from the template's docker_container",
                "remove read_only_root_filesystem from the security_context of the template's container",
            ),
        )
    else:
        text = "mount it writable; for the next start, look at the mount's options"
        remedy = Remedy(text, (context.as_root(f"mount -o remount,bind,rw {shlex.quote(point)}"),))
    return remedy, [f"{point}: ro"]


def _projects_problem(context: Context, user: User | None) -> Finding | None:
    """Why the user cannot work in the projects directory, which has its own volume."""
    name = context.settings.projects
    path = context.layout.root / name.lstrip("/")
    if user is None or not name or not path.is_dir() or not context.ask(systemd.steps_ran):
        return None
    closed = read_only(context, path)
    if closed:
        problem = f"{user.name} cannot save anything in the projects directory: it is mounted read-only"
        return failure("home.projects-read-only", problem, closed[0], evidence=closed[1], about=str(path))
    status = path.stat()
    foreign = status.st_uid != user.uid
    if not foreign and status.st_mode & _WHOLE == _WHOLE:
        return None
    quoted = shlex.quote(str(path))
    owner = [give([str(path)], DEFAULT_USER)] if foreign else []
    commands = (*owner, f"chmod u+rwx {quoted}")
    remedy = Remedy("give it to the user", tuple(map(context.as_root, commands)), safe=True)
    evidence = [f"{path}: uid {status.st_uid}, mode {status.st_mode & 0o7777:04o}"]
    problem = f"{user.name} cannot write to the projects directory"
    return failure("home.projects-closed", problem, remedy, evidence=evidence, about=str(path))


@check("home.volume", "the volume of the home")
def volume(context: Context) -> Verdict:
    """The owner's volume is mounted, writable, and belongs to the user."""
    problem = _mount_problem(context)
    if problem is None and not context.ask(systemd.steps_ran) and _owner_problem(context):
        return skipped(Need.BOOT.value)
    problem = problem or _owner_problem(context) or _format_problem(context)
    return found([problem], "") if problem else ok(f"{context.layout.volume} is mounted and writable")


def volume_problem(context: Context) -> Finding | None:
    """Why the volume cannot be used; None if it can."""
    return _mount_problem(context) or _owner_problem(context)


def _format_problem(context: Context) -> Finding | None:
    """Why this version of home-persist writes nothing to the volume; None if it does."""
    try:
        with Anchor(context.layout.volume) as anchor:
            refused = format_refusal(anchor)
    except OSError:
        return None
    if refused is None:
        return None
    if refused.code == "volume.format-newer":
        remedy = remedies.change_template(context, refused.hint)
    else:
        again = context.as_root(_AGAIN)
        remedy = Remedy(f"{refused.hint}, or move it away", (context.as_user(renamed(refused.place)), again))
    return failure(
        f"home.{refused.code.replace('.', '-')}", refused.message, remedy, evidence=[refused.place]
    )


def _mount_problem(context: Context) -> Finding | None:
    path = context.layout.volume
    state = context.ask(usable)
    if state is Usable.FROZEN:
        return _frozen(context, path)
    mount = remedies.change_template(
        context,
        by_template(
            context,
            f"mount it: the template's docker_container has a volumes block for {path}",
            "mount it: the template's pod has a volume for the claim of the homes, and its container a"
            f" volume_mount for {path}",
        ),
    )
    if state is Usable.MISSING and context.env.get(_STATE):
        return _volume_elsewhere(context, path)
    if state is Usable.MISSING:
        problem = "there is no volume: the home is lost when this container is replaced"
        return failure("home.volume-missing", problem, mount, evidence=[f"{path}: no such directory"])
    mounts = parse_mounts(text_file.read(context.layout.proc / "self/mountinfo"))
    if context.live and str(path) not in mounts:
        problem = "no volume is mounted: the home is lost when this container is replaced"
        # The template may declare the volume all the same: then a new container has it.
        remedy = remedies.restart_workspace(context, f"restart the workspace; if it stays so, {mount.text}")
        evidence = [f"{path}: a directory of the container"]
        return failure("home.volume-not-mounted", problem, remedy, evidence=evidence)
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        commands = (f"mount -o remount,bind,rw {path}", _AGAIN)
        remedy = Remedy("mount it writable", tuple(map(context.as_root, commands)))
        problem = "the volume is mounted read-only"
        return failure("home.volume-read-only", problem, remedy, evidence=[f"{path}: ro"])
    return None


def _volume_elsewhere(context: Context, path: Path) -> Finding:
    from coder_ws_runtime.doctor.variables import take_out  # noqa: PLC0415 - rarely needed

    remedy, set_in = take_out(context, _STATE, "use the volume that the template mounts")
    problem = f"home-persist looks for the volume at {path}, because {_STATE} is set, but there is none"
    evidence = [f"{path}: no such directory", *set_in]
    return failure("home.volume-variable", problem, remedy, evidence=evidence)


def _frozen(context: Context, path: Path) -> Finding:
    mount = find_mount(text_file.read(context.layout.proc / "self/mountinfo"), str(path))
    kind = mount.kind if mount else ""
    if kind.startswith(_REMOTE):
        remedy = Remedy(f"check its server ({kind}), which does not answer", where=Where.HOST)
    else:
        remedy = Remedy(
            "a backup or a snapshot may have frozen it; if none is in progress, unfreeze it",
            (context.as_root(f"fsfreeze --unfreeze {path}"),),
        )
    problem = "the volume accepts no changes: programs that save something on it hang"
    return failure("home.volume-frozen", problem, remedy, evidence=[f"{path}: a change did not end in time"])


def _owner_problem(context: Context) -> Finding | None:
    path = context.layout.volume
    user = context.ask(account)
    if user is None:
        return None
    status = path.stat()
    foreign = status.st_uid != user.uid
    if not foreign and status.st_mode & _WHOLE == _WHOLE:
        return None
    commands = [f"chmod u+rwx {path}"]
    if foreign:
        # Its content has the wrong owner too, from a backup or another user's volume.
        commands.insert(0, give([str(path)], DEFAULT_USER))
    commands.append(_AGAIN)
    evidence = [f"{path}: uid {status.st_uid}, mode {status.st_mode & 0o7777:04o}"]
    problem = f"{user.name} cannot write to the volume"
    remedy = Remedy("give it to the user", tuple(map(context.as_root, commands)), safe=True)
    return failure("home.volume-closed", problem, remedy, evidence=evidence)


@check("home.orphans", "copies of other workspaces", needs=[Need.VOLUME])
def orphans(context: Context) -> Verdict:
    """No workspace that has not run for a long time has copies on the volume: they take space."""
    try:
        own = context.settings.workspace.id
        names = sorted(name for name in os.listdir(context.layout.workspaces) if name != own)
    except OSError:
        return ok("there are none")
    if not names:
        return ok("there are none")
    from coder_ws_runtime.persist.gc import Bounds  # noqa: PLC0415 - most volumes have none

    known = {lease.workspace_id: lease for lease in leases(context.layout.volume)}
    now = time.time()
    old = []
    for name in names:
        lease = known.get(name)
        if lease and lease.held:
            continue
        seen = lease.seen if lease else (context.layout.workspaces / name).stat().st_mtime
        if now - seen > Bounds().old:  # what `home-persist gc --yes` removes without asking an engine
            called = f" ({lease.workspace_name})" if lease and lease.workspace_name else ""
            old.append(f"{name}{called}: not seen for {(now - seen) / _DAY:.0f} days")
    if not old:
        return ok(f"{plural(len(names), 'other workspace')} with copies of their own, all seen recently")
    remedy = Remedy(
        "see what would be removed, and remove it if those workspaces are gone",
        (context.as_user("home-persist gc"), context.as_user("home-persist gc --yes")),
    )
    problem = f"{plural(len(old), 'workspace')} left copies that nobody uses"
    return found([warning("home.orphans", problem, remedy, evidence=old[:8])], "")

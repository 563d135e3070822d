"""Decide what to do. No clock, no environment, no file system."""

from enum import Enum

from coder_ws_runtime.boot.docker_group.observation import (
    OVERFLOW_GID,
    Cover,
    Observed,
    Program,
    Reach,
    Sight,
    Socket,
)
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.system.accounts import Group, User

GROUP = "docker"

_WRITE = 0o2


class Case(Enum):
    """The row of the decision table that applies."""

    ABSENT = "no socket"
    HIDDEN = "socket hidden by a mount"
    NO_SOCKET = "something else in its place"
    NO_USER = "no such user"
    UNREACHABLE = "closed even to root"
    OWNER = "the user owns the socket"
    OPEN = "open to everyone"
    EQUAL = "GID equal"
    PRIMARY = "GID is the user's own group"
    TAKEN = "GID taken by another group"
    FREE = "GID free"
    PROXY = "no group helps: proxy"


@dataclass(frozen=True, slots=True)
class Create:
    """Make the group `docker`."""

    gid: int | None
    """None: any free GID."""

    def describe(self) -> str:
        """What this does, for the end of a sentence."""
        return f"create the group {GROUP}" + (f" with GID {self.gid}" if self.gid is not None else "")


@dataclass(frozen=True, slots=True)
class Renumber:
    """Give the group `docker` the socket's GID, which no group has yet."""

    gid: int

    def describe(self) -> str:
        """What this does, for the end of a sentence."""
        return f"give the group {GROUP} the GID {self.gid}"


@dataclass(frozen=True, slots=True)
class Join:
    """Add the user to a group."""

    user: str
    group: str

    def describe(self) -> str:
        """What this does, for the end of a sentence."""
        return f"add {self.user} to the group {self.group}"


@dataclass(frozen=True, slots=True)
class Uncover:
    """Unmount a dead proxy's socket from the host's."""

    def describe(self) -> str:
        """What this does, for the end of a sentence."""
        return "remove the dead proxy"


@dataclass(frozen=True, slots=True)
class Keep:
    """Mount the host's socket at a second path, where the proxy reaches it."""

    def describe(self) -> str:
        """What this does, for the end of a sentence."""
        return "keep the host's socket reachable for a proxy"


@dataclass(frozen=True, slots=True)
class StartProxy:
    """Start the proxy and mount its socket over the host's."""

    def describe(self) -> str:
        """What this does, for the end of a sentence."""
        return f"cover the socket with a proxy that the group {GROUP} can open"


Action = Create | Renumber | Join | Uncover | Keep | StartProxy


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that cannot be fixed from inside the workspace."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do in this case."""

    case: Case
    reason: str
    """Why the user can open the socket once `actions` are applied; or that there is no socket."""
    actions: tuple[Action, ...] = ()
    finding: Finding | None = None
    gid: int | None = None
    """The group that lets the user open the socket; None if it is not because of a group."""
    without_group: tuple[Program, ...] = ()
    """Programs that were started earlier and do not have that group."""


def plan(seen: Observed) -> Plan:
    """Choose the row of the table, which tests and docs/boot.md share."""
    if seen.socket is None:
        return _nothing_there(seen.sight)
    if seen.user is None:
        return _refused(
            Case.NO_USER,
            "the workspace's user does not exist",
            "the image has to create it: build on one of this project's images",
        )
    if seen.root and seen.socket.reach is Reach.DENIED:
        return _refused(
            Case.UNREACHABLE,
            "not even root can open the Docker socket",
            "the host's daemon runs containers in a user namespace (userns-remap): start the workspace"
            ' with userns_mode = "host"',
        )
    case, reason, group, actions = _access(seen, seen.socket, seen.user)
    gid = None if group is None else group.gid
    without = () if gid is None else tuple(p for p in seen.programs if gid not in p.gids)
    finding = _dead(seen.socket)
    if finding is not None:
        # No proxy can reach a dead socket; the group memberships are set all the same.
        actions = tuple(action for action in actions if not isinstance(action, Keep | StartProxy))
    return Plan(case, reason, actions, finding, gid, without)


def _nothing_there(sight: Sight) -> Plan:
    match sight:
        case Sight.HIDDEN:
            return _refused(
                Case.HIDDEN,
                "the Docker socket is mounted, but another mount covers it",
                "start the workspace's container with a tmpfs at /run, as main.tf does: without one"
                " systemd mounts its own over the socket",
            )
        case Sight.NO_SOCKET:
            return _refused(
                Case.NO_SOCKET,
                "the file that is mounted as the Docker socket is not a socket",
                "check the socket's path on the host: Docker makes a directory of a path that does not"
                " exist; remove that directory there and start the workspace again",
            )
        case _:
            return Plan(Case.ABSENT, "no Docker socket is mounted, so there is nothing to do")


def _refused(case: Case, message: str, hint: str) -> Plan:
    code = f"docker-group.{case.name.lower().replace('_', '-')}"
    return Plan(case, message, finding=Finding(code, message, hint))


Access = tuple[Case, str, Group | None, tuple[Action, ...]]


def _access(seen: Observed, sock: Socket, user: User) -> Access:
    """How the user gets access to the socket; the kernel checks the owner first (path_resolution(7))."""
    if sock.uid == user.uid and _may(sock.mode >> 6):
        return Case.OWNER, f"the Docker socket belongs to {user.name}", None, ()
    if sock.uid != user.uid and _may(sock.mode):
        return Case.OPEN, "the Docker socket is open to everyone", None, ()
    if sock.uid == user.uid or not _may(sock.mode >> 3) or sock.gid in {0, OVERFLOW_GID}:
        return _by_proxy(seen, sock, user)
    return _by_group(seen, sock, user)


def _by_group(seen: Observed, sock: Socket, user: User) -> Access:
    if sock.gid == user.gid:
        own = next((group for group in seen.groups if group.gid == sock.gid), Group(user.name, sock.gid))
        return Case.PRIMARY, f"the Docker socket belongs to {user.name}'s own group {own.name}", own, ()
    holders = [group for group in seen.groups if group.gid == sock.gid]
    docker = _docker(seen)
    if docker is not None and docker in holders:
        reason = f"the group {GROUP} has the Docker socket's GID {sock.gid}"
        return Case.EQUAL, reason, docker, _joined(user, docker)
    if holders:
        # Several groups may share a GID; the kernel knows only the number.
        holder = next((group for group in holders if user.name in group.members), holders[0])
        join = _joined(user, holder)
        member = "" if join else f", and {user.name} is in it"
        reason = f"the Docker socket's GID {sock.gid} belongs to the group {holder.name}{member}"
        return Case.TAKEN, reason, holder, join
    reason = f"no group has the Docker socket's GID {sock.gid} yet"
    group = docker or Group(GROUP, sock.gid)
    numbered = Create(sock.gid) if docker is None else Renumber(sock.gid)
    return Case.FREE, reason, Group(GROUP, sock.gid), (numbered, *_joined(user, group))


def _by_proxy(seen: Observed, sock: Socket, user: User) -> Access:
    closed = f"GID {sock.gid}" if _may(sock.mode >> 3) else f"mode {sock.mode:04o}"
    why = f"{closed} of the Docker socket gives no group access, so a proxy is needed"
    docker = _docker(seen)
    group = docker or Group(GROUP, -1)
    actions: list[Action] = [] if docker else [Create(None)]
    actions += _joined(user, group)
    if seen.cover is Cover.DEAD:
        actions.append(Uncover())
    if not seen.kept:
        actions.append(Keep())
    if seen.cover is not Cover.WORKING:
        actions.append(StartProxy())
    return Case.PROXY, why, docker, tuple(actions)


def _dead(sock: Socket) -> Finding | None:
    """No process answers on the socket; the group memberships are set all the same."""
    if sock.links == 0 and sock.reach is not Reach.ANSWERS:
        # Also if we may not try: a daemon that still runs has not removed its socket.
        return Finding(
            "docker-group.stale",
            "the Docker socket is dead: the host's Docker daemon made a new one after this workspace started",
            "restart the workspace",
        )
    if sock.reach is not Reach.REFUSED:
        return None
    return Finding(
        "docker-group.silent",
        "no process answers on the Docker socket",
        "the host's Docker daemon does not run: start it, then restart the workspace, because the"
        " daemon makes a new socket",
    )


def _docker(seen: Observed) -> Group | None:
    return next((group for group in seen.groups if group.name == GROUP), None)


def _joined(user: User, group: Group) -> tuple[Action, ...]:
    return () if user.name in group.members else (Join(user.name, group.name),)


def _may(bits: int) -> bool:
    """Connecting needs write permission and nothing else (unix(7))."""
    return bool(bits & _WRITE)

"""What was seen of the socket, the groups and the running programs: plain values, the plan's input."""

from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.system.accounts import Group, User

OVERFLOW_GID = 65534
"""The GID that stands for groups this user namespace does not map (user_namespaces(7))."""


class Sight(Enum):
    """What is at the socket's path."""

    SOCKET = "socket"
    ABSENT = "absent"
    HIDDEN = "hidden"
    """It is mounted, but another mount covers it."""
    NO_SOCKET = "no socket"
    """A file or a directory: Docker makes a directory if a bind source does not exist."""


class Reach(Enum):
    """What happens on a connection to the socket."""

    ANSWERS = "answers"
    REFUSED = "refused"
    DENIED = "denied"


class Cover(Enum):
    """Whether the proxy's socket covers the host's."""

    NONE = "none"
    WORKING = "working"
    DEAD = "dead"
    """No process listens on it any longer."""


@dataclass(frozen=True, slots=True)
class Socket:
    """The host's socket, as seen from here. `mode` holds the permission bits."""

    uid: int
    gid: int
    mode: int
    links: int
    reach: Reach


@dataclass(frozen=True, slots=True)
class Program:
    """A running program of the user whose child processes inherit its groups."""

    pid: int
    name: str
    gids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that the plan needs."""

    sight: Sight
    socket: Socket | None
    """None unless `sight` is a socket."""
    cover: Cover
    kept: bool
    """Whether the host's socket is mounted where the proxy looks for it."""
    user: User | None
    groups: tuple[Group, ...]
    programs: tuple[Program, ...] = ()
    root: bool = True
    """Whether we are root."""

"""What was seen of the socket, the groups and the programs that run: plain values, the input of the plan."""

from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.system.accounts import Group, User

OVERFLOW_GID = 65534
"""What a group looks like that this user namespace does not know (user_namespaces(7))."""


class Sight(Enum):
    """What is found where the socket belongs."""

    SOCKET = "socket"
    ABSENT = "absent"
    HIDDEN = "hidden"
    """It is mounted, and another mount lies over it."""
    NO_SOCKET = "no socket"
    """A file or a directory: Docker makes a directory of a bind source that does not exist."""


class Reach(Enum):
    """What a connection to the socket meets."""

    ANSWERS = "answers"
    REFUSED = "refused"
    DENIED = "denied"


class Cover(Enum):
    """Whether the proxy's socket lies over the host's."""

    NONE = "none"
    WORKING = "working"
    DEAD = "dead"
    """Nobody listens behind it any more."""


@dataclass(frozen=True, slots=True)
class Socket:
    """The host's socket, as it looks in here. `mode` holds the permission bits."""

    uid: int
    gid: int
    mode: int
    links: int
    reach: Reach


@dataclass(frozen=True, slots=True)
class Program:
    """A running program of the user that hands its groups on to what it starts."""

    pid: int
    name: str
    gids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Observed:
    """All that the plan needs to know."""

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

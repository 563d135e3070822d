"""Look at the socket, the groups and the running programs."""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.boot.docker_group.observation import Cover, Observed, Program, Reach, Sight, Socket
from coder_ws_runtime.layout import DEFAULT_USER, Layout
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.accounts import User, read_groups, read_user
from coder_ws_runtime.system.mounts import parse_mounts

CONNECT_LIMIT = 2.0
"""How many seconds the daemon may take to accept a connection."""


def observe(layout: Layout, *, user: str = DEFAULT_USER) -> Observed:
    """Look at the workspace below `layout.root`. Changes nothing."""
    mounts = parse_mounts(text_file.read(layout.proc / "self/mountinfo"))
    cover = _cover(layout, mounts)
    host = layout.docker_socket if cover is Cover.NONE else layout.docker_host_socket
    sight = _sight(host, mounts)
    account = read_user(layout.passwd_file, user)
    live = layout.root == Path("/")
    return Observed(
        sight=sight,
        socket=_socket(host) if sight is Sight.SOCKET else None,
        cover=cover,
        kept=str(layout.docker_host_socket) in mounts,
        user=account,
        groups=read_groups(layout.group_file),
        programs=tuple(_programs(layout.proc, account)) if live and account else (),
        root=os.geteuid() == 0,
    )


def _cover(layout: Layout, mounts: dict[str, str]) -> Cover:
    """The top mount on the socket is the proxy's if its root is the proxy's socket, even a deleted one."""
    ours = f"/{layout.docker_proxy_socket.parent.name}/{layout.docker_proxy_socket.name}"
    top = mounts.get(str(layout.docker_socket), "").removesuffix("//deleted")
    if not top.endswith(ours):
        return Cover.NONE
    return Cover.DEAD if _reach(layout.docker_socket) is Reach.REFUSED else Cover.WORKING


def _sight(path: Path, mounts: dict[str, str]) -> Sight:
    try:
        found = path.lstat()
    except OSError:
        return Sight.HIDDEN if str(path) in mounts else Sight.ABSENT
    return Sight.SOCKET if stat.S_ISSOCK(found.st_mode) else Sight.NO_SOCKET


def _socket(path: Path) -> Socket:
    found = path.lstat()
    return Socket(
        uid=found.st_uid,
        gid=found.st_gid,
        mode=stat.S_IMODE(found.st_mode),
        links=found.st_nlink,
        reach=_reach(path),
    )


def _reach(path: Path) -> Reach:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_LIMIT)
        try:
            client.connect(str(path))
        except PermissionError:
            return Reach.DENIED
        except TimeoutError:
            # A process listens, but is slow to accept.
            return Reach.ANSWERS
        except OSError:
            return Reach.REFUSED
    return Reach.ANSWERS


def _programs(proc: Path, user: User) -> Iterator[Program]:
    """The agent, processes with a terminal, and our caller: their child processes inherit their groups.

    Not sudo(8): its effective user is root, and it sets the groups of the user that it changes to.
    """
    callers = set(_ancestors(proc, os.getppid()))
    for entry in os.listdir(proc):
        if not entry.isdecimal():
            continue
        # A program may end while we read it.
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
            lines = (line.split() for line in text_file.read(proc / entry / "status").splitlines())
            status = {key: rest for key, *rest in lines}
            # Users choose the names of programs; this name is printed on root's terminal.
            name = "".join(char for char in status["Name:"][0] if char.isprintable())
            if int(status["Uid:"][1]) != user.uid:
                continue
            # proc_pid_stat(5): tty_nr is the fifth field after the name, which may contain anything.
            terminal = int(text_file.read(proc / entry / "stat").rpartition(")")[2].split()[4])
            if terminal or name == "coder" or int(entry) in callers:
                gids = {int(gid) for gid in (*status["Gid:"][1:2], *status["Groups:"])}
                yield Program(int(entry), name, frozenset(gids))


def _ancestors(proc: Path, pid: int) -> Iterator[int]:
    """A process and its ancestors, up to the first one that cannot be seen."""
    while pid > 0:
        yield pid
        # proc_pid_stat(5): the parent is the second field after the name.
        fields = text_file.read(proc / str(pid) / "stat").rpartition(")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0

"""The sources of a bundle: files of the workspace, programs, the Docker engine."""

import os
import platform
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from coder_ws_runtime import __version__
from coder_ws_runtime.boot.jetbrains.properties import CONFIG, LOG, PLUGINS, SYSTEM
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor import bundle_allowlist as allowlist
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.bundle_docker import describe_container, describe_engine
from coder_ws_runtime.doctor.checks.home import declarations
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.layout import DEFAULT_USER

LARGEST = 512 * 1024
"""How many characters of one file are kept, at its end."""
_BEFORE = 64 * 1024
"""Bytes before the kept ones that are read too, so that e.g. a key in PEM format is recognized at its end."""
_JOURNAL_LINES = 2000
_LINES_BEFORE = 200
_SECONDS = 10.0
"""The time limit of one program, in seconds."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Source:
    """A file in the archive."""

    name: str
    read: Callable[[], str]
    """Returns its text, from which secrets are removed later."""
    cut: int = 0
    """How many of its first lines are read only for context."""


def tail(path: Path) -> str:
    """The end of a regular file, not much more than what is kept; empty if it cannot be read.

    The last component may not be a link, and nothing here blocks: the directories belong to the user.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return ""
        begin = max(0, found.st_size - LARGEST - _BEFORE)
        try:
            file.seek(begin)
            text = file.read(LARGEST + _BEFORE).decode(errors="replace")
        except OSError:
            return ""
    # Without its beginning, a line does not show what it contains.
    return text.partition("\n")[2] if begin else text


def names_in(directory: Path) -> list[str]:
    """The names in a directory, sorted; empty if it cannot be read."""
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def gather(sources: Sequence[Source]) -> list[tuple[Source, str]]:
    """Read all sources in parallel; return them in order. For one that fails, the text says why."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(zip(sources, pool.map(_read, sources), strict=True))


def _read(source: Source) -> str:
    try:
        return source.read()
    except Exception as error:  # noqa: BLE001 - whatever it is, the rest of the bundle is still wanted
        return f"could not be read: {type(error).__name__}\n"


def logs(context: Context) -> Iterator[Source]:
    """Logs in files: of the hooks, and of the agent and its scripts."""
    layout = context.layout
    for name in names_in(layout.hook_logs):
        yield _file(f"hooks/{name}", layout.hook_logs / name)
    for name in names_in(layout.tmp):
        # The agent's own log directory, and what Coder's scripts and modules write next to it.
        if name.startswith("coder") and name.endswith(".log"):
            yield _file(f"agent/{name}", layout.tmp / name)


def _file(name: str, path: Path) -> Source:
    return Source(name, lambda: tail(path))


def of_system(context: Context) -> Iterator[Source]:
    """What systemd and its journal report."""
    short = ["journalctl", "--quiet", "--no-pager", "--output=short-iso"]
    for unit in systemd.UNITS:
        yield _journal(context, f"journal/{unit.removesuffix('.service')}.log", [*short, "-u", unit])
    proxy = ["-u", "ws-docker-proxy.service", "-u", "ws-docker-proxy.socket"]
    yield _journal(context, "journal/ws-docker-proxy.log", [*short, *proxy])
    yield _journal(context, "journal/warnings-of-the-boot.log", [*short, "--boot", "--priority=warning"])
    status = [
        "systemctl",
        "--no-pager",
        "--full",
        "--lines=20",
        "status",
        *systemd.UNITS,
        "ws-docker-proxy.*",
    ]
    yield _program(context, "units.txt", status)
    yield _program(context, "failed-units.txt", ["systemctl", "--no-pager", "list-units", "--failed"])
    yield _program(context, "boot-times.txt", ["systemd-analyze", "--no-pager", "blame"])
    yield _program(context, "processes.txt", ["ps", "-eo", "pid,ppid,user,stat,lstart,rss,comm"])


def _journal(context: Context, name: str, command: list[str]) -> Source:
    lines = [*command, f"--lines={_JOURNAL_LINES + _LINES_BEFORE}"]
    return Source(name, lambda: context.run(lines, timeout=_SECONDS).stdout, cut=_JOURNAL_LINES)


def _program(context: Context, name: str, *commands: Sequence[str]) -> Source:
    """The output of programs, each after the command line that was run."""

    def read() -> str:
        parts = []
        for command in commands:
            done = context.run(command, timeout=_SECONDS)
            said = done.stdout.rstrip() or ("" if done.ok else done.complaint)
            parts.append(f"$ {' '.join(command)}\n{said}\n" if len(commands) > 1 else f"{said}\n")
        return "\n".join(parts)

    return Source(name, read)


def of_machine(context: Context) -> Iterator[Source]:
    """Accounts, disks, network, memory: the environment of programs in the workspace."""
    layout = context.layout
    yield _program(context, "id.txt", ["id"], ["id", DEFAULT_USER], ["groups"])
    yield _program(context, "disk.txt", ["df", "-hT"], ["df", "-i"])
    addresses = (["ip", "-brief", "address"], ["ip", "route"], ["ip", "-6", "route"])
    yield _program(context, "network.txt", *addresses, ["ss", "-tlnH"])
    yield Source("resolver.txt", lambda: "\n".join(_resolver(context)))
    yield Source("memory.txt", lambda: "\n".join(_memory(context)))
    yield Source("mounts.txt", lambda: "\n".join(allowlist.mounts(tail(layout.proc / "self/mountinfo"))))


def _resolver(context: Context) -> Iterator[str]:
    root = context.layout.root
    for path in (context.layout.resolv_conf, root / "etc/hosts"):
        lines = [line for line in _text(path).splitlines() if line.strip() and not line.startswith("#")]
        yield from [f"{path}:", *(f"  {line}" for line in lines)]
    yield from (line for line in _text(root / "etc/nsswitch.conf").splitlines() if line.startswith("hosts:"))


def _memory(context: Context) -> Iterator[str]:
    wanted = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
    yield from (
        line for line in _text(context.layout.proc / "meminfo").splitlines() if line.startswith(wanted)
    )
    yield f"loadavg: {_text(context.layout.proc / 'loadavg').strip()}"
    for name in ("memory.max", "memory.current", "memory.events", "pids.max", "pids.current", "cpu.max"):
        value = _text(context.layout.cgroups / name)
        if value:
            yield f"{name}: {' '.join(value.split())}"


def _text(path: Path) -> str:
    """A file of the kernel or the system; links are followed."""
    try:
        with path.open("rb") as file:
            return file.read(_BEFORE).decode(errors="replace")
    except OSError:
        return ""


def of_home(context: Context) -> Iterator[Source]:
    """What is kept of the home, and which replaced versions exist."""
    yield Source("links.txt", lambda: "\n".join(_links(context)))
    if context.live:
        as_user = ["sudo", "-n", "-H", "-u", DEFAULT_USER] if context.uid == 0 else []
        yield _program(context, "home-persist-status.txt", [*as_user, "home-persist", "status"])
        yield _program(context, "attic.txt", [*as_user, "home-persist", "attic", "list"])


def _links(context: Context) -> Iterator[str]:
    """Every declared path, with what the home and the volume have there."""
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


def of_jetbrains(context: Context) -> Iterator[Source]:
    """Where the IDEs are, and which directories they are set to use."""
    layout = context.layout

    def listing() -> str:
        directories = (
            layout.jetbrains_config,
            layout.jetbrains_data,
            layout.jetbrains_dist,
            layout.jetbrains_tmp,
        )
        lines = [line for path in directories for line in allowlist.file_names(path, names_in(path))]
        files = [layout.home / "idea.properties"]
        files += [
            layout.jetbrains_config / name / "idea.properties" for name in names_in(layout.jetbrains_config)
        ]
        for file in files:
            text = tail(file)
            lines += (
                [f"{file}:", *(f"  {line}" for line in allowlist.properties(text, _DIRECTORIES))]
                if text
                else []
            )
        return "\n".join(lines)

    yield Source("jetbrains.txt", listing)


_DIRECTORIES = frozenset({CONFIG, PLUGINS, SYSTEM, LOG})


def of_docker(context: Context) -> Iterator[Source]:
    """The engine, this container and its image, the socket, and the client's configuration."""
    if not context.live:
        return
    socket = context.layout.docker_socket
    yield _program(
        context,
        "docker-client.txt",
        ["docker", "version"],
        ["docker", "context", "ls"],
        ["docker", "buildx", "ls"],
    )
    yield Source("docker-engine.txt", lambda: "\n".join(describe_engine(socket, _SECONDS)))
    yield Source("container.txt", lambda: "\n".join(describe_container(context, _SECONDS)))
    yield _program(context, "docker-socket.txt", ["stat", "-L", str(socket)], ["getent", "group", "docker"])


def versions(context: Context) -> str:
    """Versions of the runtime, the distribution, and the programs that the workspace depends on."""
    lines = [
        f"coder-ws-runtime {__version__}",
        f"python {sys.version.split()[0]}",
        f"kernel {platform.release()} {platform.machine()}",
        f"collected {time.strftime('%Y-%m-%dT%H:%M:%S%z')}",
    ]
    wanted = ("PRETTY_NAME", "VERSION_ID")
    lines += [line for line in _text(context.layout.os_release).splitlines() if line.startswith(wanted)]
    for program in ("systemctl", "docker", "git", "curl", "node", "claude"):
        done = context.run([program, "--version"], timeout=5)
        lines.append((done.stdout.splitlines() or [f"{program}: {done.complaint}"])[0])
    return "\n".join(lines)

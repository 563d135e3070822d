"""Checks of the shell's environment: the locale, and variables that name what does not exist."""

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, ok, warning
from coder_ws_runtime.doctor.user_files import renamed
from coder_ws_runtime.system import text_file

_PROGRAM_DIRECTORIES = ("/usr/local/bin", "/usr/bin", "/bin")

_FILES = {
    "SSL_CERT_FILE": "programs trust no server, so TLS connections fail",
    "CURL_CA_BUNDLE": "curl and others trust no server, so TLS connections fail",
    "REQUESTS_CA_BUNDLE": "Python's programs trust no server, so TLS connections fail",
    "GIT_SSL_CAINFO": "git trusts no server, so fetch and push over HTTPS fail",
    "PIP_CERT": "pip trusts no server, so it cannot install anything",
    "PYTHONHOME": "Python does not start",
    "JAVA_HOME": "Java's tools do not start",
    "GOROOT": "go does not start",
    "GIT_DIR": "git finds no repository",
    "GIT_WORK_TREE": "git finds no repository",
}
"""Variables whose value is the path of a file or directory, each with what fails without it."""

_MINOR_FILES = {
    "NODE_EXTRA_CA_CERTS": "Node trusts only public servers",
    "XDG_RUNTIME_DIR": "programs cannot make their sockets",
}
"""Like `_FILES`, but most programs work without it."""

_PROGRAMS = {
    "GIT_SSH_COMMAND": "git cannot connect over SSH",
    "GIT_SSH": "git cannot connect over SSH",
}
"""Variables whose value is a command."""
_MINOR_PROGRAMS = {
    "GIT_EDITOR": "git commit and git rebase fail",
    "VISUAL": "programs that open an editor fail",
    "EDITOR": "programs that open an editor fail",
    "GIT_ASKPASS": "git does not get passwords from it",
    "SSH_ASKPASS": "ssh does not get passwords from it",
}
"""Like `_PROGRAMS`, but much works without it.

Only absolute paths are checked: an editor may exist in one kind of terminal only.
"""

_PRELOADED = "LD_PRELOAD"
_NODE = "NODE_OPTIONS"
_NODE_MODULE = re.compile(r"(?:^|\0)(?:-r|--require|--import|--loader)[\0=](/[^\0]+)")
_JAVA = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
_JAVA_LIBRARY = re.compile(r"(?:^|\0)-(?:javaagent|agentpath):([^\0=]+)")
"""Like `_NODE_MODULE`, for options that are joined by NUL characters."""
_ZONES = "usr/share/zoneinfo"


@check("system.locale", "the locale")
def locale(context: Context) -> Verdict:
    """The locale exists and is UTF-8; otherwise accents, box drawing and some programs break."""
    given = _given(context)
    name = next((given[key] for key in ("LC_ALL", "LC_CTYPE", "LANG") if given.get(key)), "")
    if not name or name in {"C", "POSIX"}:
        remedy = Remedy(
            "choose one in this shell, and in the image with ENV LANG=C.UTF-8", ("export LANG=C.UTF-8",)
        )
        problem = f"the locale is {name or 'not set'!r}, which supports only ASCII"
        return found([warning("system.locale-ascii", problem, remedy)], "")
    charset = name.partition(".")[2].partition("@")[0].lower().replace("-", "")
    if charset != "utf8":
        remedy = Remedy("choose one with UTF-8", ("unset LC_ALL LC_CTYPE; export LANG=C.UTF-8",))
        problem = f"the locale {name} is not UTF-8"
        return found([warning("system.locale-charset", problem, remedy)], "")
    if name.partition(".")[0] not in {"C", "POSIX"} and context.live:
        listed = context.run(["locale", "-a"], timeout=3)
        known = {line.strip().lower().replace("-", "") for line in listed.stdout.splitlines()}
        if listed.ok and name.lower().replace("-", "") not in known:
            remedy = Remedy(
                "choose one that is installed; locale -a lists them",
                ("unset LC_ALL LC_CTYPE; export LANG=C.UTF-8",),
            )
            problem = f"the locale {name} is not installed"
            return found([warning("system.locale-missing", problem, remedy)], "")
    return ok(f"{name}")


def _given(context: Context) -> Mapping[str, str]:
    """The environment from the shell: Python itself sets LC_CTYPE if there is no locale (PEP 538)."""
    shown = text_file.read(context.layout.proc / "self/environ") if context.live else ""
    pairs = (pair.partition("=") for pair in shown.split("\0"))
    return {name: value for name, _, value in pairs if name} or context.env


@check("system.environment", "the shell's environment", needs=[Need.LIVE])
def environment(context: Context) -> Verdict:
    """The shell's variables name files and programs that exist, and PATH has the system's directories."""
    return found([*_path(context), *_named(context), *_preloaded(context), *_zone(context)], "it is in order")


def _path(context: Context) -> Iterator[Finding]:
    """PATH without the system's directories: a startup file replaces it instead of adding to it."""
    path = context.env.get("PATH")
    if path is None:
        return
    present = {os.path.realpath(directory) for directory in path.split(os.pathsep) if directory}
    missing = [name for name in _PROGRAM_DIRECTORIES if os.path.realpath(name) not in present]
    missing = [name for name in dict.fromkeys(map(os.path.realpath, missing)) if os.path.isdir(name)]
    if missing:
        from coder_ws_runtime.doctor.variables import complete_path  # noqa: PLC0415 - rarely needed

        remedy, set_in = complete_path(context, missing)
        problem = f"this shell does not find the programs in {' and '.join(missing)}: PATH lacks it"
        yield failure("system.path-incomplete", problem, remedy, evidence=[f"PATH={path}", *set_in])


def _named(context: Context) -> Iterator[Finding]:
    """Variables that name what does not exist."""
    every: list[tuple[str, Callable[[str], list[str]], str, bool]] = [
        *((name, _whole, what, True) for name, what in _FILES.items()),
        *((name, _whole, what, False) for name, what in _MINOR_FILES.items()),
        *((name, _command, what, True) for name, what in _PROGRAMS.items()),
        *((name, _command, what, False) for name, what in _MINOR_PROGRAMS.items()),
        (_NODE, _named_in(_NODE_MODULE), "node and all programs written for it do not start", True),
        *(
            (name, _named_in(_JAVA_LIBRARY), "Java does not start, and neither does an IDE", True)
            for name in _JAVA
        ),
        (_PRELOADED, _libraries, "each program that is started complains", False),
    ]
    for name, paths, what, fails in every:
        value = context.env.get(name, "")
        missing = [path for path in paths(value) if is_missing(path)] if value else []
        if missing:
            from coder_ws_runtime.doctor.variables import take_out  # noqa: PLC0415 - rarely needed

            remedy, set_in = take_out(context, name, f"remove {name} from the environment")
            problem = f"{name} names {missing[0]}, which does not exist: {what}"
            make = failure if fails else warning
            yield make("system.variable-dangling", problem, remedy, evidence=set_in, about=name)


def _preloaded(context: Context) -> Iterator[Finding]:
    """The list of libraries that every program loads; see ld.so(8)."""
    file = context.layout.root / "etc/ld.so.preload"
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return
    missing = [path for path in _libraries(text) if is_missing(path)]
    if missing:
        remedy = Remedy("move it away", (context.as_root(renamed(file)),))
        problem = f"each program that is started complains: {file} names {missing[0]}, which does not exist"
        yield warning("system.preload-dangling", problem, remedy, evidence=[f"{file}: {' '.join(missing)}"])


def _zone(context: Context) -> Iterator[Finding]:
    """TZ, with which C libraries silently use UTC if they do not know the name; see tzset(3)."""
    value = context.env.get("TZ", "").removeprefix(":")
    zones = context.layout.root / _ZONES
    # With a digit or an angle bracket it is a rule, such as CET-1CEST.
    if not value or re.search(r"[\d<,]", value) or not zones.is_dir() or not is_missing(str(zones / value)):
        return
    from coder_ws_runtime.doctor.variables import take_out  # noqa: PLC0415 - rarely needed
    from coder_ws_runtime.text import find_nearest  # noqa: PLC0415 - as above

    near = find_nearest(value, [str(path.relative_to(zones)) for path in zones.rglob("[A-Z]*")])
    text = "use the time zone of the image" + (f"; a zone with a similar name is {near}" if near else "")
    remedy, set_in = take_out(context, "TZ", text)
    problem = f"programs show the time in UTC: the time zone {value} of TZ does not exist"
    yield warning("system.time-zone-unknown", problem, remedy, evidence=set_in)


def _whole(value: str) -> list[str]:
    return [value] if value.startswith("/") else []


def _command(value: str) -> list[str]:
    """The program of a command, if it is an absolute path."""
    if not value.startswith(("/", "'/", '"/')):
        return []
    if not is_missing(value):
        return []  # a path with blanks
    try:
        return shlex.split(value)[:1]
    except ValueError:
        return []


def _named_in(pattern: re.Pattern[str]) -> Callable[[str], list[str]]:
    """A function for the paths in options, which may be in quotes."""

    def named(value: str) -> list[str]:
        try:
            return pattern.findall("\0".join(shlex.split(value)))
        except ValueError:
            return []

    return named


def _libraries(value: str) -> list[str]:
    """The libraries of a list that are paths; the others are looked up."""
    return [word for word in re.split(r"[\s:]+", value) if word.startswith("/") and "$" not in word]


def is_missing(path: str | Path) -> bool:
    """Whether nothing exists at a path; where the user may not look, something may."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False

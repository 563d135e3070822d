"""What git's settings name: programs, files and keys that do not exist, and repositories of other users."""

import os
import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.doctor.checks.environment import is_missing
from coder_ws_runtime.doctor.checks.proxies import deadness
from coder_ws_runtime.doctor.context import Context, account
from coder_ws_runtime.doctor.findings import Finding, Remedy, failure, warning
from coder_ws_runtime.doctor.user_files import runner_for
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.persist.store.ownership import give
from coder_ws_runtime.system.process import Completed, find_program

_MANY = 200
"""At most this many repositories are looked at."""
_SECONDS = 4.0

_PROGRAMS = {
    "core.sshcommand": ("GIT_SSH_COMMAND", "git cannot connect over SSH"),
    "core.pager": ("GIT_PAGER", "git log and git diff complain in a terminal, or show nothing"),
    "core.askpass": ("GIT_ASKPASS", "git does not get passwords from it"),
    "core.editor": ("GIT_EDITOR", "git commit and git rebase fail"),
}
"""Settings whose value is a command, each with the variable that overrides it, and what fails without it."""

_FILES = ("http.sslcainfo", "http.sslcert", "http.sslkey")
_PROXY = "http.proxy"
_SIGNS = ("commit.gpgsign", "tag.gpgsign")
_FORMATS = {"openpgp": "gpg", "x509": "gpgsm", "ssh": "ssh-keygen"}
"""The formats of signatures, each with the program that makes them; see gpg.format in git-config(1)."""


@dataclass(frozen=True, slots=True)
class Git:
    """What the checks need of git."""

    context: Context
    ask: Callable[[list[str]], Completed]
    """Runs git with these arguments."""
    values: Mapping[str, list[str]] = field(default_factory=dict)
    """All values of each setting, in the order in which git reads them."""

    def last(self, key: str) -> str:
        """The value that counts; empty if there is none."""
        return next(iter(self.values.get(key, [])[-1:]), "")

    def without(self, key: str, value: str = "") -> tuple[str, str]:
        """The command that removes a setting, and the file that it is in."""
        # -z: otherwise git quotes the names of some files in its own way.
        shown = self.ask(["config", "-z", "--show-origin", "--get-all", key]).stdout.split("\0")
        named = zip(shown[::2], shown[1::2], strict=False)
        origins = [origin for origin, said in named if not value or said == value]
        if origins and not origins[-1].startswith("file:"):
            return "unset GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS", "the environment"
        files = [origin.removeprefix("file:") for origin in origins]
        file = os.path.abspath(files[-1]) if files else str(self.context.layout.home / ".gitconfig")
        what = f"--fixed-value --unset-all {shlex.quote(key)} {shlex.quote(value)}"
        what = what if value else f"--unset-all {shlex.quote(key)}"
        command = f"git config --file {shlex.quote(file)} {what}"
        return runner_for(self.context, file)(command), file


def problems(context: Context, listed: str, ask: Callable[[list[str]], Completed]) -> Iterator[Finding]:
    """What is wrong with what the settings name.

    Args:
        context: the workspace.
        listed: the output of ``git var -l``: lines of ``key=value``.
        ask: runs git with arguments.
    """
    values: dict[str, list[str]] = defaultdict(list)
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        values[key].append(value)
    git = Git(context, ask, values)
    yield from _programs(git)
    yield from _helpers(git)
    yield from _files(git)
    yield from _signing(git)
    yield from _foreign(git)


def _programs(git: Git) -> Iterator[Finding]:
    for key, (variable, what) in _PROGRAMS.items():
        command = git.last(key)
        # An editor is often a command that only one kind of terminal has, as VS Code's has `code`.
        if not command or git.context.env.get(variable) or (key == "core.editor" and "/" not in command):
            continue
        if program := _absent(git.context, command):
            yield _named(git, key, f"{what}: {key} names {program}, which does not exist")


def _helpers(git: Git) -> Iterator[Finding]:
    """Programs that keep passwords; an empty value forgets those before it (gitcredentials(7))."""
    used = git.values.get("credential.helper", [])
    after = used[len(used) - used[::-1].index("") :] if "" in used else used
    for helper in after:
        if helper.startswith("!"):
            program = _absent(git.context, helper[1:])
        elif helper.startswith("/"):
            program = _absent(git.context, helper)
        else:
            program = f"git-credential-{helper.split()[0]}"
            places = f"{git.context.env.get('PATH', os.defpath)}:{git.ask(['--exec-path']).stdout.strip()}"
            program = "" if find_program(program, places) else program
        if program:
            problem = f"git complains at each login, and keeps none: {program} does not exist"
            yield _named(git, "credential.helper", problem, helper)


def _files(git: Git) -> Iterator[Finding]:
    for key in _FILES:
        value = git.last(key)
        path = _expanded(git.context, value)
        if value and is_missing(path):
            yield _named(git, key, f"git cannot connect over HTTPS: {key} names {path}, which does not exist")
    why = deadness(git.last(_PROXY)) if git.last(_PROXY) else ""
    if why:
        yield _named(git, _PROXY, f"git cannot connect over HTTPS: its proxy does not answer ({why})")


def _named(git: Git, key: str, problem: str, value: str = "") -> Finding:
    command, file = git.without(key, value)
    make = warning if key in {"credential.helper", "core.askpass", "core.pager"} else failure
    evidence = [f"{key} in {file}"]  # without its value, which may have a password
    return make(
        "programs.git-setting-dangling",
        problem,
        Remedy("remove it", (command,)),
        evidence=evidence,
        about=key,
    )


def _signing(git: Git) -> Iterator[Finding]:
    """Signatures of commits; without the key or the program, no commit can be made."""
    signs = [key for key in _SIGNS if git.last(key).lower() in {"true", "yes", "on", "1"}]
    why = _why_unsigned(git) if signs else ""
    if why:
        commands = tuple(git.without(key)[0] for key in signs)
        remedy = Remedy("do without signatures until it is there", commands)
        problem = f"each git commit fails: it is to be signed, and {why}"
        evidence = [f"{key} is set in {git.without(key)[1]}" for key in signs]
        yield failure("programs.git-signing-broken", problem, remedy, evidence=evidence)


def _why_unsigned(git: Git) -> str:
    form, key = git.last("gpg.format") or "openpgp", git.last("user.signingkey")
    named = git.last(f"gpg.{form}.program") or (git.last("gpg.program") if form == "openpgp" else "")
    program = named or _FORMATS.get(form, "")
    path = _expanded(git.context, program)
    found = path if "/" in path else find_program(program, git.context.env.get("PATH", os.defpath))
    if not program:
        return ""
    if found is None or is_missing(found):
        return f"{program} does not exist"
    if form == "ssh":
        literal = key.startswith(("key::", "ssh-", "ecdsa-", "sk-"))
        file = _expanded(git.context, key)
        return f"there is no key {file}" if key and not literal and is_missing(file) else ""
    return _no_key(git, found, key) if form == "openpgp" else ""


def _no_key(git: Git, program: str, key: str) -> str:
    """Whether gpg lacks the secret key; it is not asked if it has no keys at all."""
    directory = Path(git.context.env.get("GNUPGHOME") or git.context.layout.home / ".gnupg")
    wanted = key or git.last("user.email")
    if is_missing(directory):
        return f"there is no key {wanted}: {directory} does not exist"
    argv = [program, "--batch", "--list-secret-keys", *([wanted.rstrip("!")] if wanted else [])]
    done = git.context.run(argv, timeout=_SECONDS, env={**git.context.env, "LC_ALL": "C"})
    return f"gpg has no secret key {wanted}" if not done.ok and "No secret key" in done.stderr else ""


def _foreign(git: Git) -> Iterator[Finding]:
    """Repositories in which git refuses to work, because another user owns them (safe.directory)."""
    context, user = git.context, git.context.ask(account)
    name = context.settings.projects
    projects = context.layout.root / name.lstrip("/")
    if not name or user is None:
        return
    safe = [_expanded(context, value) for value in git.values.get("safe.directory", [])]
    foreign: dict[str, int] = {}
    try:
        with os.scandir(projects) as listing:
            for item, _ in zip(listing, range(_MANY), strict=False):
                owners = [_owner(item.path), _owner(f"{item.path}/.git")]
                other = next((uid for uid in owners if uid is not None and uid != user.uid), None)
                if None not in owners and other is not None and not _is_safe(item.path, safe):
                    foreign[item.path] = other
    except OSError:
        return
    if foreign:
        remedy = Remedy("give them to the user", (context.as_root(give(list(foreign), DEFAULT_USER)),))
        first = next(iter(foreign))
        problem = f"git refuses to work in {first}, which belongs to another user"
        evidence = [f"{path}: uid {uid}" for path, uid in list(foreign.items())[:5]]
        yield failure("programs.git-repository-foreign", problem, remedy, evidence=evidence, about=first)


def _is_safe(path: str, safe: list[str]) -> bool:
    """Whether a value of safe.directory is for this repository; an empty one forgets those before it."""
    after = safe[len(safe) - safe[::-1].index("") :] if "" in safe else safe
    return any(
        value in {"*", path} or (value.endswith("/*") and path.startswith(value[:-1])) for value in after
    )


def _owner(path: str) -> int | None:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None


def _expanded(context: Context, path: str) -> str:
    return f"{context.layout.home}/{path[2:]}" if path.startswith("~/") else path


def _absent(context: Context, command: str) -> str:
    """The program of a command for the shell, if it does not exist; empty also if only a shell could tell."""
    if re.search(r"[$`();&|<>\\]", command):
        return ""
    try:
        program = next(iter(shlex.split(command)), "")
    except ValueError:
        return ""
    if not program or "=" in program:
        return ""
    if "/" in program:
        path = _expanded(context, program)
        return path if path.startswith("/") and is_missing(path) else ""
    # What a shell has built in is not on PATH.
    there = program in {"test", "echo", "printf", "cd", ":", "exec", "if", "for", "f"}
    return "" if there or find_program(program, context.env.get("PATH", os.defpath)) else program

"""The check of git's settings: a line that git cannot read stops every git command."""

import os
import re
from pathlib import Path

from coder_ws_runtime.doctor.checks.git_programs import Git, problems
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, skipped, warning
from coder_ws_runtime.doctor.user_files import (
    Complaints,
    comment_out,
    is_closed,
    move_away,
    open_up,
    set_aside,
    shown_mode,
)
from coder_ws_runtime.system.process import Completed, find_program

_SECONDS = 4.0
_OF_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE"}
_BAD_LINE = re.compile(r"bad config line (\d+)(?: in file (.+)| in .*)?$", re.MULTILINE)
_DIRECTORY = re.compile(r"unable to access '(.+)': Is a directory")
_BAD_VALUE = re.compile(r"\b(?:bad|malformed) .*?\b([A-Za-z][\w-]*\.[\w.-]+)\b", re.MULTILINE)


@check("programs.git", "git's settings", needs=[Need.LIVE])
def git(context: Context) -> Verdict:
    """Git reads its settings, of which a mistake stops every git command, and what they name exists."""
    program = find_program("git", context.env.get("PATH", os.defpath))
    if program is None:
        return skipped("git is not part of this image")
    # Not `git config --list`: that reads values without checking whether git can use them.
    done = _ask(context, program, ["var", "-l"])
    findings = [_closed(context, path) for path in _files(context) if is_closed(context, path)]
    directory = _DIRECTORY.search(done.stderr)
    if directory:
        return found([*findings, _not_a_file(context, Path(os.path.abspath(directory[1])), directory[0])], "")
    if done.ok or "fatal: " not in done.stderr:
        named = problems(context, done.stdout, lambda words: _ask(context, program, words))
        return found([*findings, *named], "git reads them, and what they name exists")
    return found([*findings, _invalid(context, program, done)], "")


def _files(context: Context) -> list[Path]:
    return [context.layout.home / name for name in (".gitconfig", ".config/git/config")]


def _ask(context: Context, program: str, words: list[str]) -> Completed:
    """What git says outside of a repository."""
    env = {**context.env, "HOME": str(context.layout.home), "LC_ALL": "C", "LANGUAGE": "C"}
    outside = {name: value for name, value in env.items() if name not in _OF_REPOSITORY}
    return context.run([program, *words], timeout=_SECONDS, env=outside)


def _complaints(context: Context, program: str, text: str) -> Complaints:
    """What git says about a text, tested without its settings, which it cannot read."""
    env = {**context.env, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    argv = [program, "config", "--file", "-", "--list"]
    done = context.run(argv, timeout=_SECONDS, env=env, stdin=text)
    return Complaints(done.ok, [int(number) for number, _ in _BAD_LINE.findall(done.stderr)])


def _invalid(context: Context, program: str, done: Completed) -> Finding:
    begin = done.stderr.index("fatal: ")
    said = [line for line in done.stderr[begin:].splitlines() if line.strip()][:3]
    line, value = _BAD_LINE.search(done.stderr), _BAD_VALUE.search(done.stderr)
    if line and line[2]:
        file = Path(os.path.abspath(line[2]))
        remedy = comment_out(context, file, lambda text: _complaints(context, program, text))
        problem = f"every git command fails: git cannot read line {line[1]} of {file}"
        return failure("programs.git-settings-invalid", problem, remedy, evidence=said, about=str(file))
    if value:
        return _bad_value(context, program, value[1], said)
    if "command-line config" in done.stderr or "GIT_CONFIG_" in done.stderr:
        return _bad_variable(context, said)
    own = [path for path in _files(context) if path.is_file()]
    remedy = set_aside(context, own[0]) if own else Remedy("correct what git names")
    problem = "every git command fails: git cannot use its settings"
    about = str(own[0]) if own else ""
    return failure("programs.git-settings-invalid", problem, remedy, evidence=said, about=about)


def _bad_variable(context: Context, said: list[str]) -> Finding:
    """Settings in the environment: GIT_CONFIG_COUNT with its keys and values, or GIT_CONFIG_PARAMETERS."""
    from coder_ws_runtime.doctor.variables import take_out_all  # noqa: PLC0415 - rarely needed

    names = [name for name in ("GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS") if name in context.env]
    remedy, set_in = take_out_all(context, names or ["GIT_CONFIG_COUNT"], "use only the settings in files")
    problem = "every git command fails: git cannot use the settings in the environment"
    return failure("programs.git-settings-invalid", problem, remedy, evidence=[*said, *set_in])


def _not_a_file(context: Context, path: Path, said: str) -> Finding:
    """An engine creates a directory for a bind mount of a file that does not exist."""
    problem, remedy = f"git commands fail: {path} is a directory", move_away(context, path)
    return failure("programs.git-settings-invalid", problem, remedy, evidence=[said], about=str(path))


def _closed(context: Context, path: Path) -> Finding:
    problem = f"git ignores {path}, which it may not read"
    code, evidence = "programs.git-settings-closed", [shown_mode(path)]
    return warning(code, problem, open_up(context, path), evidence=evidence, about=str(path))


def _bad_value(context: Context, program: str, key: str, said: list[str]) -> Finding:
    command, file = Git(context, lambda words: _ask(context, program, words)).without(key)
    remedy = Remedy("remove it", (command,))
    problem = f"git commands fail: {file} has a value for {key} that git does not accept"
    return failure("programs.git-settings-invalid", problem, remedy, evidence=said, about=file)

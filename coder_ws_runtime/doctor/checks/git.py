"""The check of git's settings: a line that git cannot read stops every git command."""

import os
import re
import shlex
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, ok, skipped
from coder_ws_runtime.doctor.user_files import comment_out
from coder_ws_runtime.system.process import Completed, find_program

_SECONDS = 4.0
_BAD_LINE = re.compile(r"bad config line (\d+)(?: in file (.+)| in .*)?$", re.MULTILINE)
_BAD_VALUE = re.compile(r"\b(?:bad|malformed) .*?\b([A-Za-z][\w-]*\.[\w.-]+)\b", re.MULTILINE)


@check("programs.git", "git's settings", needs=[Need.LIVE])
def git(context: Context) -> Verdict:
    """Git reads its settings: a mistake in ~/.gitconfig stops every git command."""
    program = find_program("git", context.env.get("PATH", os.defpath))
    if program is None:
        return skipped("git is not a part of this image")
    # Not `git config --list`: that reads values without looking whether git can use them.
    done = _ask(context, [program, "var", "-l"])
    if done.ok or ("bad " not in f"{done.stderr} " and "malformed" not in done.stderr):
        return ok("git reads them")
    return found([_invalid(context, program, done)], "")


def _ask(context: Context, argv: list[str]) -> Completed:
    env = {**context.env, "HOME": str(context.layout.home), "LC_ALL": "C", "LANGUAGE": "C"}
    return context.run(argv, timeout=_SECONDS, env=env)


def _bad_lines(context: Context, program: str, text: str) -> list[int]:
    """The lines of a text that git cannot read, without its settings: those it cannot read, either."""
    env = {**context.env, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    argv = [program, "-C", "/", "config", "--file", "-", "--list"]
    done = context.run(argv, timeout=_SECONDS, env=env, stdin=text)
    return [int(number) for number, _ in _BAD_LINE.findall(done.stderr)]


def _invalid(context: Context, program: str, done: Completed) -> Finding:
    said = [line for line in done.stderr.strip().splitlines() if line][-2:]
    line, value = _BAD_LINE.search(done.stderr), _BAD_VALUE.search(done.stderr)
    if line and line[2]:
        file = Path(os.path.abspath(line[2]))
        remedy = comment_out(context, file, lambda text: _bad_lines(context, program, text))
        problem = f"every git command fails: git cannot read line {line[1]} of {file}"
        return failure("programs.git-settings-invalid", problem, remedy, evidence=said, about=str(file))
    if value:
        return _bad_value(context, program, value[1], said)
    remedy = Remedy("correct what git names")
    return failure("programs.git-settings-invalid", "every git command fails", remedy, evidence=said)


def _bad_value(context: Context, program: str, key: str, said: list[str]) -> Finding:
    shown = _ask(context, [program, "config", "--show-origin", "--get-all", key]).stdout
    names = [line.partition("\t")[0].removeprefix("file:") for line in shown.splitlines()]
    file = os.path.abspath(names[-1]) if names else str(context.layout.home / ".gitconfig")
    command = f"git config --file {shlex.quote(file)} --unset-all {shlex.quote(key)}"
    ours = os.access(file, os.W_OK) or context.uid == 0
    remedy = Remedy("take it out", (context.as_user(command) if ours else context.as_root(command),))
    problem = f"git commands fail: {file} has a value for {key} that git does not know"
    return failure("programs.git-settings-invalid", problem, remedy, evidence=said, about=file)

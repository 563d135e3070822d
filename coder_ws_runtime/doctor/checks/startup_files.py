"""Checks of what programs read when they start: shells, and Claude Code."""

import json
import os
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, skipped, warning
from coder_ws_runtime.doctor.home_walk import container_made
from coder_ws_runtime.doctor.user_files import is_closed, open_up, set_aside, shown_mode
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.process import find_program

_SECONDS = 4.0
_SHELLS = {
    "bash": (".bashrc", ".profile", ".bash_profile", ".bash_login", ".bash_aliases"),
    "zsh": (".zshenv", ".zprofile", ".zshrc", ".zlogin"),
    "fish": (".config/fish/config.fish",),
}
_OF_SYSTEM = ("etc/profile", "etc/profile.d", "etc/bash.bashrc")
"""What bash reads before; those of the image are not looked at, only what has changed since."""
_CLAUDE = (".claude.json", ".claude/settings.json")
_SIZE = 8 << 20
"""Size in bytes up to which a JSON file is checked."""


@check("programs.shell", "the shell's startup files", needs=[Need.LIVE])
def shell(context: Context) -> Verdict:
    """The login shell exists, and reads its startup files to the end: after a mistake it skips the rest."""
    findings = _login_shell(context)
    for name, files in _SHELLS.items():
        there = [context.layout.home / file for file in files]
        findings += [_closed(context, path) for path in there if is_closed(context, path)]
        changed = [path for path in there if _is_users(context, path)]
        changed += _changed_of_system(context) if name == "bash" else []
        program = find_program(name, context.env.get("PATH", os.defpath)) if changed else None
        for path in changed if program else ():
            # A file may switch extended patterns on, which `-n` does not do.
            options = ["-O", "extglob"] if name == "bash" else []
            done = context.run([program or name, *options, "-n", str(path)], timeout=_SECONDS)
            if not done.ok and str(path) in done.stderr:
                findings.append(_broken(context, name, path, done.stderr.strip().splitlines()[:2]))
    return found(findings, "shells read them")


def _login_shell(context: Context) -> list[Finding]:
    """The shell that terminals and ssh start."""
    accounts = (line.split(":") for line in text_file.read(context.layout.passwd_file).splitlines())
    program = next((fields[6] for fields in accounts if fields[0] == DEFAULT_USER and len(fields) > 6), "")  # noqa: PLR2004 - passwd(5)
    if not program or (os.path.isfile(program) and os.access(program, os.X_OK)):
        return []
    remedy = Remedy("use bash again", (context.as_root(f"usermod --shell /bin/bash {DEFAULT_USER}"),))
    problem = f"no terminal opens: the login shell of {DEFAULT_USER} is {program}, which cannot be run"
    evidence = [f"{context.layout.passwd_file}: {DEFAULT_USER} has {program}"]
    return [failure("programs.shell-missing", problem, remedy, evidence=evidence)]


def _changed_of_system(context: Context) -> list[Path]:
    """Startup files of the system that were written since the container was made."""
    since = context.ask(container_made)
    files: list[Path] = []
    for top in (context.layout.root / name for name in _OF_SYSTEM):
        files += sorted(top.glob("*.sh")) if top.is_dir() else [top]
    return [file for file in files if file.is_file() and file.stat().st_ctime > since]


def _is_users(context: Context, path: Path) -> bool:
    """Whether the file exists and is not from the image."""
    content = text_file.read_bytes(path)
    return content is not None and content != text_file.read_bytes(_skeleton(context, path))


def _closed(context: Context, path: Path) -> Finding:
    problem = f"shells ignore {path}, which they may not read"
    evidence = [shown_mode(path)]
    about = str(path)
    return warning(
        "programs.shell-file-closed", problem, open_up(context, path), evidence=evidence, about=about
    )


def _skeleton(context: Context, path: Path) -> Path:
    return context.layout.root / "etc/skel" / path.relative_to(context.layout.home)


def _broken(context: Context, shell_: str, path: Path, said: list[str]) -> Finding:
    if path.is_relative_to(context.layout.home):
        skeleton = _skeleton(context, path)
        remedy = set_aside(context, path, skeleton if skeleton.exists() else None)
    else:
        remedy = set_aside(context, path)
    problem = f"{shell_} stops in {path}, and does not run the rest of it"
    return warning("programs.shell-file-invalid", problem, remedy, evidence=said, about=str(path))


@check("programs.claude", "Claude Code's settings")
def claude(context: Context) -> Verdict:
    """Claude Code's settings are valid JSON; otherwise it ignores them, and editing tools lose them."""
    findings = []
    for name in _CLAUDE:
        path = context.layout.home / name
        content = text_file.read_bytes(path, _SIZE)
        if not content or len(content) == _SIZE:
            continue
        try:
            json.loads(content)
        except ValueError as error:
            remedy = set_aside(context, path, text="{}")
            problem = f"{path} is not valid JSON"
            evidence = [f"{path}: {error}"]
            findings.append(
                warning(
                    "programs.claude-settings-invalid", problem, remedy, evidence=evidence, about=str(path)
                )
            )
    if not findings and not (context.layout.share / "claude-code").is_dir():
        return skipped("not part of this image")
    return found(findings, "they are valid JSON")

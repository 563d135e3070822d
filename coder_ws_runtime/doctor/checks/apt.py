"""The check of apt: an interrupted installation, or a mistake in its sources, stops every later one."""

import os
import re
import shlex
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found
from coder_ws_runtime.doctor.home_walk import container_made
from coder_ws_runtime.doctor.user_files import renamed
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.process import find_program
from coder_ws_runtime.system.processes import running

_SECONDS = 6.0
_INSTALLERS = frozenset({"apt", "apt-get", "aptitude", "dpkg", "unattended-upgr"})
_UPDATES = "var/lib/dpkg/updates"
"""dpkg's journal; see README.journal in its source. It has files only while dpkg runs."""
_READ = ("etc/apt/sources.list", "etc/apt/sources.list.d", "etc/apt/apt.conf", "etc/apt/apt.conf.d")
"""What apt reads whenever it is started."""
_BAD_LINE = re.compile(r"Malformed entry (\d+) in list file (\S+)")
_BAD_FILE = re.compile(
    r"(?:Malformed \w+ \d+ in (?:source|list|sources) file |in sources list |Syntax error )([^\s:]+)"
)
_TWICE = re.compile(r"^E: Conflicting values set for option \S+ regarding source (\S+?)/? ", re.MULTILINE)


@check("programs.apt", "apt", needs=[Need.LIVE])
def apt(context: Context) -> Verdict:
    """Packages can be installed: no installation was interrupted, and apt can read its sources."""
    findings = [item for item in (_interrupted(context), _unreadable(context)) if item]
    return found(findings, "packages can be installed")


def _interrupted(context: Context) -> Finding | None:
    directory = context.layout.root / _UPDATES
    if not _left(directory) or any(process.name in _INSTALLERS for process in running(context.layout.proc)):
        return None
    left = _left(directory)  # again: dpkg may have ended in between
    if not left:
        return None
    remedy = Remedy("finish it", (context.as_root("dpkg --configure -a"),))
    problem = "apt refuses to install anything: an installation was interrupted"
    return failure(
        "programs.apt-interrupted", problem, remedy, evidence=[f"{directory}: {', '.join(left[:3])}"]
    )


def _left(directory: Path) -> list[str]:
    """The files of dpkg's journal."""
    try:
        return [name for name in os.listdir(directory) if name.isdecimal()]
    except OSError:
        return []


def _unreadable(context: Context) -> Finding | None:
    """A mistake in the lists of sources or the settings, if one has changed since the container was made."""
    program = find_program("apt-get", context.env.get("PATH", os.defpath))
    changed = _changed(context) if program else []
    if program is None or not changed:
        return None
    done = context.run([program, "indextargets"], timeout=_SECONDS, env={**context.env, "LC_ALL": "C"})
    said = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
    line, file, twice = (pattern.search(done.stderr) for pattern in (_BAD_LINE, _BAD_FILE, _TWICE))
    place = line[2] if line else file[1] if file else _with_text(changed, twice[1]) if twice else ""
    if not said or not place:
        return None
    if line:
        commands = (context.as_root(f"sed -i {line[1]}'s/^/# /' {shlex.quote(place)}"),)
        remedy = Remedy(f"comment out line {line[1]}, and correct it later", commands)
    else:
        remedy = Remedy("move it away", (context.as_root(renamed(place, "disabled")),))
    why = f"{place} contradicts another list of sources" if twice else f"it cannot read {place}"
    problem = f"apt does not work: {why}"
    return failure("programs.apt-sources-invalid", problem, remedy, evidence=said[:2], about=place)


def _with_text(files: list[Path], text: str) -> str:
    """The first of these files that has a text; empty if none does."""
    return next((str(file) for file in files if text in text_file.read(file)), "")


def _changed(context: Context) -> list[Path]:
    """What apt reads and has changed since the container was made; the latest change first."""
    since = context.ask(container_made)
    files: list[Path] = []
    for top in (context.layout.root / name for name in _READ):
        try:
            files += [top, *top.iterdir()] if top.is_dir() else [top]
        except OSError:
            continue
    dated = {file: file.stat().st_ctime for file in files if file.is_file()}
    return sorted((file for file in dated if dated[file] > since), key=lambda file: -dated[file])

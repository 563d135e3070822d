"""What an image has and has not: `check.py base.toml cpp.toml`, run in the image as root.

[commands]  a login shell of the user runs it, and what it prints matches the regular expression
[files]     owner:group and mode of a path, which may be a link: what it leads to counts
[units]     the user that a unit runs as
[absent]    paths (with wildcards) and packages that must not be there

The standard library only: the publish workflow runs it in the image, on a machine of each architecture.
"""

import glob
import grp
import os
import pwd
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

USER = os.environ.get("_REMOTE_USER", "coder")
UNITS = Path("/usr/local/lib/systemd/system")


def commands(expected: dict[str, str]) -> Iterator[str]:
    for command, pattern in expected.items():
        words = ["runuser", "-l", USER, "-c", command]
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60
        )
        if done.returncode != 0:
            yield f"{command}: ended with status {done.returncode}: {done.stdout.strip()}"
        elif not re.search(pattern, done.stdout, re.MULTILINE):
            yield f"{command}: {done.stdout.strip()!r} does not match {pattern!r}"


def files(expected: dict[str, str]) -> Iterator[str]:
    for path, wanted in expected.items():
        try:
            found = Path(path).stat()
        except FileNotFoundError:
            yield f"{path}: is not there"
            continue
        owner, group = pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name
        text = f"{owner}:{group} {stat.S_IMODE(found.st_mode):04o}"
        if text != wanted:
            yield f"{path}: is {text}, not {wanted}"


def units(expected: dict[str, str]) -> Iterator[str]:
    for unit, user in expected.items():
        text = (UNITS / unit).read_text() if (UNITS / unit).exists() else ""
        found = re.findall(r"^User=(.*)$", text, re.MULTILINE) or ["root"]
        if not text or found != [user]:
            yield f"{unit}: runs as {found[0] if text else 'nobody, it is not there'}, not as {user}"


def absent(expected: dict[str, list[str]]) -> Iterator[str]:
    for pattern in expected.get("paths", []):
        for path in glob.glob(pattern, include_hidden=True):
            yield f"{path}: must not be there"
    for package in expected.get("packages", []):
        words = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
        if subprocess.run(words, capture_output=True, text=True, check=False).stdout == "installed":
            yield f"package {package}: must not be installed"


# Commands leave files behind: they are the last.
SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "absent": absent,
    "files": files,
    "units": units,
    "commands": commands,
}


def check(files: list[Path]) -> Iterator[str]:
    """What is not so. A section that nobody knows is an error."""
    tables: list[dict[str, Any]] = [tomllib.loads(file.read_text()) for file in files]
    unknown = {name for table in tables for name in table} - set(SECTIONS)
    if unknown:
        yield f"no such section: {', '.join(sorted(unknown))}"
    for name, section in SECTIONS.items():
        for table in tables:
            yield from section(table.get(name, {}))


if __name__ == "__main__":
    sys.exit("\n".join(check([Path(name) for name in sys.argv[1:]])) or 0)

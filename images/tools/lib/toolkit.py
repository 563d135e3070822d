"""What the recipes of the images share: where a file comes from, whether it is the right one, where it goes.

A recipe is `images/tools/<name>/install`. It runs as root in a build, from a bind mount, with nothing but
Debian's Python; this directory is mounted, too, and found by `PYTHONPATH`. These build arguments reach it:

MIRROR
    A server that has every file at `$MIRROR/<host>/<path>`; empty for the publishers' own servers.
TOOLS
    A JSON object as in the lock file: what it says of a tool counts instead.
_REMOTE_USER
    The user of the workspace.

Nothing is installed whose checksum was not named before: by the publisher's own file of checksums, by npm's
registry, or by our lock file, `tools.lock`.
"""

import json
import os
import platform
import pwd
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from downloads import Downloads, ToolError

BIN = Path("/usr/local/bin")
SHARE = Path("/usr/local/share")
PROFILE = Path("/etc/profile.d")
UNITS = Path("/etc/systemd/system.conf.d")
MANIFESTS = Path("/etc/home-persist.d")
# In a build that is /dev/tools.lock: it is mounted there, for the recipes that want it.
LOCK = Path(__file__).parents[2] / "tools.lock"
NPM = "https://registry.npmjs.org"


@dataclass(frozen=True, slots=True)
class Machine:
    """The names that publishers give to one architecture."""

    debian: str
    """Debian's and Docker's, e.g. `amd64`."""
    kernel: str
    """The kernel's and LLVM's, e.g. `x86_64`."""
    node: str
    """Node's, e.g. `x64`."""


_MACHINES = {
    "x86_64": Machine("amd64", "x86_64", "x64"),
    "aarch64": Machine("arm64", "aarch64", "arm64"),
}


def machine(name: str = "") -> Machine:
    """The architecture that is built for.

    Args:
        name: as `uname -m` prints it; this machine's by default.

    Raises:
        ToolError: no image is built for it.
    """
    name = name or platform.machine()
    if name not in _MACHINES:
        raise ToolError(f"no image is built for {name}; known: {', '.join(_MACHINES)}")
    return _MACHINES[name]


def locked(tool: str) -> dict[str, Any]:
    """What our lock file says of a tool: its version, and checksums where its publisher has none.

    Raises:
        ToolError: it says nothing, or `TOOLS` is no JSON object of objects.
    """
    try:
        entry: dict[str, Any] = json.loads(LOCK.read_text("utf-8"))[tool]
    except (OSError, ValueError, KeyError) as error:
        raise ToolError(f"{LOCK.name} says nothing of {tool}: {error!r}") from error
    given = os.environ.get("TOOLS") or "{}"
    try:
        return {**entry, **json.loads(given).get(tool, {})}
    except (ValueError, AttributeError, TypeError) as error:
        example = '{"node": {"version": "24.1.0"}}'
        raise ToolError(f"TOOLS is {given!r}; it is a JSON object as in {LOCK.name}: {example}") from error


def unpack(archive: Path, target: Path, *, strip: int = 0) -> None:
    """Unpack a tar archive.

    Args:
        archive: compressed or not.
        target: a directory; made where it is missing.
        strip: how many leading components of the names are dropped.
    """

    def without_head(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        _, *rest = ["", *member.name.split("/")[strip:]]
        if not any(rest):
            return None
        names = {"name": "/".join(rest)}
        if member.islnk():
            names["linkname"] = "/".join(member.linkname.split("/")[strip:])
        return tarfile.tar_filter(member.replace(**names, deep=False), path)  # type: ignore[arg-type]

    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter=without_head)  # noqa: S202 - the filter is the standard library's


def link(target: Path, *names: str, directory: Path = BIN) -> None:
    """Link a program, by its own name or by others, where it is on PATH."""
    for name in names or (target.name,):
        place = directory / name
        place.unlink(missing_ok=True)
        place.symlink_to(target)


def own(directory: Path) -> None:
    """Give a tree to the user of the workspace."""
    user = remote_user()
    for place in (directory, *directory.rglob("*")):
        os.chown(place, user.pw_uid, user.pw_gid, follow_symlinks=False)


def remote_user() -> pwd.struct_passwd:
    """The user of the workspace, by `$_REMOTE_USER`.

    Raises:
        ToolError: there is no such user.
    """
    name = os.environ.get("_REMOTE_USER", "")
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise ToolError(f"_REMOTE_USER is {name!r}: there is no such user") from error


def run(*words: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Run a program; what it prints is the build's output.

    Raises:
        ToolError: it failed.
    """
    done = subprocess.run(words, env={**os.environ, **(env or {})}, check=False)
    if done.returncode != 0:
        raise ToolError(f"{words[0]} ended with status {done.returncode}")


def apt_install(*packages: str) -> None:
    """Install packages of Debian, and leave no lists behind."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    # Without it an index that is not signed, or not there, is a warning.
    run("apt-get", "update", "-qq", "--error-on=any")
    run("apt-get", "install", "-yqq", "--no-install-recommends", *packages, env=quiet)
    _clean()


def _clean() -> None:
    """What apt and dpkg leave behind."""
    run("apt-get", "clean")
    for directory in (Path("/var/lib/apt/lists"), Path("/var/log"), Path("/var/cache/apt")):
        for place in directory.iterdir():
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink()


@contextmanager
def build_tools(*packages: str) -> Iterator[None]:
    """Packages of Debian that are there as long as something is compiled."""
    apt_install(*packages)
    yield
    # Else what some other package merely suggests stays, e.g. binutils.
    strictly = "-oAPT::AutoRemove::SuggestsImportant=false"
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "purge", "-yqq", "--auto-remove", strictly, *packages, env=quiet)
    _clean()


def npm_install(package: str | Path, home: Path, work: Path, env: Mapping[str, str] | None = None) -> None:
    """Install a package of npm with what it needs, for everybody; npm verifies what it downloads.

    Args:
        package: `name@version`, or a package's archive.
        home: where it lies then; its programs are in `bin`.
        work: a directory that does not last.
        env: further variables.

    Raises:
        ToolError: npm failed; it has said why.
    """
    settings = {
        "registry": Downloads().address(NPM),
        "cache": str(work / "npm"),
        "audit": "false",
        "fund": "false",
        "update_notifier": "false",
        # As Downloads does: five tries, and a second before the next one.
        "fetch_retries": "4",
        "fetch_retry_mintimeout": "1000",
        "fetch_retry_factor": "2",
        "loglevel": "warn",
    }
    shutil.rmtree(home, ignore_errors=True)
    words = ("install", "--global", "--prefix", home, package)
    # Compiled code of npm's would be kept in /tmp.
    environment = {"NODE_DISABLE_COMPILE_CACHE": "1", **(env or {})}
    environment.update({f"npm_config_{name}": value for name, value in settings.items()})
    run(BIN / "npm", *words, env=environment)


def variables(tool: str, values: Mapping[str, str], in_home: Mapping[str, str] | None = None) -> None:
    """Variables for every login shell and for every unit, and so for all that these start.

    Args:
        tool: names the files.
        values: by name.
        in_home: further ones, each a path of the home: of the user's home for units, and of its own user's
            for a shell, so that root does not write into the user's.
    """
    paths = in_home or {}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items()]
    lines += [f'export {name}="$HOME"/{shlex.quote(path)}\n' for name, path in paths.items()]
    (PROFILE / f"{tool}.sh").write_text("".join(lines))
    UNITS.mkdir(parents=True, exist_ok=True)
    absolute = {name: f"{remote_user().pw_dir}/{path}" for name, path in paths.items()}
    words = " ".join(f'"{name}={value}"' for name, value in {**values, **absolute}.items())
    (UNITS / f"{tool}.conf").write_text(f"[Manager]\nDefaultEnvironment={words}\n")


@contextmanager
def recipe(tool: str) -> Iterator[Path]:
    """Run a recipe: gives it a directory to work in, and says in one piece why it failed.

    The tool has a directory in `SHARE` then, by which `ws-doctor` sees that the image has the tool.
    """
    with tempfile.TemporaryDirectory(prefix=f"{tool}-") as directory:
        try:
            yield Path(directory)
            (SHARE / tool).mkdir(exist_ok=True)
        except ToolError as error:
            sys.exit(f"error: {tool}: {error}")

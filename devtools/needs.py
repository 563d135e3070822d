"""What the selected tests need in addition to Python: an engine with the base image, and programs.

pytest reports it before the run, so that `./dev test tests/unit -k x` starts no engine and installs nothing.
"""

import json
import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from devtools.shell import DevError, apt_install, run, say

PACKAGES = {
    "fish": "fish",
    "/usr/lib/openssh/sftp-server": "openssh-sftp-server",
    "bindfs": "bindfs",
    "ip": "iproute2",
    "linux.uml": "user-mode-linux",
    "mergerfs": "mergerfs",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "setfacl": "acl",
    "sshfs": "sshfs",
    "strace": "strace",
}
"""Debian's package for each program that a test may name in ``@pytest.mark.programs``."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a selection of tests needs."""

    engine: bool = False
    """A Docker engine with the base image of this checkout."""
    programs: tuple[str, ...] = ()
    """Names of :data:`PACKAGES`."""


def find_needs(pytest: Sequence[str | Path], arguments: Sequence[str], env: dict[str, str]) -> Needs:
    """Collect the tests that `arguments` select, and return what they need; nothing is run.

    Args:
        pytest: how pytest is called.
        arguments: its arguments, as the user gave them.
        env: what its environment has in addition to ours.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "needs.json"
        collect = ["-n", "0", "--collect-only", "-q", "--needs", str(file)]
        run([*pytest, *arguments, *collect], check=False, env=env)
        # Where the collection fails there is no file; the run itself then says why.
        found = json.loads(file.read_text()) if file.exists() else {}
    return Needs(found.get("engine", False), tuple(found.get("programs", ())))


def install(programs: Collection[str]) -> None:
    """Install Debian's packages of programs that are missing; a test reports what is still missing."""
    lacking = sorted({PACKAGES[name] for name in programs if shutil.which(name) is None})
    if not lacking:
        return
    try:
        apt_install(lacking, "Some of the selected tests need them")
    except DevError as error:
        say(f"without {' '.join(lacking)}: {error}; the tests that need them are skipped and say so")

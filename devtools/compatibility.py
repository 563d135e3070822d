"""The unit tests with another Python, and with the oldest or the newest dependencies that are allowed."""

import shutil
from pathlib import Path

from devtools import shell, venv
from devtools.shell import ROOT, STATE, DevError, say

PYTHONS = ("3.11", "3.12", "3.13")
RESOLUTIONS = ("lowest-direct", "highest")
_PYTEST = ("-q", "-n", "2", "--dist", "loadfile")
_TESTS = ("tests/unit", "tests/fs")
# What the tests themselves need, at the versions of the lock file.
_TEST_PACKAGES = (
    "editables",
    "hatch-vcs",
    "hatchling",
    "hypothesis",
    "jsonschema",
    "pyfakefs",
    "pytest",
    "pytest-xdist",
    "pyyaml",
)


def run(python: str, resolution: str) -> int:
    """Run the unit and file-system tests, and return pytest's exit status.

    Args:
        python: a version, e.g. ``3.13``; uv finds it, or fetches it where it may.
        resolution: one of RESOLUTIONS, for click, pydantic, watchdog and javaproperties.

    Raises:
        DevError: that Python is not available, or the dependencies cannot be installed.
    """
    uv = venv.ensure() / "uv"
    directory = STATE / f"compatibility/{python}-{resolution}"
    shutil.rmtree(directory, ignore_errors=True)
    say(f"making an environment of Python {python}, dependencies: {resolution}")
    made = shell.run([uv, "venv", "--quiet", "--python", python, directory], check=False)
    if made.returncode != 0:
        raise DevError(f"there is no Python {python}: {made.stderr.strip()}", "install it, then try again")
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", directory / "bin/python"]
    project = f"{ROOT}[systemd]" if venv.can_build_systemd() else ROOT
    shell.run([*install, "--resolution", resolution, project])
    shell.run([*install, "--constraint", venv.LOCK, *_TEST_PACKAGES])
    shown = shell.run([uv, "pip", "list", "--python", directory / "bin/python"]).stdout.split("\n")
    wanted = ("click ", "pydantic ", "watchdog ", "javaproperties ")
    say(", ".join(" ".join(line.split()) for line in shown if line.startswith(wanted)))
    words: list[str | Path] = [directory / "bin/python", "-m", "pytest", *_PYTEST, *_TESTS]
    path = f"{directory / 'bin'}:{shell.default_path()}"
    return shell.show(words, env={"PATH": path, "PYTHONPATH": f"{ROOT}:{ROOT / 'images/tools/lib'}"})

"""`./dev`, from a copy of the checkout: what the README promises."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools import venv
from devtools.engine import Engine
from devtools.shell import ROOT, run
from tests.conftest import missing


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of this checkout at another place, so that no name of it is taken."""
    if not venv.current():
        missing("the virtual environment is not that of this checkout; ./dev test makes it")
    copy = tmp_path_factory.mktemp("clone")
    listed = run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"]).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    (copy / ".venv").symlink_to(venv.VENV)
    return copy


def dev(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run([checkout / "dev", *words], check=False)


def in_readme() -> str:
    """The output of `./dev up` that README.md shows, without what it leaves out."""
    block = (ROOT / "README.md").read_text().partition("$ ./dev up\n==> ")[2].partition("```")[0]
    return f"==> {block}".replace("…\n", "")


def alike(output: str) -> list[str]:
    """Its lines as each checkout, machine and run has them."""
    same = re.sub(r"cws-[0-9a-f]{8}", "cws", output)
    same = re.sub(r"\d+\.\d+ s", "0.0 s", same)
    return re.sub(r"\S*docker exec", "docker exec", same).splitlines()


@pytest.fixture(scope="module")
def up(engine: Engine, checkout: Path) -> Iterator[subprocess.CompletedProcess[str]]:
    yield dev(checkout, "up")
    dev(checkout, "down", "--all")


@pytest.mark.docker
def test_up_shows_the_doctor_s_report_and_the_way_in(up: subprocess.CompletedProcess[str]) -> None:
    assert (up.returncode, up.stderr) == (0, "")
    assert "systemd is running" in up.stdout
    assert "✓ system.pid1, " in up.stdout
    assert " failed" not in up.stdout
    assert "Enter: " in up.stdout


@pytest.mark.docker
def test_the_way_in_works_as_printed(up: subprocess.CompletedProcess[str]) -> None:
    words = up.stdout.partition("Enter: ")[2].splitlines()[0].split()
    assert words[-2:] == ["bash", "-l"]
    words.remove("-it")
    assert run([*words, "-c", "id -un; pwd"]).stdout.split() == ["coder", "/home/coder"]


@pytest.mark.docker
def test_a_second_up_keeps_the_workspace(up: subprocess.CompletedProcess[str], checkout: Path) -> None:
    again = dev(checkout, "up")
    assert again.returncode == 0
    assert "kept: container" in again.stdout


@pytest.mark.docker
def test_up_without_terraform_boots_the_recorded_plan(
    up: subprocess.CompletedProcess[str], checkout: Path, tmp_path: Path
) -> None:
    """All programs but that one; on PATH they are links to where they were found."""
    for directory in reversed(os.environ["PATH"].split(":")):
        for program in Path(directory).glob("*"):
            (tmp_path / program.name).unlink(missing_ok=True)
            (tmp_path / program.name).symlink_to(program)
    (tmp_path / "terraform").unlink(missing_ok=True)
    dev(checkout, "down")
    without = run([checkout / "dev", "up"], env={"PATH": str(tmp_path)}, check=False)
    assert (without.returncode, without.stderr) == (0, "")
    assert "without terraform: the recorded plan of the template" in without.stdout
    assert "booting" in without.stdout


@pytest.mark.docker
def test_down_keeps_the_volume_and_all_does_not(up: subprocess.CompletedProcess[str], checkout: Path) -> None:
    assert "kept: volume" in dev(checkout, "down").stdout
    later = dev(checkout, "up").stdout
    assert "kept: volume" in later
    shown = iter(alike(later))
    assert [line for line in alike(in_readme()) if line not in shown] == [], "README.md, in this order"
    assert "removed: its volumes" in dev(checkout, "down", "--all").stdout
    assert "there was no workspace" in dev(checkout, "down").stdout


def test_the_sandbox_has_everything_after_its_container_was_lost(checkout: Path) -> None:
    done = dev(checkout, "up", "--sandbox")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the container is lost" in done.stdout
    assert (checkout / ".dev/sandbox/home/coder/.claude.json").is_symlink()
    assert (checkout / ".dev/sandbox/home/coder/.claude/settings.json").read_text() == '{"theme": "dark"}\n'


def test_a_second_sandbox_keeps_the_volume(checkout: Path) -> None:
    notes = checkout / ".dev/sandbox/home/coder/.config/notes"
    (notes / "mine").write_text("kept\n")
    assert "kept: tree" in dev(checkout, "up", "--sandbox").stdout
    assert (notes / "mine").read_text() == "kept\n"


def test_the_line_to_look_at_the_sandbox_works_as_printed(checkout: Path) -> None:
    words = dev(checkout, "up", "--sandbox").stdout.partition("Look: ")[2].splitlines()[0].split()
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=False)
    (warning,) = done.stderr.splitlines()
    assert (done.returncode, warning.partition(",")[0]) == (0, "warning: home-persist watch does not run")
    assert ".claude.json" in done.stdout


def test_down_removes_the_sandbox(checkout: Path) -> None:
    assert "removed: .dev/sandbox" in dev(checkout, "down").stdout
    assert not (checkout / ".dev/sandbox").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["wait"], "invalid choice: 'wait'"),
        (["up", "--sandbax"], "unrecognized arguments: --sandbax"),
        ([], "COMMAND"),
    ],
    ids=["command", "option", "nothing"],
)
def test_wrong_usage_is_one_line(checkout: Path, words: list[str], says: str) -> None:
    done = dev(checkout, *words)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]


@pytest.mark.docker
def test_an_unknown_stack_is_named(engine: Engine, checkout: Path) -> None:
    done = dev(checkout, "image", "rust")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no stack 'rust'\nhint: ")

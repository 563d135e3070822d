"""Node, npm and nvm in every kind of shell, and in units."""

from collections.abc import Iterator

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces

SYSTEM = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Two more versions, as `nvm install` would leave them, that say which they are.
INSTALL = """
for version in v20.11.1 v22.3.0; do
  mkdir -p $NVM_DIR/versions/node/$version/bin
  printf '#!/bin/sh\\necho %s\\n' $version > $NVM_DIR/versions/node/$version/bin/node
  chmod +x $NVM_DIR/versions/node/$version/bin/node
done
printf '#!/bin/bash\\nset -euo pipefail\\nnvm use --silent 22\\nnode --version\\n' > ~/script
chmod +x ~/script
"""
USE = "nvm use 22 > /dev/null && node --version"
UNIT = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--uid=coder"]
AGENT = ["--working-directory=/home/coder", "--setenv=HOME=/home/coder"]
SHELLS = {
    "login": ("coder", ["bash", "-lc", USE]),
    "login, sh": ("coder", ["sh", "-lc", USE]),
    "interactive": ("coder", ["env", "-u", "BASH_ENV", "-u", "NVM_DIR", "bash", "-ic", USE]),
    "plain": ("coder", ["bash", "-c", USE]),
    "plain, strict": ("coder", ["bash", "-euo", "pipefail", "-c", USE]),
    "script": ("coder", ["/home/coder/script"]),
    "unit": ("root", [*UNIT, "bash", "-c", USE]),
    "unit, login": ("root", [*UNIT, *AGENT, "bash", "-lc", USE]),
    "unit, script": ("root", [*UNIT, "/home/coder/script"]),
    "sudo": ("root", ["sudo", "-iu", "coder", "bash", "-c", USE]),
    "su": ("root", ["su", "-", "coder", "-c", USE]),
}


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    space = spaces.new("node").boot()
    space.out(INSTALL)
    return space


@pytest.fixture
def default(space: Workspace) -> Iterator[None]:
    """Another default, as long as a test lasts."""
    before = space.out("cat $NVM_DIR/alias/default")
    space.out("nvm alias default v20.11.1")
    yield
    space.out(f"nvm alias default {before}")


@pytest.mark.parametrize("shell", list(SHELLS))
def test_nvm_use(space: Workspace, shell: str) -> None:
    user, words = SHELLS[shell]
    done = space.exec(*words, user=user)
    assert (done.returncode, done.stdout.strip()) == (0, "v22.3.0"), done.stderr


@pytest.mark.parametrize(
    "words",
    [["node", "--version"], [*UNIT, "node", "--version"], ["env", "-i", SYSTEM, "npx", "--version"]],
    ids=["plain", "unit", "nothing-set"],
)
def test_node_needs_no_shell(space: Workspace, words: list[str]) -> None:
    assert space.exec(*words, user="root").returncode == 0


@pytest.mark.usefixtures("default")
@pytest.mark.parametrize("shell", ["login", "plain", "unit"])
def test_another_default_counts_from_the_next_shell_on(space: Workspace, shell: str) -> None:
    user, words = SHELLS[shell]
    assert space.exec(*words[:-1], "node --version", user=user).stdout.strip() == "v20.11.1"


@pytest.mark.usefixtures("default")
def test_root_does_not_run_what_is_the_user_s(space: Workspace) -> None:
    assert space.exec("bash", "-lc", "node --version", user="root").stdout.strip() != "v20.11.1"


def test_the_version_of_a_project(space: Workspace) -> None:
    script = "mkdir -p ~/p && cd ~/p && echo 20 > .nvmrc && nvm use > /dev/null && node --version"
    assert space.out(script) == "v20.11.1"


def test_the_version_that_a_shell_uses_is_its_children_s(space: Workspace) -> None:
    assert space.out("nvm use --silent 22; bash -c 'node --version'; nvm current").split() == ["v22.3.0"] * 2


def test_long_term_support_by_name(space: Workspace) -> None:
    name = space.out("node -p 'process.release.lts.toLowerCase()'")
    versions = space.out(f"nvm version default; nvm version 'lts/*'; nvm version lts/{name}; node --version")
    assert len(set(versions.split())) == 1


def test_a_user_installs_programs_for_all_shells_without_sudo(space: Workspace) -> None:
    """A package of one's own: nothing is downloaded."""
    space.out(
        "mkdir -p ~/greet && cd ~/greet && printf '#!/usr/bin/env node\\nconsole.log(\"hi\")\\n' > greet.js"
        ' && echo \'{"name": "greet", "version": "1.0.0", "bin": "greet.js"}\' > package.json'
    )
    space.out("npm install --global --silent $(cd ~/greet && npm pack --silent ~/greet | xargs realpath)")
    for words in (["bash", "-lc", "greet"], ["bash", "-c", "greet"]):
        assert space.exec(*words).stdout.strip() == "hi"


def test_a_shell_starts_at_once(space: Workspace) -> None:
    """nvm is read when it is first called: what each shell reads before is below 2 KiB."""
    assert int(space.out("stat -c %s /etc/profile.d/nvm.sh")) < 2048
    assert space.exec("bash", "-c", "type nvm_use nvm_ls nvm_ls_current").returncode != 0

"""What real programs do to a link when they save, and that nothing of it is lost.

Each row is a program over a declared path. The daemon is held while the program runs, so that what the
program does to the link is seen; then it goes on, and mends it. At the end a new container looks at
what the old one has kept.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools.engine import Engine
from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness import derived

pytestmark = pytest.mark.docker

THROUGH, REPLACES, DELETES, REFUSES = "writes through", "replaces", "deletes", "refuses"
CREATES = "writes a file that the volume lacks, and that has no link yet"
VOLUME = "/mnt/home-persist"
A_MOMENT = 30.0
"""Seconds, on a machine that is busy with other tests. A deleted link is looked at after one, because its
program may make the file anew."""

HOSTS = "".join(
    f"{name} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{name * 7:A<43.43}\n" for name in ("old", "new")
)
# Not the host's engine: this login is between the client and the stand-in for a registry.
LOGIN = "DOCKER_HOST=unix:///none docker login -u ada --password-stdin 127.0.0.1:5000 <<< secret"
MCP = "claude mcp add -s user {} -- true"
_BY_DEFAULT = "env -u CLAUDE_CONFIG_DIR"
"""The image sets the variable; without it Claude Code writes ~/.claude.json."""
HISTORY = "HISTFILE={0} SAVEHIST=10 zsh -fic 'fc -R {0}; print -s typed; fc -W {0}'"
REGISTRY = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Registry(BaseHTTPRequestHandler):  # asks for a login, and takes any
    def do_GET(self):
        self.send_response(200 if "Authorization" in self.headers else 401)
        self.send_header("WWW-Authenticate", "Basic realm=stand-in")
        self.send_header("Content-Length", "0")
        self.end_headers()
HTTPServer(("127.0.0.1", 5000), Registry).serve_forever()
"""


@dataclass(frozen=True)
class Program:
    """One row: what is declared, what is run, what happens to the link, and what is kept."""

    name: str
    declared: str
    does: str
    run: str
    kept: str
    """A text that is then in the file; empty: the file is gone, and in the attic."""
    file: str = ""
    """The file, where a directory is declared."""
    before: str = ""

    @property
    def path(self) -> str:
        return self.declared + self.file


PROGRAMS = (
    Program("sed -i", ".profile-sed", REPLACES, "sed -i s/old/new/ ~/.profile-sed", "new", before="old"),
    Program(
        "ssh-keygen -R, file",
        ".ssh/known_hosts",
        REPLACES,
        "ssh-keygen -R old -f ~/.ssh/known_hosts",
        "new ssh-ed25519",
        before=HOSTS,
    ),
    Program(
        "ssh-keygen -R, directory",
        ".ssh-dir/",
        THROUGH,
        "ssh-keygen -R old -f ~/.ssh-dir/known_hosts",
        "new ssh-ed25519",
        file="known_hosts",
        before=HOSTS,
    ),
    Program(
        "vim :w", ".vimrc", THROUGH, "vim -es -u NONE -c '%s/old/new/' -c wq ~/.vimrc", "new", before="old"
    ),
    Program("git config", ".gitconfig", CREATES, "git config --global user.name Ada", "name = Ada"),
    Program(
        "npm, first key",
        ".npmrc-first",
        CREATES,
        "npm --userconfig ~/.npmrc-first config set fund=false",
        "fund=false",
    ),
    Program("npm, last key deleted", ".npmrc", DELETES, "npm config delete fund", "", before="fund=false\n"),
    Program("docker login, file", ".docker/config.json", REFUSES, LOGIN, "{}", before="{}"),
    Program(
        "docker login, directory",
        ".docker-dir/",
        THROUGH,
        f"DOCKER_CONFIG=~/.docker-dir {LOGIN}",
        "127.0.0.1:5000",
        file="config.json",
    ),
    Program("Claude Code, file", ".claude.json", CREATES, f"{_BY_DEFAULT} {MCP.format('one')}", '"one"'),
    Program(
        "Claude Code, directory",
        ".claude/",
        THROUGH,
        f"CLAUDE_CONFIG_DIR=~/.claude {MCP.format('two')}",
        '"two"',
        file=".claude.json",
    ),
    Program(
        "zsh history", ".zsh_history", REPLACES, HISTORY.format("~/.zsh_history"), "typed", before="older\n"
    ),
    Program(
        "zsh history, directory",
        ".local/state/zsh/",
        THROUGH,
        HISTORY.format("~/.local/state/zsh/history"),
        "typed",
        file="history",
        before="older\n",
    ),
)


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    return derived.build(engine, Path(__file__).with_name("programs"))


@pytest.fixture(scope="module")
def first(spaces: Spaces, image: str) -> Workspace:
    space = spaces.new("one", owner="programs", image=image)
    space.settings["home_persist_paths"] = [program.declared for program in PROGRAMS]
    space.boot()
    space.exec("systemd-run", "--unit=registry", "python3", "-c", REGISTRY, user="root")
    for program in PROGRAMS:
        if program.before:
            space.out(f"mkdir -p ~/{Path(program.path).parent}")
            space.exec("tee", f"/home/coder/{program.path}", stdin=program.before.encode())
            wait_for_link(space, program.declared)
    return space


@pytest.fixture(scope="module")
def second(first: Workspace, spaces: Spaces, image: str) -> Workspace:
    """Another container, after the first is lost."""
    first.stop()
    first.remove()
    space = spaces.new("two", owner="programs", image=image)
    space.settings["home_persist_paths"] = first.settings["home_persist_paths"]
    return space.boot()


class Held:
    """The daemon stands still inside."""

    def __init__(self, space: Workspace) -> None:
        self.space = space

    def __enter__(self) -> None:
        self.space.out("systemctl kill -s STOP home-persist-watch", user="root")

    def __exit__(self, *_: object) -> None:
        self.space.out("systemctl kill -s CONT home-persist-watch", user="root")


def link(space: Workspace, path: str) -> str:
    """What a declared path is now: its link's text, or what else stands there."""
    home = f"/home/coder/{path.rstrip('/')}"
    return space.out(f"readlink {home} || (test -e {home} && echo content) || echo nothing")


def wait_for_link(space: Workspace, path: str) -> None:
    """Wait until a path is a link again."""
    began = time.monotonic()
    while link(space, path) != f"{VOLUME}/{path.rstrip('/')}":
        assert time.monotonic() - began < A_MOMENT, f"~/{path} is {link(space, path)}"
        time.sleep(0.05)


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.name for program in PROGRAMS])
def test_a_program_saves(first: Workspace, program: Program) -> None:
    target = f"{VOLUME}/{program.declared.rstrip('/')}"
    assert link(first, program.declared) == ("nothing" if program.does == CREATES else target)
    with Held(first):
        done = first.sh(program.run)
        after = link(first, program.declared)
    assert (done.returncode == 0) == (program.does != REFUSES), done.stdout + done.stderr
    expected = {REPLACES: "content", CREATES: "content", DELETES: "nothing"}
    assert after == expected.get(program.does, target), done.stdout + done.stderr
    if program.kept:
        wait_for_link(first, program.declared)
        assert program.kept in first.out(f"cat {VOLUME}/{program.path}")
        assert first.out(f"cmp {VOLUME}/{program.path} ~/{program.path} && echo same") == "same"
    else:
        gone = f"timeout {A_MOMENT} sh -c 'while test -e {VOLUME}/{program.path}; do sleep 0.1; done'"
        assert first.sh(gone).returncode == 0, "a deletion counts after a while"
        assert program.before.strip() in first.out(f"cat {VOLUME}/.home-persist/attic/*/{program.path}")


def test_several_at_once_in_one_home(first: Workspace) -> None:
    names = [f"s{number}" for number in range(6)]
    first.out(" ".join(f"{_BY_DEFAULT} {MCP.format(name)} &" for name in names) + " wait")
    text = first.out(f"cat {VOLUME}/.claude.json")
    assert [name for name in names if f'"{name}"' not in text] == []


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.name for program in PROGRAMS])
def test_a_new_container_sees_it(second: Workspace, program: Program) -> None:
    if program.kept:
        assert program.kept in second.out(f"cat ~/{program.path}")
    else:
        assert second.sh(f"test -e ~/{program.path}").returncode == 1

"""The commands of home-persist about what is declared, each used in one real workspace."""

import json
import re
import time
from dataclasses import dataclass

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
OFFERED = {"source": "demo", "description": "a demo", "paths": [".demo/", ".demorc"]}
# Types at a prompt, then a mark that is shown when what was typed is done; prints what is shown before it.
TYPE = r"""
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(PS1="$ ", TERM="dumb")
    os.execvp("bash", ["bash", "-i"])
def shown(end):
    text = b""
    while end not in text:
        text += os.read(terminal, 4096)
    return text.decode().partition(end.decode())[0]
shown(b"$ ")
os.write(terminal, sys.argv[1].encode() + b"#")
print(shown(b"#"))
"""


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    """One workspace, whose image offers one more optional manifest, and has a hook."""
    made = spaces.new("commands", owner="commands")
    made.settings["home_persist_paths"] = ["~/.notes/"]
    made.upload("/usr/local/share/home-persist/available/demo.json", json.dumps(OFFERED))
    made.upload("/usr/local/share/demo-hook/post-create.sh", "#!/bin/sh\n", mode=0o755)
    made.boot().out("mkdir -p ~/.config/kept && echo 1 > ~/.config/kept/rc && echo 1 > ~/.keep")
    made.out("home-persist add ~/.keep ~/.config/kept/rc")
    return made


def until(space: Workspace, script: str, wanted: str) -> str:
    """What a script prints, once it prints that, or after half a minute: machines that test are busy."""
    deadline = time.monotonic() + 30
    while (shown := space.sh(script).stdout.strip()) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return shown


@dataclass(frozen=True)
class Row:
    """A command, what it says and how it ends; what was done before, and what is true then."""

    command: str
    says: str
    status: int = 0
    before: str = ""
    check: str = ""
    shows: str = ""


ROWS = {
    "add: a directory": Row(
        "home-persist add ~/.one",
        r"~/.one/: is kept from now on \[user, owner\](; seeded)?",
        before="mkdir -p ~/.one && echo 1 > ~/.one/x",
        check="readlink ~/.one; cat ~/.one/x",
        shows=f"{VOLUME}/.one\n1",
    ),
    "add: a file, below directories": Row(
        "home-persist add .config/two/rc",
        r"~/.config/two/rc: is kept",
        before="mkdir -p ~/.config/two && echo 2 > ~/.config/two/rc",
        check="readlink ~/.config/two/rc",
        shows=f"{VOLUME}/.config/two/rc",
    ),
    "add: for this workspace": Row(
        "home-persist add --scope workspace ~/.three/",
        r"~/.three/: is kept from now on \[user, workspace\]; created",
        check="readlink ~/.three | grep -c /.workspaces/",
        shows="1",
    ),
    "add: nothing is there": Row(
        "home-persist add .four",
        r"for a directory: home-persist remove ~/.four, then home-persist add ~/.four/",
    ),
    "add: a directory after all, as told": Row(
        "home-persist remove ~/.four && home-persist add ~/.four/",
        r"~/.four/: is kept from now on",
        check="stat -L -c %F ~/.four",
        shows="directory",
    ),
    "add: it is kept already": Row(
        "home-persist add ~/.claude/projects",
        r"is already kept as part of ~/.claude/ \[claude-code, owner\], declared in /etc/",
    ),
    "add: here, and not in the home": Row(
        "cd ~/projects && home-persist add five",
        r"~/five does not exist, but ~/projects/five does\nhint: home-persist add ~/projects/five",
        status=1,
        before="mkdir -p ~/projects/five",
    ),
    "add: not below the home": Row("home-persist add /etc", "is absolute and not below the home", status=1),
    "add: what is mounted": Row(
        "home-persist add ~/projects",
        r"~/projects: something is mounted there, which is not moved\nhint: leave it out",
        status=1,
        check=f"ls -d {VOLUME}/projects 2>&1 | grep -c 'No such'",
        shows="1",
    ),
    "add: the whole home": Row("home-persist add ~", "is the whole home", status=1),
    "an id that is none": Row(
        "CODER_WORKSPACE_ID=../../x home-persist resolve",
        "is '../../x', which is not a valid workspace ID",
        status=2,
    ),
    "remove: what was added": Row(
        "home-persist remove ~/.six",
        r"~/.six: is no longer kept; its content is back in the home; the volume's copy is in the attic: ",
        before="mkdir -p ~/.six && echo 6 > ~/.six/x && home-persist add ~/.six",
        check=f"sleep 2; stat -c %F ~/.six; cat ~/.six/x; ls -d {VOLUME}/.six 2>&1 | grep -c 'No such'",
        shows="directory\n6\n1",
    ),
    "remove: a manifest's": Row(
        "home-persist remove ~/.claude",
        r"by claude-code \(/etc/home-persist.d/claude-code.json:\$.paths\[0\]\), not by you",
        status=1,
    ),
    "remove: the template's": Row(
        "home-persist remove ~/.notes",
        r"by template .*\nhint: remove it from the workspace's parameters in Coder",
        status=1,
    ),
    "remove: switched off, and on again": Row(
        "home-persist add ~/.claude.json",
        r"~/.claude.json: is kept from now on \[claude-code, owner\]",
        before="echo '{}' > ~/.claude.json; sleep 1; home-persist remove --switch-off ~/.claude.json",
        check="readlink ~/.claude.json",
        shows=f"{VOLUME}/.claude.json",
    ),
    "remove: switched off in this workspace": Row(
        "home-persist remove --switch-off --scope workspace ~/.config/rtk",
        r"back in the home; your other workspaces keep the volume's copy",
        before="echo 1 > ~/.config/rtk/mine",
        check=f"stat -c %F ~/.config/rtk; cat ~/.config/rtk/mine {VOLUME}/.config/rtk/mine;"
        " home-persist add ~/.config/rtk > /dev/null",
        shows="directory\n1\n1",
    ),
    "remove: a typo": Row("home-persist remove ~/.kepe", r"did you mean '~/.keep'\?", status=1),
    "remove: another scope": Row(
        "home-persist remove --scope workspace ~/.keep",
        "hint: home-persist remove --scope owner ~/.keep",
        status=1,
    ),
    "available": Row("home-persist available", r"demo +off +~/.demo/ ~/.demorc +a demo"),
    "available: one of them": Row(
        "home-persist available npm", r"npm +off +~/.npm/ +workspace +A cache; with"
    ),
    "enable": Row(
        "home-persist enable demo",
        r"demo: is on\n~/.demo/: (created|linked)\n~/.demorc: (seeded|linked)",
        before="echo rc > ~/.demorc",
        check="cat ~/.demorc; readlink ~/.demorc",
        shows=f"rc\n{VOLUME}/.demorc",
    ),
    "enable: a typo": Row("home-persist enable dmeo", r"did you mean 'demo'\?", status=1),
    "disable": Row(
        "home-persist disable demo",
        "demo: is off",
        before="home-persist enable demo",
        check="sleep 2; stat -c %F ~/.demo ~/.demorc",
        shows="directory\nregular file",
    ),
    "validate: this workspace": Row("home-persist validate", "all valid"),
    "validate: a typo": Row(
        "home-persist validate /tmp/bad.json",
        r"/tmp/bad.json:\$.paths\[0\].pth: unknown key 'pth'\nhint: did you mean 'path'\?",
        status=1,
        before="""echo '{"source": "x", "paths": [{"pth": ".x"}]}' > /tmp/bad.json""",
    ),
    "schema": Row("home-persist schema", r'"title": "Manifest of home-persist"'),
    "status": Row("home-persist status ~/.keep", r"~/.keep +user +owner +linked"),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_command(space: Workspace, row: Row) -> None:
    if row.before:
        space.out(row.before)
    done = space.sh(row.command)
    said = done.stdout + done.stderr
    assert (done.returncode, "Traceback" in said) == (row.status, False), said
    assert re.search(row.says, said), said
    if row.check:
        assert space.out(row.check) == row.shows


WRITING = [
    "resolve",
    "add ~/.one",
    "remove ~/.one",
    "enable demo",
    "disable demo",
    "attic restore ~/.one",
    "attic prune --yes",
    "migrate",
    "gc --yes",
    "watch",
]


@pytest.mark.parametrize("words", WRITING)
def test_root_does_not_write_what_is_the_user_s(space: Workspace, words: str) -> None:
    done = space.sh(f"home-persist {words}", user="root")
    command = " ".join(word for word in words.split() if word.isalpha() and word != "demo")
    hint = f"hint: run it without sudo; in root's shell: sudo -H -u coder home-persist {command}"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, hint)
    assert space.out("ls -A /root | grep -c claude; true", user="root") == "0"


def test_root_looks_at_the_user_s_home(space: Workspace) -> None:
    assert "~/.claude/ " in space.out("home-persist status .claude", user="root")
    assert space.out("home-persist resolve --dry-run", user="root").endswith("nothing to change")


UNITS = "home-persist-resolve home-persist-watch ws-docker-group ws-jetbrains ws-hooks"


@pytest.mark.parametrize("unit", UNITS.split())
def test_the_documentation_that_a_unit_names_is_there(space: Workspace, unit: str) -> None:
    named = space.out(f"systemctl show -P Documentation {unit}")
    assert space.out(f"head -n 1 {named.removeprefix('file:')}").startswith("# ")


def test_the_schema_that_a_manifest_names_is_there(space: Workspace) -> None:
    named = space.out(
        "for file in /etc/home-persist.d/*.json /usr/local/share/home-persist/available/*.json; do"
        """ python3 -c 'import json, os, sys; path = sys.argv[1]; name = json.load(open(path))["$schema"];"""
        """ print(json.load(open(os.path.join(os.path.dirname(path), name)))["title"])' $file; done"""
        " | sort | uniq -c",
    )
    assert re.fullmatch(r" *\d+ Manifest of home-persist", named), named


def test_restore_over_newer_content(space: Workspace) -> None:
    space.out("echo new > ~/fresh && mv ~/fresh ~/.keep")
    assert until(space, "home-persist attic list --json ~/.keep | grep -c batch", "1") == "1"
    done = space.sh("home-persist attic restore ~/.keep")
    assert (done.returncode, space.out("cat ~/.keep")) == (1, "new")
    assert "error: ~/.keep: the volume has something in its place\nhint: see what differs: " in done.stderr
    command = done.stderr.partition("see what differs: ")[2].partition(";")[0]
    assert space.sh(command).stdout == "1c1\n< new\n---\n> 1\n"
    assert "; what was there is in the attic: " in space.out("home-persist attic restore --force ~/.keep")
    assert space.out("cat ~/.keep") == "1"


def test_the_daemon_watches_what_was_added(space: Workspace) -> None:
    space.out("echo 1 > ~/.seven && home-persist add ~/.seven")
    space.out("echo 2 > ~/new && mv ~/new ~/.seven")
    assert until(space, f"cat {VOLUME}/.seven", "2") == "2"
    assert until(space, "readlink ~/.seven", f"{VOLUME}/.seven") == f"{VOLUME}/.seven"


def test_what_was_removed_stays_a_file_under_the_daemon(space: Workspace) -> None:
    space.out("echo 1 > ~/.eight && home-persist add ~/.eight && home-persist remove ~/.eight")
    space.out("echo 2 > ~/new && mv ~/new ~/.eight && sudo systemctl reload home-persist-watch && sleep 2")
    assert space.out("stat -c %F ~/.eight; cat ~/.eight") == "regular file\n2"


def test_what_is_not_kept_any_more_comes_back_from_the_attic(space: Workspace) -> None:
    space.out("echo 1 > ~/.nine && home-persist add ~/.nine && home-persist remove ~/.nine && rm ~/.nine")
    assert ": copied into the home from " in space.out("home-persist attic restore ~/.nine")
    assert space.out("cat ~/.nine; stat -c %F ~/.nine") == "1\nregular file"


TABS = {
    "a command": ("home-persist rem\t", "home-persist remove "),
    "a path of the user's": ("home-persist remove ~/.ke\t", "home-persist remove ~/.keep "),
    "a path, without ~": ("home-persist remove .config/k\t", "home-persist remove .config/kept/rc "),
    "any path": ("home-persist status ~/.claude.j\t", "home-persist status ~/.claude.json "),
    "what is in the attic": ("home-persist attic restore ~/.nin\t", "home-persist attic restore ~/.nine "),
    "not a manifest's": ("home-persist remove ~/.claude.j\t", "home-persist remove ~/.claude.j"),
    "an optional manifest": ("home-persist enable dem\t", "home-persist enable demo "),
    "a scope": ("home-persist add --scope w\t", "home-persist add --scope workspace "),
    "any optional manifest": ("home-persist available dem\t", "home-persist available demo "),
    "a hook": ("ws-boot hooks run demo-\t", "ws-boot hooks run demo-hook "),
    "another command": ("ws-boot docker-g\t", "ws-boot docker-group "),
}


@pytest.mark.parametrize(("typed", "line"), TABS.values(), ids=TABS)
def test_tab(space: Workspace, typed: str, line: str) -> None:
    shown = space.exec("python3", "-c", TYPE, typed, env={"HOME": "/home/coder"}).stdout
    assert shown.replace("\r", "").replace("\x07", "").removesuffix("\n") == line


def test_what_was_added_counts_in_another_workspace(space: Workspace, spaces: Spaces) -> None:
    other = spaces.new("other", owner="commands").boot()
    assert other.out("cat ~/.keep") == "1"
    done = space.sh("home-persist remove ~/.keep")
    assert "1 other workspace of yours is running, so the volume's copy stays for now" in done.stderr
    assert (space.out("cat ~/.keep"), other.out("cat ~/.keep")) == ("1", "1")


def test_it_lasts(space: Workspace, spaces: Spaces) -> None:
    space.out("home-persist add --scope workspace ~/.last/ && echo 1 > ~/.last/x")
    space.stop()
    space.remove()
    again = spaces.new("commands", owner="commands", workspace_id=space.workspace_id).boot()
    assert again.out("cat ~/.config/kept/rc") == "1"
    assert (
        again.out("cat ~/.last/x; readlink ~/.last") == f"1\n{VOLUME}/.workspaces/{space.workspace_id}/.last"
    )

"""The commands of home-persist about what is declared, each used in one real workspace."""

import json
import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.answers import ask

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
    """A command, what it answers to programs and how it ends; what was done before, and what is true then."""

    command: str
    code: str = ""
    """The only code in its answer; with "or", one of several, where the daemon may be faster. Empty: none."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """Of one object in its answer."""
    names: tuple[str, ...] = ()
    """Paths and commands that have to be somewhere in its texts."""
    status: int = 0
    before: str = ""
    check: str = ""
    shows: str = ""


LINKED = "path.seeded or path.linked"
ROWS = {
    "add: a directory": Row(
        "home-persist add ~/.one",
        LINKED,
        {"path": ".one", "added": True, "kind": "directory", "scope": "owner", "source": "user"},
        before="mkdir -p ~/.one && echo 1 > ~/.one/x",
        check="readlink ~/.one; cat ~/.one/x",
        shows=f"{VOLUME}/.one\n1",
    ),
    "add: a file, below directories": Row(
        "home-persist add .config/two/rc",
        LINKED,
        {"path": ".config/two/rc", "added": True, "kind": "file"},
        before="mkdir -p ~/.config/two && echo 2 > ~/.config/two/rc",
        check="readlink ~/.config/two/rc",
        shows=f"{VOLUME}/.config/two/rc",
    ),
    "add: for this workspace": Row(
        "home-persist add --scope workspace ~/.three/",
        "path.created",
        {"path": ".three", "added": True, "scope": "workspace", "source": "user"},
        check="readlink ~/.three | grep -c /.workspaces/",
        shows="1",
    ),
    "add: nothing is there": Row(
        "home-persist add .four",
        "path.not-written-yet",
        {"path": ".four", "added": True, "kind": "file"},
        names=("home-persist remove ~/.four && home-persist add ~/.four/",),
    ),
    "add: a directory after all, as advised": Row(
        "home-persist add ~/.four/",
        "path.created or path.linked",
        {"path": ".four", "added": True, "kind": "directory"},
        before="home-persist remove ~/.four",
        check="stat -L -c %F ~/.four",
        shows="directory",
    ),
    "add: it is kept already": Row(
        "home-persist add ~/.claude/projects",
        facts={
            "added": False,
            "covered_by": ".claude",
            "source": "claude-code",
            "scope": "owner",
            "declared_in": "/etc/home-persist.d/claude-code.json:$.paths[0]",
        },
    ),
    "add: here, and not in the home": Row(
        "cd ~/projects && home-persist add five",
        "path.elsewhere",
        names=("home-persist add ~/projects/five",),
        status=1,
        before="mkdir -p ~/projects/five",
    ),
    "add: what cannot be read, where one is": Row(
        "cd ~ && home-persist add .locked",
        "path.permission",
        names=("find ~/.locked ! -readable -ls",),
        status=1,
        before="mkdir -m 0 ~/.locked",
        check="find ~/.locked ! -readable -ls 2>/dev/null | grep -c ^; chmod 700 ~/.locked;"
        " home-persist remove -q ~/.locked; rmdir ~/.locked",
        shows="1",
    ),
    "add: not below the home": Row("home-persist add /etc", "path.refused", names=("'/etc'",), status=1),
    "add: what is mounted": Row(
        "home-persist add ~/projects",
        "path.mounted",
        {"path": "projects", "added": False},
        status=1,
        check=f"ls -d {VOLUME}/projects 2>&1 | grep -c 'No such'",
        shows="1",
    ),
    "add: the whole home": Row("home-persist add ~", "path.refused", names=("'/home/coder'",), status=1),
    "an id that is none": Row(
        "CODER_WORKSPACE_ID=../../x home-persist resolve",
        "settings.invalid",
        names=("CODER_WORKSPACE_ID", "'../../x'"),
        status=2,
    ),
    "remove: what was added": Row(
        "home-persist remove ~/.six",
        facts={"path": ".six", "removed": True, "returned": True, "other_workspaces": []},
        before="mkdir -p ~/.six && echo 6 > ~/.six/x && home-persist add ~/.six",
        check=f"sleep 2; stat -c %F ~/.six; cat ~/.six/x; ls -d {VOLUME}/.six 2>&1 | grep -c 'No such';"
        " home-persist attic list --json ~/.six | grep -c batch",
        shows="directory\n6\n1\n1",
    ),
    "remove: a manifest's": Row(
        "home-persist remove ~/.claude",
        "path.not-yours",
        {"path": ".claude", "removed": False, "returned": False},
        names=(
            "/etc/home-persist.d/claude-code.json:$.paths[0]",
            "home-persist remove --switch-off ~/.claude",
        ),
        status=1,
    ),
    "remove: the template's": Row(
        "home-persist remove ~/.notes",
        "path.not-yours",
        {"path": ".notes", "removed": False, "returned": False},
        names=("parameters",),
        status=1,
    ),
    "remove: switched off, and on again": Row(
        "home-persist add ~/.claude.json",
        LINKED,
        {"path": ".claude.json", "added": True, "source": "claude-code", "scope": "owner"},
        before="echo '{}' > ~/.claude.json; sleep 1; home-persist remove --switch-off ~/.claude.json",
        check="readlink ~/.claude.json",
        shows=f"{VOLUME}/.claude.json",
    ),
    "remove: switched off in this workspace": Row(
        "home-persist remove --switch-off --scope workspace ~/.config/rtk",
        facts={"path": ".config/rtk", "removed": True, "returned": True, "shared": True},
        before="echo 1 > ~/.config/rtk/mine",
        check=f"stat -c %F ~/.config/rtk; cat ~/.config/rtk/mine {VOLUME}/.config/rtk/mine;"
        " home-persist add ~/.config/rtk > /dev/null",
        shows="directory\n1\n1",
    ),
    "remove: a typo": Row("home-persist remove ~/.kepe", "path.not-declared", names=("~/.keep?",), status=1),
    "remove: another scope": Row(
        "home-persist remove --scope workspace ~/.keep",
        "path.other-scope",
        names=("home-persist remove --scope owner ~/.keep",),
        status=1,
    ),
    "available": Row(
        "home-persist available", facts={"name": "demo", "description": "a demo", "enabled": False}
    ),
    "available: one of them": Row(
        "home-persist available demo",
        facts={
            "name": "demo",
            "paths": [{"path": path, "scope": "owner", "why": None} for path in (".demo", ".demorc")],
        },
    ),
    "enable": Row(
        "home-persist enable demo",
        facts={"name": "demo", "changed": True, "paths": [".demo", ".demorc"], "errors": []},
        before="echo rc > ~/.demorc",
        check="cat ~/.demorc; readlink ~/.demorc",
        shows=f"rc\n{VOLUME}/.demorc",
    ),
    "enable: a typo": Row("home-persist enable dmeo", "optional.unknown", names=("'demo'",), status=1),
    "disable": Row(
        "home-persist disable demo",
        facts={"name": "demo", "changed": True, "errors": []},
        before="home-persist enable demo",
        check="sleep 2; stat -c %F ~/.demo ~/.demorc",
        shows="directory\nregular file",
    ),
    "validate: this workspace": Row(
        "home-persist validate",
        facts={"place": "/etc/home-persist.d/claude-code.json", "valid": True, "errors": [], "warnings": []},
    ),
    "validate: a typo": Row(
        "home-persist validate /tmp/bad.json",
        "manifest.unknown-key",
        {"place": "/tmp/bad.json", "valid": False},
        names=("/tmp/bad.json:$.paths[0].pth", "'path'"),
        status=1,
        before="""echo '{"source": "x", "paths": [{"pth": ".x"}]}' > /tmp/bad.json""",
    ),
    "status": Row(
        "home-persist status ~/.keep",
        facts={"path": ".keep", "source": "user", "scope": "owner", "state": "linked", "ok": True},
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_command(space: Workspace, row: Row) -> None:
    if row.before:
        space.out(row.before)
    answer = ask(space, row.command)
    said = answer.document
    assert answer.status == row.status, said
    assert answer.codes in ([{code} for code in row.code.split(" or ")] if row.code else [set()]), said
    assert not row.facts or answer.has(row.facts), said
    assert [name for name in row.names if not answer.names(name)] == [], said
    if row.check:
        assert space.out(row.check) == row.shows


TABLES = {
    "home-persist status ~/.keep": r"~/.keep +user +owner +linked",
    "home-persist available": r"demo +off +~/.demo/ ~/.demorc +a demo",
    "home-persist available npm": r"npm +off +~/.npm/ +workspace +A cache; with",
}
"""A row of the table that people see."""


@pytest.mark.parametrize("command", TABLES)
def test_table(space: Workspace, command: str) -> None:
    assert re.search(TABLES[command], space.out(command))


def test_schema(space: Workspace) -> None:
    assert json.loads(space.out("home-persist schema"))["properties"].keys() >= {"source", "paths"}


WRITING = [
    "resolve",
    "add ~/.one",
    "add ~/'a b'",
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
    arguments = [word.replace("~", "/home/coder") for word in shlex.split(words)]
    by_user = f"sudo -H -u coder home-persist {shlex.join(arguments)}"
    if words == "watch":  # it has no document
        done = space.sh(f"home-persist {words}", user="root")
        assert (done.returncode, by_user in done.stderr) == (2, True)
    else:
        answer = ask(space, f"home-persist {words}", user="root")
        assert (answer.status, answer.codes, answer.names(by_user)) == (2, {"cli.root"}, True)
    assert space.out("ls -A /root | grep -c claude; true", user="root") == "0"


def test_root_looks_at_the_user_s_home(space: Workspace) -> None:
    assert ask(space, "home-persist status .claude", user="root").has({"path": ".claude", "state": "linked"})
    dry = ask(space, "home-persist resolve --dry-run", user="root")
    assert (dry.status, dry.document["changed"]) == (0, False)


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
    refused = ask(space, "home-persist attic restore ~/.keep")
    assert (refused.status, refused.codes) == (1, {"attic.in-the-way"})
    assert (refused.document["error"]["place"], space.out("cat ~/.keep")) == ("~/.keep", "new")
    command = re.search(r"diff -r [^;]*", refused.document["error"]["remedy"])
    assert command
    assert space.sh(command[0]).stdout == "1c1\n< new\n---\n> 1\n"
    done = ask(space, "home-persist attic restore --force ~/.keep")
    assert (done.status, space.out("cat ~/.keep")) == (0, "1")
    assert space.out(f"cat {VOLUME}/.home-persist/attic/{done.document['attic']}/.keep") == "new"


def test_what_was_deleted_and_restored_is_in_the_home(space: Workspace) -> None:
    daemon = "$(systemctl show -P MainPID home-persist-watch)"
    space.out(f"echo mine > ~/.lost && home-persist add ~/.lost && kill -STOP {daemon} && rm ~/.lost")
    at_once = ask(space, "home-persist attic restore ~/.lost")
    space.out(f"kill -CONT {daemon}")
    assert (at_once.status, at_once.codes) == (1, {"attic.link-missing"})
    assert until(space, "home-persist attic list --json ~/.lost | grep -c batch", "1") == "1"
    done = ask(space, "home-persist attic restore ~/.lost")
    assert (done.status, done.codes) == (0, {"path.link-made"})
    assert space.out("cat ~/.lost; readlink ~/.lost") == f"mine\n{VOLUME}/.lost"


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
    done = ask(space, "home-persist attic restore ~/.nine")
    assert (done.status, done.document["declared"]) == (0, False)
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
    done = ask(space, "home-persist remove ~/.keep")
    (removed,) = done.document["paths"]
    assert (removed["other_workspaces"], removed["attic"]) == ([other.workspace_id], None)
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

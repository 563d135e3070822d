"""Two workspaces of one owner: what others left is collected, migrations run once, long work is seen."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from devtools.images import tag
from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.answers import ask
from tests.harness.documents import check_document
from tests.harness.waits import until

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
STATE = f"{VOLUME}/.home-persist"
# The volume is a local one of this engine, so the engine knows every workspace that can use it.
KNOWS_ALL = """python3 -c '
import json, pathlib
file = pathlib.Path("/etc/coder/workspace.json")
file.write_text(json.dumps({**json.loads(file.read_text()), "engine_knows_all_workspaces": True}))
'"""
NO_GROUPS = "1000:1000"
"""As docker exec takes it: coder without the groups that may open Docker's socket."""


@dataclass(frozen=True)
class Other:
    """Another workspace: what Docker has of it, when it ran last, and what becomes of its copies."""

    name: str
    days: int
    by_docker: str
    by_age: str
    docker: tuple[str, ...] = ()
    """Words of `docker create` or `docker volume create` that make what is left of it."""


CONTAINER = ("create",)
PROJECTS = ("volume", "create")

OTHERS = (
    Other("has-a-container", 200, "container", "old", CONTAINER),
    Other("stopped-last-week", 7, "recent", "recent", PROJECTS),
    Other("stopped-last-year", 300, "old", "old", PROJECTS),
    Other("deleted-last-week", 7, "gone", "recent"),
    Other("deleted-last-year", 300, "gone", "old"),
    Other("being-updated-now", 0, "recent", "recent"),
)


@pytest.fixture(scope="module")
def pair(spaces: Spaces) -> tuple[Workspace, Workspace]:
    one, two = spaces.new("one", owner="gc"), spaces.new("two", owner="gc")
    one.boot()
    two.boot()
    for space in (one, two):
        space.out(KNOWS_ALL, user="root")
    return one, two


@pytest.fixture(scope="module")
def ids(pair: tuple[Workspace, Workspace]) -> Iterator[dict[str, str]]:
    """The ids of all, by name; each has 64 KiB on the volume."""
    one, two = pair
    made: list[list[str]] = []
    found = {"one": one.workspace_id, "two": two.workspace_id}
    for other in OTHERS:
        identity = found[other.name] = f"{other.name}-{one.workspace_id}"
        lease = f"{STATE}/leases/{identity}.lock"
        one.out(f"printf {other.name} > {lease}; touch -d '-{other.days} days' {lease}")
        if other.docker:
            name = f"{one.container}-{other.name}"
            image = [tag("base")] if other.docker == CONTAINER else []
            flag = ["--name"] if image else []
            words = [*other.docker, "--label", f"coder.workspace_id={identity}", *flag, name, *image]
            one.engine.docker(*words)
            made.append(["rm", name] if image else ["volume", "rm", name])
    for identity in found.values():
        one.out(f"mkdir -p {VOLUME}/.workspaces/{identity}/.cache")
        one.out(f"head -c 65536 /dev/urandom > {VOLUME}/.workspaces/{identity}/.cache/blob")
    yield found
    for words in made:
        one.engine.docker(*words, check=False)


def verdicts(told: str, ids: dict[str, str]) -> dict[str, str]:
    document: dict[str, Any] = json.loads(told)
    names = {identity: name for name, identity in ids.items()}
    return {names[item["id"]]: item["verdict"] for item in document["workspaces"] if item["id"] in names}


RUNNING = {"one": "current", "two": "leased"}


def test_gc_by_docker(pair: tuple[Workspace, Workspace], ids: dict[str, str]) -> None:
    told = pair[0].out("home-persist gc --json")
    assert verdicts(told, ids) == {**RUNNING, **{other.name: other.by_docker for other in OTHERS}}
    assert json.loads(told)["engine"] == {"answers": True, "knows_all": True, "message": None}


def test_gc_by_age_where_docker_does_not_answer(
    pair: tuple[Workspace, Workspace], ids: dict[str, str]
) -> None:
    done = pair[0].exec("home-persist", "gc", "--json", user=NO_GROUPS, env={"HOME": "/home/coder"})
    assert verdicts(done.stdout, ids) == {**RUNNING, **{other.name: other.by_age for other in OTHERS}}
    engine = json.loads(done.stdout)["engine"]
    assert (engine["answers"], engine["knows_all"]) == (False, False)
    assert engine["message"], "why"
    done = pair[0].exec("home-persist", "gc", user=NO_GROUPS, env={"HOME": "/home/coder"})
    assert engine["message"] in done.stderr, "people are told, too"


def test_gc_says_first_and_does_with_yes(pair: tuple[Workspace, Workspace], ids: dict[str, str]) -> None:
    one, two = pair
    before = one.out(f"ls {VOLUME}/.workspaces")
    gone = {ids[name] for name in ("stopped-last-year", "deleted-last-week", "deleted-last-year")}
    first = ask(one, "home-persist gc").document
    assert {item["id"] for item in first["workspaces"] if item["removed"]} == gone
    assert (first["done"], one.out(f"ls {VOLUME}/.workspaces")) == (False, before)
    assert min(item["size_bytes"] for item in first["workspaces"] if item["removed"]) >= 65536
    done = ask(one, "home-persist gc --yes").document
    assert {item["id"] for item in done["workspaces"] if item["removed"] and item["attic"]} == gone
    kept = {ids[name] for name in ("one", "two", "has-a-container", "stopped-last-week", "being-updated-now")}
    assert set(one.out(f"ls {VOLUME}/.workspaces").split()) == kept
    collected = json.loads(one.out("home-persist attic list --all --json"))["items"]
    assert {item["workspace"] for item in collected if item["reason"] == "workspace-gone"} == gone
    assert not any(item["removed"] for item in ask(two, "home-persist gc").document["workspaces"])


def manifest(space: Workspace, *paths: str, migrations: list[dict[str, object]]) -> None:
    """A manifest as a new image brings it."""
    document = json.dumps({"source": "new-image", "paths": paths, "migrations": migrations})
    done = space.exec("tee", "/etc/home-persist.d/new-image.json", user="root", stdin=document.encode())
    assert done.returncode == 0, done.stderr


def test_migrations_run_once_for_both(pair: tuple[Workspace, Workspace]) -> None:
    one, two = pair
    one.out(f"mkdir -p {VOLUME}/.toolrc.d {VOLUME}/.junk; echo mine > {VOLUME}/.toolrc.d/rc")
    one.out(f"echo big > {VOLUME}/.junk/x")
    steps: list[dict[str, object]] = [
        {"id": "xdg", "rename": [".toolrc.d/", ".config/tool/"]},
        {"id": "junk", "remove": ".junk/"},
    ]
    for space in pair:  # as in a start: the daemon comes after the migrations
        space.out("systemctl kill -s STOP home-persist-watch", user="root")
        manifest(space, ".config/tool/", migrations=steps)

    dry = ask(one, "home-persist migrate --dry-run")
    assert dry.has({"id": "xdg", "outcome": "migration.moved"})
    assert one.out(f"cat {VOLUME}/.toolrc.d/rc") == "mine"

    one.out("home-persist resolve --json > /tmp/said & echo $! > /tmp/resolving")
    two.out("home-persist resolve --json > /tmp/said")
    one.out(until("! kill -0 $(cat /tmp/resolving)"))
    both = [
        (step["id"], step["outcome"])
        for space in pair
        for step in check_document(space.out("cat /tmp/said"))["migrations"]
    ]
    assert both.count(("xdg", "migration.moved")) == 1
    assert ("junk", "migration.waits") in both
    for space in pair:
        assert space.out("cat ~/.config/tool/rc") == "mine"

    two.remove()
    assert ask(one, "home-persist migrate").has({"id": "junk", "outcome": "migration.removed"})
    assert one.sh(f"ls {VOLUME}/.junk").returncode != 0
    assert ".junk/x" in {item["path"] for item in ask(one, "home-persist attic list").document["items"]}
    listed = ask(one, "home-persist migrate --list").document["migrations"]
    ours = [(step["id"], step["workspace"]) for step in listed if step["id"] in ("xdg", "junk")]
    assert [name for name, _ in ours] == ["xdg", "xdg", "junk", "junk"]
    assert [step["id"] for step in listed if step["ran"] is None] == []


MANY = "import os\nos.makedirs('{0}')\nfor i in range(30000): open('{0}/%d' % i, 'w').write(str(i))"
COUNT = "find -L ~/.many -type f | wc -l"
# A shell without job control lets what it starts in the background ignore SIGINT.
INTERRUPT = f"""
env --default-signal=INT home-persist resolve > /tmp/out 2> /tmp/err & pid=$!
until ls {STATE}/staging/*/*/15000 > /dev/null 2>&1; do sleep .02; done
kill -INT $pid; wait $pid
"""


def test_ctrl_c_in_a_long_seed_and_then_its_lines(pair: tuple[Workspace, Workspace]) -> None:
    """30,000 files: what is seen of them in a log, and that an interruption loses none."""
    one = pair[0]
    staging = one.out(f"ls {STATE}/staging")  # the daemon's own
    done = one.exec("python3", "-c", MANY.format("/home/coder/.many"))
    assert done.returncode == 0, done.stderr
    manifest(one, ".config/tool/", ".many/", migrations=[])
    done = one.exec("bash", "-c", INTERRUPT)
    told = one.out("cat /tmp/err")
    assert done.returncode == 130, told
    # An interruption has no document: where it was, and what continues it.
    error, hint = told.splitlines()[-2:]
    assert (error.startswith("error: "), "~/.many/" in error) == (True, True)
    assert (hint.startswith("hint: "), hint.endswith("home-persist resolve")) == (True, True)
    assert one.out(COUNT) == "30000"

    done = one.sh("home-persist resolve")
    assert done.returncode == 0, done.stderr
    assert "~/.many/: " in done.stderr, "at least one line, after a second"
    assert one.out("readlink ~/.many") == f"{VOLUME}/.many"
    assert one.out(COUNT) == "30000"
    assert one.out(f"ls {STATE}/staging") == staging


def test_the_daemon_and_a_command_work_on_one_path_in_turn(pair: tuple[Workspace, Workspace]) -> None:
    one = pair[0]
    done = one.exec("python3", "-c", MANY.format("/home/coder/.more"))
    assert done.returncode == 0, done.stderr
    one.out("systemctl kill -s CONT home-persist-watch", user="root")
    manifest(one, ".config/tool/", ".many/", ".more/", migrations=[])
    done = one.sh("sleep .5; home-persist resolve")
    assert done.returncode == 0, done.stdout + done.stderr
    assert one.out("readlink ~/.more") == f"{VOLUME}/.more"
    assert one.out("find -L ~/.more -type f | wc -l") == "30000"
    assert ask(one, "home-persist attic list ~/.more").document["items"] == []

"""What becomes of the copies of other workspaces: the table, and the command on real files."""

import json
import os
import time

import pytest

from coder_ws_runtime.fs import file_system
from coder_ws_runtime.fs.usage import Usage
from coder_ws_runtime.persist import collect
from coder_ws_runtime.persist.gc import Bounds, Engine, Verdict, WorkspaceCopies, judge
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic import Attic
from coder_ws_runtime.persist.store.lease import Lease, note_seen
from coder_ws_runtime.settings import Settings, Workspace
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command

DAY = 86400.0
NOTHING = Engine(knows_all=True)
HERE = Engine()
CONTAINER = Engine(workspaces=frozenset({"w2"}), knows_all=True)
PROJECTS = Engine(projects=frozenset({"w2"}), knows_all=True)
NAMED = Engine(volumes=("coder-w2-projects", "other"), knows_all=True)

TABLE = {
    # id, lease held, days since it ran, Docker, what becomes of it
    "this workspace": ("w1", False, 400, NOTHING, Verdict.CURRENT),
    "running": ("w2", True, 0, NOTHING, Verdict.LEASED),
    "running, and long not noted": ("w2", True, 400, None, Verdict.LEASED),
    "it has a container": ("w2", False, 400, CONTAINER, Verdict.CONTAINER),
    "Docker has nothing of it": ("w2", False, 2, NOTHING, Verdict.GONE),
    "Docker has nothing of it, and it ran today": ("w2", False, 0.5, NOTHING, Verdict.RECENT),
    "this host's Docker has nothing of it": ("w2", False, 89, HERE, Verdict.RECENT),
    "this host's Docker has nothing of it, and it is old": ("w2", False, 91, HERE, Verdict.OLD),
    "stopped: its projects are there": ("w2", False, 89, PROJECTS, Verdict.RECENT),
    "stopped: a volume is named after it": ("w2", False, 89, NAMED, Verdict.RECENT),
    "stopped for long": ("w2", False, 91, PROJECTS, Verdict.OLD),
    "Docker does not answer": ("w2", False, 89, None, Verdict.RECENT),
    "Docker does not answer, and it is old": ("w2", False, 91, None, Verdict.OLD),
}


@pytest.mark.parametrize("name", TABLE)
def test_row(name: str) -> None:
    workspace_id, held, days, engine, expected = TABLE[name]
    now = 1e9
    left = WorkspaceCopies(
        workspace_id, held, now - days * DAY, Usage(0, 0, 0, hard_links=False, complete=True)
    )
    assert judge(left, engine, "w1", now, Bounds()) is expected


CUT = {
    # days since it ran, days that are enough, Docker, what becomes of the copies of one that may be cut off
    "bound 0": (0.01, 0.0, None, Verdict.CUT_OFF),
    "bound below its age": (0.9, 0.5, HERE, Verdict.CUT_OFF),
    "the usual bound": (0.9, 90.0, None, Verdict.RECENT),
    "it has a container": (0.01, 0.0, CONTAINER, Verdict.CONTAINER),
}


@pytest.mark.parametrize("name", CUT)
def test_row_of_one_that_may_be_cut_off(name: str) -> None:
    days, enough, engine, expected = CUT[name]
    now = 1e9
    usage = Usage(0, 0, 0, hard_links=False, complete=True)
    left = WorkspaceCopies("w2", held=False, seen=now - days * DAY, usage=usage, cut_off=True)
    assert judge(left, engine, "w1", now, Bounds(old=enough * DAY)) is expected
    assert not expected.removed


def ran(tree: Tree, workspace_id: str, days: float, *, called: str = "") -> None:
    """A lease that was last held so many days ago."""
    with Session(tree.layout, tree.settings) as session:
        Lease(session.volume, workspace_id, called).close()
    at = time.time() - days * DAY
    os.utime(tree.layout.state / f"leases/{workspace_id}.lock", (at, at))


@pytest.fixture
def left(tree: Tree) -> Tree:
    """Three workspaces: ours, an old one, and a recent one."""
    write(
        tree.volume,
        {
            ".tool/x": "the owner's",
            ".workspaces/w1/.cache/x": "ours",
            ".workspaces/old/.cache/x": "old",
            ".workspaces/new/.cache/x": "new",
            ".home-persist/migrations/old/m.json": "{}",
            ".home-persist/manifests/workspace-old.json": '{"source": "user"}',
        },
    )
    ran(tree, "w1", 400)
    ran(tree, "old", 91, called="last-year")
    ran(tree, "new", 1)
    return tree


KEPT = {".tool/x": "the owner's", ".workspaces/w1/.cache/x": "ours", ".workspaces/new/.cache/x": "new"}


def test_without_yes_nothing_is_done(left: Tree, run: Command) -> None:
    before = read(left.volume)
    told = run("gc")
    assert told.status == 0
    assert read(left.volume) == before
    lines = {line.split()[0]: line for line in told.out.splitlines()}
    assert "kept: this workspace" in lines["w1"]
    assert "last-year" in lines["old"]
    assert (
        lines["old"].endswith("91 days ago  20.0 KiB  not seen for long")
        or "not seen for long" in lines["old"]
    )
    assert "kept: seen too recently" in lines["new"]
    assert "--yes does it" in told.out
    assert told.err.startswith("warning: ")
    engine = json.loads(run("gc", "--json").out)["engine"]
    assert engine["answers"] is False


def test_with_yes_it_is_gone_with_all_that_belongs_to_it(left: Tree, run: Command) -> None:
    told = run("gc", "--yes")
    assert (told.status, "removed: 1 workspace, " in told.out) == (0, True)
    assert content(left.volume) == KEPT
    state = read(left.layout.state)
    assert not [path for path in state if "old" in path]
    assert "leases/new.lock" in state
    assert run("gc", "--yes").out.endswith("nothing to remove\n")


def test_what_is_collected_is_in_the_attic(left: Tree, run: Command) -> None:
    done = json.loads(run("gc", "--yes", "--json").out)
    batch = next(one["attic"] for one in done["workspaces"] if one["removed"])
    assert left.attic() == {".cache/x": "old"}
    assert "~/.cache" not in run("attic", "list").out, "it is another workspace's own copy"
    (item,) = json.loads(run("attic", "list", "--workspace", "old", "--json").out)["items"]
    assert (item["batch"], item["path"], item["scope"]) == (batch, ".cache/x", "workspace")
    assert (item["workspace"], item["workspace_name"], item["reason"]) == (
        "old",
        "last-year",
        "workspace-gone",
    )
    (named,) = json.loads(run("attic", "list", "--workspace", "last-year", "--json").out)["items"]
    assert named == item


def test_a_workspace_that_comes_back_has_all_of_it_again(left: Tree, run: Command) -> None:
    before = content(left.volume)
    assert run("gc", "--yes").status == 0
    assert content(left.volume) == KEPT
    left.settings = Settings(workspace=Workspace(id="old", name="last-year"))
    left.resolve()
    assert content(left.volume) == before
    state = read(left.layout.state)
    assert state["migrations/old/m.json"] == "{}"
    assert state["manifests/workspace-old.json"] == '{"source": "user"}'
    assert not left.attic()
    assert not [path for path in state if path.startswith("attic-records/2")]


def test_but_not_over_what_it_has_made_meanwhile(left: Tree, run: Command) -> None:
    run("gc", "--yes")
    write(left.volume, {".workspaces/old/.cache/x": "newer"})
    left.settings = Settings(workspace=Workspace(id="old", name="last-year"))
    left.resolve()
    assert content(left.volume)[".workspaces/old/.cache/x"] == "newer"
    assert left.attic() == {".cache/x": "old"}


def test_a_resolve_renews_the_lease_without_a_daemon(left: Tree, run: Command) -> None:
    """A workspace that is booted, and whose daemon does not run, is not gone."""
    left.settings = Settings(workspace=Workspace(id="old", name="last-year"))
    left.resolve()
    left.settings = Settings(workspace=Workspace(id="w1", name="dev"))
    told = json.loads(run("gc", "--json").out)
    assert {one["id"]: one["verdict"] for one in told["workspaces"]}["old"] == "recent"


def test_the_bound_is_an_option(left: Tree, run: Command) -> None:
    told = json.loads(run("gc", "--older-than", "0.5", "--json").out)
    assert {one["id"]: one["verdict"] for one in told["workspaces"]} == {
        "w1": "current",
        "old": "old",
        "new": "old",
    }
    assert told["engine"]["answers"] is False


def test_one_that_is_running_is_kept(left: Tree, run: Command) -> None:
    with Session(left.layout, left.settings) as session:
        lease = Lease(session.volume, "old")
        try:
            run("gc", "--yes", "--older-than", "0")
        finally:
            lease.close()
    assert (left.volume / ".workspaces/old/.cache/x").exists()


def test_a_lease_that_was_removed_is_taken_anew(tree: Tree) -> None:
    with Session(tree.layout, tree.settings) as session:
        lease = Lease(session.volume, "w1", "dev")
        file = tree.layout.state / "leases/w1.lock"
        file.unlink()
        lease.renew()
        assert file.read_text() == "dev\nrunning\n"
        assert lease.held
        lease.close()


def test_what_interrupted_runs_left_and_what_the_attic_has_too_much(left: Tree, run: Command) -> None:
    write(left.layout.state, {"staging/dead/1/x": "torn", "staging/dead.lock": ""})
    write(left.layout.state / "attic", {"20200101T000000.000Z-dev/file": "long ago"})
    told = run("gc")
    assert "left by interrupted runs" in told.out
    assert "1 file (4.0 KiB) in the attic beyond its limits" in told.out
    run("gc", "--yes")
    assert not list((left.layout.state / "staging").iterdir())
    assert left.attic() == {".cache/x": "old"}, "what was collected, and nothing older"


def test_without_an_id_nothing_is_touched(left: Tree, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODER_WORKSPACE_ID")
    told = run("gc", "--json", "--yes", "--older-than", "0")
    (error,) = told.errors
    assert (told.status, error["code"]) == (2, "gc.no-id")
    assert error["remedy"].startswith("set CODER_WORKSPACE_ID")
    assert (left.volume / ".workspaces/old").exists()


def test_one_that_may_be_cut_off_is_kept_whatever_the_bound(
    left: Tree, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On NFS the server frees the locks of a node that is cut off."""
    monkeypatch.setattr(file_system, "type_of", lambda _: "nfs4")
    with Session(left.layout, left.settings) as session:
        Lease(session.volume, "new").close()
        Lease(session.volume, "old").close(stopped=True)
    done = json.loads(run("gc", "--yes", "--older-than", "0", "--json").out)
    assert {one["id"]: (one["verdict"], one["removed"]) for one in done["workspaces"]} == {
        "w1": ("current", False),
        "new": ("cut_off", False),
        "old": ("old", True),
    }
    assert content(left.volume) == KEPT


def test_one_that_boots_after_the_look_is_kept(
    left: Tree, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its daemon has no lease yet: it starts after the first resolve."""
    real = collect.collect

    def boots_before(attic: Attic, copies: WorkspaceCopies) -> str:
        note_seen(attic.volume, copies.workspace_id)
        return real(attic, copies)

    monkeypatch.setattr(collect, "collect", boots_before)
    told = run("gc", "--yes", "--json")
    assert [error["code"] for error in told.errors] == ["gc.running"]
    assert (left.volume / ".workspaces/old/.cache/x").exists()
    assert (left.layout.state / "leases/old.lock").exists()

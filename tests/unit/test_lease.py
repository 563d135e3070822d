"""The lease of a workspace: renewed, lost, taken again."""

import errno
import fcntl
import os
import time

import pytest

from coder_ws_runtime.fs import file_system
from coder_ws_runtime.fs.anchored import Owner
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.lease import CUT_OFF, Lease, Renewal, held_elsewhere, leases
from coder_ws_runtime.persist.store.volume import Volume
from coder_ws_runtime.persist.watch.upkeep import Upkeep
from tests.harness.tree import Tree

FILE = "leases/w1.lock"


def volume_of(tree: Tree) -> Volume:
    return Volume(tree.volume, Owner(os.getuid(), os.getgid()))


def seen(tree: Tree) -> float:
    return (tree.layout.state / FILE).stat().st_mtime


def age(tree: Tree, days: float) -> None:
    at = time.time() - days * 86400
    os.utime(tree.layout.state / FILE, (at, at))


def test_a_resolve_notes_that_the_workspace_is_in_use(tree: Tree) -> None:
    tree.resolve()
    assert (tree.layout.state / FILE).read_text() == "dev"
    age(tree, 100)
    tree.resolve()
    assert time.time() - seen(tree) < 60
    (state,) = leases(tree.volume)
    assert (state.workspace_id, state.workspace_name, state.held) == ("w1", "dev", False)


def test_a_dry_run_notes_nothing(tree: Tree) -> None:
    tree.resolve()
    age(tree, 100)
    tree.resolve(dry_run=True)
    assert time.time() - seen(tree) > 99 * 86400


def test_a_resolve_beside_the_daemon_leaves_its_lease_alone(tree: Tree) -> None:
    with volume_of(tree) as volume:
        lease = Lease(volume, "w1", "dev")
        tree.resolve()
        assert lease.renew() is Renewal.KEPT
        assert leases(tree.volume)[0].held
        lease.close()


def test_renewals(tree: Tree) -> None:
    with volume_of(tree) as volume:
        lease = Lease(volume, "w1", "dev")
        assert lease.renew() is Renewal.KEPT
        other = Lease(volume, "w1", "dev")
        assert (other.held, other.renew()) == (False, Renewal.ELSEWHERE)
        lease.close()
        assert other.renew() is Renewal.TAKEN
        other.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_lease_whose_file_went_is_taken_again(tree: Tree, how: str) -> None:
    """`gc` of another host took us for gone."""
    with volume_of(tree) as volume:
        lease = Lease(volume, "w1", "dev")
        file = tree.layout.state / FILE
        file.unlink()
        if how == "replaced":
            file.write_text("dev")
        assert lease.renew() is Renewal.RETAKEN
        assert leases(tree.volume)[0].held
        lease.close()


def test_a_lease_that_the_server_lost_is_taken_again(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a cut that is longer than its lease, NFS answers I/O on the old descriptor with EIO."""
    with volume_of(tree) as volume:
        lease = Lease(volume, "w1", "dev")
        lost = lease._fd  # noqa: SLF001 - what the server forgot
        real = os.pwrite

        def pwrite(fd: int, data: bytes, offset: int) -> int:
            if fd == lost:
                monkeypatch.setattr(os, "pwrite", real)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(fd, data, offset)

        monkeypatch.setattr(os, "pwrite", pwrite)
        assert lease.renew() is Renewal.RETAKEN
        assert lease.held
        assert leases(tree.volume)[0].held
        lease.close()


def test_a_lease_that_was_lost_to_another_is_told(tree: Tree) -> None:
    with volume_of(tree) as volume:
        lease = Lease(volume, "w1", "dev")
        file = tree.layout.state / FILE
        file.unlink()
        with file.open("w+") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            assert lease.renew() is Renewal.LOST
            assert not lease.held
            assert lease.renew() is Renewal.ELSEWHERE
        assert lease.renew() is Renewal.TAKEN
        lease.close()


@pytest.mark.parametrize("days", [0.5, 3])
def test_a_lease_that_may_not_be_opened_says_still_when(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, days: float
) -> None:
    """Whether it is held cannot be known, so a workspace that was seen today may be running."""
    tree.resolve()
    age(tree, days)

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        (state,) = leases(tree.volume)
    assert abs(time.time() - state.seen - days * 86400) < 60
    assert state.in_use is (days < 1)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The volume is on a file system whose server frees locks."""
    monkeypatch.setattr(file_system, "type_of", lambda _: "nfs4")


STATES = {
    # how its daemon ended, days since it was seen, the file system: whether it may be running
    "stopped": (True, 0.0, "nfs4", False),
    "its lock is lost": (False, 0.0, "nfs4", True),
    "its lock is lost, and it was not seen for long": (False, 1.1, "nfs4", False),
    "a kind that is not known": (False, 0.0, "", True),
    "killed, and this kernel knows it": (False, 0.0, "ext4", False),
}


@pytest.mark.parametrize("name", STATES)
def test_a_workspace_without_its_lock_may_be_running(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stopped, days, kind, expected = STATES[name]
    monkeypatch.setattr(file_system, "type_of", lambda _: kind)
    with volume_of(tree) as volume:
        Lease(volume, "w1", "dev").close(stopped=stopped)
    if days:
        age(tree, days)
    (state,) = leases(tree.volume)
    assert (state.cut_off, state.in_use, state.held) == (expected, expected, False)
    assert state.workspace_name == "dev"
    assert held_elsewhere(tree.volume, "w2") == (["w1"] if expected else [])
    assert CUT_OFF == 86400


@pytest.mark.usefixtures("network")
def test_a_workspace_that_stopped_and_is_seen_again_may_be_running(tree: Tree) -> None:
    """Between a resolve and the start of the daemon, which may not come."""
    with volume_of(tree) as volume:
        Lease(volume, "w1", "dev").close(stopped=True)
        assert not leases(tree.volume)[0].in_use
        tree.resolve()
        assert leases(tree.volume)[0].cut_off
        Lease(volume, "w1", "dev").close()
        assert (tree.layout.state / FILE).read_text() == "dev\nrunning\n"
        assert leases(tree.volume)[0].cut_off


@pytest.mark.usefixtures("network")
def test_one_that_does_not_hold_the_lease_does_not_say_that_the_workspace_stopped(tree: Tree) -> None:
    with volume_of(tree) as volume:
        first, second = Lease(volume, "w1", "dev"), Lease(volume, "w1", "dev")
        second.close(stopped=True)
        first.close()
    assert (tree.layout.state / FILE).read_text() == "dev\nrunning\n"
    assert leases(tree.volume)[0].cut_off


def test_reading_shows_that_a_lease_is_lost(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    with volume_of(tree) as volume:
        lease, other = Lease(volume, "w1", "dev"), Lease(volume, "w1", "dev")
        assert (lease.reads(), other.reads()) == (True, False)

        def refuse(*_: object) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", refuse)
            assert not lease.reads()
        other.close()
        lease.close()


def test_a_poll_takes_a_lease_that_became_free(tree: Tree) -> None:
    """A pod that was moved starts before the server frees the lock of the dead node."""
    with Session(tree.layout, tree.settings) as session:
        dead = Lease(session.volume, session.id, "dev")
        upkeep = Upkeep(session)
        upkeep.check_lease()
        assert not upkeep.lease.held
        dead.close()
        upkeep.check_lease()
        assert leases(tree.volume)[0].held
        upkeep.close()


@pytest.mark.parametrize("what", ["directory and lock", "directory", "lock", "replaced"])
def test_a_staging_directory_that_was_removed_is_made_again(tree: Tree, what: str) -> None:
    """A server that lost our lock lets another process take it for a dead one's."""
    with Session(tree.layout, tree.settings) as session:
        first = session.volume.staging
        place = tree.layout.state / "staging" / first.token
        lock = place.with_name(f"{first.token}.lock")
        if what != "lock":
            place.rmdir()
        if what in ("directory and lock", "lock"):
            lock.unlink()
        if what == "replaced":
            place.mkdir()
        second = session.volume.staging
        assert second is not first
        session.volume.write("manifests/x.json", b"{}")
        assert session.volume.staging is second
    assert (tree.layout.state / "manifests/x.json").read_text() == "{}"
    assert not list((tree.layout.state / "staging").iterdir())


def test_a_path_is_moved_although_staging_went_in_between(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESTALE, once: what was open on the server is gone."""
    from coder_ws_runtime.fs import copying
    from coder_ws_runtime.persist.reconcile import staged_copies

    tree.manifest("f")
    (tree.home / "f").write_text("1")
    calls = 0

    def copy(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return copying.copy(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(staged_copies, "copy", copy)
    assert tree.resolve().errors == []
    assert (tree.volume / "f").read_text() == "1"

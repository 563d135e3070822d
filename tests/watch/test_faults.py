"""What goes wrong with one thing ends that one thing: the daemon goes on with the others, and reports it."""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.harness.watched import Watched, until
from tests.watch.conftest import Make

DEEP = "/".join(["a"] * 1200)


def saves(a: Watched, path: str, text: str) -> None:
    """A save of a path is kept."""
    a.save(path, text)
    until(lambda: a.volume_has(path, text), f"{path} is {text}")
    until(lambda: a.linked(path))


def test_a_path_that_another_workspace_holds(make: Make, volume: Path) -> None:
    """Its holder was paused. The other paths do not wait for it, and it is healed when it is free."""
    a = make("a", "held", "free")
    a.resolve()
    a.start()
    saves(a, "held", "1")
    (name,) = [name for name in os.listdir(volume / ".home-persist/locks") if _is_lock_of(name, "held")]
    with (volume / ".home-persist/locks" / name).open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        a.save("held", "2")
        time.sleep(1)
        began = time.monotonic()
        saves(a, "free", "1")
        assert time.monotonic() - began < 8
        assert a.volume_has("held", "1")
    until(lambda: a.volume_has("held", "2"), "the daemon tried again")
    until(lambda: a.linked("held"), "the link is there after the content")


def _is_lock_of(name: str, path: str) -> bool:
    return name.startswith(hashlib.sha256(path.encode()).hexdigest()[:32])


def test_an_exception_that_nobody_foresaw(make: Make) -> None:
    """As a path that is too deep for Python; here a bug is put in the place of one."""
    a = make("a", "bad", "good")
    a.resolve()
    a.start(module="tests.watch.faulty")
    a.save("bad", "1")
    until(lambda: "ZeroDivisionError" in a.said(), "it is reported")
    saves(a, "good", "1")
    assert (a.home / "bad").read_text() == "1"
    a.stop()
    assert a.said().count("ZeroDivisionError") <= 2, "reported once, not at each try"


def test_a_path_of_too_many_components(make: Make) -> None:
    a = make("a", "good")
    declared = a.volume / ".home-persist/manifests/user.json"
    declared.parent.mkdir(parents=True)
    declared.write_text(json.dumps({"source": "user", "paths": [DEEP]}))
    a.start()
    saves(a, "good", "1")
    a.stop()
    subprocess.run(["rm", "-rf", a.home, a.volume.resolve()], check=True)  # too deep for Python to remove


def test_an_item_of_the_attic_that_cannot_be_read(make: Make, volume: Path) -> None:
    """The others are pruned, and the daemon goes on."""
    a = make("a", "file")
    a.resolve()
    a.start()
    saves(a, "file", "1")
    saves(a, "file", "2")
    attic = volume / ".home-persist/attic"
    bad = attic / "20990101T000000.000Z-bad"
    bad.write_text("a file in the place of a batch")
    for number in range(3, 6):
        saves(a, "file", str(number))
    a.stop()
    assert a.volume_has("file", "5")
    assert bad.exists()


def test_a_lease_that_was_removed_is_taken_again(make: Make, volume: Path) -> None:
    a = make("a", "file")
    a.start()
    (lease,) = [name for name in os.listdir(volume / ".home-persist/leases") if name.startswith("id-a")]
    (volume / ".home-persist/leases" / lease).unlink()
    a.reload()
    until(lambda: _is_locked(volume / ".home-persist/leases" / lease), "it is there again, and held")
    until(lambda: "lease" in a.said(), "and its loss is reported")


def test_copies_that_gc_took_are_back_before_a_path_is_looked_at(make: Make, volume: Path) -> None:
    """A server that lost our lock lets `gc` on another host take this workspace for deleted."""
    a = make("a", {"path": ".own/", "scope": "workspace"}, {"path": "own", "scope": "workspace"})
    b = make("b", "file")
    a.save("own", "1")
    a.save(".own/x", "2")
    a.resolve()
    a.start()
    (volume / ".home-persist/leases/id-a.lock").unlink()
    done = json.loads(b.command("gc", "--yes", "--older-than", "0", "--json").stdout)
    assert [one["id"] for one in done["workspaces"] if one["removed"]] == ["id-a"]
    assert not (volume / ".workspaces/id-a").exists()
    a.reload()
    until((a.home / ".own/x").exists, "they are back")
    until(lambda: _is_locked(volume / ".home-persist/leases/id-a.lock"), "and so is the lease")
    assert ((a.home / "own").read_text(), (a.home / ".own/x").read_text()) == ("1", "2")
    assert not [name for name in os.listdir(volume / ".home-persist/attic") if "id-a" in name]


@pytest.mark.parametrize("stopped", [True, False])
def test_a_lease_says_whether_the_daemon_was_stopped(make: Make, volume: Path, *, stopped: bool) -> None:
    a = make("a", "file")
    a.start()
    if stopped:
        a.stop()
    else:
        a.kill()
    lease = volume / ".home-persist/leases/id-a.lock"
    assert not _is_locked(lease)
    (*_, line) = lease.read_text().split("\n", 1)
    assert (line == f"stopped {lease.stat().st_mtime_ns // 10**9}\n") is stopped


def _is_locked(file: Path) -> bool:
    """Whether a process holds a lock. By the kernel's list: who tries it holds it for a moment."""
    return f":{file.stat().st_ino} " in Path("/proc/locks").read_text()


def test_a_staging_directory_that_another_host_cleared(make: Make, volume: Path) -> None:
    """A server that lost our lock lets others take what is ours for what a dead process left."""
    a = make("a", "file")
    a.resolve()
    a.start()
    saves(a, "file", "1")
    for place in (volume / ".home-persist/staging").iterdir():
        if place.is_dir():
            place.rmdir()
        else:
            place.unlink()
    saves(a, "file", "2")


@pytest.fixture
def other_host(volume: Path, tmp_path: Path) -> Iterator[Path]:
    """The volume through a file system of user space: inotify reports nothing of what is written below it.

    A stand-in for NFS, which the kernel here cannot serve; the daemon knows either by its type.
    """
    if os.geteuid() != 0:
        missing("root is needed to mount")
    place = tmp_path / "bindfs"
    place.mkdir()
    try:
        subprocess.run(["bindfs", str(volume), str(place)], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        missing("bindfs cannot mount here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.root
def test_another_hosts_add(make: Make, other_host: Path) -> None:
    """What another host declares is linked within some ten seconds, although no event says so."""
    a = make("a", through=other_host)
    a.resolve()
    b = make("b")
    b.resolve()
    a.start()
    (b.home / "late").write_text("1")
    done = b.command("add", "late")
    assert done.returncode == 0, done.stderr
    began = time.monotonic()
    until(lambda: a.linked("late"), "linked by the other's declaration")
    assert time.monotonic() - began < 13
    assert (a.home / "late").read_text() == "1"
    a.kill()


def test_a_daemon_that_is_killed_and_started_again(make: Make) -> None:
    a = make("a", "file", ".dir/")
    a.resolve()
    a.start()
    saves(a, "file", "1")
    process = a.process
    assert process is not None
    a.save("file", "2")
    process.send_signal(signal.SIGKILL)
    process.wait()
    a.start()
    until(lambda: a.volume_has("file", "2"))
    until(lambda: a.linked("file"))

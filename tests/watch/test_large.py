"""Large trees and open files: small saves do not wait for them, and no disk is worn for nothing."""

import os
import time
from functools import partial
from pathlib import Path

from tests.harness.watched import Watched, until
from tests.watch.conftest import Make

# A slow disk: each MiB takes 20 ms more. -D: what runs is the daemon, not strace.
COPIES = "sendfile,copy_file_range"
TRACED = ("-e", f"trace={COPIES}", "-e", f"inject={COPIES}:delay_enter=20000")
SLOW = ("strace", "-D", "-f", "-qqq", "-o", "/dev/null", *TRACED)


def fill(directory: Path, megabytes: int, files: int = 10) -> int:
    """Fill a directory with files; how many bytes that are."""
    directory.mkdir(parents=True, exist_ok=True)
    each = (megabytes << 20) // files
    for number in range(files):
        with (directory / str(number)).open("wb") as file:
            file.write(os.urandom(1 << 20) * (each >> 20))
    return (each >> 20 << 20) * files


def replace_link(a: Watched, path: str, megabytes: int) -> int:
    """Put a directory with content in the place of a link."""
    size = fill(a.home / "filling", megabytes)
    (a.home / path).unlink()
    (a.home / "filling").rename(a.home / path)
    return size


def written(a: Watched) -> int:
    """Bytes that the daemon and its children have written."""
    assert a.process is not None
    lines = Path(f"/proc/{a.process.pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def test_a_small_save_overtakes_a_large_copy(make: Make) -> None:
    a = make("a", ".big/", "small")
    a.resolve()
    a.start(*SLOW)
    replace_link(a, ".big", 300)
    until(lambda: list((a.volume / ".home-persist/staging").glob("*/*")), "the copy has begun")
    for number in range(3):
        a.save("small", str(number))
        until(partial(a.volume_has, "small", str(number)))
    assert not a.linked(".big"), "the copy goes on"
    until(lambda: a.linked(".big"), seconds=120)


def test_stop_during_a_large_copy(make: Make) -> None:
    """It is interrupted, its partial copy is gone, and the last small save is kept."""
    a = make("a", ".big/", "small")
    a.resolve()
    a.start(*SLOW)
    replace_link(a, ".big", 2000)
    until(lambda: list((a.volume / ".home-persist/staging").glob("*/*")), "the copy has begun")
    a.save("small", "last")
    assert a.stop(25) < 18
    assert a.volume_has("small", "last")
    assert not list((a.volume / ".home-persist/staging").iterdir())
    assert a.problems() == [".big"], "what was not saved is reported"
    assert (a.home / ".big/0").exists()


def test_an_open_log_in_a_large_directory(make: Make) -> None:
    """It is not copied again and again while the log is open, and moved when it is closed."""
    a = make("a", ".big/")
    a.resolve()
    a.start()
    with (a.home / "log").open("w") as log:
        log.write("first\n")
        log.flush()
        size = fill(a.home / "filling", 100)
        (a.home / "log").rename(a.home / "filling/log")
        (a.home / ".big").unlink()
        (a.home / "filling").rename(a.home / ".big")
        time.sleep(10)
        assert written(a) < size / 10
        assert not a.linked(".big")
    until(lambda: a.linked(".big"), seconds=60)
    assert (a.volume / ".big/log").read_text() == "first\n"

"""Saves in a running workspace: kept, never hidden, and read back as they were saved."""

import json
import os
import random
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from coder_ws_runtime.persist.watch.schedule import AT_MOST, QUIET
from devtools.shell import ROOT
from tests.conftest import Tried
from tests.harness.watched import Watched, until
from tests.watch.conftest import Make

SOON = 5.0
"""Seconds. The daemon waits for two of them, and a busy machine takes some; what would find a new file
otherwise, a look at all paths, comes minutes later."""

# Saves by rename and reads back at once, again and again; prints how often an older save came back, and the
# longest time for which it did, in milliseconds.
SAVER = """
import json, os, random, sys, time
path, saves, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
draw = random.Random(seed)
older, longest = 0, 0.0
for number in range(saves):
    with open(path + ".new", "w") as new:
        new.write(str(number))
    os.rename(path + ".new", path)
    began = time.monotonic()
    saw = False
    while time.monotonic() < began + 0.002:
        with open(path) as file:
            if file.read() != str(number):
                saw, longest = True, max(longest, time.monotonic() - began)
    older += saw
    time.sleep(draw.choice([0, 0, 0.001, 0.01, 0.06, 0.1]))
print(json.dumps({"older": older, "longest": longest * 1000}))
"""


def saver(a: Watched, path: str, saves: int, seed: int = 0) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", SAVER, str(a.home / path), str(saves), str(seed)]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_what_was_saved_is_what_is_read_back(make: Make, tried: Tried, *, whole: bool) -> None:
    a = make("a", "one", "two")
    a.resolve()
    a.start()
    saves = 6400 if whole else 400
    running = [saver(a, "one", saves), saver(a, "two", saves, 1)]
    found = [json.loads(process.communicate()[0]) for process in running]
    tried("saves that were read back", 2 * saves)
    older = sum(int(each["older"]) for each in found)
    tried("older saves that were read back", older)
    last = str(saves - 1)
    until(lambda: a.linked("one") and a.linked("two"), "both are linked")
    assert (a.home / "one").read_text() == (a.home / "two").read_text() == last
    assert a.kept() == {"one": last, "two": last}
    # The exchange that takes the later save's place for some microseconds is undone at once.
    assert older <= max(2, saves // 200), found
    assert max(float(each["longest"]) for each in found) < 20, found


def test_many_paths_that_are_saved_together_do_not_wait_for_each_other(make: Make) -> None:
    """What the daemon does for one is no news for the others, and a link that moves holds none of them up."""
    names = [str(number) for number in range(100)]
    a = make("a", *names, "log", "log.1")
    a.resolve()
    a.save("log", "old")
    a.start()
    until(lambda: a.linked("log"))
    a.pause()
    for number, name in enumerate(names):
        a.save(name, f"new {name}")
        if number == 50:
            (a.home / "log").rename(a.home / "log.1")
    a.go_on()
    expected = {name: f"new {name}" for name in names} | {"log.1": "old"}
    until(lambda: all(map(a.linked, expected)) and a.kept() == expected)


def test_a_save_stays_in_place_until_the_path_is_quiet(make: Make) -> None:
    """Programs that save several times within a second are not healed in between."""
    a = make("a", "file")
    a.resolve()
    a.start()
    tried, number = 0, 0
    for _ in range(20):  # on a busy machine most rounds have a pause in which the path was quiet
        first = gap = time.monotonic()
        while time.monotonic() - first < AT_MOST - 0.3:
            number += 1
            began = time.monotonic()
            a.save("file", str(number))
            time.sleep(0.005)
            linked = a.linked("file")
            if time.monotonic() - began > QUIET / 2:
                gap = time.monotonic()
            elif gap == first or time.monotonic() - gap > QUIET * 4:
                tried += 1
                assert not linked, number
        until(lambda: a.linked("file"), seconds=5)
        assert a.kept() == {"file": str(number)}
        if tried:
            return
    raise AssertionError("this machine is too busy to save twenty times without a pause")


def test_a_path_that_is_never_quiet_is_healed_within_a_second_or_so(make: Make) -> None:
    a = make("a", "file")
    a.resolve()
    a.start()
    end, number = time.monotonic() + 6, 0
    linked: list[str] = []
    while time.monotonic() < end:
        number += 1
        a.save("file", str(number))
        time.sleep(0.015)
        kept = a.kept().get("file")
        if kept is not None and (not linked or kept != linked[-1]):
            linked.append(kept)
    assert len(linked) >= 4, linked


def test_no_save_waits_for_the_next_one(make: Make) -> None:
    """Three saves in a row, with every pause, and then nothing more."""
    draw = random.Random(1)
    a = make("a", "file")
    a.resolve()
    a.start()

    def has(saved: str) -> bool:
        return a.kept().get("file") == saved

    for batch in range(30):
        for number in range(3):
            a.save("file", f"{batch} {number}")
            time.sleep(draw.choice([0, 0.001, 0.005, 0.02, 0.045, 0.05, 0.055, 0.07]))
        until(partial(has, f"{batch} 2"), f"save {batch}", seconds=5)
        until(lambda: a.linked("file"), seconds=5)


def test_a_file_that_the_volume_lacks_is_linked_when_it_is_written(make: Make) -> None:
    a = make("a", "file", ".config/deep/er/file")
    a.resolve()
    a.start()
    assert not os.path.lexists(a.home / "file"), "no link that leads nowhere"
    began = time.monotonic()
    a.shell("echo first > file")
    until(lambda: a.linked("file"))
    assert time.monotonic() - began < SOON
    began = time.monotonic()
    a.shell("mkdir -p .config/deep/er; echo second > .config/deep/er/file")
    until(lambda: a.linked(".config/deep/er/file"))
    assert time.monotonic() - began < SOON
    assert a.kept() == {"file": "first\n", ".config/deep/er/file": "second\n"}


@pytest.mark.parametrize("path", ["file", ".config/deep/er/file"])
def test_what_another_workspace_of_the_host_writes_first_is_there_at_once(make: Make, path: str) -> None:
    """Long before the sweep, and without a look at the volume while nothing happens."""
    a, b = make("a", path), make("b", path)
    for home in (a, b):
        home.resolve()
        home.start()
    assert not os.path.lexists(b.home / path)
    a.shell(f"mkdir -p $(dirname {path}); echo first > {path}")
    until(lambda: b.linked(path), seconds=10)
    assert b.shell(f"cat {path}") == "first\n"


@pytest.mark.parametrize("later", ["a", "b"])
def test_the_later_of_two_first_saves_wins(make: Make, later: str) -> None:
    """Neither workspace had the file, and the second one's daemon has not seen the first one's yet."""
    homes = {name: make(name, "file") for name in ("a", "b")}
    for home in homes.values():
        home.resolve()
        home.start()
    earlier = "b" if later == "a" else "a"
    homes[later].pause()
    homes[earlier].shell("echo earlier > file")
    until(lambda: homes[earlier].linked("file"))
    homes[later].shell("echo later > file")
    homes[later].go_on()
    until(lambda: homes[later].linked("file"))
    assert {home.shell("cat file") for home in homes.values()} == {"later\n"}
    assert homes["a"].kept() == {"file": "later\n"}
    assert homes["a"].attic() == ["earlier\n"]


def test_mode_only(make: Make) -> None:
    """A save that changes the mode and nothing else is one."""
    a = make("a", ".netrc")
    (a.home / ".netrc").write_text("same")
    (a.home / ".netrc").chmod(0o644)
    a.resolve()
    a.start()
    a.shell("install -m 600 .netrc .netrc.new; mv .netrc.new .netrc")
    until(lambda: a.linked(".netrc"))
    assert Path(a.home / ".netrc").stat().st_mode & 0o777 == 0o600

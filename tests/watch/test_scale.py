"""What a heal costs does not grow with what is declared, kept, or in the attic. Counted in system calls."""

import shutil
import time
from functools import partial
from pathlib import Path

from coder_ws_runtime.persist.store.attic_bounds import Bounds
from tests.conftest import missing
from tests.harness.watched import Watched, until
from tests.watch.conftest import Make

PATHS = 300
BATCHES = 300
FILES = 2000


def at_rest(trace: Path) -> list[str]:
    """The system calls so far, when there were no more for some seconds."""
    calls: list[str] = []
    while calls != (calls := trace.read_text().splitlines()):
        time.sleep(3)
    return calls


def calls_of_a_heal(a: Watched, trace: Path) -> list[str]:
    """The system calls between a save and rest."""
    a.start("strace", "-D", "-f", "-qqq", "-o", str(trace))
    a.save("saved", "first")
    until(lambda: a.volume_has("saved", "first") and a.linked("saved"))
    before = len(at_rest(trace))
    a.save("saved", "second")
    until(lambda: a.volume_has("saved", "second") and a.linked("saved"))
    calls = at_rest(trace)[before:]
    a.stop()
    return calls


def _is_kept(a: Watched, content: str) -> bool:
    return a.volume_has("saved", content) and a.linked("saved")


def make_batches(volume: Path, count: int) -> None:
    for number in range(count):
        moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - 60 * number))
        batch = volume / f".home-persist/attic/{moment}.000Z-many@owner"
        batch.mkdir(parents=True)
        (batch / "saved").write_text(f"older {number}")


def test_a_heal_costs_the_same_among_many_paths_files_and_batches(
    make: Make, volume: Path, tmp_path: Path
) -> None:
    if shutil.which("strace") is None:
        missing("strace is not there")
    few = calls_of_a_heal(make("few", "saved"), tmp_path / "few.trace")
    make_batches(volume, BATCHES)
    (volume / ".big").mkdir()
    for number in range(FILES):
        (volume / f".big/{number}").write_text("x")
    paths = [f".cfg/{number}/conf" for number in range(PATHS)]
    for path in paths:
        (volume / path).parent.mkdir(parents=True)
        (volume / path).write_text("x")
    a = make("many", "saved", ".big/", *paths)
    a.resolve()
    many = calls_of_a_heal(a, tmp_path / "many.trace")
    print(f"{len(few)} system calls, and {len(many)}")
    assert len(many) < len(few) * 1.5
    assert not [call for call in many if "Z-many" in call], "it reads no batch of the attic"


def test_no_save_waits_for_the_limits_of_the_attic(make: Make, volume: Path, tmp_path: Path) -> None:
    """They are kept as soon as no program saves."""
    if shutil.which("strace") is None:
        missing("strace is not there")
    trace = tmp_path / "trace"
    a = make("a", "saved")
    a.resolve()
    a.start("strace", "-D", "-f", "-qqq", "-o", str(trace))
    make_batches(volume, Bounds().versions)

    def versions() -> int:
        return len(list(volume.glob(".home-persist/attic/*/saved")))

    for number in range(Bounds().versions // 5 + 3):
        a.save("saved", f"{number}")
        until(partial(_is_kept, a, f"{number}"))
    assert "Z-many" not in trace.read_text()
    assert versions() > Bounds().versions
    until(lambda: versions() == Bounds().versions)
    assert "Z-many" in trace.read_text()


def test_directories_that_are_made_together_cost_the_same_each(make: Make, tmp_path: Path) -> None:
    """The daemon does not look at all links again for each of them."""
    if shutil.which("strace") is None:
        missing("strace is not there")

    def calls(count: int) -> int:
        trace = tmp_path / f"{count}.trace"
        a = make(f"n{count}", "saved")
        a.resolve()
        a.start("strace", "-D", "-f", "-qqq", "-o", str(trace))
        paths = [f".made{count}/{number}/conf" for number in range(count)]
        for path in paths:
            (a.home / path).parent.mkdir(parents=True)
            (a.home / path).write_text("x")
        done = a.command("add", "-q", *(str(a.home / path) for path in paths))
        assert done.returncode == 0, done.stderr
        assert all(a.linked(path) for path in paths)
        at_rest(trace)
        a.stop()
        return len(trace.read_text().splitlines())

    few, many = calls(40), calls(40 * 5)
    print(f"{few} system calls, and {many}")
    assert many < few * 5 * 1.5


def test_links_that_are_renamed_together_cost_the_same_each(make: Make, tmp_path: Path) -> None:
    """The daemon does not look at all of them again for each of them."""
    if shutil.which("strace") is None:
        missing("strace is not there")

    def calls(count: int) -> int:
        trace = tmp_path / f"{count}.trace"
        names = [f"n{number}" for number in range(count)]
        a = make(f"w{count}", *names)
        for name in names:
            (a.home / name).write_text(name)
        a.resolve()
        a.start("strace", "-D", "-f", "-qqq", "-o", str(trace))
        for name in names:
            (a.home / name).rename(a.home / f"{name}.bak")
        until(lambda: all((a.home / f"{name}.bak").is_file() for name in names), seconds=60)
        until(lambda: not any((a.home / f"{name}.bak").is_symlink() for name in names), seconds=60)
        a.stop()
        return len(trace.read_text().splitlines())

    few, many = calls(30), calls(30 * 5)
    print(f"{few} system calls, and {many}")
    assert many < few * 5 * 1.5


def test_nothing_wakes_it_at_rest(make: Make) -> None:
    a = make("a", "saved", ".dir/", ".config/tool/state")
    a.resolve()
    a.start()
    a.save("saved", "1")
    until(lambda: a.linked("saved"))
    time.sleep(12)
    assert a.process is not None
    status = Path(f"/proc/{a.process.pid}/status")

    def wakes() -> int:
        lines = status.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("voluntary")).split()[1])

    before = wakes()
    time.sleep(20)
    assert wakes() == before


def test_memory(make: Make) -> None:
    """Without what is shared with other processes; the aim for all of it in the image is 20 MiB."""
    a = make("a", "saved", *(f".cfg/{number}/conf" for number in range(PATHS)))
    a.resolve()
    a.start()
    a.save("saved", "1")
    until(lambda: a.linked("saved"))
    assert a.process is not None
    lines = Path(f"/proc/{a.process.pid}/status").read_text().splitlines()
    anonymous = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    print(f"{anonymous} KiB")
    assert anonymous < 18 << 10

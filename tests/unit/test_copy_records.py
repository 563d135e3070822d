"""What a container has copied of one path, as later runs of it know it."""

import errno
import json
import os
from pathlib import Path

import pytest

from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.store import copy_records
from coder_ws_runtime.persist.store.copy_records import add_records, read_records
from tests.conftest import missing
from tests.fs.conftest import mounted
from tests.unit.test_ledger import NAMES

ONE, TWO = (Identity(1, inode, 0o100000, 3, 5, 5) for inode in (1, 2))
BEGUN, KEPT = CopyRecord(ONE, TWO, TWO), CopyRecord(ONE, TWO, TWO, kept=True)


def test_a_line_adds_to_the_ones_before(tmp_path: Path) -> None:
    file = f"{tmp_path}/new/records"
    add_records(file, {"a": BEGUN, "b": BEGUN})
    add_records(file, {"b": KEPT, "c": CopyRecord(TWO)})
    assert read_records(file) == {"a": BEGUN, "b": KEPT, "c": CopyRecord(TWO)}


@pytest.mark.parametrize("name", ["", *NAMES], ids=ascii)
def test_names_with_everything_in_them(name: str, tmp_path: Path) -> None:
    add_records(f"{tmp_path}/records", {name: KEPT})
    assert read_records(f"{tmp_path}/records") == {name: KEPT}


def test_a_line_that_a_kill_cut_short_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "records"
    add_records(str(file), {"a": BEGUN})
    whole = file.read_bytes()
    add_records(str(file), {"a": KEPT, "b": KEPT})
    line = file.read_bytes()[len(whole) :]
    for length in range(len(line.rstrip())):
        file.write_bytes(whole + line[:length])
        assert read_records(str(file)) == {"a": BEGUN}
        add_records(str(file), {"c": KEPT})
        assert read_records(str(file)) == {"a": BEGUN, "c": KEPT}


def test_a_file_of_the_former_version_still_counts(tmp_path: Path) -> None:
    """It was one JSON object, which each run replaced; the package may be upgraded in a container."""
    numbers = [[1, 1, 0o100000, 3, 5, 5], [1, 2, 0o100000, 3, 5, 5], [1, 2, 0o100000, 3, 5, 5]]
    (tmp_path / "records").write_text(json.dumps({"a": [*numbers, False], "b": [*numbers, True]}))
    add_records(f"{tmp_path}/records", {"c": BEGUN})
    assert read_records(f"{tmp_path}/records") == {"a": BEGUN, "b": KEPT, "c": BEGUN}


def test_nothing_is_known_of_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "records")
    add_records(f"{tmp_path}/records", {"a": KEPT})
    assert read_records(f"{tmp_path}/link") == read_records(f"{tmp_path}/nothing") == {}
    with pytest.raises(OSError, match="symbolic"):
        add_records(f"{tmp_path}/link", {"b": KEPT})


def test_a_full_file_system_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        add_records("/dev/full", {"a": KEPT})


def test_a_file_that_is_copied_again_and_again_needs_no_more_room(tmp_path: Path) -> None:
    """A directory with a socket is never linked: what a program saves in it is recorded for months."""
    file = tmp_path / "records"
    many = {f"directory/file{number}": KEPT for number in range(1000)}
    for _ in range(50):
        add_records(str(file), many)
    for number in range(3000):
        add_records(str(file), {"saved": CopyRecord(Identity(1, number, 0o100000, 3, 5, 5), TWO)})
    assert read_records(str(file)) == {**many, "saved": CopyRecord(Identity(1, 2999, 0o100000, 3, 5, 5), TWO)}
    assert file.stat().st_size < 1 << 20
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("what", ["_read", "replace_file"])
def test_a_file_that_cannot_be_made_smaller_still_counts(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(copy_records, what, fails)
        for number in range(5000):
            add_records(f"{tmp_path}/records", {f"{number % 7}": KEPT})
    assert read_records(f"{tmp_path}/records") == {f"{number}": KEPT for number in range(7)}


def test_a_line_that_does_not_fit_leaves_the_room_to_others(tmp_path: Path) -> None:
    """The record of 20,000 files is larger than what a container may have left, and is tried again."""
    if os.geteuid() != 0:
        missing("root, to mount a small tmpfs")
    file = tmp_path / "records"
    with mounted(tmp_path, "size=1m"):
        add_records(str(file), {"a": KEPT})
        before = file.stat().st_size
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                add_records(str(file), {f"directory/file{number}": BEGUN for number in range(20_000)})
            assert (file.stat().st_size, read_records(str(file))) == (before, {"a": KEPT})
        (tmp_path / "save").write_bytes(bytes(1 << 19))

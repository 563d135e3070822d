"""Files that are replaced whole."""

import os
from pathlib import Path

import pytest

from coder_ws_runtime.fs.writing import replace_file, replace_users_file


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o7777


@pytest.mark.parametrize("durable", [False, True])
def test_content_is_replaced_and_parents_are_made(tmp_path: Path, durable: bool) -> None:  # noqa: FBT001
    file = tmp_path / "a/b/file"
    replace_file(file, b"one", durable=durable)
    replace_file(file, b"two", durable=durable)
    assert file.read_bytes() == b"two"
    assert os.listdir(file.parent) == ["file"]


@pytest.mark.parametrize(("durable", "synced"), [(False, 0), (True, 2)])
def test_only_what_is_to_be_durable_is_synced(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    durable: bool,  # noqa: FBT001 - a row of the table
    synced: int,
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    replace_file(tmp_path / "file", b"", durable=durable)
    assert len(calls) == synced


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "file").symlink_to("target")
    replace_file(tmp_path / "file", b"new", durable=False)
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "target").read_text() == "mine"


def test_a_users_link_is_followed_and_the_mode_is_kept(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "target").chmod(0o640)
    (tmp_path / "file").symlink_to("target")
    replace_users_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").is_symlink()
    assert ((tmp_path / "target").read_text(), mode(tmp_path / "target")) == ("new", 0o640)


def test_modes(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "by the umask", b"", durable=False)
        replace_file(tmp_path / "given", b"", durable=False, mode=0o644)
        replace_users_file(tmp_path / "new", b"")
    finally:
        os.umask(before)
    found = {file.name: mode(file) for file in tmp_path.iterdir()}
    assert found == {"by the umask": 0o640, "given": 0o644, "new": 0o644}


def test_what_a_killed_process_of_the_same_number_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f".file.{os.getpid()}.tmp").write_text("half")
    replace_file(tmp_path / "file", b"whole", durable=False)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"file": "whole"}


def test_a_failure_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("old")

    def fail(_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        replace_file(file, b"new", durable=True)
    assert {found.name: found.read_text() for found in tmp_path.iterdir()} == {"file": "old"}

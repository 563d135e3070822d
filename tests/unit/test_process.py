"""How other programs are called."""

from pathlib import Path

import pytest

from coder_ws_runtime.system.process import find_program, run


def test_a_program_works_outside_of_the_directory_in_which_we_were_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    assert run(["pwd"]).stdout == "/\n"


def test_a_program_of_a_relative_directory_is_found_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\necho here\n")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    program = find_program("tool", ".")
    assert program == str(tmp_path / "tool")
    assert run([program]).stdout == "here\n"

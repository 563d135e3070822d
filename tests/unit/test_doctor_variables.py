"""Where a variable is set: which lines count, and which of them the remedy takes out."""

from pathlib import Path

import pytest

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.variables import take_out

# A line of a startup file, and whether the remedy makes it do nothing; None: it sets nothing.
LINES = {
    "X=1": True,
    "export X=1": True,
    "  export X='a b'": True,
    "declare -x X=1": True,
    "set -gx X 1": True,
    "export Y=1 X=1": False,
    "X=1 && export X": True,
    "X=1; export X": True,
    "export X=$(a b | c)": True,
    "export X='a;b'  # c": True,
    "export X=1 Y=2": False,
    "export X=1; alias k=kubectl": False,
    "export X=1 && . ~/y": False,
    "X=1 date": False,
    "export X='a": False,
    "export X=1 ;;": False,
    "$(cd / && X=1 date)": False,
    "set -gx X 1; set -gx Y 2": False,
    "if true; then export X=1; fi": False,
    "export X=1 \\": False,
    "# export X=1": None,
    ": # export X=1": None,
    "echo $X": None,
    "export XY=1": None,
    "export YX=1": None,
    "unset X": None,
}


@pytest.mark.parametrize(("line", "whole"), LINES.items(), ids=LINES)
def test_a_line(line: str, whole: bool | None, tmp_path: Path) -> None:  # noqa: FBT001 - a value of the table
    profile = tmp_path / "home/coder/.profile"
    profile.parent.mkdir(parents=True)
    profile.write_text(f"\n{line}\n")
    remedy, evidence = take_out(Context.of(tmp_path, {}), "X", "fine")
    edits = [command for command in remedy.commands if "sed" in command]
    assert remedy.commands[-1] == "unset X"
    if whole is None:
        assert evidence == ["X is set in this shell only"]
        assert edits == []
        return
    assert evidence == [f"X is set in {profile}, line 2"]
    assert bool(edits) is whole
    assert (f"remove it from {profile}, line 2" in remedy.text) is not whole


def test_files_of_the_system_are_changed_by_root_and_are_no_scripts(tmp_path: Path) -> None:
    for name in ("environment", "profile.d/x.sh"):
        file = tmp_path / "etc" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("X=1\n")
    remedy, _ = take_out(Context.of(tmp_path, {}), "X", "fine")
    assert [command.partition("sed ")[2] for command in remedy.commands[:-1]] == [
        f"-i --follow-symlinks '1s/^/# /' {tmp_path}/etc/environment",
        f"-i --follow-symlinks '1s/^/: # /' {tmp_path}/etc/profile.d/x.sh",
    ]

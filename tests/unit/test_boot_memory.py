"""One program ends when memory runs out, not the workspace."""

from pathlib import Path

import pytest

from coder_ws_runtime.boot.memory import Ending, end_one_at_a_time
from coder_ws_runtime.layout import Layout

POD = "kubepods/pod1/abc"


def layout(
    root: Path, group: str | None, *, place: str = POD, cgroup: str = f"0::/{POD}/init.scope"
) -> Layout:
    made = Layout.of(root)
    (made.proc / "1").mkdir(parents=True)
    (made.proc / "1/cgroup").write_text(f"{cgroup}\n")
    directory = made.cgroups / place
    directory.mkdir(parents=True)
    (directory / "memory.current").write_text("4096\n")
    if group is not None:
        (directory / "memory.oom.group").write_text(f"{group}\n")
    return made


@pytest.mark.parametrize(
    ("place", "cgroup"),
    [(POD, f"0::/{POD}/init.scope"), ("", "0::/init.scope")],
    ids=["the node's root is seen", "a namespace of its own"],
)
def test_a_pod_of_which_all_would_end(tmp_path: Path, place: str, cgroup: str) -> None:
    made = layout(tmp_path, "1", place=place, cgroup=cgroup)
    assert end_one_at_a_time(made) is Ending.CHANGED
    assert (made.cgroups / place / "memory.oom.group").read_text().strip() == "0"


@pytest.mark.parametrize("group", ["0", None], ids=["it is already so", "version 1"])
def test_nothing_to_do(tmp_path: Path, group: str | None) -> None:
    assert end_one_at_a_time(layout(tmp_path, group)) is Ending.ONE


def test_what_cannot_be_changed_is_said(tmp_path: Path) -> None:
    made = layout(tmp_path, None)
    # Neither read nor written: as a file of a mount that is read-only is not written.
    (made.cgroups / POD / "memory.oom.group").mkdir()
    assert end_one_at_a_time(made) is Ending.ALL

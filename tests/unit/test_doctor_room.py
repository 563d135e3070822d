"""Room on disks and in memory: full disks and a kernel that ends programs are made of numbers here.

A workspace shares the host's disk and, on version 1 of control groups, tells nothing of its own; a
test that filled the host's would hurt everyone on it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Status, Verdict

_GIB = 1 << 30
_V2 = "sys/fs/cgroup/memory"
_V1 = "sys/fs/cgroup/memory/memory"
BY_ID = {item.id: item for item in CHECKS}


@dataclass(frozen=True)
class Row:
    """One kind of want: the numbers, the code of what is found, and the commands that help."""

    check: str
    broken: str
    code: str
    status: Status
    remedy: str
    """Part of the remedy's commands."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files of the kernel, below the root."""
    free: float = 0.5
    """The part of the disk's 64 GiB that is free."""
    inodes: float = 0.5
    """The part of its inodes that is free."""


FULL, NEARLY = 0.0001, 0.05
KILLED = {f"{_V2}.events": "low 0\noom 3\noom_kill 2\n"}
STALLED = (
    "some avg10=60.00 avg60=40.00 avg300=9.00 total=1\nfull avg10=50.00 avg60=31.40 avg300=8.00 total=1\n"
)

ROWS = [
    Row("disk.root", "full", "disk.root-full", Status.FAILURE, "docker system", free=FULL),
    Row("disk.root", "nearly full", "disk.root-nearly-full", Status.WARNING, "docker system df", free=NEARLY),
    Row("disk.root", "few inodes", "disk.root-few-inodes", Status.WARNING, "docker system", inodes=0.05),
    Row("disk.root", "no inodes", "disk.root-no-inodes", Status.FAILURE, "docker system", inodes=0.001),
    Row("disk.volume", "few inodes", "disk.volume-few-inodes", Status.WARNING, "attic prune", inodes=0.05),
    Row(
        "disk.projects", "no inodes", "disk.projects-no-inodes", Status.FAILURE, "du -xa --inodes", inodes=0.0
    ),
    Row(
        "disk.memory",
        "near its limit",
        "disk.memory-short",
        Status.WARNING,
        "ps -eo",
        {
            f"{_V2}.max": f"{_GIB}\n",
            f"{_V2}.current": f"{1040 << 20}\n",
            f"{_V2}.stat": f"inactive_file {20 << 20}\n",
        },
    ),
    Row(
        "disk.memory",
        "near its limit, control groups of version 1",
        "disk.memory-short",
        Status.WARNING,
        "ps -eo",
        {f"{_V1}.limit_in_bytes": f"{_GIB}\n", f"{_V1}.usage_in_bytes": f"{1030 << 20}\n"},
    ),
    Row(
        "disk.memory",
        "programs ended",
        "disk.memory-killed",
        Status.WARNING,
        "coder restart",
        KILLED,
    ),
    Row(
        "disk.memory",
        "programs wait",
        "disk.memory-pressure",
        Status.WARNING,
        "ps -eo",
        {f"{_V2}.pressure": STALLED, "proc/pressure/memory": STALLED.replace("31.40", "99.00")},
    ),
    Row(
        "disk.memory",
        "the host's programs wait",
        "disk.memory-pressure",
        Status.WARNING,
        "ps -eo",
        {"proc/pressure/memory": STALLED},
    ),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("mnt/home-persist", "home/coder/projects", "etc/coder"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/coder/workspace.json").write_text(
        '{"version": 1, "workspace": {"id": "w1", "name": "dev"}, "projects": "/home/coder/projects"}'
    )
    return tmp_path


def look(check: str, root: Path) -> Verdict:
    """The check's own function: on a tree, its needs would have it skipped."""
    return BY_ID[check].function(Context.of(root, {}))


def disk(monkeypatch: pytest.MonkeyPatch, free: float, inodes: float) -> None:
    blocks = 1 << 24
    numbers = SimpleNamespace(
        f_blocks=blocks,
        f_bfree=int(blocks * free),
        f_bavail=int(blocks * free),
        f_frsize=4096,
        f_files=1_000_000,
        f_favail=int(1_000_000 * inodes),
    )
    monkeypatch.setattr(os, "statvfs", lambda _: numbers)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_want_is_found_and_gone_when_there_is_enough(
    row: Row, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in row.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    disk(monkeypatch, row.free, row.inodes)
    found = look(row.check, root)
    assert [item.code for item in found.findings] == [row.code]
    assert [item.status for item in found.findings] == [row.status]
    remedy = found.findings[0].remedy
    assert remedy is not None
    assert any(row.remedy in command for command in remedy.commands)

    for name in row.files:
        (root / name).unlink()
    disk(monkeypatch, 0.5, 0.5)
    assert look(row.check, root).status is Status.OK


def test_a_small_part_of_a_large_disk_is_much(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch, 0.09, 0.5)
    assert look("disk.root", root).status is Status.OK

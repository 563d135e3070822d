"""The doctor in a pod: what it looks at there, and what it says is to be changed there."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from coder_ws_runtime.cli.home_persist.main import home_persist
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.checks.disk import memory_limit, memory_used
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Status, Verdict
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system.cgroups import own_groups
from coder_ws_runtime.system.processes import started

BY_ID = {item.id: item for item in CHECKS}


def context(root: Path, engine: str) -> Context:
    file = Layout.of(root).settings_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"engine": engine, "workspace": {"id": "w1", "name": "dev"}}))
    return Context.of(root, {})


def look(root: Path, check: str, engine: str = "own") -> Verdict:
    return BY_ID[check].function(context(root, engine))


@pytest.mark.parametrize("check", ["home.volume", "agent.init-script"])
def test_remedies_say_what_is_changed_there(tmp_path: Path, check: str) -> None:
    def remedy(engine: str) -> str:
        (finding,) = look(tmp_path, check, engine).findings
        assert finding.remedy
        return finding.remedy.text

    assert "docker_container" in remedy("host-socket")
    for engine in ("own", "none"):
        assert "docker_container" not in remedy(engine)
        assert "volume_mount" in remedy(engine)


def test_there_is_no_docker_host(tmp_path: Path) -> None:
    assert look(tmp_path, "network.host").status is Status.SKIPPED


def test_without_docker_its_socket_is_not_missed(tmp_path: Path) -> None:
    assert look(tmp_path, "docker.socket", "none").status is Status.SKIPPED


@pytest.mark.parametrize(
    ("engine", "problem", "command"),
    [
        ("own", "the Docker engine of this workspace does not listen", "ws-docker-engine.socket"),
        ("host-socket", "no Docker socket is mounted", "coder update"),
    ],
)
def test_a_socket_that_is_not_there(tmp_path: Path, engine: str, problem: str, command: str) -> None:
    (finding,) = look(tmp_path, "docker.socket", engine).findings
    assert finding.problem == problem
    assert finding.remedy
    after = finding.remedy.then.commands if finding.remedy.then else ()
    assert command in " ".join([*finding.remedy.commands, *after])


def test_bind_mounts_are_right(tmp_path: Path) -> None:
    assert look(tmp_path, "docker.bind-mounts").status is Status.OK


POD = "kubepods/burstable/pod1/abc"


@pytest.mark.parametrize(
    ("line", "group"),
    [
        # A privileged pod sees the node's root.
        (f"0::/{POD}/init.scope\n", POD),
        (f"0::/{POD}\n", POD),
        # In a namespace of its own, the root that is seen is the pod's.
        ("0::/init.scope\n", ""),
        ("0::/\n", ""),
        # Version 1: each controller's mount is the container's own, which the path is not below.
        (f"4:memory:/{POD}\n1:name=systemd:/{POD}/init.scope\n", ""),
        ("", ""),
    ],
)
def test_the_workspace_s_own_control_group(tmp_path: Path, line: str, group: str) -> None:
    layout = Layout.of(tmp_path)
    for place, limit in (("", "max"), (POD, "1073741824")):
        directory = layout.cgroups / place
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "memory.max").write_text(f"{limit}\n")
        (directory / "memory.current").write_text("4096\n")
    (layout.proc / "1").mkdir(parents=True)
    (layout.proc / "1/cgroup").write_text(line)
    found = own_groups(layout)
    assert found == layout.cgroups / group
    assert memory_limit(found) == (1 << 30 if group else 0)
    assert memory_used(found) == 4096


def test_a_path_that_is_not_below_the_root_is_not_followed(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    (layout.proc / "1").mkdir(parents=True)
    (layout.proc / "1/cgroup").write_text("0::/../../elsewhere\n")
    assert own_groups(layout) == layout.cgroups


def test_when_a_program_was_started(tmp_path: Path) -> None:
    assert time.time() - 3600 < started(Path("/proc"), os.getpid()) <= time.time() + 1
    assert started(tmp_path, 1) == 0.0


def test_gc_does_not_ask_an_engine_that_knows_no_other_workspace(tmp_path: Path) -> None:
    context(tmp_path, "own")
    layout = Layout.of(tmp_path)
    for directory in (layout.home, layout.volume, layout.ledger_dir, layout.manifest_dir):
        directory.mkdir(parents=True, exist_ok=True)
    done = CliRunner().invoke(home_persist, ["gc", "--json", "--root", str(tmp_path)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert json.loads(done.output)["engine"] == {
        "answers": False,
        "knows_all": False,
        "message": "does not know other workspaces",
    }

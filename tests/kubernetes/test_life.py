"""What happens to workspaces: stops, drains, lack of memory, images that are not there, two of one owner."""

import json
import time

import pytest

from tests.harness.doctor import look
from tests.kubernetes.conftest import AnyCluster, New

pytestmark = pytest.mark.kubernetes

# Saves as programs do, by a rename over the link, and notes what is saved; it goes on until it is ended.
SAVING = """
i=0
while :; do
    i=$((i + 1))
    echo "$i" > ~/.claude.json.tmp && mv ~/.claude.json.tmp ~/.claude.json && echo $i > ~/projects/noted
    sleep 0.02
done
"""


def test_two_workspaces_of_one_owner(new: New) -> None:
    one, two = new("one", owner="eve").start(), new("two", owner="eve").start()
    one.out("mkdir -p ~/.claude && echo from one > ~/.claude/shared")
    assert two.out("cat ~/.claude/shared") == "from one"
    two.out('echo \'{"by": "two"}\' > t && mv t ~/.claude.json')
    deadline = time.monotonic() + 10
    while two.out("readlink ~/.claude.json || true") == "" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert one.out("cat ~/.claude.json") == '{"by": "two"}'
    # Each knows that the other runs, and takes nothing of its away.
    for own, other in ((one, two), (two, one)):
        found = json.loads(own.out("home-persist gc --yes --json"))["workspaces"]
        assert [item["id"] for item in found if item["removed"]] == []
        assert {item["id"]: item["verdict"] for item in found}.get(other.workspace_id) in (None, "leased")
    for space in (one, two):
        assert [item for item in look(space)["checks"] if item["status"] not in ("ok", "skipped")] == []


def test_a_stop_while_a_save_is_in_flight(new: New) -> None:
    space = new("saving", owner="saving").start()
    space.exec(
        "systemd-run", "--uid=coder", "--setenv=HOME=/home/coder", "--", "bash", "-c", SAVING, user="root"
    )
    deadline = time.monotonic() + 20
    while int(space.sh("cat ~/projects/noted 2>/dev/null || echo 0").stdout or 0) < 50:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    space.stop()
    space.start()
    noted = int(space.out("cat ~/projects/noted"))
    saved = int(space.out("cat ~/.claude.json"))
    # The note comes after the save: what was noted was saved. One more save may have come before the end.
    assert noted <= saved <= noted + 1


def test_a_second_start_while_the_first_still_stops(new: New, cluster: AnyCluster) -> None:
    space = new("again").start()
    first = space.status()["metadata"]["uid"]
    # A unit that takes its time to stop, as a large last copy does.
    space.out(
        "sudo systemd-run --property=TimeoutStopSec=8 bash -c 'trap \"\" TERM; while :; do sleep 1; done'"
    )
    space.stop(wait=False)
    space.start(wait=False)
    seen: list[set[str]] = []
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        pods = cluster.kubectl.items(
            "pods", "-l", f"app.kubernetes.io/instance=coder-{space.workspace_id}", namespace=space.namespace
        )
        seen.append({one["metadata"]["uid"] for one in pods})
        if seen[-1] and first not in seen[-1]:
            break
        time.sleep(0.3)
    assert max(len(uids) for uids in seen) == 1, "never two pods on one claim"
    assert {first} in seen
    space.wait_rolled_out()
    assert space.status()["metadata"]["uid"] != first


def test_a_drained_node(new: New, cluster: AnyCluster) -> None:
    space = new("drained").start()
    space.out("echo kept > ~/projects/kept")
    (node,) = [one["metadata"]["name"] for one in cluster.kubectl.items("nodes")]
    try:
        cluster.kubectl.run(
            "drain",
            node,
            "--force",
            "--ignore-daemonsets",
            "--timeout=60s",
            f"--pod-selector=com.coder.workspace.id={space.workspace_id}",
        )
        deadline = time.monotonic() + 60
        while "unschedulable" not in space.events():
            assert time.monotonic() < deadline, space.events()
            time.sleep(0.5)
        assert space.status()["status"]["phase"] == "Pending", "it waits for a node"
    finally:
        cluster.kubectl.run("uncordon", node)
    space.wait_rolled_out()
    assert space.out("cat ~/projects/kept") == "kept"


def test_an_image_that_cannot_be_pulled_is_named(new: New, cluster: AnyCluster) -> None:
    space = new("pull", image="registry.invalid/nothing:base-engine")
    space.start(wait=False)
    deadline = time.monotonic() + 60
    while not any(reason in space.events() for reason in ("ErrImagePull", "Failed to pull image")):
        assert time.monotonic() < deadline, space.events()
        time.sleep(0.5)
    assert 'Failed to pull image "registry.invalid/nothing:base-engine"' in space.events()
    # A start with the right image replaces the pod that never became ready.
    right = new("pull", workspace_id=space.workspace_id).start()
    assert right.out("hostname") == "pull"


def test_a_program_that_wants_too_much_memory(new: New) -> None:
    space = new("memory", parameters={"memory": "1"}).start()
    assert "1.0 GiB" in str(look(space, "--only", "disk.memory"))
    done = space.exec("python3", "-c", "x = bytearray(3 << 30); print(len(x))")
    assert done.returncode != 0
    assert space.exec("systemctl", "is-system-running", user="root").stdout.strip() == "running"
    (check,) = look(space, "--only", "disk.memory")["checks"]
    assert [finding["code"] for finding in check["findings"]] == ["disk.memory-killed"]
    assert space.status()["status"]["containerStatuses"][0]["restartCount"] == 0

"""`ws-boot hooks` in a booted workspace: whatever a tool's script does, the workspace comes up."""

import errno
import json
import os

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.answers import ask, records
from tests.harness.waits import until

pytestmark = pytest.mark.docker

LOGS = "/var/log/coder-ws/hooks"
LIMIT = 10
"""Seconds for each hook: on a busy machine, what hooks do that end takes some."""

NOTE = '#!/bin/sh\necho "$(basename "$(dirname "$0")")" >> ~/order\n'
HOOKS = {
    "10-first": f"{NOTE}id -un > ~/who\n",
    "20-fails": f"{NOTE}echo 'no such tool' >&2; exit 3\n",
    "30-hangs": f"{NOTE}echo waiting; sleep 7777 & sleep 7777\n",
    "40-floods": f"{NOTE}echo the beginning; yes | head -c 50000000; echo the end\n",
    "50-no-interpreter": "echo never\n",
    "60-plain": "#!/bin/sh\ntouch ~/never\n",
    "70-docker": f"{NOTE}docker ps --format '{{{{.Names}}}}'; readlink ~/.claude\n",
}
ENDINGS = {
    "10-first": ("done", 0),
    "20-fails": ("failed", 3),
    "30-hangs": ("timed-out", None),
    "40-floods": ("done", 0),
    "50-no-interpreter": ("not-run", None),
    "60-plain": ("not-run", None),
    "70-docker": ("done", 0),
}


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    made = spaces.new("hooks")
    made.settings["hooks"] = {"time_limit": LIMIT}
    for name, script in HOOKS.items():
        mode = 0o644 if name == "60-plain" else 0o755
        made.upload(f"/usr/local/share/{name}/post-create.sh", script, mode=mode)
    return made.boot()


@pytest.fixture(scope="module")
def good(spaces: Spaces) -> Workspace:
    made = spaces.new("hooks-good")
    scripts = {
        "tool": "#!/bin/sh\necho ran >> ~/runs; while test -e ~/hold; do sleep 0.1; done\n",
        "starts": "#!/bin/sh\nnohup sleep 8888 > /dev/null 2>&1 &\n",
    }
    for name, script in scripts.items():
        made.upload(f"/usr/local/share/{name}/post-create.sh", script, mode=0o755)
    return made.boot()


def test_all_ran_in_order_as_the_user(space: Workspace) -> None:
    order = ["10-first", "20-fails", "30-hangs", "40-floods", "70-docker"]
    assert space.out("cat ~/order").split()[: len(order)] == order
    assert space.out("cat ~/who") == "coder"


@pytest.mark.parametrize("name", HOOKS)
def test_ending(name: str, space: Workspace) -> None:
    hooks = {hook["id"]: hook for hook in json.loads(space.out("ws-boot hooks list --json"))["hooks"]}
    last = hooks[name]["last"]
    assert (last["ending"], last["status"]) == ENDINGS[name]


def test_the_unit_failed_and_the_agent_came_up(space: Workspace) -> None:
    assert space.sh("systemctl is-failed ws-hooks").stdout.strip() == "failed"
    assert space.out("systemctl is-active coder-agent") == "active"


WHY = {
    "20-fails": "no such tool",
    "30-hangs": "waiting",
    "50-no-interpreter": os.strerror(errno.ENOEXEC),
    "60-plain": "sudo chmod 0755 /usr/local/share/60-plain/post-create.sh",
}
"""What each hook that did not succeed wrote last, why it did not start, or what remedies that."""


@pytest.mark.parametrize("name", WHY)
def test_the_journal_says_what_failed_and_how_to_fix_it(name: str, space: Workspace) -> None:
    hooks = {hook["id"]: hook for hook in ask(space, "ws-boot hooks list").document["hooks"]}
    last = hooks[name]["last"]
    assert WHY[name] in f"{last['message']}; {last['remedy']}"
    (record,) = records(space, "ws-hooks", hook=name)
    assert (record["CODER_WS_ENDING"], record["PRIORITY"]) == (ENDINGS[name][0], "4")
    told = [part for part in (last["message"], last["remedy"], last["log"]) if part]
    assert [part for part in told if part not in record["MESSAGE"]] == []


def test_the_log_of_a_hook_is_named(space: Workspace) -> None:
    hooks = {hook["id"]: hook for hook in ask(space, "ws-boot hooks list").document["hooks"]}
    assert hooks["20-fails"]["last"]["log"] == f"{LOGS}/20-fails.log"


def test_the_journal_counts_the_hooks(space: Workspace) -> None:
    (record,) = [one for one in records(space, "ws-hooks", step="hooks") if "CODER_WS_FAILED" in one]
    assert (record["CODER_WS_FAILED"], record["PRIORITY"]) == (str(len(WHY)), "4")
    assert all(name in record["MESSAGE"] for name in WHY)


def test_what_hung_is_gone_with_what_it_started(space: Workspace) -> None:
    assert space.sh("pgrep -f 'sleep 7777'").stdout == ""


def test_what_a_hook_leaves_running_goes_on(good: Workspace) -> None:
    assert good.out("systemctl show -P MainPID ws-hooks") == "0"
    assert good.out("pgrep -fc 'sleep 8888'") == "1"


def test_a_flood_leaves_a_small_log_with_both_ends(space: Workspace) -> None:
    log = f"{LOGS}/40-floods.log"
    assert int(space.out(f"stat -c %s {log}")) < 700_000
    assert space.out(f"sed -n 2p {log}") == "the beginning"
    assert "the end" in space.out(f"tail -n 2 {log}")


def test_home_and_docker_are_ready_for_a_hook(space: Workspace) -> None:
    log = space.out(f"cat {LOGS}/70-docker.log")
    assert space.container in log
    assert "/mnt/home-persist/.claude" in log


def test_the_template_s_run_shows_how_it_went_and_does_not_hang_again(space: Workspace) -> None:
    answer = ask(space, "ws-boot hooks --once")
    assert answer.status == 1
    assert {hook["id"] for hook in answer.document["hooks"] if hook["ending"] != "done"} == set(WHY)
    assert space.out("grep -c 30-hangs ~/order") == "1"


def test_a_hook_that_was_fixed_runs_next_time(space: Workspace) -> None:
    space.out("sudo chmod 0755 /usr/local/share/60-plain/post-create.sh")
    assert ask(space, "ws-boot hooks --once").has({"id": "60-plain", "ending": "done"})
    assert space.out("test -e ~/never && echo yes") == "yes"


def test_run_shows_what_a_hook_says(space: Workspace) -> None:
    done = space.exec("ws-boot", "hooks", "run", "20-fails")
    assert done.returncode == 1
    assert "no such tool" in done.stdout.splitlines()


def test_list_is_a_table_for_people(space: Workspace) -> None:
    lines = space.out("ws-boot hooks list").splitlines()
    assert lines[0].split() == ["HOOK", "LAST", "SCRIPT"]
    assert any("20-fails" in line and "failed" in line for line in lines)


@pytest.mark.parametrize("step", ["hooks", "jetbrains"])
def test_root_is_refused(step: str, space: Workspace) -> None:
    answer = ask(space, f"ws-boot {step}", user="root")
    assert (answer.status, answer.codes) == (2, {"cli.root"})
    assert answer.names(f"sudo -H -u coder ws-boot {step}")


def test_the_unit_of_good_hooks_is_done(good: Workspace) -> None:
    assert good.wait_ready() == "running"
    assert good.out("systemctl is-active ws-hooks") == "active"


def test_two_runs_at_once_are_one(good: Workspace) -> None:
    good.out("rm ~/runs; touch ~/hold")
    waits = "another run of the hooks is in progress; waiting for it"
    good.out(f"""
        ws-boot hooks run tool &
        {until("test -e ~/runs")}
        ws-boot hooks run tool > /tmp/second 2>&1 &
        {until(f"grep '{waits}' /tmp/second")}
        waited=$?
        rm ~/hold
        wait
        exit $waited
    """)
    assert good.out("cat ~/runs") == "ran"


def test_ctrl_c_ends_the_hook(good: Workspace) -> None:
    good.out("rm -f ~/runs; touch ~/hold")
    # By job control: without it, bash starts what runs in its background with SIGINT ignored.
    run = f"set -m; ws-boot hooks run tool & {until('test -e ~/runs')}; kill -INT $!"
    done = good.sh(f"{run}; wait $!; echo status $?; pgrep -f '^/bin/sh .*post-create.sh'")
    good.out("rm ~/hold")
    assert "error: interrupted" in done.stderr
    assert done.stdout.splitlines()[-1] == "status 130", "nothing of it is left"

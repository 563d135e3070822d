"""A workspace boots, its home survives, and it stops cleanly."""

import json
import re

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.answers import ask
from tests.harness.doctor import findings, look
from tests.harness.waits import AGENT_RUNS, LOGGED

pytestmark = pytest.mark.docker

UNITS = (
    "ws-docker-group",
    "home-persist-resolve",
    "ws-jetbrains",
    "home-persist-watch",
    "ws-hooks",
    "coder-agent",
)
HOOK = '#!/bin/sh\necho "$(id -un) in $PWD" > ~/hook-ran\n'


@pytest.fixture(scope="module")
def first(spaces: Spaces) -> Workspace:
    """Container A: an image with content in the home and a hook, one bad manifest among good ones."""
    space = spaces.new("one", owner="boot")
    space.settings["home_persist_paths"] = ["~/.notes/", {"path": ".local-only/", "scope": "workspace"}]
    prepare(space)
    return space.boot()


def prepare(space: Workspace) -> None:
    """Files that an image would have: uploaded before the first process starts."""
    space.upload("/home/coder/.claude/image.txt", "from the image\n", owner=1000)
    space.upload("/usr/local/share/demo/post-create.sh", HOOK, mode=0o755)


@pytest.fixture(scope="module")
def second(first: Workspace, spaces: Spaces) -> Workspace:
    """Container B of the same workspace, after A wrote and was lost."""
    first.out("echo one > ~/.claude/session; echo two > ~/.claude.json; echo three > ~/.notes/n")
    first.out("echo four > ~/.local-only/w")
    first.out("echo five > ~/new && mv ~/new ~/.claude.json")
    first.stop()
    first.remove()
    again = spaces.new("one", owner="boot", workspace_id=first.workspace_id)
    again.settings = first.settings
    prepare(again)
    return again.boot()


def test_the_system_runs(first: Workspace) -> None:
    failed = first.out("systemctl --failed --no-legend --plain; true")
    assert (first.wait_ready(), failed) == ("running", "")


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_active_or_done(first: Workspace, unit: str) -> None:
    assert first.out(f"systemctl is-active {unit}") == "active"


def test_the_agent_waits_for_what_it_needs(first: Workspace) -> None:
    """Not for the daemon, although that ends after it."""
    before = first.out("systemctl show -P After coder-agent").split()
    ours = {name.removesuffix(".service") for name in before} & {*UNITS, "web-shell"}
    assert ours == {"ws-docker-group", "home-persist-resolve"}


def test_that_begins_while_systemd_prepares_the_rest(first: Workspace) -> None:
    prepared = first.out("systemctl show -P ActiveEnterTimestampMonotonic sysinit.target")
    for unit in ("ws-docker-group", "home-persist-resolve"):
        began = first.out(f"systemctl show -P InactiveExitTimestampMonotonic {unit}")
        assert 0 < int(began) < int(prepared), unit


def test_docker_answers_without_sudo(first: Workspace) -> None:
    assert first.container in first.out("docker ps --format '{{.Names}}'")
    # The number may belong to another group of the image; then the user is in that one.
    assert first.out("stat -c %g /run/docker.sock") in first.out("id -G").split()


def test_the_socket_is_not_hidden(first: Workspace) -> None:
    assert first.out("test -S /run/docker.sock && echo there") == "there"


def test_the_agent_ran_as_the_user_with_home_and_token(first: Workspace) -> None:
    log = first.out(f"{AGENT_RUNS}; {LOGGED}; journalctl -o cat -u coder-agent", user="root")
    assert "user coder" in log
    assert "docker" in log
    assert "token set" in log
    assert "~/.claude /mnt/home-persist/.claude" in log, "the home was ready before the agent"


def test_what_people_check_by_hand(first: Workspace) -> None:
    assert first.out("test -x /etc/coder/agent-init.sh && echo yes", user="root") == "yes"
    assert "CODER_AGENT_TOKEN=" in first.out("tr '\\0' '\\n' < /proc/1/environ", user="root")


def test_only_the_agent_gets_the_token(first: Workspace) -> None:
    environment = first.out(
        "tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID home-persist-watch)/environ", user="root"
    )
    assert "CODER_AGENT_TOKEN" not in environment


def test_image_content_was_seeded(first: Workspace) -> None:
    assert first.out("readlink ~/.claude") == "/mnt/home-persist/.claude"
    assert first.out("cat ~/.claude/image.txt") == "from the image"


def test_jetbrains_files_are_as_designed(first: Workspace) -> None:
    document = json.loads(first.out("cat ~/.local/share/JetBrains/Toolbox/environment.json"))
    assert document["tools"]["allowUpdate"] is False
    assert document["tools"]["location"] == [{"path": "/mnt/home-persist/.jetbrains-dist", "levels": 1}]
    assert "idea.system.path=/tmp/jetbrains/system" in first.out("cat ~/idea.properties")


def test_a_hook_ran_as_the_user(first: Workspace) -> None:
    assert first.out("cat ~/hook-ran") == "coder in /home/coder"


def test_the_journal_has_our_fields(first: Workspace) -> None:
    records = first.out("journalctl -o json -u home-persist-resolve CODER_WS_PATH=.claude").splitlines()
    record = json.loads(records[0])
    assert (record["CODER_WS_SCOPE"], record["CODER_WS_SOURCE"]) == ("owner", "claude-code")


def test_a_second_resolve_changes_nothing_and_says_so(first: Workspace) -> None:
    again = ask(first, "home-persist resolve")
    assert (again.status, again.document["changed"], again.document["refused"]) == (0, False, [])
    assert len(first.out("home-persist resolve").splitlines()) == 1, "one line for people"


def test_the_home_survives_its_container(second: Workspace) -> None:
    assert second.out("cat ~/.claude/session ~/.claude.json ~/.notes/n ~/.local-only/w").split() == [
        "one",
        "five",
        "three",
        "four",
    ]


def test_another_workspace_of_the_owner(second: Workspace, spaces: Spaces) -> None:
    other = spaces.new("two", owner="boot")
    other.settings["home_persist_paths"] = second.settings["home_persist_paths"]
    other.boot()
    assert other.out("cat ~/.claude/session ~/.notes/n").split() == ["one", "three"]
    assert other.out("ls -A ~/.local-only") == "", "a workspace's own copy is not for another"
    assert second.out("cat ~/.local-only/w") == "four"


def test_it_stops_in_time_and_cleanly(second: Workspace) -> None:
    # The journal is kept, to be read after the stop.
    second.out("mkdir -p /var/log/journal && journalctl --flush", user="root")
    second.out("echo last > ~/t && mv ~/t ~/.claude.json")
    seconds = second.quickest_stop(2)
    assert second.engine.inspect(second.container)["State"]["ExitCode"] == 130
    assert seconds < 2
    second.start()
    assert second.out("cat ~/.claude.json") == "last"
    journal = second.out("journalctl -o cat", user="root")
    stopped = [line for line in journal.splitlines() if line.startswith("Stopped ")]
    for unit in UNITS:
        assert any(line.startswith(f"Stopped {unit}.service") for line in stopped), unit
    # systemd's own words.
    assert re.findall(r".*(?:Failed with result|timed out|SIGKILL).*", journal) == []


def test_a_bad_manifest_among_good_ones(spaces: Spaces) -> None:
    space = spaces.new("bad", owner="badly")
    space.upload("/etc/home-persist.d/00-bad.json", '{"source": "bad", "pahts": [".x/"]}')
    space.upload("/etc/home-persist.d/01-good.json", '{"source": "good", "paths": [".good/"]}')
    space.boot()
    assert space.out("readlink ~/.good") == "/mnt/home-persist/.good"
    answer = ask(space, "home-persist resolve")
    (refused,) = answer.document["refused"]
    assert (answer.status, refused["code"]) == (1, "manifest.unknown-key")
    assert (refused["place"], "'paths'" in refused["remedy"]) == (
        "/etc/home-persist.d/00-bad.json:$.pahts",
        True,
    )
    assert space.out("systemctl is-active coder-agent") == "active", "the boot goes on"
    (finding,) = findings(look(space))["home.manifests"]
    assert (finding["code"], "00-bad.json" in json.dumps(finding)) == ("home.manifest-refused", True)


def test_a_volume_of_the_shell_version_is_taken_over(spaces: Spaces) -> None:
    space = spaces.new("old", owner="shell")
    fill = "mkdir -p /v/.claude && echo kept > /v/.claude/old && echo '{}' > /v/.claude.json"
    space.engine.docker(
        "run",
        "--rm",
        "-v",
        f"{space.home_volume}:/v",
        space.attributes["image"],
        "sh",
        "-c",
        f"{fill} && chown -R 1000 /v",
    )
    space.boot()
    assert space.out("cat ~/.claude/old ~/.claude.json") == "kept\n{}"
    assert json.loads(space.out("home-persist attic list --json"))["items"] == []

"""`ws-doctor` in a whole workspace: healthy, quick, pleasant to read; its fixes, its watch, its archive."""

import base64
import json
import os
import shlex
import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.coder_server import CoderServer
from tests.harness.doctor import failures, findings, look
from tests.harness.waits import until

pytestmark = pytest.mark.docker

_HOOK = "#!/bin/sh\necho done\n"
_AIM = 0.5
"""Seconds of wall time that a healthy workspace may take."""
_CROWDED = 3
"""Programs that want to run, per processor, from which on the clock says nothing of a program's own time."""
_MEASURE = f"""
import json, resource, subprocess, time
best = {{"clock": 9.0, "processor": 9.0}}
for _ in range(25):  # other tests run beside this one: the best try is what the doctor itself takes
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["ws-doctor"], check=True, stdout=subprocess.DEVNULL)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    best["clock"] = min(best["clock"], time.monotonic() - began)
    best["processor"] = min(best["processor"], spent)
    if best["clock"] < {_AIM}:
        break
print(json.dumps(best))
"""

# Put together here, so that no scanner takes them for real ones.
SECRET = "Wq7" + "tR4vXz8KpM3nBs6dGh2J"
PLANTED = "token-of-the-tests"


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Iterator[Workspace]:
    """A workspace that lacks nothing: a server, a hook, an agent that tells too much."""
    server = CoderServer(spaces.engine)
    made = spaces.new("doctor-whole", owner="whole")
    server.owns(made)
    made.upload("/usr/local/share/some-tool/post-create.sh", _HOOK, mode=0o755)
    made.agent_script = made.agent_script.replace("set -eu", 'set -eu\necho "token: $CODER_AGENT_TOKEN"')
    yield made.boot()
    server.stop()


def test_nothing_is_wrong(space: Workspace) -> None:
    report = look(space, "--strict")
    assert findings(report) == {}
    assert {item["status"] for item in report["checks"]} <= {"ok", "skipped"}
    skipped = {item["id"] for item in report["checks"] if item["status"] == "skipped"}
    assert skipped == {"jetbrains.locks", "tools.clang", "tools.cmake", "tools.sccache"}
    assert space.exec("ws-doctor", "--strict").returncode == 0


def test_it_takes_less_than_half_a_second(space: Workspace) -> None:
    """By the clock; where others keep the processors from it, by the time for which it had them."""
    space.engine.docker("update", "--cpu-shares", "262144", space.container)
    best = json.loads(space.exec("python3", "-c", _MEASURE).stdout)
    crowded = os.getloadavg()[0] > _CROWDED * (os.cpu_count() or 1)
    space.engine.docker("update", "--cpu-shares", "1024", space.container)
    assert best["processor"] < _AIM
    assert best["clock"] < _AIM or crowded, best


def test_it_fits_the_smallest_terminal(space: Workspace) -> None:
    shown = space.out("TERM=dumb script --quiet --command 'stty rows 24 cols 80; ws-doctor' /dev/null")
    lines = shown.replace("\r", "").splitlines()
    assert len(lines) <= 24 - 3
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("env", "mark"),
    [
        pytest.param("TERM=xterm", "\x1b[32m✓\x1b[0m", id="a terminal"),
        pytest.param("TERM=xterm NO_COLOR=1", "✓", id="NO_COLOR"),
        pytest.param("TERM=dumb", "✓", id="a dumb terminal"),
    ],
)
def test_colours_are_for_terminals_of_people_who_want_them(env: str, mark: str, space: Workspace) -> None:
    shown = space.out(f"{env} script --quiet --command ws-doctor /dev/null")
    assert shown.startswith(f"{mark} system.pid1, ")
    assert "\x1b" not in space.out(f"{env} ws-doctor | cat")


def test_metadata_is_a_word(space: Workspace) -> None:
    assert space.out("ws-doctor --metadata") == "well"


def test_fix_shows_the_safe_remedies_applies_them_and_looks_again(space: Workspace) -> None:
    space.out("chmod 0755 /tmp; systemctl stop home-persist-watch; rm -r /home/coder/.claude", user="root")
    space.out("rm ~/idea.properties; mkdir -p ~/.ssh; ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519")
    shown = space.sh("ws-doctor --fix")
    todo, _, report = shown.stdout.partition("✓ system.pid1")
    assert todo.splitlines() == [
        "to fix:",
        "  $ sudo systemctl restart home-persist-watch  (home.daemon)",
        "  $ sudo chmod 1777 /tmp  (disk.tmp)",
        "done: sudo systemctl restart home-persist-watch",
        "done: sudo chmod 1777 /tmp",
        "also to fix:",
        "  $ ws-boot jetbrains  (jetbrains.files)",
        "done: ws-boot jetbrains",
    ]
    assert "home.unsaved" in report, "what is not safe is only printed"
    assert set(findings(look(space))) == {"home.unsaved"}
    assert shown.returncode == 0, "a warning is no failure"
    space.out("rm -r ~/.ssh")


def test_fix_by_root_does_what_is_the_user_s_as_the_user(space: Workspace) -> None:
    space.out("rm -r /home/coder/.claude /tmp/jetbrains", user="root")
    shown = space.exec("ws-doctor", "--fix", user="root")
    assert shown.stdout.splitlines()[:3] == [
        "to fix:",
        "  $ sudo -H -u coder home-persist resolve  (home.links)",
        "  $ sudo -H -u coder ws-boot jetbrains  (jetbrains.files)",
    ]
    assert (shown.returncode, shown.stderr) == (0, "")
    assert findings(look(space)) == {}
    assert space.out("stat -c %U ~/.claude /tmp/jetbrains").split() == ["coder", "coder"]


def test_fix_where_nothing_is_to_be_done(space: Workspace) -> None:
    assert look(space, "--fix")["fixes"] == []
    shown = space.sh("ws-doctor --fix")
    assert (shown.returncode, "$ " in shown.stdout) == (0, False)
    assert not shown.stdout.startswith("✓"), "a line says so before the report"


def test_fix_tells_programs_what_it_did(space: Workspace) -> None:
    space.out("chmod 0755 /tmp", user="root")
    report = look(space, "--fix")
    assert report["fixes"] == [{"command": "sudo chmod 1777 /tmp", "checks": ["disk.tmp"], "status": 0}]
    assert findings(report) == {}


def test_a_fix_that_fails_is_reported(space: Workspace) -> None:
    space.out("chmod 0755 /tmp; mount --bind /usr/bin/false /usr/bin/chmod", user="root")
    report = look(space, "--fix")
    shown = space.sh("ws-doctor --fix")
    space.out("umount /usr/bin/chmod; chmod 1777 /tmp", user="root")
    assert report["fixes"] == [{"command": "sudo chmod 1777 /tmp", "checks": ["disk.tmp"], "status": 1}]
    assert failures(report) == ["disk.tmp"]
    assert (shown.returncode, "sudo chmod 1777 /tmp" in shown.stderr) == (1, True)


def test_watch_tells_what_changes_until_it_is_interrupted(space: Workspace) -> None:
    words = [*space.engine.client, "exec", "-u", "coder", space.container, "ws-doctor", "--watch", "1"]
    watching = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert watching.stdout is not None
    try:
        assert "failed" not in watching.stdout.readline()
        space.out("chmod 0755 /tmp", user="root")
        told = [watching.stdout.readline() for _ in range(3)]
        assert "1 failed" in told[0]
        assert (told[1], "/tmp" in told[2]) == ("  ✗ disk.tmp\n", True)
        space.out("chmod 1777 /tmp", user="root")
        while not (line := watching.stdout.readline()).startswith("  ✓ disk.tmp "):
            assert line, "it goes on until it is interrupted"
        space.out("pkill -INT -f '^/usr/bin/python3 .*ws-doctor --watch'", user="root")
        assert watching.wait(timeout=60) == 0
        assert watching.stdout.read() == ""
    finally:
        watching.kill()
        watching.wait()
        watching.stdout.close()


def _watched(space: Workspace, command: str, *, looks: int) -> str:
    """What a watch shows on a terminal until Ctrl-C, which comes after some looks."""
    drawn = f"test $(grep -o $'\\x1b\\[H' /tmp/shown | wc -l) -ge {looks}"
    script = f"""
        set -m
        script --quiet --command '{command}' /dev/null > /tmp/shown &
        {until(f"bash -c {shlex.quote(drawn)}")}
        pkill -INT -f '^/usr/bin/python3 .*ws-doctor --watch'
        wait
        cat /tmp/shown
    """
    return space.exec("bash", "-c", script, env={"TERM": "xterm"}).stdout


def test_watch_on_a_terminal_draws_over_what_it_drew(space: Workspace) -> None:
    shown = _watched(space, "ws-doctor --watch 1", looks=2)
    assert shown.count("\x1b[H") >= 2, "more than one look"
    assert "Ctrl-C" in shown, "how to stop it"
    assert "Traceback" not in shown


def test_watch_on_a_small_terminal_has_the_findings_first(space: Workspace) -> None:
    space.out("chmod 0755 /tmp", user="root")
    shown = _watched(space, "stty rows 24 cols 80; ws-doctor --watch 1", looks=1)
    space.out("chmod 1777 /tmp", user="root")
    screens = shown.split("\x1b[H")[1:]
    assert screens
    lines = screens[0].replace("\x1b[K", "").splitlines()
    assert "disk.tmp" in lines[0]
    assert len(lines) <= 24


def test_what_is_waited_for_is_said_on_a_terminal(space: Workspace) -> None:
    hangs = "install -D /dev/stdin /tmp/hang/rtk <<< $'#!/bin/sh\\nsleep 2.5; echo 1'"
    look_ = "PATH=/tmp/hang:$PATH script --quiet --command 'ws-doctor --only tools' /dev/null"
    command = f"{hangs}; {look_}"
    shown = space.exec("bash", "-c", command, env={"TERM": "xterm"}).stdout
    space.out("rm -r /tmp/hang")
    assert "waiting for tools.rtk" in shown


def test_a_bundle_has_no_secret(space: Workspace) -> None:
    space.out(f"echo 'password: {SECRET}' >> /var/log/coder-ws/hooks/some-tool.log", user="root")
    space.out(f"logger --tag ws --id=$$ 'cloning https://ada:{SECRET}@git.example/a'")
    done = space.exec("ws-doctor", "bundle", "-o", "/tmp/bundle.tar.gz", env={"SOME_API_KEY": SECRET})
    assert done.returncode == 0, done.stderr
    assert space.out("stat -c %a /tmp/bundle.tar.gz") == "600"
    encoded = space.out("base64 -w0 /tmp/bundle.tar.gz")
    texts = _texts(encoded)
    names = {name.partition("/")[2] for name in texts}
    assert {"report.txt", "report.json", "versions.txt", "links.txt", "settings.json", "units.txt"} <= names
    assert {"manifests/claude-code.json", "hooks/some-tool.log", "journal/coder-agent.log"} <= names
    agent = next(content for name, content in texts.items() if name.endswith("journal/coder-agent.log"))
    assert "token: " in agent, "the line is there, and what it told is not"
    for name, content in texts.items():
        assert SECRET not in content, name
        assert PLANTED not in content, name
    whole = json.loads(next(content for name, content in texts.items() if name.endswith("report.json")))
    assert whole["workspace"]["name"] == "doctor-whole"


def _texts(encoded: str) -> dict[str, str]:
    with tarfile.open(fileobj=BytesIO(base64.b64decode(encoded))) as archive:
        files = {item.name: archive.extractfile(item) for item in archive.getmembers()}
        return {name: file.read().decode() for name, file in files.items() if file}

"""What each container has of its own, and what it says where systemd cannot start."""

import pytest

from devtools.engine import Engine
from devtools.images import tag
from devtools.workspace import Workspace
from tests.conftest import Spaces

pytestmark = pytest.mark.docker

_INOTIFY = """
for process in /proc/[0-9]*; do
  [ "$(stat -c %u "$process")" = 0 ] && find "$process/fd" -lname anon_inode:inotify 2>/dev/null
done | wc -l
"""
# As Debian's configuration, but everything is old enough.
_AGED = "q /tmp 1777 root root 0\n"


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("machine").boot()


def test_each_container_has_a_machine_id_of_its_own(space: Workspace, spaces: Spaces) -> None:
    other = spaces.new("machine-other").boot()
    ids = [made.out("cat /etc/machine-id") for made in (space, other)]
    other.remove()
    assert len(set(ids)) == 2
    assert all(len(found) == 32 for found in ids)
    assert space.out("cat /var/lib/dbus/machine-id") == ids[0], "D-Bus has the same"


def test_the_machine_id_is_kept_when_the_container_is_restarted(spaces: Spaces) -> None:
    made = spaces.new("machine-again").boot()
    before = made.out("cat /etc/machine-id")
    made.stop()
    made.start()
    assert made.out("cat /etc/machine-id") == before
    made.remove()


def test_the_image_has_no_machine_id(engine: Engine) -> None:
    shown = engine.docker("run", "--rm", "--entrypoint", "stat", tag("base"), "-c", "%s", "/etc/machine-id")
    assert shown.stdout.strip() == "0"


def test_it_is_no_first_boot(space: Workspace) -> None:
    """A first boot would set all units to their presets again, also those that the image has masked."""
    assert space.out("systemctl show -P ConditionResult first-boot-complete.target") == "no"
    assert space.out("systemctl is-enabled systemd-ask-password-wall.path || true") == "masked"


def test_root_has_few_inotify_instances(space: Workspace) -> None:
    """root has 128 of them on a host, for all its workspaces."""
    assert int(space.out(_INOTIFY, user="root")) <= 3


def test_what_running_programs_have_in_tmp_does_not_age(space: Workspace) -> None:
    kept = ("coder.ab12CD/coder", "coder-agent.log", "jetbrains/system/IDE/caches", "tmux-1000/default")
    for name in (*kept, "old/file"):
        space.out(f"mkdir -p /tmp/{name.rpartition('/')[0]}; touch /tmp/{name}")
    space.out("mkdir -p /run/tmpfiles.d", user="root")
    space.exec("tee", "/run/tmpfiles.d/tmp.conf", stdin=_AGED.encode(), user="root")
    space.out("systemd-tmpfiles --clean", user="root")
    space.out("rm /run/tmpfiles.d/tmp.conf", user="root")
    left = space.out("cd /tmp; find . -type f", user="root").splitlines()
    assert {f"./{name}" for name in kept} <= set(left)
    assert "./old/file" not in left, "what else nobody uses is removed"


def test_systemd_is_pid_1_and_the_log_is_quiet(space: Workspace) -> None:
    assert space.out("cat /proc/1/comm") == "systemd"
    assert "CODER_AGENT_TOKEN=" in space.out("tr '\\0' '\\n' < /proc/1/environ", user="root")
    shown = space.engine.docker("logs", space.container)
    assert "workspace:" not in shown.stdout + shown.stderr


def test_a_container_without_privileges_says_so(engine: Engine) -> None:
    """systemd itself says nothing: it has no console there."""
    ended = engine.docker("run", "--rm", tag("base"), check=False, timeout=60)
    assert ended.returncode == 255
    assert "workspace: systemd cannot start: this container is not privileged" in ended.stderr
    assert "privileged = true" in ended.stderr

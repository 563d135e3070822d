"""ws-doctor: the daemon, copies of other workspaces, and what will be lost; broken and mended as printed."""

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, prove

pytestmark = pytest.mark.docker

UNIT = "home-persist-watch"
REPORT = "/run/coder-ws/watch.json"
COPIES = "/mnt/home-persist/.workspaces"
_GONE = "11111111-2222-4333-8444-555555555555"
# Bytes that are there and need not be written.
_LARGE = "sudo -u coder sh -c 'cd; mkdir -p .local/share/models; fallocate -l 1100M .local/share/models/one'"

ROWS = [
    Row(
        "home.daemon",
        "it was stopped",
        f"systemctl stop {UNIT}",
        "the daemon does not run",
        f"sudo systemctl restart {UNIT}",
    ),
    Row(
        "home.daemon",
        "it is disabled",
        f"systemctl disable --now {UNIT}",
        f"{UNIT} is disabled, so links are not healed",
        f"sudo systemctl enable --now {UNIT}",
    ),
    Row(
        "home.daemon",
        "it is masked",
        f"systemctl mask --now {UNIT}",
        f"{UNIT} is masked, so links are not healed",
        f"sudo systemctl unmask {UNIT}",
    ),
    Row(
        "home.daemon",
        "it is not installed",
        f"systemctl stop {UNIT}; rm /usr/local/lib/systemd/system/{UNIT}.service; systemctl daemon-reload",
        f"{UNIT} is not installed",
        "use an image that is built on this project's base image",
    ),
    Row(
        "home.daemon",
        "it ends as soon as it is started",
        f"mkdir -p /run/systemd/system/{UNIT}.service.d;"
        " printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/test -e /run/good\\n'"
        f" > /run/systemd/system/{UNIT}.service.d/bad.conf; systemctl daemon-reload;"
        f" ! systemctl restart {UNIT}",
        "the daemon has failed",
        f"sudo systemctl restart {UNIT}",
        cause=f"rm -r /run/systemd/system/{UNIT}.service.d; systemctl daemon-reload",
    ),
    Row(
        "home.daemon",
        "it hangs",
        # Its last look at all paths is made to be an hour ago: nobody can wait for that here.
        f"systemctl kill --signal=SIGSTOP {UNIT};"
        f" sed -i -E 's/(\"last_sweep\": *)[0-9.]+/\\1'$(($(date +%s) - 3600))'/' {REPORT}",
        "the daemon hangs",
        f"sudo systemctl restart {UNIT}",
    ),
    Row(
        "home.daemon",
        "its report is gone",
        f"rm {REPORT}",
        "the daemon has left no report of its work",
        f"sudo systemctl restart {UNIT}",
    ),
    Row(
        "home.orphans",
        "a workspace that is gone left a copy",
        f"cd {COPIES}; sudo -u coder mkdir {_GONE} {_GONE}/.tool; touch -d '-31 days' {_GONE}/.tool {_GONE}",
        "1 workspace left copies that nobody uses",
        "home-persist gc --yes",
        status="warning",
    ),
    Row(
        "home.unsaved",
        "a key that is not kept",
        "sudo -u coder ssh-keygen -q -t ed25519 -N '' -f /home/coder/.ssh/id_ed25519",
        "~/.ssh/ holds a key or a login, and will be lost at the next start",
        "home-persist add .ssh/",
        status="warning",
    ),
    Row(
        "home.unsaved",
        "much that is not kept",
        _LARGE,
        "1.1 GiB will be lost at the next start",
        "home-persist add .local/share/models/",
        status="warning",
        after="rm -r /mnt/home-persist/.local/share/models/one",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-daemon").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_mended_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)

"""ws-doctor: the daemon, copies of other workspaces, and what will be lost; broken and fixed as printed."""

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

# A package of our own: Debian's would have to be fetched.
_PACKAGE = (
    "mkdir -p /run/package/DEBIAN; printf 'Package: hello-ws\\nVersion: 1\\nArchitecture: all\\n"
    "Maintainer: nobody <n@example.com>\\nDescription: nothing\\n' > /run/package/DEBIAN/control;"
    " dpkg-deb --build /run/package /run/hello-ws.deb"
)

ROWS = [
    Row(
        "home.daemon",
        "it was stopped",
        f"systemctl stop {UNIT}",
        "home.daemon-stopped",
        f"sudo systemctl restart {UNIT}",
    ),
    Row(
        "home.daemon",
        "it is disabled",
        f"systemctl disable --now {UNIT}",
        "home.daemon-disabled",
        f"sudo systemctl enable --now {UNIT}",
    ),
    Row(
        "home.daemon",
        "it is masked",
        f"systemctl mask --now {UNIT}",
        "home.daemon-masked",
        f"sudo systemctl unmask {UNIT}",
    ),
    Row(
        "home.daemon",
        "it is masked until the next start",
        f"systemctl mask --runtime --now {UNIT}",
        "home.daemon-masked",
        f"sudo systemctl unmask --runtime {UNIT}",
    ),
    Row(
        "home.daemon",
        "it is not installed",
        f"systemctl stop {UNIT}; rm /usr/local/lib/systemd/system/{UNIT}.service; systemctl daemon-reload",
        "home.daemon-not-installed",
        "use an image that is built on this project's base image",
    ),
    Row(
        "home.daemon",
        "it ends as soon as it is started",
        f"mkdir -p /run/systemd/system/{UNIT}.service.d;"
        " printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/test -e /run/good\\n'"
        f" > /run/systemd/system/{UNIT}.service.d/bad.conf; systemctl daemon-reload;"
        f" ! systemctl restart {UNIT}",
        "home.daemon-failed",
        f"sudo systemctl restart {UNIT}",
        cause=f"rm -r /run/systemd/system/{UNIT}.service.d; systemctl daemon-reload",
    ),
    Row(
        "home.daemon",
        "it hangs",
        # Its last look at all paths is made to be an hour ago: nobody can wait for that here.
        f"systemctl kill --signal=SIGSTOP {UNIT};"
        f" sed -i -E 's/(\"last_sweep\": *)[0-9.]+/\\1'$(($(date +%s) - 3600))'/' {REPORT}",
        "home.daemon-hangs",
        f"sudo systemctl restart {UNIT}",
    ),
    Row(
        "home.daemon",
        "its report is gone",
        f"rm {REPORT}",
        "home.daemon-no-report",
        f"sudo systemctl restart {UNIT}",
    ),
    Row(
        "home.orphans",
        "a workspace that is gone left a copy",
        f"cd {COPIES}; sudo -u coder mkdir {_GONE} {_GONE}/.tool; touch -d '-91 days' {_GONE}/.tool {_GONE}",
        "home.orphans",
        "home-persist gc --yes",
        status="warning",
    ),
    Row(
        "home.unsaved",
        "a key that is not kept",
        "sudo -u coder ssh-keygen -q -t ed25519 -N '' -f /home/coder/.ssh/id_ed25519",
        "home.unsaved-key",
        "home-persist add .ssh/",
        status="warning",
    ),
    Row(
        "home.unsaved",
        "settings of Java programs",
        "sudo -u coder mkdir -p /home/coder/.java/.userPrefs/com",
        "home.unsaved-key",
        "home-persist add .java/",
        status="warning",
    ),
    Row(
        "home.unsaved",
        "programs below npm's own prefix",
        "sudo -iu coder sh -c 'npm config set prefix ~/.npm-global;"
        " mkdir -p ~/.npm-global/lib/node_modules/tool'",
        "home.unsaved-programs",
        "home-persist add .npm-global/",
        status="warning",
        after="rm -f /home/coder/.npmrc",
    ),
    Row(
        "home.unsaved",
        "a package that was installed",
        f"{_PACKAGE}; dpkg --install /run/hello-ws.deb",
        "home.unsaved-packages",
        "have them added to the image",
        status="warning",
    ),
    Row(
        "home.unsaved",
        "much that is not kept",
        _LARGE,
        "home.unsaved-much",
        "home-persist add .local/share/models/",
        status="warning",
        after="rm -r /mnt/home-persist/.local/share/models/one",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-daemon").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)

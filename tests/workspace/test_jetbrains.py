"""`ws-boot jetbrains` in booted workspaces that share one owner's volume, with real leases."""

import json

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.answers import ask
from tests.harness.waits import until

pytestmark = pytest.mark.docker

CONFIG = "~/.config/JetBrains"
DATA = "~/.local/share/JetBrains"
ENVIRONMENT = f"{DATA}/Toolbox/environment.json"
DIST = "/mnt/home-persist/.jetbrains-dist"
PERSISTED = ["~/.config/JetBrains/", "~/.local/share/JetBrains/"]


def workspace(spaces: Spaces, name: str, *, workspace_id: str = "") -> Workspace:
    space = spaces.new(name, owner="jetbrains", workspace_id=workspace_id)
    # Declared here, whatever the manifests of the image declare.
    space.settings["home_persist_paths"] = PERSISTED
    return space


def backend(space: Workspace, directory: str, product: str, build: str, version: str) -> None:
    info = json.dumps({"name": product, "productCode": product, "buildNumber": build, "version": version})
    space.out(f"mkdir -p {DIST}/{directory}/bin && echo '{info}' > {DIST}/{directory}/product-info.json")


@pytest.fixture(scope="module")
def first(spaces: Spaces) -> Workspace:
    """Container A: an IDE ran, a user edited its files, downloads and locks were left behind."""
    space = workspace(spaces, "jb").boot()
    space.out(f"""
        mkdir -p {CONFIG}/GoLand2024.3/options {CONFIG}/SomeNewIde2031.1 {DATA}/Toolbox/download {DATA}/Daemon
        printf '# mine\\nidea.log.path=/home/coder/logs\\nfoo=1\\n' > {CONFIG}/GoLand2024.3/idea.properties
        echo 1 > {CONFIG}/GoLand2024.3/options/ide.xml
        echo 7 > {CONFIG}/GoLand2024.3/.lock && touch -d '1 minute ago' {CONFIG}/GoLand2024.3/.lock
        echo x > {DATA}/Toolbox/download/ide.tar.gz; echo x > {DATA}/Daemon/x
        mkdir -p {DATA}/GoLand2024.3/caches && echo x > {DATA}/GoLand2024.3/caches/x
        echo '{{"tools": {{"allowInstallation": false, "allowUpdate": true}}, "mine": 1}}' > {ENVIRONMENT}
    """)
    return space


@pytest.fixture(scope="module")
def second(first: Workspace, spaces: Spaces) -> Workspace:
    """Container B of the same workspace."""
    first.stop()
    first.remove()
    return workspace(spaces, "jb", workspace_id=first.workspace_id).boot()


def test_the_boot_ends_well(second: Workspace) -> None:
    assert second.wait_ready() == "running"
    assert second.out("systemctl is-active ws-jetbrains") == "active"


def test_environment_was_merged(second: Workspace) -> None:
    assert json.loads(second.out(f"cat {ENVIRONMENT}")) == {
        "tools": {
            "allowInstallation": False,
            "allowUpdate": False,
            "location": [{"path": DIST, "levels": 1}],
        },
        "mine": 1,
    }


def test_lines_of_the_user_were_kept(second: Workspace) -> None:
    assert second.out(f"cat {CONFIG}/GoLand2024.3/idea.properties").splitlines() == [
        "# mine",
        "idea.log.path=/home/coder/logs",
        "foo=1",
        "idea.config.path=/home/coder/.config/JetBrains/GoLand2024.3",
        "idea.plugins.path=/home/coder/.local/share/JetBrains/GoLand2024.3",
        "idea.system.path=/tmp/jetbrains/system/GoLand2024.3",
    ]


def test_a_version_of_the_future_has_its_paths(second: Workspace) -> None:
    assert "idea.system.path=/tmp/jetbrains/system/SomeNewIde2031.1" in second.out(
        f"cat {CONFIG}/SomeNewIde2031.1/idea.properties"
    )


def test_an_ide_that_is_about_to_be_installed_has_its_paths(second: Workspace) -> None:
    assert "idea.system.path=/tmp/jetbrains/system/${idea.paths.selector}" in second.out(
        "cat ~/idea.properties"
    )


@pytest.mark.parametrize(
    "path",
    [
        f"{DATA}/Toolbox/download/ide.tar.gz",
        f"{DATA}/Daemon/x",
        f"{DATA}/GoLand2024.3/caches/x",
        f"{CONFIG}/GoLand2024.3/.lock",
    ],
)
def test_what_need_not_last_is_gone(path: str, second: Workspace) -> None:
    assert second.sh(f"test -e {path}").returncode == 1


def test_settings_are_there(second: Workspace) -> None:
    assert second.out(f"cat {CONFIG}/GoLand2024.3/options/ide.xml") == "1"


def test_the_second_run_says_that_nothing_changes(second: Workspace) -> None:
    answer = ask(second, "ws-boot jetbrains")
    assert answer.document["ides"] == ["GoLand2024.3", "SomeNewIde2031.1"]
    assert (answer.status, answer.document["done"], answer.codes) == (0, [], set())


def test_a_lock_of_this_container_is_kept(second: Workspace) -> None:
    second.out(f"echo $$ > {CONFIG}/GoLand2024.3/.lock; ws-boot jetbrains")
    assert second.sh(f"test -e {CONFIG}/GoLand2024.3/.lock").returncode == 0


def test_a_download_under_way_is_kept(second: Workspace) -> None:
    script = f"echo part > {DATA}/Toolbox/download/now; exec sleep 600 3< {DATA}/Toolbox/download/now"
    second.engine.docker("exec", "-d", "-u", "coder", second.container, "bash", "-c", script)
    second.out(f"{until('pgrep -f ^sleep.600')}; echo old > {DATA}/Daemon/old")
    assert ask(second, "ws-boot jetbrains").document["done"], "something was emptied"
    assert second.out(f"cat {DATA}/Toolbox/download/now; ls {DATA}/Daemon") == "part"


def test_prune_keeps_the_newest_and_what_runs(second: Workspace) -> None:
    backend(second, "goland-1", "GO", "242.1", "2024.2")
    backend(second, "goland-2", "GO", "243.9", "2024.3")
    backend(second, "goland-10", "GO", "243.10", "2024.3.1")
    backend(second, "pycharm", "PY", "241.1", "2024.1")
    second.out(f"cp /usr/bin/sleep {DIST}/goland-1/bin/ide")
    second.engine.docker("exec", "-d", "-u", "coder", second.container, f"{DIST}/goland-1/bin/ide", "600")
    second.out(until("pgrep -x ide"))
    backends = ask(second, "ws-boot jetbrains list").document["backends"]
    assert [one["version"] for one in backends if one["used"]] == ["2024.2"]
    answer = ask(second, "ws-boot jetbrains prune --keep 1")
    assert answer.has({"product": "GO", "version": "2024.2", "keep": True})
    assert answer.has({"product": "GO", "version": "2024.3", "keep": False})
    assert second.out(f"ls {DIST}").split() == ["goland-1", "goland-10", "pycharm"]


def test_another_workspace_of_the_owner_is_respected(second: Workspace, spaces: Spaces) -> None:
    other = workspace(spaces, "jb2").boot()
    other.out(f"echo x > {DATA}/Daemon/theirs; echo 1 > {CONFIG}/GoLand2024.3/.lock")
    second.out(f"touch -d '2 days ago' {CONFIG}/GoLand2024.3/.lock")
    answer = ask(second, "ws-boot jetbrains")
    assert (answer.status, answer.codes) == (0, {"jetbrains.not-pruned"})
    assert answer.names(other.workspace_id)
    assert second.out(f"cat {DATA}/Daemon/theirs {CONFIG}/GoLand2024.3/.lock") == "x\n1"
    done = second.exec("ws-boot", "jetbrains", "prune", "--keep", "1")
    assert done.returncode == 0, "there is nothing to remove"
    backend(second, "pycharm-old", "PY", "231.1", "2023.1")
    refused = ask(second, "ws-boot jetbrains prune --keep 1")
    assert (refused.status, refused.codes) == (1, {"jetbrains.shared"})
    assert refused.names(other.workspace_id)
    other.stop()
    second.out("ws-boot jetbrains && ws-boot jetbrains prune --keep 1")
    for gone in (f"{DATA}/Daemon/theirs", f"{CONFIG}/GoLand2024.3/.lock", f"{DIST}/pycharm-old"):
        assert second.sh(f"test -e {gone}").returncode == 1


def test_updates_allowed_by_the_parameter(spaces: Spaces) -> None:
    space = spaces.new("jb-updates", owner="jb-updates")
    space.settings["jetbrains"] = {"allow_updates": True}
    space.boot()
    assert json.loads(space.out(f"cat {ENVIRONMENT}"))["tools"]["allowUpdate"] is True

"""`ws-boot jetbrains`: what it writes, what it keeps, and what it removes, on a tree."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from coder_ws_runtime.boot.jetbrains import environment, properties
from coder_ws_runtime.boot.jetbrains.apply import Report, settle
from coder_ws_runtime.boot.jetbrains.backends import backends, choose
from coder_ws_runtime.boot.jetbrains.observe import IDE_NAME
from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.ws_boot.main import command
from coder_ws_runtime.layout import Layout
from tests.conftest import missing
from tests.harness.tree import Tree

DIST = "/mnt/home-persist/.jetbrains-dist"
OURS = {"path": DIST, "levels": 1}
BOOTED = 1_700_000_000
"""When the container of these tests started, in seconds since the epoch."""


@pytest.fixture
def library() -> None:
    if find_spec("javaproperties") is None:
        missing("javaproperties is not installed; ./dev test installs it")


@pytest.fixture
def space(tree: Tree) -> Layout:
    """A tree whose manifests persist what JetBrains IDEs keep."""
    tree.manifest(".config/JetBrains/", ".local/share/JetBrains/", name="jetbrains")
    tree.resolve()
    proc = tree.layout.proc
    (proc / "1").mkdir(parents=True)
    (proc / "stat").write_text(f"cpu 1 2 3\nbtime {BOOTED - 100}\n")
    ticks = 100 * os.sysconf("SC_CLK_TCK")
    (proc / "1/stat").write_text(f"1 (init (x)) S {'0 ' * 18}{ticks} 0 0\n")
    return tree.layout


@pytest.fixture
def other_workspace(space: Layout) -> Iterator[str]:
    """Another workspace of the owner runs: its daemon holds its lease."""
    file = space.state / "leases/other.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        yield "other"


def run(layout: Layout, *, others: tuple[str, ...] = (), allow_updates: bool = False) -> Report:
    return settle(layout, allow_updates=allow_updates, others=lambda: list(others))


def put(path: Path, text: str = "x", *, changed: float | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if changed is not None:
        os.utime(path, (changed, changed))
    return path


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files}


# environment.json ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "allow", "after"),
    [
        pytest.param(None, False, {"tools": {"allowUpdate": False, "location": [OURS]}}, id="none"),
        pytest.param("", False, {"tools": {"allowUpdate": False, "location": [OURS]}}, id="empty"),
        pytest.param(None, True, {"tools": {"allowUpdate": True, "location": [OURS]}}, id="updates allowed"),
        pytest.param(
            {"tools": {"allowUpdate": True, "allowInstallation": False, "disallowed": []}, "x": [1]},
            False,
            {
                "tools": {
                    "allowUpdate": False,
                    "allowInstallation": False,
                    "disallowed": [],
                    "location": [OURS],
                },
                "x": [1],
            },
            id="other keys are kept",
        ),
        pytest.param(
            {"tools": {"location": [{"path": "/opt/idea"}, {"path": f"{DIST}/", "levels": 0}]}},
            False,
            {"tools": {"location": [OURS, {"path": "/opt/idea"}], "allowUpdate": False}},
            id="other locations are kept, ours is corrected",
        ),
        pytest.param(
            {"tools": {"location": None, "allowUpdate": None}},
            False,
            {"tools": {"location": [OURS], "allowUpdate": False}},
            id="null means the default",
        ),
    ],
)
def test_environment_is_merged(before: object, allow: bool, after: object) -> None:  # noqa: FBT001
    text = before if before is None or isinstance(before, str) else json.dumps(before)
    merged = environment.merged(None if text is None else text.encode(), dist=DIST, allow_updates=allow)
    assert json.loads(merged) == after
    assert environment.merged(merged, dist=DIST, allow_updates=allow) is merged


def test_environment_that_says_so_already_keeps_its_format() -> None:
    text = b'{ "tools":{"location":[ {"levels":1,"path":"' + DIST.encode() + b'"}],"allowUpdate":false} }'
    assert environment.merged(text, dist=DIST, allow_updates=False) is text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{", "not JSON", id="not JSON"),
        pytest.param("[]", "$ is not an object", id="a list"),
        pytest.param('{"tools": 1}', "$.tools is not an object", id="tools is a number"),
        pytest.param(
            '{"tools": {"location": "/x"}}', "$.tools.location is not a list", id="location is a text"
        ),
        pytest.param("\xff\xfe", "not JSON", id="not text"),
    ],
)
def test_broken_environment_is_set_aside_with_every_byte(text: str, says: str, space: Layout) -> None:
    file = space.jetbrains_data / "Toolbox/environment.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode("latin-1"))
    report = run(space)
    assert any(says in note.message for note in report.plan.notes)
    (aside,) = file.parent.glob("*.broken")
    assert aside.read_bytes() == text.encode("latin-1")
    assert json.loads(file.read_text())["tools"]["location"] == [OURS]


# idea.properties -------------------------------------------------------------------------------------

WANTED = {
    "idea.config.path": "/home/c/X",
    "idea.system.path": "/tmp/jetbrains/system/X",
}
ADDED = "".join(f"{key}={value}\n" for key, value in WANTED.items())


@pytest.mark.parametrize(
    ("before", "after", "theirs"),
    [
        pytest.param("# mine\nfoo=1\n", f"# mine\nfoo=1\n{ADDED}", {}, id="comments and other keys are kept"),
        pytest.param("foo=1", f"foo=1\n{ADDED}", {}, id="no newline at the end"),
        pytest.param(ADDED, ADDED, {}, id="complete"),
        pytest.param(
            "idea.config.path : /home/c/X\r\nidea.system.path\t/tmp/jetbrains/system/X\r\n",
            "idea.config.path : /home/c/X\r\nidea.system.path\t/tmp/jetbrains/system/X\r\n",
            {},
            id="complete in another spelling",
        ),
        pytest.param(
            f"idea.system.path=/fast/disk\n{ADDED.splitlines()[0]}\n",
            f"idea.system.path=/fast/disk\n{ADDED.splitlines()[0]}\n",
            {"idea.system.path": "/fast/disk"},
            id="a user's path is kept",
        ),
        pytest.param(
            "idea.system.path=/tmp/jetbrains/system/Old\n",
            "idea.system.path=/tmp/jetbrains/system/X\nidea.config.path=/home/c/X\n",
            {},
            id="an old value of ours is corrected",
        ),
        pytest.param(
            "idea.system.path=/a\\\n  /b\nname=J\\u00f6rg \udcff\n",
            "idea.system.path=/a\\\n  /b\nname=J\\u00f6rg \udcff\nidea.config.path=/home/c/X\n",
            {"idea.system.path": "/a/b"},
            id="continued lines, escapes and odd bytes are kept",
        ),
        pytest.param(
            "#idea.system.path=/no\n!idea.config.path=/no\n",
            f"#idea.system.path=/no\n!idea.config.path=/no\n{ADDED}",
            {},
            id="a commented key is no key",
        ),
    ],
)
@pytest.mark.usefixtures("library")
def test_properties_keep_what_a_user_wrote(before: str, after: str, theirs: dict[str, str]) -> None:
    done = properties.completed(before, WANTED, ours="/tmp/jetbrains/")
    assert (done.text, done.theirs) == (after, theirs)
    assert properties.completed(done.text, WANTED, ours="/tmp/jetbrains/").text == done.text


@pytest.mark.parametrize("before", [pytest.param(None, id="none"), pytest.param(" \n", id="blank")])
def test_a_new_file_says_where_it_comes_from(before: str | None) -> None:
    text = properties.completed(before, WANTED, ours="/tmp/jetbrains/").text
    assert text.startswith("#")
    assert text.endswith(ADDED)
    assert properties.completed(text, WANTED, ours="/tmp/jetbrains/").text == text


@pytest.mark.usefixtures("library")
def test_properties_that_cannot_be_read_are_left_alone(space: Layout) -> None:
    file = put(space.home / "idea.properties", "a=\\uXYZ\n")
    report = run(space)
    assert file.read_text() == "a=\\uXYZ\n"
    assert [note.code for note in report.plan.notes] == ["jetbrains.properties"]


@pytest.mark.parametrize(
    ("name", "is_ide"),
    [
        ("IntelliJIdea2024.3", True),
        ("PyCharmCE2024.1", True),
        ("GoLand2031.2", True),
        ("SomeNewIde2027.1", True),
        ("IntelliJIdea2025.1-EAP", True),
        ("JetBrainsClient2024.3", True),
        ("Toolbox", False),
        ("consentOptions", False),
        ("RemoteDev-IU", False),
        (".hidden2024.1", False),
        ("..2024.1", False),
    ],
)
def test_what_is_an_ide(name: str, is_ide: bool) -> None:  # noqa: FBT001
    assert bool(IDE_NAME.fullmatch(name)) is is_ide


def test_every_ide_and_the_home_get_their_paths(space: Layout) -> None:
    for name in ("GoLand2024.3", "SomeNewIde2031.1", "Toolbox"):
        (space.jetbrains_config / name).mkdir()
    run(space)
    goland = (space.jetbrains_config / "GoLand2024.3/idea.properties").read_text().splitlines()
    assert goland[-4:] == [
        "idea.config.path=/home/coder/.config/JetBrains/GoLand2024.3",
        "idea.plugins.path=/home/coder/.local/share/JetBrains/GoLand2024.3",
        "idea.system.path=/tmp/jetbrains/system/GoLand2024.3",
        "idea.log.path=/tmp/jetbrains/log/GoLand2024.3",
    ]
    assert (space.jetbrains_config / "SomeNewIde2031.1/idea.properties").exists()
    assert not (space.jetbrains_config / "Toolbox/idea.properties").exists()
    home = (space.home / "idea.properties").read_text().splitlines()
    assert home[-2] == "idea.system.path=/tmp/jetbrains/system/${idea.paths.selector}"


def test_an_ide_that_has_not_been_started_can_still_take_over_old_settings(space: Layout) -> None:
    """It does so only while the directory of its version is not there."""
    backend(space, "goland-1", "GO", "243.1", "2024.3")
    (space.jetbrains_data / "GoLand2024.3").mkdir()
    run(space)
    assert not (space.jetbrains_config / "GoLand2024.3").exists()


@pytest.mark.usefixtures("library")
def test_a_system_path_on_the_volume_is_kept_and_warned_of(space: Layout) -> None:
    file = put(space.home / "idea.properties", "idea.system.path=/mnt/home-persist/idea-system\n")
    report = run(space)
    assert file.read_text().startswith("idea.system.path=/mnt/home-persist/idea-system\n")
    assert [note.code for note in report.plan.notes] == ["jetbrains.system-lasts"]


# Writing ---------------------------------------------------------------------------------------------


def test_the_second_run_writes_nothing(space: Layout) -> None:
    (space.jetbrains_config / "GoLand2024.3").mkdir()
    first = run(space)
    before = snapshot(space.root)
    second = run(space)
    assert first.done
    assert (second.done, snapshot(space.root)) == ((), before)


def test_a_dry_run_writes_nothing_and_names_all(space: Layout) -> None:
    before = snapshot(space.root)
    planned = settle(space, allow_updates=False, others=list, dry_run=True)
    assert planned.done == ()
    assert snapshot(space.root) == before
    assert run(space).done == planned.plan.actions


def test_a_linked_file_is_written_through_and_keeps_its_mode(space: Layout) -> None:
    target = put(space.volume / "dotfiles/idea.properties", " ")
    target.chmod(0o600)
    (space.home / "idea.properties").symlink_to(target)
    run(space)
    assert (space.home / "idea.properties").is_symlink()
    assert "idea.system.path" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600


def test_one_file_that_cannot_be_read_does_not_stop_the_others(space: Layout) -> None:
    (space.home / "idea.properties").mkdir()
    (space.jetbrains_config / "GoLand2024.3").mkdir()
    report = run(space)
    assert [note.code for note in report.plan.notes] == ["jetbrains.unreadable"]
    assert (space.jetbrains_config / "GoLand2024.3/idea.properties").exists()


def test_one_step_that_fails_does_not_stop_the_others(space: Layout) -> None:
    put(space.jetbrains_tmp.parent / "jetbrains", "in the way")
    report = run(space)
    assert {Path(error.place).name for error in report.failed} == {"system", "log"}
    assert (space.home / "idea.properties").exists()


def test_no_volume(space: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    (space.volume).rename(space.volume.with_name("gone"))
    assert commands.run(command, ["jetbrains", "--json", "--root", str(space.root)]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "jetbrains.no-volume"


# What need not last ------------------------------------------------------------------------------------

TRANSIENT = (
    ".local/share/JetBrains/Daemon/d",
    ".local/share/JetBrains/Toolbox/download/ide.tar.gz",
    ".local/share/JetBrains/Toolbox/backup/b",
    ".local/share/JetBrains/GoLand2024.3/caches/c",
    ".local/share/JetBrains/GoLand2024.3/logs/l",
    ".config/JetBrains/GoLand2024.3/caches/c",
    ".config/JetBrains/GoLand2024.3/logs/l",
)
LASTING = (
    ".local/share/JetBrains/Toolbox/apps/a",
    ".local/share/JetBrains/GoLand2024.3/some-plugin/lib/p.jar",
    ".config/JetBrains/GoLand2024.3/options/ide.xml",
    ".config/JetBrains/other/caches/c",
)


@pytest.mark.parametrize("path", [*TRANSIENT, *LASTING])
@pytest.mark.parametrize("others", [pytest.param((), id="alone"), pytest.param(("w2",), id="w2 runs")])
def test_pruned(path: str, others: tuple[str, ...], space: Layout) -> None:
    file = put(space.home / path)
    run(space, others=others)
    assert file.exists() is (path in LASTING or bool(others))


def test_what_a_program_here_has_open_is_not_pruned(space: Layout) -> None:
    used = put(space.jetbrains_data / "Daemon/d")
    idle = put(space.jetbrains_data / "Toolbox/download/t")
    (space.proc / "42/fd").mkdir(parents=True)
    (space.proc / "42/fd/3").symlink_to(used.resolve())
    run(space)
    assert (used.exists(), idle.exists()) == (True, False)


def test_a_link_in_the_place_of_caches_leads_nowhere(space: Layout) -> None:
    precious = put(space.home / "projects/precious")
    (space.jetbrains_data / "Daemon").symlink_to(precious.parent)
    run(space)
    assert precious.exists()


@pytest.mark.parametrize(
    ("path", "changed", "others", "stays"),
    [
        pytest.param(
            ".config/JetBrains/GoLand2024.3/.lock", -10, (), False, id="from a container that is gone"
        ),
        pytest.param(".config/JetBrains/GoLand2024.3/.port", -10, (), False, id="port, likewise"),
        pytest.param(".config/JetBrains/GoLand2024.3/.lock", 10, (), True, id="from this container"),
        pytest.param(".config/JetBrains/GoLand2024.3/.lock", -10, ("w2",), True, id="another workspace runs"),
        pytest.param(".config/JetBrains/RemoteDev-GO/_p/.lock", -10, (), False, id="one per project"),
        pytest.param(".config/JetBrains/Toolbox/.lock", -10, (), True, id="not an IDE's"),
        pytest.param("../../tmp/jetbrains/system/GoLand2024.3/.port", -10, (), False, id="own, restarted"),
        pytest.param(
            "../../tmp/jetbrains/system/GoLand2024.3/.port",
            -10,
            ("w2",),
            False,
            id="own, others do not see it",
        ),
    ],
)
def test_locks(path: str, changed: float, others: tuple[str, ...], stays: bool, space: Layout) -> None:  # noqa: FBT001
    file = put(space.home / path, "123", changed=BOOTED + changed)
    run(space, others=others)
    assert file.exists() is stays


def test_without_a_start_time_no_lock_is_stale(space: Layout) -> None:
    (space.proc / "1/stat").unlink()
    file = put(space.jetbrains_config / "GoLand2024.3/.lock", changed=BOOTED - 10)
    run(space)
    assert file.exists()


def test_a_workspace_that_starts_meanwhile_stops_the_pruning(space: Layout) -> None:
    file = put(space.jetbrains_data / "Daemon/d")
    answers: Iterator[list[str]] = iter([[], ["w2"]])
    settle(space, allow_updates=False, others=lambda: next(answers))
    assert file.exists()


def test_a_persisted_cache_is_warned_of(space: Layout) -> None:
    (space.home / ".cache").mkdir()
    (space.home / ".cache/JetBrains").symlink_to(space.volume)
    assert [note.code for note in run(space).plan.notes] == ["jetbrains.cache-lasts"]


# The command, with real leases -------------------------------------------------------------------------


def ws_boot(layout: Layout, *args: str) -> int:
    return commands.run(command, [*args, "--root", str(layout.root)])


def test_another_workspace_is_named(
    space: Layout, other_workspace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = put(space.jetbrains_data / "Daemon/d")
    assert ws_boot(space, "jetbrains") == 0
    assert f"({other_workspace})" in capsys.readouterr().out
    assert file.exists()


def test_the_lease_of_this_workspace_does_not_count(space: Layout, other_workspace: str) -> None:
    put(space.settings_file, json.dumps({"workspace": {"id": other_workspace}}))
    file = put(space.jetbrains_data / "Daemon/d")
    assert ws_boot(space, "jetbrains") == 0
    assert not file.exists()


def test_the_parameter_allows_updates(space: Layout) -> None:
    put(space.settings_file, json.dumps({"jetbrains": {"allow_updates": True}}))
    assert ws_boot(space, "jetbrains") == 0
    text = (space.jetbrains_data / "Toolbox/environment.json").read_text()
    assert json.loads(text)["tools"]["allowUpdate"] is True


def test_nothing_to_change_is_said(space: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    (space.jetbrains_config / "GoLand2024.3").mkdir()
    ws_boot(space, "jetbrains")
    capsys.readouterr()
    assert ws_boot(space, "jetbrains") == 0
    said = capsys.readouterr().out
    assert said == "JetBrains IDEs: 1 with settings: GoLand2024.3; nothing to change\n"


# Backends ----------------------------------------------------------------------------------------------


def backend(layout: Layout, name: str, product: str, build: str, version: str) -> Path:
    info = {"name": product, "productCode": product, "buildNumber": build, "version": version}
    return put(layout.jetbrains_dist / name / "product-info.json", json.dumps(info)).parent


Prune = Callable[..., int]


@pytest.fixture
def five(space: Layout) -> Layout:
    backend(space, "a", "GO", "243.9.1", "2024.3")
    backend(space, "b", "GO", "243.22562.145", "2024.3.1")
    backend(space, "c", "GO", "242.1", "2024.2")
    backend(space, "d", "PY", "241.1", "2024.1")
    put(space.jetbrains_dist / "unpacking/part")
    put(space.jetbrains_dist / "odd/product-info.json", '{"productCode": 1, "buildNumber": []}')
    return space


def left(layout: Layout) -> str:
    return "".join(sorted(path.name for path in layout.jetbrains_dist.iterdir() if len(path.name) == 1))


@pytest.mark.parametrize(
    ("keep", "kept"), [(1, "bd"), (2, "abd"), (3, "abcd"), (9, "abcd")], ids=lambda value: f"{value}"
)
def test_prune_keeps_the_newest_builds_of_each_product(keep: int, kept: str, five: Layout) -> None:
    assert ws_boot(five, "jetbrains", "prune", "--keep", str(keep)) == 0
    assert left(five) == kept
    assert (five.jetbrains_dist / "unpacking/part").exists()
    assert (five.jetbrains_dist / "odd").exists()


def test_prune_keeps_what_runs(five: Layout) -> None:
    (five.proc / "42").mkdir()
    (five.proc / "42/exe").symlink_to((five.jetbrains_dist / "c/bin/remote-dev-server").resolve())
    choices = {choice.backend.path.name: choice.reason for choice in choose(backends(five), 1)}
    assert choices == {"b": "the newest", "a": "1 newer kept", "c": "in use", "d": "the newest"}
    assert ws_boot(five, "jetbrains", "prune", "--keep", "1") == 0
    assert left(five) == "bcd"


def test_prune_removes_nothing_while_another_workspace_runs(
    five: Layout, other_workspace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ws_boot(five, "jetbrains", "prune", "--json", "--keep", "1") == 1
    assert left(five) == "abcd"
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "jetbrains.shared"
    assert other_workspace in error["message"]


def test_prune_dry_run(five: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert ws_boot(five, "jetbrains", "prune", "--keep", "2", "--dry-run") == 0
    assert left(five) == "abcd"
    assert capsys.readouterr().out.splitlines() == [
        "keep    GO 2024.3.1 (the newest)",
        "keep    GO 2024.3 (recent)",
        "keep    PY 2024.1 (the newest)",
        "would remove GO 2024.2: 8.0 KiB (2 newer kept)",
        "would be removed: 1 IDE, 8.0 KiB",
    ]


def test_prune_dry_run_while_another_workspace_runs(
    five: Layout, other_workspace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ws_boot(five, "jetbrains", "prune", "--keep", "2", "--dry-run") == 0
    assert other_workspace
    assert "nothing is removed until it stops" in capsys.readouterr().err


def test_prune_says_what_it_freed(five: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert ws_boot(five, "jetbrains", "prune", "--keep", "1") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == ["removed GO 2024.2: 8.0 KiB (1 newer kept)", "removed: 2 IDEs, 16.0 KiB"]
    assert ws_boot(five, "jetbrains", "prune", "--keep", "1") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to remove"


def test_prune_finishes_what_was_interrupted(five: Layout) -> None:
    put(five.jetbrains_dist / ".pruned-x/rest")
    assert ws_boot(five, "jetbrains", "prune", "--keep", "9") == 0
    assert not (five.jetbrains_dist / ".pruned-x").exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        pytest.param(["prune"], "missing option '--keep'", id="no number"),
        pytest.param(["prune", "--keep", "0"], "0 is not in the range", id="zero"),
        pytest.param(
            ["--dry-run", "prune", "--keep", "1"],
            "--dry-run has no effect before prune",
            id="dry run of what",
        ),
        pytest.param(["purne"], "did you mean 'prune'?", id="typo"),
    ],
)
def test_prune_usage(args: list[str], says: str, space: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert ws_boot(space, "jetbrains", *args) == 2
    assert says in capsys.readouterr().err


def test_list(five: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert ws_boot(five, "jetbrains", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["backends"]
    assert [(item["product"], item["version"]) for item in listed] == [
        ("GO", "2024.3.1"),
        ("GO", "2024.3"),
        ("GO", "2024.2"),
        ("PY", "2024.1"),
    ]
    assert [(item["size_bytes"], item["size_complete"]) for item in listed] == [(8192, True)] * 4
    assert ws_boot(five, "jetbrains", "list") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:5] == [
        "GO",
        "2024.3.1",
        "243.22562.145",
        "8.0",
        "KiB",
    ]


def test_a_mtime_of_now_is_after_the_start_of_this_container() -> None:
    """The clock of a real /proc: this process started after PID 1."""
    from coder_ws_runtime.boot.jetbrains.observe import container_start

    assert 0 < container_start(Path("/proc")) < time.time()

"""`ws-boot hooks`: every way in which a hook can end, and what the user is told."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.boot.hooks import log as hook_log
from coder_ws_runtime.boot.hooks.discover import Hook, Trouble, discover
from coder_ws_runtime.boot.hooks.execute import Order, Watcher, run_hooks
from coder_ws_runtime.boot.hooks.log import BoundedLog
from coder_ws_runtime.boot.hooks.result import Ending, Result, recall
from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.ws_boot.main import command
from coder_ws_runtime.layout import Layout

REPO = Path(__file__).parents[2]
ENV = {"PATH": os.environ["PATH"]}

AddHook = Callable[..., Path]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path)
    layout.home.mkdir(parents=True)
    layout.share.mkdir(parents=True)
    return layout


@pytest.fixture
def add_hook(layout: Layout) -> AddHook:
    def add(name: str, body: str = "", *, shebang: str = "#!/bin/sh", mode: int = 0o755) -> Path:
        script = layout.share / name / "post-create.sh"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"{shebang}\n{body}\n")
        script.chmod(mode)
        return script

    return add


@pytest.fixture
def no_process_left(tmp_path: Path) -> Iterator[None]:
    """Hooks that are to be ended mark what they start with the directory of the test and run."""
    yield
    until = time.monotonic() + 30  # what was killed is gone a moment later
    while left := subprocess.run(
        ["pgrep", "-f", f"sleep.*{tmp_path}"], capture_output=True, check=False
    ).stdout:
        assert time.monotonic() < until, left
        time.sleep(0.05)


def run(layout: Layout, *, time_limit: float = 20, once: bool = False) -> dict[str, Result]:
    results = run_hooks(layout, Order(discover(layout), ENV, time_limit, once=once))
    return {result.id: result for result in results}


# What is found ---------------------------------------------------------------------------------------


def test_hooks_are_found_in_one_order_whatever_the_locale(layout: Layout, add_hook: AddHook) -> None:
    for name in ("rtk", "Zed", "a b", "10-first", "élan", "claude-code", ".hidden"):
        add_hook(name)
    (layout.share / "no-hook").mkdir()
    assert [hook.id for hook in discover(layout)] == ["10-first", "Zed", "a b", "claude-code", "rtk", "élan"]


def test_no_share_directory_means_no_hooks(tmp_path: Path) -> None:
    assert discover(Layout.of(tmp_path)) == []


def test_what_cannot_be_run_is_found_with_its_reason(layout: Layout, add_hook: AddHook) -> None:
    add_hook("plain", mode=0o644)
    (layout.share / "directory/post-create.sh").mkdir(parents=True)
    (layout.share / "dangling").mkdir()
    (layout.share / "dangling/post-create.sh").symlink_to("/nowhere/at/all")
    assert {hook.id: hook.trouble for hook in discover(layout)} == {
        "plain": Trouble.NOT_EXECUTABLE,
        "directory": Trouble.NOT_A_FILE,
        "dangling": Trouble.DANGLING,
    }
    assert all(hook.remedy for hook in discover(layout))


def test_a_remedy_names_the_hook_as_a_shell_reads_it(layout: Layout, add_hook: AddHook) -> None:
    add_hook("it's a hook", mode=0o644)
    (hook,) = discover(layout)
    assert shlex.split(hook.remedy.partition("; ")[0])[-1] == str(hook.path)


# How hooks end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "ending", "status", "detail"),
    [
        pytest.param({"body": "true"}, Ending.DONE, 0, "", id="done"),
        pytest.param(
            {"body": "echo so; echo why >&2; exit 3"},
            Ending.FAILED,
            3,
            "why",
            id="failed, with its last words",
        ),
        pytest.param({"body": "exit 124"}, Ending.FAILED, 124, "", id="status of a time-out, but its own"),
        pytest.param({"body": "exit 126"}, Ending.FAILED, 126, "", id="status of no start, but its own"),
        pytest.param({"body": "kill -9 $$"}, Ending.FAILED, -9, "", id="ended by a signal"),
        pytest.param(
            {"body": "printf 'a\\033[31mred\\r\\n\\n\\n'; exit 1"},
            Ending.FAILED,
            1,
            "a[31mred",
            id="last words without control characters",
        ),
        pytest.param({"mode": 0o644}, Ending.NOT_RUN, None, "is not executable", id="not executable"),
        pytest.param({"shebang": ""}, Ending.NOT_RUN, None, "Exec format error", id="no #! line"),
        pytest.param({"shebang": "#!/no/such"}, Ending.NOT_RUN, None, "No such file", id="no interpreter"),
    ],
)
def test_ending(
    script: dict[str, str],
    ending: Ending,
    status: int | None,
    detail: str,
    layout: Layout,
    add_hook: AddHook,
) -> None:
    add_hook("hook", **script)
    add_hook("next", "touch $HOME/next-ran")
    results = run(layout)
    assert (results["hook"].ending, results["hook"].status) == (ending, status)
    assert detail in results["hook"].detail
    assert results["next"].ok
    assert (layout.home / "next-ran").exists()


def test_a_hook_runs_in_the_home_with_nothing_to_read(layout: Layout, add_hook: AddHook) -> None:
    add_hook("hook", 'echo "$PWD $HOME $(wc -c) $0"')
    result = run(layout)["hook"]
    said = Path(result.log).read_text().splitlines()[1]
    assert said == f"{layout.home} {layout.home} 0 {layout.share}/hook/post-create.sh"


@pytest.mark.usefixtures("no_process_left")
def test_a_hook_that_hangs_is_ended_with_all_that_it_started(layout: Layout, add_hook: AddHook) -> None:
    sleep = f"exec -a 'sleep {layout.root}' sleep 1000"
    add_hook("hang", f"echo waiting; ({sleep}) & {sleep}", shebang="#!/bin/bash")
    add_hook("next")
    began = time.monotonic()
    results = run(layout, time_limit=3)  # in which the other one ends on the busiest machine
    assert time.monotonic() - began < 60
    assert results["hang"].ending is Ending.TIMED_OUT
    assert results["hang"].detail == "waiting"
    assert results["next"].ok


@pytest.mark.usefixtures("no_process_left")
def test_a_hook_that_does_not_want_to_end_is_killed(
    layout: Layout, add_hook: AddHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coder_ws_runtime.system.process.GRACE", 0.3)
    loop = f"trap '' TERM; (exec -a 'sleep {layout.root}' sleep 1000) & while :; do sleep 0.05; done"
    add_hook("stubborn", loop, shebang="#!/bin/bash")
    assert run(layout, time_limit=0.3)["stubborn"].ending is Ending.TIMED_OUT


def test_a_program_that_is_left_running_is_not_waited_for(layout: Layout, add_hook: AddHook) -> None:
    add_hook("starter", "sleep 60 & echo $!")
    began = time.monotonic()
    result = run(layout)["starter"]
    assert result.ok
    assert time.monotonic() - began < 30
    os.kill(int(Path(result.log).read_text().splitlines()[1]), signal.SIGKILL)


def test_a_flood_is_bounded_and_its_end_is_kept(layout: Layout, add_hook: AddHook) -> None:
    add_hook("flood", "echo the beginning; yes | head -c 20000000; echo the end; exit 1")
    result = run(layout)["flood"]
    text = Path(result.log).read_text()
    assert len(text) < hook_log.HEAD + hook_log.TAIL + 500
    assert text.splitlines()[1] == "the beginning"
    assert "bytes are left out here" in text
    assert result.detail == "the end"


def test_a_log_that_cannot_be_written_does_not_stop_the_hook(layout: Layout, add_hook: AddHook) -> None:
    layout.hook_logs.parent.mkdir(parents=True)
    layout.hook_logs.write_text("in the way")
    add_hook("hook", "touch $HOME/ran")
    result = run(layout)["hook"]
    assert result.ok
    assert (layout.home / "ran").exists()
    assert "File exists" in result.log


def test_a_slow_hook_is_announced(layout: Layout, add_hook: AddHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coder_ws_runtime.boot.hooks.execute.PATIENCE", 2.0)
    add_hook("quick")
    add_hook("slow", "until test -e $HOME/announced; do sleep 0.05; done")
    slow = []

    def announce(hook: Hook) -> None:
        slow.append(hook.id)
        (layout.home / "announced").touch()

    results = run_hooks(layout, Order(discover(layout), ENV, 60), Watcher(slow=announce))
    assert slow == ["slow"]
    assert all(result.ok for result in results)


# Once, again, and at the same time -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("once", "change", "runs"),
    [
        pytest.param(False, None, 2, id="a second run runs again"),
        pytest.param(True, None, 1, id="once means once"),
        pytest.param(True, "echo changed", 2, id="a script that changed is run again"),
    ],
)
def test_second_run(once: bool, change: str | None, runs: int, layout: Layout, add_hook: AddHook) -> None:  # noqa: FBT001
    body = "echo ran >> $HOME/runs"
    add_hook("hook", body)
    first = run(layout, once=once)
    if change is not None:
        add_hook("hook", f"{body}; {change}")
    second = run(layout, once=once)
    assert (layout.home / "runs").read_text().splitlines() == ["ran"] * runs
    assert (first == second) is (runs == 1)


def test_once_shows_what_failed_as_failed(layout: Layout, add_hook: AddHook) -> None:
    add_hook("hook", "exit 7")
    run(layout)
    assert run(layout, once=True)["hook"].status == 7


def test_two_runs_at_once_run_each_hook_once(layout: Layout, add_hook: AddHook) -> None:
    add_hook("hook", "echo ran >> $HOME/runs; until test -e $HOME/waited; do sleep 0.05; done")
    waited = layout.home / "waited"
    other = threading.Thread(target=run, args=(layout,))
    other.start()
    while not (layout.home / "runs").exists():
        time.sleep(0.01)
    order = Order(discover(layout), ENV, 20)
    (result,) = run_hooks(layout, order, Watcher(blocked=waited.touch))
    other.join()
    assert waited.exists()
    assert result.ok
    assert (layout.home / "runs").read_text() == "ran\n"


@pytest.mark.parametrize(
    "record",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="another shape"),
        pytest.param('{"hooks": [{"id": "hook"}]}', id="keys missing"),
        pytest.param('{"hooks": [{"id": "hook", "ending": "?", "new": 1}]}', id="unknown values"),
    ],
)
def test_a_broken_record_is_no_record(record: str, layout: Layout, add_hook: AddHook) -> None:
    add_hook("hook")
    layout.runtime_dir.mkdir(parents=True)
    (layout.runtime_dir / "hooks.json").write_text(record)
    assert run(layout, once=True)["hook"].ok
    assert recall(layout)["hook"].ok


# The log ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 14, 15, 16, 40])
@pytest.mark.parametrize("piece", [1, 7, 100])
def test_log_keeps_the_beginning_and_the_end(
    size: int, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_log, "HEAD", 10)
    monkeypatch.setattr(hook_log, "TAIL", 5)
    said = bytes(97 + index % 26 for index in range(size))
    log = BoundedLog(tmp_path / "log", "title")
    for start in range(0, size, piece):
        log.take(said[start : start + piece])
    log.close("end")
    kept = "".join(line for line in log.path.read_text().splitlines() if not line.startswith("#"))
    assert kept.encode() == (said if size <= 15 else said[:10] + said[-5:])
    assert ("left out" in log.path.read_text()) is (size > 15)


def test_log_on_a_full_disk_names_the_reason(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    assert "symbolic links" in BoundedLog(tmp_path / "log", "title").problem
    log = BoundedLog(Path("/dev/full"), "title")
    log.take(b"x")
    log.close("end")
    assert log.problem == "/dev/full: No space left on device"


# The command -----------------------------------------------------------------------------------------


def ws_boot(layout: Layout, *args: str) -> int:
    return commands.run(command, [*args, "--root", str(layout.root)])


def test_summary_names_what_failed(
    layout: Layout, add_hook: AddHook, capsys: pytest.CaptureFixture[str]
) -> None:
    add_hook("bad", "echo no such thing; exit 3")
    add_hook("good")
    assert ws_boot(layout, "hooks") == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[-1].endswith(": bad")
    assert "bad: " in told.err
    assert f"log: {layout.hook_logs}/bad.log" in told.err


@pytest.mark.parametrize(
    ("args", "status", "stdout", "stderr"),
    [
        pytest.param(["hooks"], 0, "all succeeded", "", id="all"),
        pytest.param(["hooks", "--once"], 0, "all succeeded", "", id="once"),
        pytest.param(["hooks", "list"], 0, "not run yet", "", id="list"),
        pytest.param(["hooks", "run", "rtk"], 0, "hello from rtk\n", "", id="run shows what it says"),
        pytest.param(["hooks", "run", "rtkk"], 2, "", "'rtkk'\nhint: did you mean 'rtk'?", id="nearest"),
        pytest.param(
            ["hooks", "--once", "run", "rtk"],
            2,
            "",
            "error: --once ",
            id="option before a subcommand",
        ),
        pytest.param(
            ["hooks", "--time-limit", "0"], 2, "", "error: invalid value for '--time-limit'", id="limit"
        ),
    ],
)
def test_command(
    args: list[str],
    status: int,
    stdout: str,
    stderr: str,
    layout: Layout,
    add_hook: AddHook,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_hook("rtk", "echo hello from rtk")
    assert ws_boot(layout, *args) == status
    told = capsys.readouterr()
    assert stdout in told.out
    assert stderr in told.err


def test_json(layout: Layout, add_hook: AddHook, capsys: pytest.CaptureFixture[str]) -> None:
    add_hook("rtk", "exit 4")
    assert ws_boot(layout, "hooks", "--json") == 1
    (item,) = json.loads(capsys.readouterr().out)["hooks"]
    assert (item["id"], item["ending"], item["status"]) == ("rtk", "failed", 4)
    assert ws_boot(layout, "hooks", "list", "--json") == 0
    (item,) = json.loads(capsys.readouterr().out)["hooks"]
    assert item["last"]["status"] == 4


def test_the_setting_of_the_workspace_is_the_limit(
    layout: Layout, add_hook: AddHook, capsys: pytest.CaptureFixture[str]
) -> None:
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text('{"hooks": {"time_limit": 0.2}}')
    add_hook("hang", "sleep 20")
    assert ws_boot(layout, "hooks", "--json") == 1
    (item,) = json.loads(capsys.readouterr().out)["hooks"]
    assert item["ending"] == "timed-out"


def test_broken_settings_do_not_keep_the_hooks_from_running(
    layout: Layout, add_hook: AddHook, capsys: pytest.CaptureFixture[str]
) -> None:
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text("{")
    add_hook("rtk")
    assert ws_boot(layout, "hooks") == 0
    assert "workspace.json" in capsys.readouterr().err


@pytest.mark.usefixtures("no_process_left")
@pytest.mark.parametrize(
    ("number", "status"),
    [pytest.param(signal.SIGINT, 130, id="Ctrl-C"), pytest.param(signal.SIGTERM, 143, id="SIGTERM")],
)
def test_whoever_stops_the_run_stops_the_hook(
    number: signal.Signals, status: int, layout: Layout, add_hook: AddHook
) -> None:
    add_hook("hang", f"touch $HOME/began; exec -a 'sleep {layout.root}' sleep 1000", shebang="#!/bin/bash")
    code = "from coder_ws_runtime.cli.ws_boot.main import main; raise SystemExit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, "hooks", "--root", str(layout.root)], cwd=REPO, stderr=subprocess.PIPE
    ) as ours:
        while not (layout.home / "began").exists():
            assert ours.poll() is None
            time.sleep(0.02)
        ours.send_signal(number)
        assert ours.wait(20) == status
    assert "interrupted" in (layout.hook_logs / "hang.log").read_text()

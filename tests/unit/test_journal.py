"""Logging and notification by the real python3-systemd; the test's own sockets are the other end."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from coder_ws_runtime.cli.home_persist import entry
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system import journal
from devtools.shell import ROOT
from tests.conftest import missing

# In a mount namespace of its own: sd_journal_send(3) knows one address only. Its stderr counts as the
# journal's stream, as under systemd.
SENDER = """
import os, socket
os.makedirs("/run/systemd/journal")
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("/run/systemd/journal/socket")
seen = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{seen.st_dev}:{seen.st_ino}"
from coder_ws_runtime.system import journal
journal.log("a line of \\udcff", journal.WARNING, {"path": ".claude\\udcff", "milliseconds": 7.5})
print(receiver.recv(65536).decode())
"""


@pytest.fixture(autouse=True)
def _library() -> None:
    if importlib.util.find_spec("systemd") is None:
        missing("systemd-python; ./dev test builds it where libsystemd's headers are or can be installed")


def test_a_record_has_its_fields() -> None:
    mount = 'mount -t tmpfs tmpfs /run && exec "$@"'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*words, SENDER], capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0 and "unshare" in done.stderr:
        missing(f"user namespaces: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    fields = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert fields["MESSAGE"] == r"a line of \udcff", "a name that is not UTF-8"
    assert fields["PRIORITY"] == "4"
    assert fields["CODER_WS_PATH"] == r".claude\udcff"
    assert fields["CODER_WS_MILLISECONDS"] == "7.5"


def test_systemd_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        journal.notify("READY=1\nSTATUS=3 paths")
        assert receiver.recv(4096) == b"READY=1\nSTATUS=3 paths"


@pytest.mark.parametrize("again", [False, True])
def test_the_daemon_is_ready_before_it_loads_its_modules(tmp_path: Path, *, again: bool) -> None:
    """At boot: a unit that is not ready has no ExecStop=. The daemon ends at once here: it has no home."""
    assert Path(entry.WATCH_REPORT) == Layout.of(Path("/")).watch_report
    report = tmp_path / "report"
    if again:
        report.touch()
    program = f"""
import os, sys
from coder_ws_runtime.cli.home_persist import entry
entry.WATCH_REPORT = {str(report)!r}
sys.argv = ["home-persist", "watch"]
sent = entry.notify
entry.notify = lambda state: (sent(state), print(*sys.modules))
print(entry.main())
"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)  # noqa: FBT003 - as socket(7) calls it
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "HOME_PERSIST_HOME": str(tmp_path / "none"),
            "HOME_PERSIST_VOLUME": str(tmp_path / "none"),
        }
        words = [sys.executable, "-c", program]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        if again:
            with pytest.raises(BlockingIOError):
                receiver.recv(4096)
            return
        assert receiver.recv(4096) == b"READY=1"
    modules, status = done.stdout.splitlines()
    ours = {name for name in modules.split() if name.startswith("coder_ws_runtime.")}
    assert ours <= {
        "coder_ws_runtime._version",
        "coder_ws_runtime.cli",
        "coder_ws_runtime.cli.home_persist",
        "coder_ws_runtime.cli.home_persist.entry",
        "coder_ws_runtime.system",
        "coder_ws_runtime.system.journal",
    }
    assert status != "0"


def test_nothing_is_sent_where_systemd_did_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    journal.notify("READY=1")


def test_stderr_is_the_log_without_a_journal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    journal.log("a line", journal.INFO)
    assert capsys.readouterr().err == "a line\n"

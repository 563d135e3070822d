"""What the boot steps must not import: they run before the agent may start, one of them as root."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.home_persist.main import home_persist
from tests.harness.tree import Tree, write

REPO = Path(__file__).parents[2]
SLOW = {"pydantic", "watchdog", "javaproperties"}
BY_UNITS = {*SLOW, "click", "dataclasses", "typing"}
"""What no unit needs: each takes as long to load as the work takes."""
PROGRAM = """
import sys
from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.ws_boot.main import command
commands.run(command, sys.argv[1:])
print(*sys.modules, file=sys.stderr)
"""


def modules_of(program: str, *words: str, out: list[str] | None = None) -> set[str]:
    """The modules that a command has imported when it ends; `out` is given what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=REPO, capture_output=True, text=True, check=True
    )
    if out is not None:
        out.append(done.stdout)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("step", ["docker-group", "jetbrains", "hooks"])
def test_a_step_imports_nothing_slow_at_a_first_start(step: str, tmp_path: Path) -> None:
    (tmp_path / "mnt/home-persist").mkdir(parents=True)
    (tmp_path / "etc/coder").mkdir(parents=True)
    (tmp_path / "etc/coder/workspace.json").write_text(
        json.dumps({"projects": "/home/coder/projects", "unknown": 1, "hooks": {"time_limit": 5}})
    )
    assert SLOW.isdisjoint(modules_of(PROGRAM, step, "--root", str(tmp_path)))


def test_the_step_that_runs_as_root_takes_nothing_from_the_user(tmp_path: Path) -> None:
    """The settings' cache belongs to the user; the document is not even read."""
    (tmp_path / "etc/coder").mkdir(parents=True)
    (tmp_path / "etc/coder/workspace.json").write_text("not JSON")
    words = [sys.executable, "-c", PROGRAM, "docker-group", "--root", str(tmp_path)]
    done = subprocess.run(words, cwd=REPO, capture_output=True, text=True, check=True)
    modules = done.stderr.split()
    assert "coder_ws_runtime.boot.docker_group.apply" in modules
    assert not {"coder_ws_runtime.settings", "coder_ws_runtime.documents.cache"} & set(modules)
    assert not (tmp_path / "var").exists()


RESOLVE = """
import sys
from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.home_persist.main import home_persist
commands.run(home_persist, ["resolve", *sys.argv[1:]])
print(*sys.modules, file=sys.stderr)
"""


def test_a_resolve_that_finds_everything_in_place_imports_nothing_slow(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path)
    tree.manifest(".a/", "f", migrations=[{"id": "old", "remove": ".old/"}])
    words = [sys.executable, "-c", RESOLVE, "--root", str(tmp_path)]
    done = [subprocess.run(words, cwd=REPO, capture_output=True, text=True, check=True) for _ in range(2)]
    assert "2 paths in place, nothing to change" in done[1].stdout
    rare = [
        "persist.reconcile.apply",
        "persist.reconcile.compare",
        "persist.migrations.run",
        "persist.store.attic",
        "fs.copying",
        "fs.removing",
    ]
    slow = {*SLOW, *(f"coder_ws_runtime.{name}" for name in rare), "ctypes", "_hashlib", "_socket", "random"}
    assert slow.isdisjoint(done[1].stderr.split())


def test_a_first_start_imports_nothing_slow(tmp_path: Path) -> None:
    """The image's manifests are compiled; the template and the user have declared paths in every form."""
    tree = Tree.at(tmp_path)
    tree.manifest(".a/", {"path": ".a/own/", "scope": "workspace"}, "f")
    write(tree.layout.available, {"git.json": json.dumps({"source": "git", "paths": [".gitconfig"]})})
    template = [".t/", {"path": ".o/", "scope": "workspace", "unknown": 1}, None]
    document = {"workspace": {"id": "w1"}, "home_persist_paths": template, "unknown": 1}
    write(tree.layout.root, {"etc/coder/workspace.json": json.dumps(document)})
    user = {
        "source": "user",
        "paths": [".u/", {"path": ".v", "mode": "0600"}],
        "enable": ["git"],
        "unknown": 1,
    }
    write(tree.layout.state, {"manifests/user.json": json.dumps(user)})
    assert commands.run(home_persist, ["compile", "--root", str(tmp_path)]) == 0
    out: list[str] = []
    modules = modules_of(RESOLVE, "--root", str(tmp_path), out=out)
    assert out[0].splitlines()[-1].startswith("7 paths: "), out
    assert SLOW.isdisjoint(modules)


ENTRY = """
import sys
from coder_ws_runtime.cli.home_persist.entry import main
sys.argv = ["home-persist", *sys.argv[1:]]
print(f"status {main()}")
print(*sys.modules, file=sys.stderr)
"""


def test_what_a_unit_calls_goes_by_click(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path)
    environment = {
        **os.environ,
        "HOME": str(tree.home),
        "HOME_PERSIST_STATE": str(tree.volume),
        "HOME_PERSIST_MANIFEST_DIR": str(tree.layout.manifest_dir),
        "HOME_PERSIST_LEDGER_DIR": str(tree.layout.ledger_dir),
        "PYTHONPATH": str(REPO),
    }
    tree.manifest(".a/", migrations=[{"id": "old", "remove": ".old/"}])
    write(tree.volume, {".old/x": "1"})

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", f"import os; os.geteuid = lambda: 1000\n{ENTRY}", *words]
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=True)

    plain, again, by_click = call("resolve"), call("resolve"), call("resolve", "--quiet")
    assert "1 path: 1 created" in plain.stdout
    assert "migration old: " in plain.stdout
    assert plain.stdout.endswith("status 0\n")
    assert "click" not in plain.stderr.splitlines()[-1].split()  # pydantic validates the manifest once
    assert BY_UNITS.isdisjoint(again.stderr.splitlines()[-1].split())
    assert "click" in by_click.stderr.splitlines()[-1].split()


STEP = """
import os, sys
from pathlib import Path
from coder_ws_runtime.cli import process
from coder_ws_runtime.cli.ws_boot import entry
from coder_ws_runtime.layout import Layout

root = sys.argv.pop(1)
sys.argv = ["ws-boot", *sys.argv[1:]]
process.find_layout = lambda path=None: Layout.of(Path(root))
print(f"status {entry.main()}")
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "by_click"),
    [
        (["docker-group"], ["docker-group", "--root", "/"]),
        (["jetbrains"], ["jetbrains", "--root", "/"]),
        (["hooks"], ["hooks", "--time-limit", "120"]),
        (["hooks", "--once"], ["hooks", "--once", "--time-limit", "120"]),
    ],
    ids=" ".join,
)
def test_what_a_unit_calls_of_ws_boot_goes_by_click(
    words: list[str], by_click: list[str], tmp_path: Path
) -> None:
    """With the same words and the same exit status."""

    def call(options: list[str], root: Path) -> tuple[str, set[str]]:
        program = [sys.executable, "-c", STEP, str(root), *options]
        done = subprocess.run(program, cwd=REPO, capture_output=True, text=True, check=True)
        *said, modules = done.stderr.splitlines()
        text = "\n".join([done.stdout, *said]).replace(str(root), "")
        return re.sub(r"\d+\.\d s", "N s", text), set(modules.split())

    for name in ("plain", "click"):
        (tmp_path / name / "mnt/home-persist").mkdir(parents=True)
        hook = tmp_path / name / "usr/local/share/rtk/post-create.sh"
        hook.parent.mkdir(parents=True)
        hook.write_text("#!/bin/sh\nexit 3\n")
        hook.chmod(0o755)
    plain, clicked = call(words, tmp_path / "plain"), call(by_click, tmp_path / "click")
    assert plain[0] == clicked[0]
    assert "status " in plain[0]
    assert BY_UNITS.isdisjoint(plain[1])
    assert "click.core" in clicked[1]


WATCH = """
import sys
if sys.version_info < (3, 12):
    import _sha256
    sys.modules["_sha2"] = _sha256  # its name before 3.12
from coder_ws_runtime.cli.home_persist import daemon
from coder_ws_runtime.persist.reconcile import settle
from coder_ws_runtime.persist.store.attic_batch import digest_of
print(digest_of("w1"))
print(*sys.modules, file=sys.stderr)
"""


def test_the_daemon_keeps_no_openssl_in_memory() -> None:
    """It names locks and batches by SHA-256, in every workspace; OpenSSL would take 4 MiB of it."""
    out: list[str] = []
    modules = modules_of(WATCH, out=out)
    assert out == [f"{hashlib.sha256(b'w1').hexdigest()[:12]}\n"]
    assert {"_hashlib", "_ssl", "click", "pydantic"}.isdisjoint(modules)


DOCTOR = """
import sys
from coder_ws_runtime.cli.ws_doctor import entry, look
look.examine = lambda *_, **__: []
sys.argv = ["ws-doctor", *sys.argv[1:]]
print(f"status {entry.main()}")
print(*sys.modules, file=sys.stderr)
"""


def test_the_line_for_the_metadata_goes_by_click() -> None:
    """Every workspace asks for it once a minute."""
    out: list[str] = []
    modules = modules_of(DOCTOR, "--metadata", out=out)
    assert out == ["well\nstatus 0\n"]
    assert BY_UNITS.isdisjoint(modules)
    # Each takes a millisecond or more, every minute; they are for those who find something.
    rare = [
        "persist.session",
        "persist.gc",
        "persist.reconcile.plan",
        "persist.manifest.tolerant",
        "fs.copying",
        "doctor.variables",
        "doctor.checks.link_faults",
        "doctor.bundle",
    ]
    assert {f"coder_ws_runtime.{name}" for name in rare}.isdisjoint(modules)
    assert {"shutil", "email.utils", "textwrap", "traceback", "ctypes", "difflib"}.isdisjoint(modules)
    assert "click" in modules_of(DOCTOR, "--metadata", "--strict")


REPORT = """
import sys
from coder_ws_runtime.cli.ws_doctor import entry, look
from coder_ws_runtime.doctor.engine import Result
from coder_ws_runtime.doctor.findings import found, ok, warning
verdicts = [ok("well"), found([warning("a.b", "odd")], "")]
look.examine = lambda checks, *_, **__: [Result(*two, 0.0) for two in zip(checks, verdicts)]
sys.argv = ["ws-doctor", *sys.argv[1:]]
print(f"status {entry.main()}")
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(("words", "status"), [((), 0), (("--strict",), 1)])
def test_the_report_that_people_ask_for_goes_by_click(words: tuple[str, ...], status: int) -> None:
    by_click: list[str] = []
    plain: list[str] = []
    assert "click" in modules_of(REPORT, *words, "--root", "/", out=by_click)
    assert {"click", "inspect", "shutil"}.isdisjoint(modules_of(REPORT, *words, out=plain))
    assert "odd" in plain[0]
    assert plain[0].endswith(f"status {status}\n")
    seconds = re.compile(r"in [\d.]+ s")
    assert seconds.sub("", plain[0]) == seconds.sub("", by_click[0])


GLANCE = """
import sys
from coder_ws_runtime.cli.ws_doctor import entry
entry.glance.is_unchanged = lambda memory: True
sys.argv = ["ws-doctor", *sys.argv[1:]]
status = entry.main()
print(*sys.modules, file=sys.stderr)
"""


def test_a_glance_loads_next_to_nothing() -> None:
    """Every workspace makes one each minute; most of it is the start of an interpreter."""
    program = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(REPO)!r})\n{GLANCE}"]
    done = subprocess.run([*program, "--metadata"], capture_output=True, text=True, check=True)
    assert done.stdout == "well\n"
    modules = set(done.stderr.split())
    assert {name for name in modules if name.startswith("coder_ws_runtime.")} <= {
        f"coder_ws_runtime.{name}"
        for name in (
            "_version",
            "cli",
            "cli.plain",
            "cli.ws_doctor",
            "cli.ws_doctor.entry",
            "digest",
            "doctor",
            "doctor.glance",
            "doctor.room",
            "system",
            "system.journal",
            "system.probe",
            "system.quick",
        )
    }
    slow = {"re", "enum", "collections", "functools", "contextlib", "pathlib", "json", "subprocess", "signal"}
    assert (slow | BY_UNITS).isdisjoint(modules)


def test_the_line_for_the_metadata_refuses_as_click_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_DOCTOR_IGNORE", "no.such-check")
    said = []
    for words in (["--metadata"], ["--metadata", "--strict"], [], ["-q"]):
        program = [sys.executable, "-c", DOCTOR, *words]
        done = subprocess.run(program, cwd=REPO, capture_output=True, text=True, check=True)
        said.append((done.stdout, done.stderr.splitlines()[:-1]))
    assert said[1:] == said[:-1]
    assert said[0][0] == "status 2\n"


QUIET = """
import sys
from coder_ws_runtime.cli.ws_doctor import entry, look
look.examine = lambda *_, **__: []
sys.argv = ["ws-doctor", *sys.argv[1:]]
entry.program()
"""


def test_a_plain_call_ends_quietly_when_nobody_reads_it() -> None:
    """As the same call does by click."""
    for words in (["--metadata"], ["--metadata", "--strict"], [], ["-q"]):
        reading, writing = os.pipe()
        os.close(reading)
        program = [sys.executable, "-c", QUIET, *words]
        done = subprocess.run(
            program, cwd=REPO, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (1, ""), words

"""The doctor's line: after a complete look that found nothing, a glance is enough until something changes."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from coder_ws_runtime.cli.ws_doctor import entry, look
from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.doctor import glance, remember, systemd
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Check
from coder_ws_runtime.doctor.findings import Verdict, failure, found, ok
from coder_ws_runtime.fs.writing import replace_file
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system.process import Completed
from coder_ws_runtime.system.quick import output_of
from tests.harness.tree import Tree, write

ROOT = os.geteuid() == 0
USER = 1000 if ROOT else os.geteuid()
MAKE = Context.of
MEMORY = glance.MEMORY
STARTED = "4242"
Change = Callable[["Space"], object]


class Systemd:
    """Answers as systemd does, to the checks and to a glance."""

    def __init__(self) -> None:
        self.states = dict.fromkeys((*systemd.UNITS, systemd.JOURNAL), ("loaded", "active", "running"))
        self.states["rescue.target"] = ("loaded", "inactive", "dead")

    def show(self, argv: Sequence[str], **_: object) -> Completed:
        names = ("LoadState", "ActiveState", "SubState")
        blocks = [
            "\n".join([f"Id={unit}", *(f"{name}={one}" for name, one in zip(names, states, strict=True))])
            for unit, states in self.states.items()
        ]
        return Completed(tuple(argv), 0, "\n\n".join(blocks), "")

    def list(self, *_: object) -> str:
        busy = {unit: states for unit, states in self.states.items() if states[1] != "inactive"}
        return "".join(f"{unit} {' '.join(states)} a description\n" for unit, states in busy.items())


class Space:
    """A workspace in a directory that the doctor takes for the running system, and its one check."""

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.tree = Tree.at(root)
        self.layout = self.tree.layout
        self.monkeypatch = monkeypatch
        self.capfd = capfd
        self.systemd = Systemd()
        self.looks = 0
        self.verdict = ok("")
        self.memory = self.layout.doctor_memory
        self.layout.runtime_dir.mkdir(parents=True)
        self.tree.manifest(".claude/")
        self.target = self.layout.volume / ".claude"
        self.link = self.layout.home / ".claude"
        self.target.mkdir(parents=True)
        self.link.symlink_to(self.target)
        write(
            root,
            {
                "proc/sys/kernel/random/boot_id": "a boot\n",
                "proc/1/stat": f"1 (a (name) x) S {'0 ' * 18}{STARTED} 0\n",
                "etc/coder/workspace.json": "{}",
                "etc/passwd": f"coder:x:{os.geteuid()}:{os.getegid()}::/home/coder:/bin/bash\n",
                "run/systemd/units/": "",
            },
        )
        self.invocation = self.layout.unit_invocations / f"invocation:{systemd.WEB_SHELL}"
        self.invocation.symlink_to("a-start")
        for name, value in {
            "MEMORY": str(self.memory),
            "_PROC": str(self.layout.proc),
            "output_of": self.systemd.list,
        }.items():
            monkeypatch.setattr(glance, name, value)
        monkeypatch.setattr(Context, "live", property(lambda _: True))
        monkeypatch.setattr(look, "CHECKS", (Check("home.one", "", self.check),))
        monkeypatch.setattr(Context, "of", self.context)
        monkeypatch.setattr("coder_ws_runtime.cli.process.find_layout", lambda: self.layout)
        monkeypatch.setattr("sys.argv", ["ws-doctor", "--metadata"])
        monkeypatch.setattr(remember, "replace_file", self.replace_file)
        monkeypatch.setattr(os, "geteuid", lambda: USER)

    def context(self, *_: object, **__: object) -> Context:
        return replace(MAKE(self.layout.root, {}, runner=self.systemd.show), uid=USER)

    def replace_file(self, path: Path, content: bytes, *, durable: bool, mode: int) -> None:
        replace_file(path, content, durable=durable, mode=mode)
        if ROOT:  # the tests' stand-in for a user writes as root
            os.chown(path, USER, USER)

    def check(self, _: Context) -> Verdict:
        self.looks += 1
        return self.verdict

    def line(self) -> str:
        """What the command prints."""
        status = entry.main()
        said = self.capfd.readouterr()
        assert (status, said.err) == (0, "")
        return said.out

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Change what is remembered, in place."""
        self.memory.write_text(change(self.memory.read_text()))


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Space:
    return Space(tmp_path, monkeypatch, capfd)


def test_a_second_line_runs_no_check_and_is_the_same(space: Space) -> None:
    assert [space.line() for _ in range(3)] == ["well\n"] * 3
    assert space.looks == 1
    assert space.memory.stat().st_mode & 0o777 == 0o600


def _age(seconds: float) -> Change:
    def change(space: Space) -> None:
        later = glance.now() + seconds
        space.monkeypatch.setattr(glance, "now", lambda: later)

    return change


def _disk(**changes: float) -> Change:
    def change(space: Space) -> None:
        numbers = {"f_blocks": 1 << 24, "f_frsize": 4096, "f_bavail": 1 << 23, "f_files": 1000}
        made = SimpleNamespace(**{**numbers, "f_favail": 500, "f_flag": 0, **changes})
        space.monkeypatch.setattr(os, "statvfs", lambda _: made)

    return change


def _unit(name: str, load: str, active: str, sub: str) -> Change:
    return lambda space: space.systemd.states.update({name: (load, active, sub)})


def _mkfifo(space: Space) -> None:
    space.memory.unlink()
    os.mkfifo(space.memory, 0o600)
    if ROOT:
        os.chown(space.memory, USER, USER)


def _directory(space: Space) -> None:
    space.memory.unlink()
    space.memory.mkdir()


def _planted_link(space: Space) -> None:
    space.memory.rename(space.memory.with_name("elsewhere"))
    space.memory.symlink_to("elsewhere")


def _replaced_link(space: Space) -> None:
    space.link.unlink()
    space.link.mkdir()


def _restart(space: Space) -> None:
    space.invocation.unlink()
    space.invocation.symlink_to("another-start")


REASONS: dict[str, Change] = {
    "it is old": _age(glance.MAX_AGE),
    "it is from the future": _age(-3600),
    "another boot of the host": lambda space: write(
        space.layout.root, {"proc/sys/kernel/random/boot_id": "another\n"}
    ),
    "another start of the container": lambda space: write(
        space.layout.root, {"proc/1/stat": f"1 (systemd) S {'0 ' * 18}{STARTED}1 0\n"}
    ),
    "another version": lambda space: space.monkeypatch.setattr(glance, "__version__", "0.0.0+other"),
    "another environment": lambda space: space.monkeypatch.setenv("LANG", "de_DE.UTF-8"),
    "no memory": lambda space: space.memory.unlink(),
    "an empty memory": lambda space: space.rewrite(lambda _: ""),
    "a shorter memory": lambda space: space.rewrite(lambda text: text.rpartition("\0")[0]),
    "a changed memory": lambda space: space.rewrite(lambda text: text.replace("loaded", "masked")),
    "a memory that is not text": lambda space: space.memory.write_bytes(b"\xff\0\xfe\0"),
    "a memory without an end": lambda space: os.truncate(space.memory, 1 << 30),
    "a directory": _directory,
    "a FIFO": _mkfifo,
    "a link, although to the memory": _planted_link,
    "a memory that others can read": lambda space: space.memory.chmod(0o644),
    "a memory that others can write": lambda space: space.memory.chmod(0o620),
    "changed settings": lambda space: space.layout.settings_file.write_text("{} "),
    "another manifest": lambda space: space.tree.manifest(".b", name="other"),
    "a manifest that was edited in place": lambda space: (space.layout.manifest_dir / "tool.json").write_text(
        "{"
    ),
    "another manifest of the user": lambda space: write(
        space.layout.state, {"manifests/user.json": '{"source": "user", "paths": []}'}
    ),
    "a failed unit": _unit("other.service", "loaded", "failed", "failed"),
    "a stopped daemon": _unit(systemd.WATCH, "loaded", "inactive", "dead"),
    "a unit that is about to start again": _unit(systemd.AGENT, "loaded", "activating", "auto-restart"),
    "maintenance": _unit("rescue.target", "loaded", "active", "active"),
    "a unit that has started again": _restart,
    "systemd does not answer": lambda space: space.monkeypatch.setattr(glance, "output_of", lambda *_: None),
    "a link that was replaced": _replaced_link,
    "a link that leads nowhere": lambda space: space.target.rmdir(),
    "a full disk": _disk(f_bavail=0),
    "few inodes": _disk(f_favail=50),
    "a read-only disk": _disk(f_flag=os.ST_RDONLY),
    "a home that is closed": lambda space: space.layout.home.chmod(0o500),
    "a volume that accepts no changes": lambda space: space.monkeypatch.setattr(
        glance, "takes_changes", lambda _: False
    ),
    "root asks": lambda space: space.monkeypatch.setattr(os, "geteuid", lambda: 0),
}


@pytest.mark.parametrize("reason", REASONS)
def test_the_next_line_is_from_a_complete_look_because_of(reason: str, space: Space) -> None:
    assert (space.line(), space.line(), space.looks) == ("well\n", "well\n", 1)
    REASONS[reason](space)
    assert space.line() == "well\n"
    assert space.looks == 2


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_the_memory_of_another_user_is_not_trusted(space: Space) -> None:
    space.line()
    os.chown(space.memory, USER + 1, USER)
    space.line()
    assert space.looks == 2


def test_while_there_is_a_finding_each_line_is_from_a_complete_look(space: Space) -> None:
    assert space.line() == "well\n"
    space.verdict = found([failure("home.one", "it is broken")], "")
    _restart(space)
    assert [space.line() for _ in range(2)] == ["1 failed: home.one\n"] * 2
    space.verdict = ok("")
    assert [space.line() for _ in range(2)] == ["well\n"] * 2
    assert space.looks == 4


def test_after_a_finding_of_the_whole_command_the_line_shows_it(space: Space) -> None:
    space.line()
    space.verdict = found([failure("home.one", "it is broken")], "")
    look.look((Check("home.one", "", space.check),), space.layout)
    assert space.line() == "1 failed: home.one\n"


def test_a_change_during_the_checks_is_seen_by_the_next_line(space: Space) -> None:
    def check(_: Context) -> Verdict:
        space.looks += 1
        if space.looks == 1:
            _replaced_link(space)
        return ok("")

    space.monkeypatch.setattr(look, "CHECKS", (Check("home.one", "", check),))
    space.line()
    space.line()
    assert space.looks == 2


def test_a_place_that_cannot_be_written_is_no_error(space: Space) -> None:
    space.layout.runtime_dir.rmdir()
    assert [space.line() for _ in range(2)] == ["well\n"] * 2
    assert space.looks == 2


def test_the_place_is_that_of_the_layout() -> None:
    fresh = Layout.of(Path("/"))
    assert Path(MEMORY) == fresh.doctor_memory


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo one; echo two >&2; echo three", "one\nthree\n"),
        ("echo one; exit 3", None),
        ("cat", ""),
        ("kill -9 $$", None),
    ],
)
def test_the_output_of_a_program(script: str, said: str | None) -> None:
    assert output_of(["sh", "-c", script], 10.0) == said


def test_a_program_that_hangs_or_is_not_there_says_nothing() -> None:
    began = time.monotonic()
    assert output_of(["sleep", "60"], 0.1) is None
    assert time.monotonic() - began < 30
    assert output_of(["no-such-program"], 10.0) is None

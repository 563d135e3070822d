"""Versions of programs: asked once, and again when the program has changed; never remembered by root."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.versions import ask_version
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system.process import Completed

CODER = 1000


class Programs:
    """Counts how often a program is started."""

    def __init__(self) -> None:
        self.starts = 0
        self.status = 0

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> Completed:
        self.starts += 1
        return Completed(tuple(argv), self.status, f"{self.starts}.0\n", "")


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def context(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr(Layout, "runtime_dir", property(lambda _: tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return replace(Context.of(Path("/"), {}, runner=programs), uid=CODER)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "tool"
    file.write_text("1")
    return file


def test_a_program_that_has_not_changed_is_not_started_again(
    context: Context, program: Path, programs: Programs
) -> None:
    said = [ask_version(context, str(program)).stdout for _ in range(3)]
    assert (said, programs.starts) == (["1.0\n"] * 3, 1)


def test_a_program_that_has_changed_is_started_again(
    context: Context, program: Path, programs: Programs
) -> None:
    ask_version(context, str(program))
    program.chmod(0o600)
    assert ask_version(context, str(program)).stdout == "2.0\n"
    link = program.with_name("link")
    link.symlink_to(program)
    assert ask_version(context, str(link)).stdout == "3.0\n"
    assert programs.starts == 3


def test_what_fails_is_not_remembered(context: Context, program: Path, programs: Programs) -> None:
    programs.status = 1
    assert not ask_version(context, str(program)).ok
    programs.status = 0
    assert ask_version(context, str(program)).ok
    assert programs.starts == 2


def test_root_and_a_workspace_without_a_place_remember_nothing(
    context: Context, program: Path, programs: Programs
) -> None:
    for _ in range(2):
        ask_version(replace(context, uid=0), str(program))
    context.layout.runtime_dir.rmdir()
    for _ in range(2):
        ask_version(context, str(program))
    assert programs.starts == 4
    assert not context.layout.runtime_dir.exists()


def test_a_program_that_is_gone_is_asked_by_its_name(
    context: Context, program: Path, programs: Programs
) -> None:
    program.unlink()
    assert ask_version(context, str(program)).argv == (str(program), "--version")
    assert programs.starts == 1

"""A state machine: homes, one volume, programs that save, resolves, heals, lost containers, crashes.

The model is small: what a program saved last through a home is what that home shows, unless another
home of the same volume saved later; and no byte that a program ever saved and that was not deliberately
replaced through the link is gone: it is on the volume, in a home, or in the attic.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest import declared
from coder_ws_runtime.persist.resolve import Workspace
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.settings import Workspace as Identity
from tests.conftest import Tried
from tests.harness.tree import read

HOMES = 2
# Declared paths, and the files that programs write in them.
DECLARED = ["file", ".dir/", ".a/b/"]
FILES = ["file", ".dir/one", ".dir/sub/two", ".a/b/c"]
MUTATING = (
    "mkdir",
    "symlink",
    "unlink",
    "rmdir",
    "link",
    "replace",
    "write",
    "fchmod",
    "fsync",
    "utime",
    "sendfile",
)
KERNEL = ("rename_new", "exchange", "sync_file_system")

homes = st.integers(0, HOMES - 1)
files = st.sampled_from(FILES)


class CrashError(BaseException):
    """The process dies here: not an Exception, so that nothing handles it."""


@contextmanager
def crash_at(number: int) -> Iterator[None]:
    """Die before the `number`-th call that changes something; never, if there are fewer."""
    left = number

    def counted(function: object) -> object:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left <= 0:  # dead: whatever cleans up afterwards does nothing either
                raise CrashError
            return function(*args, **kwargs)  # type: ignore[operator]

        return call

    patches = [patch.object(os, name, counted(getattr(os, name))) for name in MUTATING]
    patches += [patch.object(kernel, name, counted(getattr(kernel, name))) for name in KERNEL]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


class Homes(RuleBasedStateMachine):
    """Two workspaces of one owner."""

    steps = 0

    @initialize()
    def begin(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="cws-states-"))
        self.volume = self.base / "volume"
        self.volume.mkdir()
        self.count = 0
        self.living: set[str] = set()
        self.layouts = [self._layout(number) for number in range(HOMES)]

    def _layout(self, number: int) -> Layout:
        base = self.base / str(number)
        for name in ("home", "manifests", "ledger"):
            (base / name).mkdir(parents=True)
        paths = ", ".join(f'"{path}"' for path in DECLARED)
        (base / "manifests/m.json").write_text(f'{{"source": "states", "paths": [{paths}]}}')
        environment = {
            "HOME": str(base / "home"),
            "HOME_PERSIST_STATE": str(self.volume),
            "HOME_PERSIST_MANIFEST_DIR": str(base / "manifests"),
            "HOME_PERSIST_LEDGER_DIR": str(base / "ledger"),
        }
        return Layout.of(Path("/"), environment)

    def _content(self) -> str:
        self.count += 1
        return f"content {self.count}"

    def _settle(self, number: int, *, running: bool) -> None:
        layout = self.layouts[number]
        values = Settings(workspace=Identity(id=f"w{number}", name=f"w{number}"))
        with Workspace(layout, values) as workspace:
            workspace.volume.clear_staging()
            for entry in declared(layout, values).entries:
                outcome = workspace.settle(entry, running=running)
                assert outcome.error is None, str(outcome.error)

    # What programs do --------------------------------------------------------------------------------

    @rule(number=homes, file=files)
    def save_atomically(self, number: int, file: str) -> None:
        """Write a new file and rename it over the old name: over a link, the link is replaced."""
        target = self.layouts[number].home / file
        text = self._content()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:  # a link whose target is not there yet
            return
        replaced = target.read_text() if target.is_file() and not target.is_symlink() else ""
        new = target.with_name(".new")
        new.write_text(text)
        new.replace(target)
        self.living.add(text)
        # Its own earlier version in the same place, which the program itself replaced.
        self.living.discard(replaced)

    @rule(number=homes, file=files)
    def write_through(self, number: int, file: str) -> None:
        """Open and truncate, as vim or git config do: what was there is replaced deliberately."""
        target = self.layouts[number].home / file
        text = self._content()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            return
        before = target.read_text() if target.exists() else ""
        target.write_text(text)
        self.living.add(text)
        self.living.discard(before)

    @rule(number=homes)
    def replace_directory(self, number: int) -> None:
        """Delete the link and make a directory of that name."""
        target = self.layouts[number].home / ".dir"
        if target.is_symlink():
            target.unlink()
            target.mkdir()
            text = self._content()
            (target / "one").write_text(text)
            self.living.add(text)

    # What we do -----------------------------------------------------------------------------------

    @rule(number=homes)
    def resolve(self, number: int) -> None:
        self._settle(number, running=False)
        self._is_settled(number)

    @rule(number=homes)
    def heal(self, number: int) -> None:
        self._settle(number, running=True)

    @rule(number=homes, at=st.integers(1, 60), running=st.booleans())
    def crash(self, number: int, at: int, *, running: bool) -> None:
        try:
            with crash_at(at):
                self._settle(number, running=running)
        except CrashError:
            pass

    @rule(number=homes)
    def lose_container(self, number: int) -> None:
        """A clean stop, then a new container: the last sweep, and home and layer are gone."""
        self._settle(number, running=False)
        base = self.layouts[number].home.parent
        for name in ("home", "ledger"):
            shutil.rmtree(base / name)
            (base / name).mkdir()

    # What must hold --------------------------------------------------------------------------------

    def _is_settled(self, number: int) -> None:
        home = self.layouts[number].home
        for path in DECLARED:
            link = home / path.rstrip("/")
            assert link.is_symlink(), f"{path} is no link"
            assert link.readlink() == self.volume / path.rstrip("/")
        before = read(self.volume)
        self._settle(number, running=False)
        assert read(self.volume) == before, "one more resolve changed something"

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "base"):
            return
        type(self).steps += 1
        there = set()
        for path, text in read(self.base).items():
            if ".home-persist/staging/" not in path:
                there.add(text)
        assert self.living <= there, f"lost: {self.living - there}"

    def teardown(self) -> None:
        if hasattr(self, "base"):
            shutil.rmtree(self.base)


def test_states(tried: Tried, *, whole: bool) -> None:
    Homes.steps = 0
    configured = settings(
        max_examples=1500 if whole else 40,
        stateful_step_count=30,
        deadline=None,
        derandomize=not whole,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Homes, settings=configured)  # type: ignore[no-untyped-call]
    tried("states explored", Homes.steps)
    assert Homes.steps > 0


@pytest.mark.parametrize("at", [1, 5])
def test_the_crash_is_real(at: int, tmp_path: Path) -> None:
    """The means of this test work: a call that changes something is not made."""
    names = [str(tmp_path / str(number)) for number in range(10)]
    with pytest.raises(CrashError), crash_at(at):
        list(map(os.mkdir, names))
    assert len(list(tmp_path.iterdir())) == at - 1

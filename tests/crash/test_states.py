"""A state machine: homes, one volume, programs that save, resolves, heals, lost containers, crashes.

What is declared, and what image and volume have at first, is drawn too. The model is small: what a program
saved over a link of its home is what that home shows when it is healed; and no byte that a program ever
saved and that was not deliberately replaced through the link is gone: it is on the volume, in a home, or
in the attic.
"""

import json
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
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, NO_EVENT
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.settings import Workspace as Identity
from tests.conftest import Tried
from tests.harness.tree import read

HOMES = 2
# What may be declared, and the files that programs write there.
MAY_BE_DECLARED = {
    "file": ["file"],
    "other": ["other"],
    ".a/c": [".a/c"],
    ".dir/": [".dir/one", ".dir/sub/two", ".dir/sub/three"],
    ".a/b/": [".a/b/c"],
    ".own/": [".own/x", ".own/y/z"],
}
OWN = ".own/"
"""The one with a copy for each workspace."""
# What image or volume may have in the place of those files: also what is of another type.
AT_FIRST = [
    *(file for files in MAY_BE_DECLARED.values() for file in files),
    ".dir/sub",
    ".dir/one/inside",
    ".own/x/inside",
]
IN_HOME_AT_FIRST = [*AT_FIRST, "file/inside", ".dir", ".a/b", ".a/c/inside"]
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
files = st.integers(0, 20)
"""Which of the files that are declared, counted around."""
some = {"max_size": 6, "unique": True}


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

    @initialize(
        declared=st.lists(st.sampled_from(list(MAY_BE_DECLARED)), min_size=2, unique=True),
        volume=st.lists(st.sampled_from(AT_FIRST), **some),
        images=st.tuples(*[st.lists(st.sampled_from(IN_HOME_AT_FIRST), **some)] * HOMES),
    )
    def begin(self, declared: list[str], volume: list[str], images: tuple[list[str], ...]) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="cws-states-"))
        self.volume = self.base / "volume"
        self.volume.mkdir()
        self.count = 0
        self.living: set[str] = set()
        self.declared = declared
        self.files = [file for path in declared for file in MAY_BE_DECLARED[path]]
        self.layouts = [self._layout(number) for number in range(HOMES)]
        self.linked = [False] * HOMES
        """Whether a home has had all its links: what takes their place is a save."""
        self.saved: list[dict[str, str]] = [{} for _ in range(HOMES)]
        """What took the place of a link, by file, and is not healed yet."""
        for side, paths in zip(
            (self.volume, *(lay.home for lay in self.layouts)), (volume, *images), strict=True
        ):
            for path in paths:
                self._put(side / path)

    def _put(self, target: Path) -> None:
        """A file that was there before, unless what is there already is in its way."""
        if target.exists() or any(parent.is_file() for parent in target.parents):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        text = self._content()
        target.write_text(text)
        declared = [Path(path) for path in self.declared]
        if target.is_relative_to(self.volume) or any(self._is_at(target, path) for path in declared):
            self.living.add(text)

    def _is_at(self, target: Path, declared: Path) -> bool:
        """Whether something of a home is at or below a declared path."""
        return any(target.is_relative_to(layout.home / declared) for layout in self.layouts)

    def _layout(self, number: int) -> Layout:
        base = self.base / str(number)
        for name in ("home", "manifests", "ledger"):
            (base / name).mkdir(parents=True)
        paths = [{"path": path, "scope": "workspace" if path == OWN else "owner"} for path in self.declared]
        (base / "manifests/m.json").write_text(json.dumps({"source": "states", "paths": paths}))
        environment = {
            "HOME": str(base / "home"),
            "HOME_PERSIST_STATE": str(self.volume),
            "HOME_PERSIST_MANIFEST_DIR": str(base / "manifests"),
            "HOME_PERSIST_LEDGER_DIR": str(base / "ledger"),
        }
        return Layout.of(Path("/"), environment)

    def _entry(self, file: str) -> str:
        """The declared path that a file is at or below."""
        return next(path for path in self.declared if file in MAY_BE_DECLARED[path]).rstrip("/")

    def _target(self, number: int, file: int) -> tuple[Path, str] | None:
        """A file of a home, its directory made; None if something is in the way."""
        name = self.files[file % len(self.files)]
        target = self.layouts[number].home / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):  # a link whose target is not there yet, or a file
            return None
        return None if target.is_dir() else (target, name)

    def _content(self) -> str:
        self.count += 1
        return f"content {self.count}"

    def _settle(self, number: int, *, running: bool) -> None:
        layout = self.layouts[number]
        values = Settings(workspace=Identity(id=f"w{number}", name=f"w{number}"))
        with Session(layout, values) as session:
            session.volume.clear_staging()
            for entry in load_declarations(layout, values).entries:
                gone = running and not os.path.lexists(layout.home / entry.path)
                outcome = settle(session, entry, event=LINK_DELETED if gone else NO_EVENT)
                assert outcome.error is None, str(outcome.error)
        shown = {name: (layout.home / name).read_text() for name in self.saved[number]}
        assert shown == self.saved[number], "a home does not show what was saved in it last"
        self.saved[number] = {}
        self.linked[number] = True

    # What programs do --------------------------------------------------------------------------------

    @rule(number=homes, file=files)
    def save_atomically(self, number: int, file: int) -> None:
        """Write a new file and rename it over the old name: over a link, the link is replaced."""
        found = self._target(number, file)
        if found is None:
            return
        target, name = found
        text = self._content()
        replaced = target.read_text() if target.is_file() and not target.is_symlink() else ""
        new = target.with_name(".new")
        new.write_text(text)
        new.replace(target)
        self._is_saved(number, name, text, replaced)

    def _is_saved(self, number: int, name: str, text: str, replaced: str) -> None:
        """Note a save, and that it replaced an earlier version of the program's own."""
        self.living.add(text)
        self.living.discard(replaced)
        if self.linked[number] and not (self.layouts[number].home / self._entry(name)).is_symlink():
            self.saved[number][name] = text

    @rule(number=homes, file=files)
    def write_through(self, number: int, file: int) -> None:
        """Open and truncate, as vim or git config do: what was there is replaced deliberately."""
        found = self._target(number, file)
        if found is None or not found[0].parent.exists():
            return
        target, name = found
        text = self._content()
        before = target.read_text() if target.exists() else ""
        target.write_text(text)
        self._is_saved(number, name, text, before)

    @rule(number=homes, file=files)
    def replace_link(self, number: int, file: int) -> None:
        """Delete the link, and make a directory of that name where it is one."""
        name = self.files[file % len(self.files)]
        link = self.layouts[number].home / self._entry(name)
        if link.is_symlink() and self.linked[number]:
            link.unlink()
            if f"{self._entry(name)}/" in self.declared:
                self.save_atomically(number, file)

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
            home = self.layouts[number].home
            # What was linked is on the volume, where the other home may replace it.
            for name in [name for name in self.saved[number] if (home / self._entry(name)).is_symlink()]:
                del self.saved[number][name]

    @rule(number=homes)
    def lose_container(self, number: int) -> None:
        """A clean stop, then a new container: the last sweep, and home and layer are gone."""
        self._settle(number, running=False)
        base = self.layouts[number].home.parent
        for name in ("home", "ledger"):
            shutil.rmtree(base / name)
            (base / name).mkdir()
        self.linked[number] = False

    # What must hold --------------------------------------------------------------------------------

    def _is_settled(self, number: int) -> None:
        home = self.layouts[number].home
        for path in self.declared:
            link = home / path.rstrip("/")
            assert link.is_symlink(), f"{path} is no link"
            above = f".workspaces/w{number}/" if path == OWN else ""
            assert link.readlink() == self.volume / (above + path.rstrip("/"))
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
    losses = 1
    try:
        run_state_machine_as_test(Homes, settings=configured)  # type: ignore[no-untyped-call]
        losses = 0
    finally:
        tried("states explored", Homes.steps)
        tried("losses", losses)
    assert Homes.steps > 0


@pytest.mark.parametrize("at", [1, 5])
def test_the_crash_is_real(at: int, tmp_path: Path) -> None:
    """The means of this test work: a call that changes something is not made."""
    names = [str(tmp_path / str(number)) for number in range(10)]
    with pytest.raises(CrashError), crash_at(at):
        list(map(os.mkdir, names))
    assert len(list(tmp_path.iterdir())) == at - 1

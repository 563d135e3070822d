"""A state machine: homes, one volume, programs that save, resolves, heals, lost containers, crashes.

Also renamed links, users' own links, other modes and owners, times set back, FIFOs, mounts, and an attic that
expires. What is declared, and what image and volume have at first, is drawn too. The model is small: what a
program saved over a link of its home is what that home shows when it is healed, with its mode; a user's link
stays, and a renamed link's new name has what the link showed; and no byte that a program ever saved and that
was not deliberately replaced through the link is gone: it is on the volume, in a home, or in the attic.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
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
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, NO_EVENT, link_moved
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_bounds import Cause
from coder_ws_runtime.persist.store.attic_pruning import Keeper
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
FIFO = "fifo"
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


def some(names: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """A few of the names, each once."""
    return st.lists(st.sampled_from(names), max_size=6, unique=True)


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
        volume=some(AT_FIRST),
        images=st.tuples(*[some(IN_HOME_AT_FIRST)] * HOMES),
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
        self.had_link: list[set[str]] = [set() for _ in range(HOMES)]
        """The paths at which a home has had its link: a directory with a FIFO may never have had one."""
        self.saved: list[dict[str, str]] = [{} for _ in range(HOMES)]
        self.killed: list[set[str]] = [set() for _ in range(HOMES)]
        """What a run was moving when it was killed."""
        """What replaced a link, by file, and is not healed yet."""
        self.modes: list[dict[str, tuple[int, int]]] = [{} for _ in range(HOMES)]
        """Mode and owner of those files, where they were saved with others."""
        self.history: list[str] = []
        (self.base / "dotfiles/dir").mkdir(parents=True)
        (self.base / "dotfiles/file").touch()
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
        self.history.append(f"content {self.count:06}")
        return self.history[-1]

    def _session(self, number: int) -> Session:
        workspace = Identity(id=f"w{number}", name=f"w{number}")
        return Session(self.layouts[number], Settings(workspace=workspace))

    def _settle(self, number: int, *, running: bool, moved: dict[str, str] | None = None) -> None:
        layout = self.layouts[number]
        with self._session(number) as session:
            session.volume.clear_staging()
            for entry in load_declarations(layout, session.settings).entries:
                if moved and entry.path in moved:
                    outcome = settle(session, entry, event=link_moved(moved[entry.path]))
                    assert outcome.error is None, str(outcome.error)
                    continue
                gone = running and not os.path.lexists(layout.home / entry.path)
                outcome = settle(session, entry, event=LINK_DELETED if gone else NO_EVENT)
                if (layout.home / entry.path / FIFO).exists():
                    assert outcome.code == "path.special"
                else:
                    assert outcome.error is None, str(outcome.error)
        shown = {name: (layout.home / name).read_text() for name in self.saved[number]}
        assert shown == self.saved[number], "a home does not show what was saved in it last"
        for name, expected in self.modes[number].items():
            if name in self.saved[number]:
                found = (layout.home / name).stat()
                assert (found.st_mode & 0o777, found.st_uid) == expected, "other metadata is a save"
        self.saved[number] = {}
        self.killed[number] = set()
        self.modes[number] = {}
        self.linked[number] = True
        entries = [self._entry(name) for name in self.files]
        self.had_link[number] |= {entry for entry in entries if self._is_managed(number, entry)}

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
        self.modes[number].pop(name, None)
        for other in range(HOMES):
            # A run that was killed had published it, and a program of another home wrote over that.
            if other != number and replaced and self.saved[other].get(name) == replaced:
                del self.saved[other][name]
            # What did not replace a link competes with that program's save by its time.
            never_linked = self._entry(name) not in self.had_link[other]
            if other != number and (name in self.killed[other] or never_linked):
                self.saved[other].pop(name, None)
        self.living.discard(replaced)
        self.living.add(text)
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

    @rule(
        number=homes, file=files, mode=st.sampled_from([0o600, 0o640, 0o755]), uid=st.sampled_from([0, 1234])
    )
    def save_with_other_metadata(self, number: int, file: int, mode: int, uid: int) -> None:
        """As install(1) and a rename: the bytes are the same, mode and owner are not."""
        found = self._target(number, file)
        if found is None or not found[0].is_file():
            return
        target, name = found
        text = target.read_text()
        new = target.with_name(".new")
        new.write_text(text)
        new.chmod(mode)
        if os.geteuid() == 0:
            os.chown(new, uid, -1)
        uid = new.stat().st_uid
        new.replace(target)
        self._is_saved(number, name, text, "")
        self.modes[number][name] = (mode, uid)

    @rule(number=homes, file=files, back=st.integers(1, 4))
    def save_an_earlier_version(self, number: int, file: int, back: int) -> None:
        """A setting that is toggled there and back."""
        found = self._target(number, file)
        if found is None or len(self.history) < back:
            return
        target, name = found
        replaced = target.read_text() if target.is_file() and not target.is_symlink() else ""
        text = self.history[-back]
        new = target.with_name(".new")
        new.write_text(text)
        new.replace(target)
        self._is_saved(number, name, text, replaced)

    @rule(number=homes, file=files)
    def write_in_place_and_set_the_time_back(self, number: int, file: int) -> None:
        """As ``rsync --inplace -t``: the same length, the same times."""
        found = self._target(number, file)
        if found is None or not found[0].is_file():
            return
        target, name = found
        text, before, times = self._content(), target.read_text(), target.stat()
        target.write_text(text)
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        self._is_saved(number, name, text, before)

    @rule(number=homes, file=files, saves=st.booleans())
    def rename_link(self, number: int, file: int, *, saves: bool) -> None:
        """``mv x x.bak``, or ``sed -i.bak``: the new name has what the link showed."""
        name = self.files[file % len(self.files)]
        entry = self._entry(name)
        home = self.layouts[number].home
        link, backup = home / entry, home / f"{entry}.bak"
        if not self._is_managed(number, entry) or not link.exists() or backup.exists():
            return
        shown = read(link) if link.is_dir() else link.read_text()
        link.rename(backup)
        if saves:
            self.save_atomically(number, file)
        self._settle(number, running=False, moved={entry: f"{entry}.bak"})
        assert not backup.is_symlink()
        assert (read(backup) if backup.is_dir() else backup.read_text()) == shown

    @rule(number=homes, file=files)
    def link_to_dotfiles(self, number: int, file: int) -> None:
        """``ln -sfn``: the user's own link stays, and nothing changes for it on the volume."""
        name = self.files[file % len(self.files)]
        entry = self._entry(name)
        link = self.layouts[number].home / entry
        if not self._is_managed(number, entry):
            return
        link.unlink()
        link.symlink_to(self.base / "dotfiles" / ("dir" if f"{entry}/" in self.declared else "file"))
        before, target = read(self.volume / entry), link.readlink()
        self._settle(number, running=True)
        assert link.readlink() == target
        assert read(self.volume / entry) == before

    @rule(number=homes, file=files)
    def remove_own_link(self, number: int, file: int) -> None:
        entry = self._entry(self.files[file % len(self.files)])
        link = self.layouts[number].home / entry
        if link.is_symlink() and not self._is_managed(number, entry):
            link.unlink()

    @rule(number=homes)
    def make_or_remove_a_fifo(self, number: int) -> None:
        """In a directory that is not linked: it stays in the home, and is copied as far as can be."""
        directory = self.layouts[number].home / ".dir"
        if (directory / FIFO).exists():
            (directory / FIFO).unlink()
        elif ".dir/" in self.declared and directory.is_dir() and not directory.is_symlink():
            os.mkfifo(directory / FIFO)

    @rule(number=homes)
    def mount_and_heal(self, number: int) -> None:
        """What is mounted is not moved, and not touched."""
        directory = self.layouts[number].home / ".dir"
        mounted = directory / "mnt"
        if (
            os.geteuid() != 0
            or directory.is_symlink()
            or not directory.is_dir()
            or ".dir/" not in self.declared
        ):
            return
        mounted.mkdir(exist_ok=True)
        live = self.base / "live"
        live.mkdir(exist_ok=True)
        (live / "precious").write_text("precious")
        subprocess.run(["mount", "--bind", live, mounted], check=True)
        try:
            layout = self.layouts[number]
            before = read(directory)
            with self._session(number) as session:
                for entry in load_declarations(layout, session.settings).entries:
                    if entry.path == ".dir":
                        assert settle(session, entry).code == "path.mounted"
            assert read(directory) == before
        finally:
            subprocess.run(["umount", mounted], check=True)
        mounted.rmdir()

    @rule(number=homes, file=files)
    def heal_while_it_is_open(self, number: int, file: int) -> None:
        """A program has a file open for writing, and has not written yet."""
        found = self._target(number, file)
        if found is None:
            return
        target, name = found
        entry = self._entry(name)
        if target.is_symlink() or not target.is_file() or (self.layouts[number].home / entry).is_symlink():
            return
        before = target.read_text()
        with target.open("a"), self._session(number) as session:
            for one in load_declarations(self.layouts[number], session.settings).entries:
                if one.path == entry:
                    assert settle(session, one).code == "path.in-use"
        assert target.read_text() == before

    @rule()
    def time_passes(self) -> None:
        """Everything in the attic expires: what lost is gone, and nothing else."""
        attic = self.volume / ".home-persist/attic"
        expired = set(read(attic).values()) if attic.is_dir() else set()
        shutil.rmtree(attic, ignore_errors=True)
        # A backup of the user's, or a directory with a FIFO, still has what lost, until its container goes.
        saved = {text for home in self.saved for text in home.values()}
        self.living -= expired - set(read(self.volume).values()) - saved
        self.living &= self._everywhere()

    @rule(number=homes, days=st.sampled_from([-9000, -60, 60, 9000]))
    def clock_is_wrong(self, number: int, days: int) -> None:
        """Nothing in the attic expires by a clock alone."""
        wrong = time.time() + days * 86400
        with patch.object(time, "time", lambda: wrong), self._session(number) as session:
            pruned = Keeper(session.volume).look_through(wrong)
        assert pruned is not None
        assert not [one for one in pruned.gone if one.cause is Cause.AGE]

    def _is_managed(self, number: int, entry: str) -> bool:
        """Whether there is a link of ours."""
        link = self.layouts[number].home / entry
        return link.is_symlink() and link.readlink().is_relative_to(self.volume)

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
            # The rest may have been published: a save of the other home that is not, or comes later, wins.
            self.killed[number] |= self.saved[number].keys()
            for name in self.saved[number].keys() & self.saved[1 - number].keys():
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
        self.had_link[number] = set()

    # What must hold --------------------------------------------------------------------------------

    def _is_settled(self, number: int) -> None:
        home = self.layouts[number].home
        for path in self.declared:
            link = home / path.rstrip("/")
            if (link / FIFO).exists() or (link.is_symlink() and "dotfiles" in str(link.readlink())):
                continue
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
        there = self._everywhere()
        assert self.living <= there, f"lost: {self.living - there}"

    def _everywhere(self) -> set[str]:
        """All contents, but those that may be torn."""
        found = read(self.base).items()
        return {text for path, text in found if ".home-persist/staging/" not in path}

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
        run_state_machine_as_test(Homes, settings=configured)
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

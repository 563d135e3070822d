"""A home and a volume on two file systems, in a state that has a bit of everything, and what must hold."""

import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from coder_ws_runtime.persist.store.names import COPY_SUFFIX
from tests.crash.contents import (
    ADDED,
    BEFORE,
    DECLARED,
    DELETED,
    EXCHANGED,
    HOME,
    LINKED,
    MADE_ROOM,
    MIGRATED_PATHS,
    MIGRATIONS,
    NEW_LOG,
    OWN,
    RENAMED,
    ROTATED,
    SAVED,
    SAVED_OWN,
    VOLUME,
)
from tests.crash.server import Ended, server
from tests.harness.tree import write

_SHM = Path("/dev/shm")


class LossError(AssertionError):
    """Something that must hold does not."""


@dataclass
class World:
    """One home (on the disk), one volume (on tmpfs), one ledger."""

    base: Path
    volume: Path
    contents: frozenset[str]
    faults: tuple[str, ...] = ()
    """Words for strace: what every run has to live with."""

    @classmethod
    def make(cls, base: Path) -> "World":
        """The state that DECLARED, VOLUME, LINKED and HOME describe."""
        base.mkdir(parents=True)
        volume = Path(tempfile.mkdtemp(prefix="cws-crash-", dir=_SHM if _SHM.is_dir() else None))
        texts = {text for tree in (VOLUME, LINKED, HOME) for text in tree.values()}
        world = cls(base, volume, frozenset(text for text in texts if text and not text.startswith("->")))
        (base / "home").mkdir()
        (base / "manifests").mkdir()
        (base / "ledger").mkdir()
        write(volume, VOLUME)
        world._link()
        write(base / "home", HOME)
        return world

    def _link(self) -> None:
        """Let a resolve make the links of LINKED's paths, and then take those away as a save does."""
        write(self.volume, LINKED)
        self._declare([".wins/", "newer"])
        assert self.run("resolve").returncode == 0
        for path in (".wins", "newer"):
            (self.base / "home" / path).unlink()
        self._declare(DECLARED)

    def _declare(self, paths: Sequence[object], migrations: Sequence[object] = ()) -> None:
        document = {"source": "crash", "paths": paths, "migrations": migrations}
        (self.base / "manifests/crash.json").write_text(json.dumps(document))

    def resolved(self) -> None:
        """The state after a resolve."""
        done = self.run("resolve")
        assert done.returncode == 0, done.stdout + done.stderr

    def add_own(self) -> None:
        """The user declares ADDED, and a resolve is done."""
        own = [path for path in DECLARED if path.rstrip("/") in ADDED]
        self._declare([path for path in DECLARED if path not in own])
        document = {"source": "user", "paths": own}
        write(self.volume, {".home-persist/manifests/user.json": json.dumps(document)})
        self.resolved()

    def save_over_links(self) -> None:
        """Let programs replace links by what they save, and delete one."""
        self.resolved()
        for path in (".seed", "file", "newer", DELETED):
            (self.base / "home" / path).unlink()
        write(self.base / "home", SAVED)
        self.contents = self.contents | frozenset(SAVED.values())

    def new_manifest(self) -> None:
        """Let a new image bring a manifest with migrations, where an older one's paths are in use."""
        self.resolved()
        write(self.volume, BEFORE)
        for path in (".gone", "single"):
            (self.base / "home" / path).symlink_to(self.volume / path)
        self._declare([*DECLARED, *MIGRATED_PATHS], MIGRATIONS)
        self.contents = self.contents | frozenset(BEFORE.values())

    def scope_changed_back(self) -> None:
        """Let paths be the workspace's own for a while, in which programs save to them."""
        self.resolved()
        own = [{"path": path, "scope": "workspace"} for path in (".merge/", "newer")]
        self._declare([*(path for path in DECLARED if path not in (".merge/", "newer")), *own])
        assert self.run("scope").returncode == 0
        write(self.volume, {f"{OWN}/{path}": text for path, text in SAVED_OWN.items()})
        self._declare(DECLARED)
        self.contents = self.contents | frozenset(SAVED_OWN.values())

    def renamed(self, path: str, *, link_back: bool = False) -> None:
        """Let a program rename the link of a path as RENAMED says."""
        self._declare([*DECLARED, *([RENAMED[path]] if path == "newer" else [])])
        self.resolved()
        old, new = self.base / "home" / path, self.base / "home" / RENAMED[path]
        new.parent.mkdir(exist_ok=True)
        old.rename(new)
        if link_back:
            old.symlink_to(RENAMED[path])

    def exchanged(self) -> None:
        """Let a program exchange two links."""
        self.resolved()
        first, second = (self.base / "home" / path for path in EXCHANGED)
        first.rename(first.with_name("third"))
        second.rename(first)
        first.with_name("third").rename(second)

    def rotated(self) -> None:
        """Let a program rotate links, and write a new file under the first name."""
        self.resolved()
        names = [self.base / "home" / path for path in ROTATED]
        for older, newer in [*pairwise(names)][::-1]:
            older.rename(newer)
        names[0].write_text(NEW_LOG)
        self.contents = self.contents | {NEW_LOG}

    def makes_room(self, path: str) -> None:
        """Let a program rename a directory's link, and after the daemon has followed make another one."""
        self.renamed(path)
        assert self.run("renamed").returncode == 0
        write(self.base / "home", MADE_ROOM)
        self.contents = self.contents | frozenset(MADE_ROOM.values())

    def copy(self, base: Path) -> "World":
        """Another world in the same state. Times and owners are kept, and link texts are rewritten."""
        base.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", self.base, base], check=True)
        volume = Path(tempfile.mkdtemp(prefix="cws-crash-", dir=self.volume.parent))
        subprocess.run(["cp", "-a", f"{self.volume}/.", volume], check=True)
        for file in [base / "ledger/links"]:
            file.write_text(file.read_text().replace(str(self.volume), str(volume)))
        for file in volume.glob(".home-persist/migrations/*/scope-changes.note"):
            # Until now: a copy's ctime cannot be set back.
            paths = json.loads(file.read_text())["paths"]
            file.write_text(json.dumps({"paths": paths, "times": dict.fromkeys(paths, time.time_ns())}))
        for path in (base / "home").rglob("*"):
            if path.is_symlink() and str(path.readlink()).startswith(str(self.volume)):
                target = str(path.readlink()).replace(str(self.volume), str(volume))
                made = path.lstat()
                path.unlink()
                path.symlink_to(target)
                os.utime(path, ns=(made.st_atime_ns, made.st_mtime_ns), follow_symlinks=False)
        return World(base, volume, self.contents, self.faults)

    def remove(self) -> None:
        shutil.rmtree(self.volume, ignore_errors=True)
        shutil.rmtree(self.base, ignore_errors=True)

    # Running --------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.base / "home"),
            "HOME_PERSIST_STATE": str(self.volume),
            "HOME_PERSIST_MANIFEST_DIR": str(self.base / "manifests"),
            "HOME_PERSIST_LEDGER_DIR": str(self.base / "ledger"),
            "CODER_WORKSPACE_ID": "crash",
        }

    def run(self, verb: str, *strace: str) -> Ended:
        """Run one verb of the driver in a process of its own, under strace if there are words for it."""
        if self.faults:
            strace = (*self.faults, *(strace or ("-o", "/dev/null")))
        return server().run(verb, self.environment(), strace)

    # What must hold ---------------------------------------------------------------------------------

    def files(self) -> Counter[str]:
        """How often each content is there, except in the staging directory, where copies may be torn."""
        found: Counter[str] = Counter()
        staging = self.volume / ".home-persist/staging"
        for root in (self.base / "home", self.volume):
            for directory, names, files in os.walk(root):
                here = Path(directory)
                names[:] = [name for name in names if here / name != staging]
                for name in files:
                    path = here / name
                    if stat.S_ISREG(path.lstat().st_mode) and not self._own(path):
                        found[path.read_text()] += 1
        return found

    def _own(self, path: Path) -> bool:
        if any(part.endswith(COPY_SUFFIX) for part in path.parts):
            return True  # torn as those in the staging directory may be
        state = self.volume / ".home-persist"
        return path.is_relative_to(state) and not path.is_relative_to(state / "attic")

    def nothing_is_lost(self) -> None:
        """Every content is there, whole, wherever; and nothing else."""
        found = self.files()
        lost = self.contents - found.keys()
        if lost:
            raise LossError(f"lost: {sorted(text[:40] for text in lost)}")
        torn = found.keys() - self.contents
        if torn:
            raise LossError(f"torn: {sorted((text[:40], len(text)) for text in torn)}")

    def view(self) -> dict[str, str]:
        """What a user sees in the home."""
        home = self.base / "home"
        found: dict[str, str] = {}
        for directory, _, files in os.walk(home, followlinks=True):
            for name in files:
                path = Path(directory) / name
                found[str(path.relative_to(home))] = path.read_text() if path.exists() else "dangling"
        return found

    def converges(self, verb: str, *views: dict[str, str], left: Sequence[str] = ()) -> None:
        """The next run ends well with one of the right views, and one more changes nothing.

        Args:
            verb: the next run.
            views: the right views.
            left: what may be left in the home, by what its name has.
        """
        done = self.run(verb)
        if done.returncode != 0:
            raise LossError(f"the next run ended with {done.returncode}: {done.stdout}{done.stderr}")
        self.nothing_is_lost()
        seen = self.view()
        seen = {path: text for path, text in seen.items() if not any(part in path for part in left)}
        if seen not in views:
            wrong = sorted(
                path for path in views[0].keys() | seen.keys() if views[0].get(path) != seen.get(path)
            )
            raise LossError(
                f"wrong in the home: {[(path, seen.get(path, 'nothing')[:40]) for path in wrong]}"
            )
        before = self.files()
        again = self.run(verb)
        if "changed" in again.stdout or self.files() != before:
            raise LossError(f"the third run changed something: {again.stdout}")
        staged = list((self.volume / ".home-persist/staging").glob("*"))
        in_home = (self.base / "home").rglob("*.home-persist*")
        staged += [path for path in in_home if not any(part in path.name for part in left)]
        if staged:
            raise LossError(f"left in staging: {staged}")

"""A workspace on a tree below a temporary directory."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.reconcile.settle import Outcome
from coder_ws_runtime.persist.resolve import Report, resolve
from coder_ws_runtime.settings import Settings, Workspace


def _settings() -> Settings:
    return Settings(workspace=Workspace(id="w1", name="dev"))


@dataclass
class Tree:
    """A root with a home, a volume and manifests. Trees are written and read as flat mappings.

    A key that ends in ``/`` is a directory, a value that begins with ``->`` a link, any other value a
    file's content.
    """

    layout: Layout
    settings: Settings = field(default_factory=_settings)

    @classmethod
    def at(cls, root: Path) -> "Tree":
        made = cls(Layout.of(root))
        for directory in (made.home, made.volume, made.layout.manifest_dir, made.layout.ledger_dir):
            directory.mkdir(parents=True, exist_ok=True)
        return made

    @property
    def home(self) -> Path:
        return self.layout.home

    @property
    def volume(self) -> Path:
        return self.layout.volume

    def manifest(
        self, *paths: object, name: str = "tool", excepting: Sequence[str] = (), **more: object
    ) -> Path:
        file = self.layout.manifest_dir / f"{name}.json"
        exceptions = {"except": list(excepting)} if excepting else {}
        file.write_text(json.dumps({"source": name, "paths": list(paths), **exceptions, **more}))
        return file

    def resolve(self, *, dry_run: bool = False) -> Report:
        return resolve(self.layout, self.settings, dry_run=dry_run)

    def settle(self, path: str) -> Outcome:
        """Resolve and return the outcome of one path."""
        return next(outcome for outcome in self.resolve().outcomes if outcome.entry.path == path)

    def lose_container(self) -> None:
        """A new container: a new home, and a new layer for the ledger."""
        for directory in (self.home, self.layout.ledger_dir):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)

    def confirm_time(self) -> None:
        """Let the attic's clock have confirmed the present time: what is too old goes at the next prune."""
        now = time.time()
        clock = {"claimed": now, "counted": 0, "confirmed": now, "boot": "", "uptime": 0, "wall": now}
        write(self.layout.state, {"attic-clock.json": json.dumps(clock)})

    def attic(self) -> dict[str, str]:
        """What is in the attic, without the batches' names."""
        found = read(self.layout.state / "attic")
        return {path.partition("/")[2]: text for path, text in found.items() if "/" in path}


def write(root: Path, tree: Mapping[str, str]) -> None:
    """Write a flat mapping below a directory."""
    for path, text in tree.items():
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            target.symlink_to(text[2:])
        else:
            target.write_text(text)


def read(root: Path) -> dict[str, str]:
    """What lies below a directory, as a flat mapping; directories only if they are empty."""
    found: dict[str, str] = {}
    if not root.exists():
        return found
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"->{path.readlink()}"
        elif path.is_dir():
            if not any(path.iterdir()):
                found[f"{name}/"] = ""
        elif path.is_file():
            found[name] = path.read_text()
    return found


def content(root: Path) -> dict[str, str]:
    """As `read`, without what home-persist keeps for itself."""
    return {path: text for path, text in read(root).items() if not path.startswith(".home-persist/")}

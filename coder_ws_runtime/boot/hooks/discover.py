"""Find the hooks: every ``/usr/local/share/<id>/post-create.sh``."""

import os
import stat
from enum import Enum
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.layout import Layout

FILE = "post-create.sh"


class Trouble(Enum):
    """Why a hook cannot be run."""

    NOT_EXECUTABLE = "is not executable"
    NOT_A_FILE = "is not a file"
    DANGLING = "is a link that leads nowhere"
    UNREADABLE = "cannot be read, but a script has to be readable"


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook. `trouble` is None if it can run."""

    id: str
    path: Path
    trouble: Trouble | None = None

    @property
    def remedy(self) -> str:
        """How to fix what is wrong with it; empty if nothing is."""
        match self.trouble:
            case Trouble.NOT_EXECUTABLE | Trouble.UNREADABLE:
                import shlex  # noqa: PLC0415 - only messages need it

                path = shlex.quote(str(self.path))
                return f"run: sudo chmod 0755 {path}; for the next start, set the mode in the tool's recipe"
            case Trouble.NOT_A_FILE | Trouble.DANGLING:
                return "put a script there in the tool's recipe, or remove it"
            case None:
                return ""


def discover(layout: Layout) -> list[Hook]:
    """The hooks in the order in which they run: by ID, as bytes, in every locale."""
    try:
        ids = [name for name in os.listdir(layout.share) if not name.startswith(".")]
    except OSError:
        return []
    paths = {name: layout.share / name / FILE for name in sorted(ids, key=os.fsencode)}
    return [Hook(name, path, _trouble(path)) for name, path in paths.items() if os.path.lexists(path)]


def _trouble(path: Path) -> Trouble | None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return Trouble.DANGLING
    if not stat.S_ISREG(mode):
        return Trouble.NOT_A_FILE
    if not os.access(path, os.X_OK):
        return Trouble.NOT_EXECUTABLE
    return None if os.access(path, os.R_OK) else Trouble.UNREADABLE

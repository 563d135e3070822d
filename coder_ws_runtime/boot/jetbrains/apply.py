"""Apply a plan. Each step first checks that things are still as the plan saw them."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from coder_ws_runtime.boot.jetbrains.observe import observe
from coder_ws_runtime.boot.jetbrains.plan import (
    Action,
    Empty,
    MakeDirectory,
    Places,
    Plan,
    RemoveLock,
    SetAside,
    Write,
    plan,
)
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import NoVolumeError, RefusedError
from coder_ws_runtime.fs.writing import replace_users_file
from coder_ws_runtime.layout import Layout


@dataclass(frozen=True, slots=True)
class Report:
    """The result."""

    plan: Plan
    done: tuple[Action, ...]
    failed: tuple[RefusedError, ...]


def settle(
    layout: Layout, *, allow_updates: bool, others: Callable[[], list[str]], dry_run: bool = False
) -> Report:
    """Put JetBrains' files in order.

    Args:
        layout: the workspace.
        allow_updates: whether Toolbox may update IDEs.
        others: returns the IDs of the owner's other workspaces that are running.
        dry_run: only observe and plan.

    Raises:
        NoVolumeError: there is no volume for IDEs and their settings.
    """
    if not layout.volume.is_dir():
        raise NoVolumeError(
            "there is no volume for IDEs and their settings",
            code="jetbrains.no-volume",
            place=str(layout.volume),
            hint="the template mounts it; without Docker volumes, create the directory",
        )
    if not os.access(layout.volume, os.W_OK):
        raise NoVolumeError(
            "the volume for IDEs and their settings is not writable",
            code="jetbrains.no-volume",
            place=str(layout.volume),
            hint="ws-doctor --only home.volume says why",
        )
    decided = plan(observe(layout, others=others), places(layout), allow_updates=allow_updates)
    done: list[Action] = []
    failed: list[RefusedError] = []
    for action in () if dry_run else decided.actions:
        try:
            if _carry_out(action, others):
                done.append(action)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and isinstance(action, Empty | RemoveLock):
                # It was removed in the meantime: nothing is left to do.
                continue
            failed.append(
                RefusedError(
                    f"cannot {action.describe()}: {error.strerror}",
                    code="jetbrains.failed",
                    place=os.fsdecode(error.filename or action.path),
                )
            )
    return Report(decided, tuple(done), tuple(failed))


def places(layout: Layout) -> Places:
    """The paths, written as IDEs will use them."""
    return Places(
        dist=layout.inside(layout.jetbrains_dist),
        volume=layout.inside(layout.volume),
        config=layout.inside(layout.jetbrains_config),
        data=layout.inside(layout.jetbrains_data),
        tmp=layout.inside(layout.jetbrains_tmp),
    )


def _carry_out(action: Action, others: Callable[[], list[str]]) -> bool:
    """Apply the action unless things have changed; returns whether it was applied."""
    match action:
        case MakeDirectory(path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        case Write(path, content, before):
            # Toolbox may have written the file since: its version counts, and the next start adds to it.
            if _content(path) != before:
                return False
            replace_users_file(path, content)
        case SetAside(path, before):
            if _content(path) != before:
                return False
            _set_aside(path)
        case Empty(path):
            # Ask about the other workspaces first: one may have started since.
            return not others() and _empty(path)
        case RemoveLock(path, changed, shared):
            if (shared and others()) or path.lstat().st_mtime != changed:
                return False
            path.unlink()
    return True


def _content(path: Path) -> bytes | None:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def _set_aside(path: Path) -> None:
    """Rename without replacing anything: link(2) refuses a name that exists."""
    real = Path(os.path.realpath(path))
    os.link(real, real.with_name(f"{real.name}.{time.strftime('%Y%m%d-%H%M%S')}.broken"))
    real.unlink()


def _empty(path: Path) -> bool:
    from coder_ws_runtime.fs.removing import remove_tree  # noqa: PLC0415 - hardly ever needed

    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for name in os.listdir(fd):
            remove_tree(fd, name)
    finally:
        os.close(fd)
    return True

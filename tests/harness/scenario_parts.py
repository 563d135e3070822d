"""What scenarios of a volume are made of: workspaces on it, saves, commands in processes of their own.

They need nothing of pytest: in the NFS lab they run in another kernel.
"""

import importlib
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import coder_ws_runtime
from coder_ws_runtime.cli.home_persist.main import main
from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.lease import held_elsewhere
from coder_ws_runtime.settings import Settings, Workspace
from tests.harness.tree import Tree


def make_tree(place: Path, volume: Path, workspace: str = "w1") -> Tree:
    """A workspace whose home is below `place`, and whose volume is the directory `volume`."""
    layout = replace(Layout.of(place), volume=volume)
    for directory in (layout.home, layout.volume, layout.manifest_dir, layout.ledger_dir):
        directory.mkdir(parents=True, exist_ok=True)
    return Tree(layout, Settings(workspace=Workspace(id=workspace, name=f"name-{workspace}")))


def second_home(tree: Tree, workspace: str = "w2") -> Tree:
    """Another workspace on the same volume, with the same manifests."""
    root = tree.layout.root
    made = make_tree(root.with_name(f"{root.name}-{workspace}"), tree.volume, workspace)
    for file in tree.layout.manifest_dir.iterdir():
        (made.layout.manifest_dir / file.name).write_bytes(file.read_bytes())
    return made


def in_place(tree: Tree) -> None:
    """Resolve without an error; the second time there is nothing to do."""
    report = tree.resolve()
    assert not report.errors, [str(error) for error in report.errors]
    report = tree.resolve()
    assert not report.errors, [str(error) for error in report.errors]
    assert not report.changed, [outcome.decision for outcome in report.outcomes if outcome.changed]


def save(path: Path, text: str) -> None:
    """As programs save: a new file renamed over the link."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


def environment(tree: Tree) -> dict[str, str]:
    """What a command of the workspace finds."""
    layout = tree.layout
    return {
        "HOME": str(layout.home),
        "HOME_PERSIST_STATE": str(layout.volume),
        "HOME_PERSIST_MANIFEST_DIR": str(layout.manifest_dir),
        "HOME_PERSIST_LEDGER_DIR": str(layout.ledger_dir),
        "CODER_WORKSPACE_ID": tree.settings.workspace.id,
        "TERM": "dumb",
    }


def import_everything() -> None:
    """Import what is imported late: a user that we become may not be able to read this Python."""
    for name in ("difflib", "encodings.ascii", "encodings.latin_1", "encodings.utf_8_sig", "pwd", "shlex"):
        importlib.import_module(name)
    for module in pkgutil.walk_packages(coder_ws_runtime.__path__, "coder_ws_runtime."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def start(tree: Tree, *words: str) -> tuple[int, Path]:
    """Start `home-persist` in a process of its own; returns its id, and the file that has what it prints."""
    told = tree.layout.root / f"told-{time.monotonic_ns()}"
    child = os.fork()
    if child:
        return child, told
    status = 70
    try:
        fd = os.open(told, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.environ.update(environment(tree))
        sys.argv = ["home-persist", *words]
        status = int(main() or 0)
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - a child must not come back
        traceback.print_exc()
    finally:
        os._exit(status)


def home_persist(tree: Tree, *words: str) -> tuple[int, str]:
    """Run `home-persist` in the workspace: its exit status, and what it printed."""
    child, told = start(tree, *words)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, told.read_text()


@contextmanager
def watching(tree: Tree) -> Iterator[int]:
    """The daemon of the workspace, until the end of the block; then it is stopped as systemd stops it."""
    child, told = start(tree, "watch")
    try:
        wait_until(lambda: tree.settings.workspace.id in held_elsewhere(tree.volume, "-"))
        time.sleep(0.5)
        yield child
    finally:
        os.kill(child, signal.SIGTERM)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, told.read_text()


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something; it may fail for the moment."""
    end = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            if true():
                return
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


@contextmanager
def paused(hold: Callable[[ExitStack], object]) -> Iterator[int]:
    """Another process that holds something and is paused, as by ``docker pause``; its PID.

    Args:
        hold: takes what is held, and leaves it to the stack.
    """
    child = os.fork()
    if child == 0:
        try:
            with ExitStack() as stack:
                hold(stack)
                os.kill(os.getpid(), signal.SIGSTOP)
        finally:
            os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextmanager
def holding(tree: Tree, on_volume: str) -> Iterator[int]:
    """A process of a workspace that holds the lock of a path and is paused."""

    def hold(stack: ExitStack) -> None:
        session = stack.enter_context(Session(tree.layout, tree.settings))
        stack.enter_context(session.volume.lock(on_volume))

    with paused(hold) as child:
        yield child

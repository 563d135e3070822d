"""The input of checks: the workspace, and ways to ask about it."""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from coder_ws_runtime import settings
from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import DEFAULT_USER, Layout
from coder_ws_runtime.settings import Settings, Workspace
from coder_ws_runtime.system.accounts import User, read_user
from coder_ws_runtime.system.process import Runner, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")


_CONTAINER_ID = re.compile(r"[0-9a-f]{12}")
"""The pattern of a host name that the engine chose, because nobody set one."""


class _Facts:
    """Facts that several checks need: the first that asks finds out, the others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[object, threading.Lock] = {}
        self._known: dict[object, Any] = {}

    def get(self, question: Callable[[Context], T], context: Context) -> T:
        with self._lock:
            lock = self._locks.setdefault(question, threading.Lock())
        with lock:
            if question not in self._known:
                self._known[question] = question(context)
            value: T = self._known[question]
            return value


@dataclass(frozen=True, slots=True)
class Context:
    """The workspace to check."""

    layout: Layout
    settings: Settings
    settings_error: UserError | None
    """Why the settings document has no effect, if that is so."""
    env: Mapping[str, str]
    run: Runner
    uid: int
    """The user ID of this process."""
    facts: _Facts = field(default_factory=_Facts)

    @classmethod
    def of(cls, root: Path, env: Mapping[str, str], *, runner: Runner = run) -> Context:
        """The workspace at `root`, with the environment `env`."""
        uid = os.geteuid()
        seen = dict(env)
        usual = Layout.of(root).home
        if uid == 0 or not seen.get("HOME") or os.path.realpath(seen["HOME"]) == os.path.realpath(usual):
            # root's home is not the one that is persisted; and the usual home may have other names.
            seen.pop("HOME", None)
        layout = Layout.of(root, seen)
        error = None
        try:
            values = settings.load(layout, seen)
            error = next(iter(values.refused), None)
        except UserError as refused:
            error = refused
            values = Settings(workspace=Workspace(id=seen.get("CODER_WORKSPACE_ID", "")))
        return cls(layout, values, error, env, runner, uid)

    @property
    def live(self) -> bool:
        """Whether this is the running system, not a tree of files."""
        return self.layout.root == Path("/")

    def ask(self, question: Callable[[Context], T]) -> T:
        """The answer to `question`, a function that takes a context, asked once for all checks."""
        return self.facts.get(question, self)

    def as_root(self, command: str) -> str:
        """`command`, to be pasted into the shell in which we run; that of `sudo ws-doctor` is the user's."""
        by_root = self.uid == 0 and "SUDO_UID" not in self.env
        return command if by_root else f"sudo {command}"

    def as_user(self, command: str) -> str:
        """`command`, to be run as the user of the workspace."""
        return f"sudo -H -u {DEFAULT_USER} {command}" if self.uid == 0 else command

    @property
    def called(self) -> str:
        """The name of this workspace in Coder's command line, quoted for a shell; empty if unknown.

        The template sets the container's host name to the workspace's name.
        """
        workspace = self.settings.workspace
        name = workspace.name or self.env.get("CODER_WORKSPACE_NAME", "")
        if not name and self.live and not _CONTAINER_ID.fullmatch(os.uname().nodename):
            name = os.uname().nodename
        owner = f"{workspace.owner}/" if workspace.owner and name else ""
        return shlex.quote(f"{owner}{name}") if name else ""

    def restart(self, *, ask: bool = False) -> tuple[str, ...]:
        """The command that restarts this workspace from outside; none if its name is unknown.

        Args:
            ask: whether it asks for the parameters too.
        """
        return (f"coder restart{' --always-prompt' if ask else ''} {self.called}",) if self.called else ()

    def update(self) -> tuple[str, ...]:
        """The command that starts this workspace with the newest version of its template."""
        return (f"coder update {self.called}",) if self.called else ()


def account(context: Context) -> User | None:
    """The user of the workspace."""
    return read_user(context.layout.passwd_file, DEFAULT_USER)

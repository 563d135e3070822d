"""What is in the home, is not declared, and will be lost with the container."""

import os
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path

from coder_ws_runtime.doctor.checks.home import declarations
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, found, warning
from coder_ws_runtime.doctor.processes import started
from coder_ws_runtime.persist.manifest.entry import DETOURS
from coder_ws_runtime.text import size

_MANY_BYTES = 1 << 30
"""From here on it is told as a warning: nobody wants to fetch or make that again at each start."""
_SECONDS = 0.25
"""How long the walk may take; what it has seen by then is told as a lower bound."""
_CACHES = frozenset({".cache"})
"""Made to be lost; not counted."""

_SHARED = {".local/share/": 3, ".local/state/": 3, ".local/": 2, ".config/": 2}
"""Directories of many programs, and how many parts the path of a program's own has."""

_PRECIOUS = (
    (".ssh/", ("id_rsa", "id_ed25519", "id_ecdsa")),
    (".gnupg/", ("private-keys-v1.d",)),
    (".aws/", ("credentials",)),
    (".kube/", ("config",)),
    (".config/gh/", ("hosts.yml",)),
    (".config/gcloud/", ("credentials.db", "application_default_credentials.json")),
    (".azure/", ("msal_token_cache.json",)),
    (".docker/", ("config.json",)),
    ("", (".netrc",)),
    ("", (".git-credentials",)),
    ("", (".pypirc",)),
)
"""Keys and logins that people make once: the path to declare, and the files that count."""


@dataclass
class Seen:
    """What a walk through the home has found: bytes on disk by path; a directory's ends with a slash."""

    sizes: dict[str, int] = field(default_factory=dict)
    whole: bool = True
    """Whether the walk came to its end in time."""

    @property
    def total(self) -> int:
        """Bytes on disk, all together."""
        return sum(self.sizes.values())


@check("home.unsaved", "content that will be lost", needs=[Need.VOLUME])
def unsaved(context: Context) -> Verdict:
    """Content of the home that is not declared is gone at the next start: keys and logins, or very much."""
    # What is declared not to be kept is below DETOURS.
    kept = {entry.path for entry in context.ask(declarations).entries} | {DETOURS}
    since = _made(context)
    seen = walk(context.layout.home, kept, since, time.monotonic() + _SECONDS)
    findings = [_lost(context, path) for path in _precious(context.layout.home, kept, since)]
    largest = sorted(seen.sizes.items(), key=lambda item: -item[1])[:5]
    least = "" if seen.whole else "at least "
    if seen.total >= _MANY_BYTES:
        evidence = [f"~/{name}: {size(count)}" for name, count in largest]
        command = context.as_user(f"home-persist add {shlex.quote(largest[0][0])}")
        remedy = Remedy("declare what is to last, e.g. the largest", (command,))
        findings.append(
            warning(f"{least}{size(seen.total)} will be lost at the next start", remedy, evidence=evidence)
        )
    names = ", ".join(f"~/{name} {size(count)}" for name, count in largest[:3] if count)
    return found(findings, f"nothing of weight: {least}{size(seen.total)}{f' ({names})' if names else ''}")


def _lost(context: Context, path: str) -> Finding:
    remedy = Remedy("declare it", (context.as_user(f"home-persist add {path}"),))
    return warning(f"~/{path} holds a key or a login, and will be lost at the next start", remedy)


def _made(context: Context) -> float:
    """When the container was made, in seconds since the epoch; what is older came with the image.

    Docker leaves a file. Other runtimes do not; a pod's container is never started a second time, so it is
    as old as its first program.
    """
    try:
        return context.layout.container_mark.stat().st_ctime
    except OSError:
        return started(context.layout.proc, 1)


def _precious(home: Path, kept: set[str], since: float) -> list[str]:
    paths = []
    for parent, names in _PRECIOUS:
        for name in names:
            path = f"{parent}{name}"
            declared_ = any(path == other or path.startswith(f"{other}/") for other in kept)
            if declared_ or not _is_newer(home / path, since):
                continue
            paths.append(parent or path)
    return list(dict.fromkeys(paths))


def _is_newer(path: Path, since: float) -> bool:
    """Whether it is content of this container: not the image's, and not behind a link of the user's."""
    try:
        status = path.lstat()
        return status.st_ctime > since and path.parent.resolve() == path.parent
    except OSError:
        return False


def walk(home: Path, kept: set[str], since: float, deadline: float) -> Seen:
    """Sum up what is not kept.

    Args:
        home: where to begin. Links, and what is mounted below it, are not followed.
        kept: declared paths, relative to the home.
        since: only what changed after this counts, in seconds since the epoch.
        deadline: when to stop, by the monotonic clock.
    """
    seen = Seen()
    try:
        device = home.stat().st_dev
    except OSError:
        return seen
    pending = [""]
    while pending:
        if time.monotonic() > deadline:
            seen.whole = False
            break
        directory = pending.pop()
        try:
            with os.scandir(home / directory) as listing:
                for entry in listing:
                    path = f"{directory}/{entry.name}" if directory else entry.name
                    if path in kept or path in _CACHES or entry.is_symlink():
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if not entry.is_dir(follow_symlinks=False):
                        if status.st_ctime > since:
                            name = _declarable(path)
                            seen.sizes[name] = seen.sizes.get(name, 0) + status.st_blocks * 512
                    elif status.st_dev == device:
                        pending.append(path)
        except OSError:
            continue
    return seen


def _declarable(path: str) -> str:
    """What one would declare to keep a file: the directory of its program, or itself at the top."""
    parts = path.split("/")
    depth = next((depth for top, depth in _SHARED.items() if path.startswith(top)), 1)
    return path if len(parts) <= depth else "/".join(parts[:depth]) + "/"

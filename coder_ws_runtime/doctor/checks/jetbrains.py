"""Checks of JetBrains IDEs: their files, their locks."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.boot.jetbrains.observe import LockFile, observe
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.checks.jetbrains_options import problems
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, Where, found, skipped, warning
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.store.lease import held_elsewhere, leases
from coder_ws_runtime.system import docker_api, text_file
from coder_ws_runtime.system.docker_api import DockerApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from coder_ws_runtime.boot.jetbrains.plan import Note

_LABEL = "coder.workspace_id"
"""The template's label of a workspace's container."""
_SETTLING = 120.0
"""Seconds between an IDE's lock and the first of its other files."""


def _others(context: Context) -> list[str]:
    return held_elsewhere(context.layout.volume, context.settings.workspace.id)


def _names_of_workspaces(context: Context) -> dict[str, str]:
    """Names for the owner's workspaces, by ID: Coder's command line takes names."""
    owner = context.settings.workspace.owner
    prefix = f"{owner}/" if owner else ""
    return {
        lease.workspace_id: f"{prefix}{lease.workspace_name}"
        for lease in leases(context.layout.volume)
        if lease.workspace_name
    }


@check("jetbrains.files", "JetBrains' settings files", needs=[Need.VOLUME], made_by=Need.BOOT)
def files(context: Context) -> Verdict:
    """Toolbox and the IDEs have their settings files, and keep caches off the volume."""
    # Imported here: the plan needs a parser that nothing else here does.
    from coder_ws_runtime.boot.jetbrains.apply import settle  # noqa: PLC0415
    from coder_ws_runtime.boot.jetbrains.plan import Empty, RemoveLock, SetAside, Write  # noqa: PLC0415

    again = systemd.restart_command(context, systemd.JETBRAINS, "ws-boot jetbrains")
    remedy = Remedy("let the boot step correct them; your own lines are kept", (again,), safe=True)
    allowed = context.settings.jetbrains.allow_updates
    try:
        planned = settle(
            context.layout, allow_updates=allowed, others=lambda: context.ask(_others), dry_run=True
        ).plan
    except UserError as error:
        remedy = Remedy(error.hint or "make it readable")
        return found([warning("jetbrains.no-volume", error.message, remedy, evidence=[error.place])], "")
    # Caches and old locks of IDEs appear all the time; the step removes them at every start. A file that was
    # set aside has a note of its own.
    actions = [action for action in planned.actions if not isinstance(action, Empty | RemoveLock | SetAside)]
    told = {note.about for note in planned.notes if note.warning}
    findings = []
    for action in actions:
        if action.path in told:
            continue
        missing = not isinstance(action, Write) or action.before is None
        findings.append(
            warning(
                "jetbrains.settings-missing" if missing else "jetbrains.settings-wrong",
                f"{action.path} is missing" if missing else f"{action.path} is not as it should be",
                remedy,
                evidence=[f"ws-boot jetbrains would {action.describe()}"],
                about=str(action.path),
            )
        )
    findings += [_noted(context, note, again) for note in planned.notes if note.warning]
    findings += problems(context)
    ides = f" for {', '.join(planned.ides)}" if planned.ides else ""
    return found(findings, f"environment.json and idea.properties{ides} are as they should be")


def _noted(context: Context, note: Note, again: str) -> Finding:
    """A note of the boot step, with its hint as commands if possible."""
    match note.code:
        case "jetbrains.cache-lasts":
            first: tuple[str, ...] = (context.as_user("home-persist remove .cache/JetBrains/"),)
        case "jetbrains.properties-not-kept":
            first = (context.as_user("home-persist add idea.properties"),)
        case "jetbrains.dangling-link":
            first = (context.as_user(f"rm {shlex.quote(str(note.about))}"),)
        case _:
            first = ()
    remedy = Remedy(f"{note.hint}; then let the boot step check again", (*first, again))
    about = str(note.about) if note.about else ""
    return warning(note.code, note.message, remedy, about=about)


@check("jetbrains.locks", "IDEs of two workspaces with one configuration", needs=[Need.LIVE, Need.VOLUME])
def locks(context: Context) -> Verdict:
    """No other workspace runs the same IDE: both would write the settings that they share.

    The lock in the settings names a process. An IDE cannot see a process of another container, so it takes
    the lock for a stale one, deletes it, and starts.
    """
    others = context.ask(_others)
    if not others:
        return skipped("no other workspace of yours is running")
    seen = observe(context.layout, others=lambda: others)
    started = context.ask(_starts)
    findings = []
    for lock in seen.locks:
        if not lock.shared or lock.path.name != ".lock" or _is_ours(context, lock):
            continue
        # A lock that is older than a container was not made by it.
        holders = [other for other in others if started.get(other, 0.0) <= lock.changed]
        if holders:
            findings.append(_shared_lock(context, lock, holders))
    return found(findings, "no other workspace runs an IDE with these settings")


def _shared_lock(context: Context, lock: LockFile, holders: list[str]) -> Finding:
    names = context.ask(_names_of_workspaces)
    remedy = Remedy(
        "close the IDE there before you use it here, or stop that workspace",
        tuple(f"coder stop {shlex.quote(names.get(other, other))}" for other in holders),
        Where.CLIENT,
    )
    ide = lock.path.parent.name
    problem = f"another workspace also runs {ide} with these settings, and both write them"
    evidence = [f"{lock.path}: process {_process(lock)} is not an IDE of this workspace"]
    return warning("jetbrains.lock-shared", problem, remedy, evidence=evidence, about=str(lock.path))


def _starts(context: Context) -> dict[str, float]:
    """When the containers of workspaces were created, in seconds since the epoch, by workspace ID."""
    try:
        containers: Any = docker_api.get(context.layout.docker_socket, "/containers/json")
    except (DockerApiError, PermissionError):
        return {}
    found_: dict[str, float] = {}
    for container in containers if isinstance(containers, list) else ():
        labels = container.get("Labels") or {}
        if labels.get(_LABEL):
            found_[str(labels[_LABEL])] = float(container.get("Created", 0))
    return found_


def _process(lock: LockFile) -> str:
    words = text_file.read(lock.path, 64).split()
    return words[0] if words and words[0].isdecimal() else "unknown"


def _is_ours(context: Context, lock: LockFile) -> bool:
    """Whether an IDE of this container made a lock: one that runs, or one that crashed here.

    All containers number their processes from 1, so the number alone may be that of any program here. But an
    IDE that started here has written other files in this container at about the same time.
    """
    ide, process = lock.path.parent.name, _process(lock)
    command = text_file.read(context.layout.proc / process / "cmdline") if process.isdecimal() else ""
    if "jetbrains" in command.lower() or ide in command:
        return True
    changed = list(_changes(context.layout.jetbrains_tmp, ide))
    return bool(changed) and max(changed) > lock.changed - _SETTLING


def _changes(directory: Path, ide: str) -> Iterator[float]:
    """When the files that an IDE keeps off the volume were last changed."""
    for part in ("system", "log"):
        place = directory / part / ide
        try:
            yield from (path.lstat().st_mtime for path in (place, *place.iterdir()))
        except OSError:
            continue

"""Checks of JetBrains IDEs: their files, their locks."""

import shlex

from coder_ws_runtime.boot.jetbrains.observe import LockFile, container_start, observe
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context, text
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Remedy, Verdict, Where, found, skipped, warning
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.store.lease import held_elsewhere, leases

_CACHE_LASTS = "jetbrains.cache-lasts"


def _others(context: Context) -> list[str]:
    return held_elsewhere(context.layout.volume, context.settings.workspace.id)


def _called(context: Context) -> dict[str, str]:
    """What to call workspaces of the owner, by id: Coder's command line knows names better than ids."""
    owner = context.settings.workspace.owner
    prefix = f"{owner}/" if owner else ""
    return {
        lease.workspace_id: f"{prefix}{lease.workspace_name}"
        for lease in leases(context.layout.volume)
        if lease.workspace_name
    }


@check("jetbrains.files", "JetBrains' settings files", needs=[Need.VOLUME], made_by=Need.BOOT)
def files(context: Context) -> Verdict:
    """Toolbox and the IDEs find what they may do, and keep caches out of the volume."""
    # Kept beside its use: the plan needs a parser that nothing else here does.
    from coder_ws_runtime.boot.jetbrains.apply import settle  # noqa: PLC0415
    from coder_ws_runtime.boot.jetbrains.plan import Empty, RemoveLock, SetAside, Write  # noqa: PLC0415

    again = systemd.restart_command(context, systemd.JETBRAINS, "ws-boot jetbrains")
    remedy = Remedy("let the boot step put them in order; your own lines are kept", (again,), safe=True)
    allowed = context.settings.jetbrains.allow_updates
    try:
        planned = settle(
            context.layout, allow_updates=allowed, others=lambda: context.ask(_others), dry_run=True
        ).plan
    except UserError as error:
        return found(
            [warning(error.message, Remedy(error.hint or "make it readable"), evidence=[error.place])], ""
        )
    # Caches and locks of IDEs that are gone come and go; the step removes them at every start. What is
    # set aside has a note of its own.
    actions = [action for action in planned.actions if not isinstance(action, Empty | RemoveLock | SetAside)]
    findings = [
        warning(
            f"{action.path} is missing"
            if not isinstance(action, Write) or action.before is None
            else f"{action.path} is not as it should be",
            remedy,
            evidence=[f"ws-boot jetbrains would {action.describe()}"],
        )
        for action in actions
    ]
    first = {_CACHE_LASTS: (context.as_user("home-persist remove .cache/JetBrains/"),)}
    findings += [
        warning(
            note.message,
            Remedy(f"{note.hint}; then let the boot step look again", (*first.get(note.code, ()), again)),
        )
        for note in planned.notes
        if note.warning
    ]
    ides = f" for {', '.join(planned.ides)}" if planned.ides else ""
    return found(findings, f"environment.json and idea.properties{ides} are as they should be")


@check("jetbrains.locks", "IDEs of two workspaces on one configuration", needs=[Need.LIVE, Need.VOLUME])
def locks(context: Context) -> Verdict:
    """An IDE's settings are shared; two workspaces that run the same IDE write over each other's.

    The lock in the settings names a process, and one of another container is never seen, so the
    IDE takes the lock for a stale one, deletes it, and starts.
    """
    others = context.ask(_others)
    if not others:
        return skipped("no other workspace of the owner runs")
    called = _called(context)
    born = container_start(context.layout.proc)
    seen = observe(context.layout, others=lambda: others)
    foreign = [
        lock for lock in seen.locks if lock.shared and lock.changed >= born and not _is_ours(context, lock)
    ]
    findings = [
        warning(
            f"another workspace runs {lock.path.parent.name} with these settings, too, and both write them",
            Remedy(
                "close the IDE there before you use it here, or stop that workspace",
                tuple(f"coder stop {shlex.quote(called.get(other, other))}" for other in others),
                Where.CLIENT,
            ),
            evidence=[f"{lock.path}: process {text(lock.path, 64).split()[:1]} does not run here"],
        )
        for lock in foreign
        if lock.path.name == ".lock"
    ]
    return found(findings, "no other workspace has started an IDE since this one began")


def _is_ours(context: Context, lock: LockFile) -> bool:
    """Whether the process that a lock names is an IDE of this container.

    Containers count their processes alike: the number alone may be that of anything here.
    """
    words = text(lock.path, 64).split()
    pid = words[0] if words and words[0].isdecimal() else ""
    command = text(context.layout.proc / pid / "cmdline") if pid else ""
    return "jetbrains" in command.lower() or lock.path.parent.name in command

"""Checks of JetBrains IDEs: their files, their locks."""

from coder_ws_runtime.boot.jetbrains.observe import LockFile, container_start, observe
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context, text
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Remedy, Verdict, Where, found, skipped, warning
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.lease import held_elsewhere


def _others(context: Context) -> list[str]:
    return held_elsewhere(context.layout.volume, context.settings.workspace.id)


@check("jetbrains.files", "JetBrains' settings files", needs=[Need.VOLUME])
def files(context: Context) -> Verdict:
    """Toolbox and the IDEs find what they may do, and keep caches out of the volume."""
    # Kept beside its use: the plan needs a parser that nothing else here does.
    from coder_ws_runtime.boot.jetbrains.apply import settle  # noqa: PLC0415
    from coder_ws_runtime.boot.jetbrains.plan import Empty, RemoveLock  # noqa: PLC0415

    again = systemd.again(context, systemd.JETBRAINS, "ws-boot jetbrains")
    remedy = Remedy("let the boot step put them in order; your own lines are kept", (again,), safe=True)
    allowed = context.settings.jetbrains.allow_updates
    try:
        planned = settle(
            context.layout, allow_updates=allowed, others=lambda: context.know(_others), dry_run=True
        ).plan
    except UserError as error:
        return found(
            [warning(error.message, Remedy(error.hint or "make it readable"), evidence=[error.place])], ""
        )
    # Caches and locks of IDEs that are gone come and go; the step removes them at every start.
    actions = [action for action in planned.actions if not isinstance(action, Empty | RemoveLock)]
    findings = [warning(f"to be done: {action.describe()}", remedy) for action in actions]
    findings += [
        warning(note.message, Remedy(f"{note.hint}; then let the boot step look again", (again,)))
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
    others = context.know(_others)
    if not others:
        return skipped("no other workspace of the owner runs")
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
                tuple(f"coder stop {other}" for other in others),
                Where.CLIENT,
            ),
            evidence=[f"{lock.path}: process {text(lock.path, 64).split()[:1]} does not run here"],
        )
        for lock in foreign
        if lock.path.name == ".lock"
    ]
    return found(findings, "no IDE of this owner runs in two workspaces")


def _is_ours(context: Context, lock: LockFile) -> bool:
    """Whether the process that a lock names runs in this container and has the lock's directory in use."""
    words = text(lock.path, 64).split()
    pid = words[0] if words and words[0].isdecimal() else ""
    return bool(pid) and (context.layout.proc / pid).is_dir()

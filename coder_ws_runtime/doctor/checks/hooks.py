"""The check of the post-create hooks."""

import shlex
from pathlib import Path

from coder_ws_runtime.boot.hooks.discover import Hook, Trouble, discover
from coder_ws_runtime.boot.hooks.result import Ending, Result, recall
from coder_ws_runtime.doctor import logs, systemd
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, Where, found, skipped, warning
from coder_ws_runtime.system import text_file
from coder_ws_runtime.text import plural


@check("system.hooks", "the post-create hooks")
def hooks(context: Context) -> Verdict:
    """What tools do for the user at every start has succeeded; a failed hook is reported with its log."""
    present = {hook.id: hook for hook in discover(context.layout)}
    # A hook whose script was removed has nothing left to do.
    results = [result for name, result in sorted(recall(context.layout).items()) if name in present]
    if not results:
        return skipped("no hook has run since the boot")
    findings = [_hook(context, present[result.id], result) for result in results if not result.ok]
    return found(findings, f"{plural(len(results), 'hook')}, all done")


def _hook(context: Context, hook: Hook, result: Result) -> Finding:
    step = systemd.restart_command(context, systemd.HOOKS, "ws-boot hooks")
    match hook.trouble, result.ending:
        case ((Trouble.NOT_EXECUTABLE | Trouble.UNREADABLE), _):
            chmod = context.as_root(f"chmod 0755 {shlex.quote(str(hook.path))}")
            text = "make it executable, then run it; for the next start, set the mode in the tool's recipe"
            code, remedy = "system.hook-not-executable", Remedy(text, (chmod, step), safe=True)
        case ((Trouble.NOT_A_FILE | Trouble.DANGLING), _):
            text = f"put a script at {hook.path} in the tool's recipe, or remove what is there"
            code, remedy = "system.hook-not-a-script", Remedy(text, where=Where.TEMPLATE)
        case _, Ending.TIMED_OUT:
            # The step runs all hooks and prints little; this runs one and shows its output.
            run = context.as_user(f"ws-boot hooks run {shlex.quote(result.id)}")
            text = "see what it waits for, and fix that; this runs it and shows its output"
            code, remedy = "system.hook-timed-out", Remedy(text, (run, *_cleared(context, step)))
        case _:
            text = result.remedy or "fix what its log says, then run it again"
            code, remedy = "system.hook-failed", Remedy(text, (step,))
    how = f"ended with status {result.status}" if result.status is not None else _HOW[result.ending]
    return warning(
        code, f"the hook of {result.id} {how}", remedy, evidence=_evidence(result), about=result.id
    )


_HOW = {
    Ending.TIMED_OUT: "did not end within its time limit",
    Ending.NOT_RUN: "could not be run",
    Ending.FAILED: "failed",
    Ending.DONE: "is done",
}


def _cleared(context: Context, step: str) -> tuple[str, ...]:
    """The command that resets the unit's failed state, if it has failed."""
    return (step,) if step.startswith(context.as_root("systemctl")) else ()


def _evidence(result: Result) -> list[str]:
    lines = logs.reasons(text_file.read(Path(result.log)).splitlines()[1:-1]) if result.log else []
    lines = lines or ([result.detail] if result.detail else [])
    return [*lines, *([f"log: {result.log}"] if result.log else [])]

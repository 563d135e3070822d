"""Run the hooks, one after another."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from coder_ws_runtime.boot.hooks.discover import Hook
from coder_ws_runtime.boot.hooks.log import BoundedLog
from coder_ws_runtime.boot.hooks.result import Ending, Result, alone, recall, remember, stamp
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system import process

PATIENCE = 10.0
"""After this many seconds, the user learns that a hook still runs."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Callbacks while hooks run."""

    slow: Callable[[Hook], None] = lambda _hook: None
    """A hook has been running for `PATIENCE` seconds."""
    output: Callable[[bytes], None] = lambda _data: None
    """Output of a hook, as it arrives."""
    ended: Callable[[Result], None] = lambda _result: None
    blocked: Callable[[], None] = lambda: None
    """This run has to wait for another one."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, and how.

    Args:
        hooks: in the order to run them.
        env: the environment that they inherit; ``HOME`` is set to the home.
        time_limit: seconds for each hook.
        once: leave out hooks that have run since the boot, whatever their result.
    """

    hooks: Sequence[Hook]
    env: Mapping[str, str]
    time_limit: float
    once: bool = False


def run_hooks(layout: Layout, order: Order, watcher: Watcher | None = None) -> list[Result]:
    """Run the hooks in order; one that fails does not stop the next.

    Two runs at once would both work in the home. So the later one waits, and takes over the results of
    hooks that ran in the meantime. Every hook has one result, from either run.
    """
    watcher = watcher or Watcher()
    results = []
    with alone(layout, watcher.blocked) as asked:
        for hook in order.hooks:
            known = recall(layout).get(hook.id)
            fresh = known is not None and known.stamp == stamp(hook) and (order.once or known.at >= asked)
            if known is not None and fresh:
                result = known
            else:
                result = _run(layout, hook, order, watcher)
                remember(layout, result)
            watcher.ended(result)
            results.append(result)
    return results


def _run(layout: Layout, hook: Hook, order: Order, watcher: Watcher) -> Result:
    version = stamp(hook)
    if hook.trouble is not None:
        detail = f"{hook.path} {hook.trouble.value}"
        return Result(hook.id, Ending.NOT_RUN, version, detail=detail, remedy=hook.remedy, at=time.time())
    log = BoundedLog(layout.hook_logs / f"{hook.id}.log", f"{_now()} {hook.path}")

    def output(data: bytes) -> None:
        log.take(data)
        watcher.output(data)

    # A hook may also repair things: it starts even if the home is missing.
    start_in = layout.home if layout.home.is_dir() else layout.root
    program = process.Program((str(hook.path),), {**order.env, "HOME": str(layout.home)}, str(start_in))
    waiting = [(PATIENCE, lambda: watcher.slow(hook))]
    began = time.monotonic()
    last_line = "interrupted"
    try:
        done = process.supervise(program, timeout=order.time_limit, output=output, waiting=waiting)
        seconds = round(time.monotonic() - began, 3)
        ending, status, detail, remedy = _ending(hook, done, log.last_words)
        last_line = f"{ending} after {seconds:.1f} s" + (f", status {status}" if status else "")
    finally:
        log.close(f"{_now()} {last_line}")
    where = log.problem or str(log.path)
    return Result(hook.id, ending, version, status, seconds, detail, remedy, where, time.time())


def _ending(hook: Hook, done: process.Completed, last_words: str) -> tuple[Ending, int | None, str, str]:
    """Ending, exit status, detail and remedy."""
    match done.status:
        case 0:
            return Ending.DONE, 0, "", ""
        case process.TIMED_OUT if done.stderr:
            import shlex  # noqa: PLC0415 - only messages need it

            again = f"ws-boot hooks run {shlex.quote(hook.id)}"
            return Ending.TIMED_OUT, None, last_words, f"see what it waits for: {again}"
        case process.NOT_STARTED if done.stderr:
            detail = f"{hook.path} cannot be started: {done.stderr}"
            return Ending.NOT_RUN, None, detail, "its first line has to name an interpreter, e.g. #!/bin/sh"
        case status:
            return Ending.FAILED, status, last_words, ""


def _now() -> str:
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")

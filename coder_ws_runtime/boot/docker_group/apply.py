"""Apply a plan with the standard programs, then check whether it helped."""

from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.boot.docker_group.observe import observe
from coder_ws_runtime.boot.docker_group.plan import (
    GROUP,
    Action,
    Create,
    Join,
    Keep,
    Plan,
    Renumber,
    StartProxy,
    Uncover,
    plan,
)
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system.process import Runner, run

PROXY_UNIT = "ws-docker-proxy.socket"

_ROUNDS = 3
"""Another process may take a GID after we looked; then the step plans again."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result. `plan` is the first plan; its actions were applied unless it was a dry run."""

    plan: Plan
    done: tuple[Action, ...]
    after: Plan
    """The plan after that: empty of actions if all is done."""


def settle(layout: Layout, *, runner: Runner = run, dry_run: bool = False) -> Report:
    """Let the user open the Docker socket.

    Args:
        layout: the workspace.
        runner: runs groupmod, usermod, groupadd, mount, umount and systemctl.
        dry_run: only observe and plan.

    Raises:
        RefusedError: something has to be done and we are not root, or a step failed.
    """
    seen = observe(layout)
    first = after = plan(seen)
    done: list[Action] = []
    if dry_run or not first.actions:
        return Report(first, (), first)
    if layout.root == Path("/") and not seen.root:
        raise RefusedError(
            f"{first.reason}, and only root can {first.actions[0].describe()}",
            code="docker-group.needs-root",
            hint="run: sudo ws-boot docker-group",
        )
    failure = None
    for _ in range(_ROUNDS):
        for action in after.actions:
            failure = _carry_out(action, layout, runner)
            if failure is not None:
                break
            done.append(action)
        known, after = after, plan(observe(layout))
        if not after.actions or (failure is not None and after.actions == known.actions):
            break
    if after.actions:
        raise failure or RefusedError(
            f"{after.reason}, and this remains to be done: {after.actions[0].describe()}",
            code="docker-group.no-effect",
        )
    return Report(first, tuple(done), after)


def _carry_out(action: Action, layout: Layout, runner: Runner) -> RefusedError | None:
    for argv in _commands(action, layout):
        ended = runner(argv)
        if not ended.ok:
            return RefusedError(
                f"cannot {action.describe()}: {ended.complaint}",
                code="docker-group.failed",
                hint=f"try it by hand as root: {' '.join(argv)}",
            )
    return None


def _commands(action: Action, layout: Layout) -> Iterator[list[str]]:
    """The commands that apply `action`, in order."""
    # --prefix of shadow-utils works on a directory tree without chroot(2).
    tree = [] if layout.root == Path("/") else ["--prefix", str(layout.root)]
    match action:
        case Create(None):
            yield ["groupadd", *tree, "--system", GROUP]
        case Create(gid):
            yield ["groupadd", *tree, "--gid", str(gid), GROUP]
        case Renumber(gid):
            yield ["groupmod", *tree, "--gid", str(gid), GROUP]
        case Join(user, group):
            yield ["usermod", *tree, "--append", "--groups", group, user]
        case Uncover():
            yield ["umount", str(layout.docker_socket)]
        case Keep():
            yield ["install", "-D", "--mode=0600", "/dev/null", str(layout.docker_host_socket)]
            yield ["mount", "--bind", str(layout.docker_socket), str(layout.docker_host_socket)]
        case StartProxy():
            # Every client looks here first, whatever its environment, and finds a socket that it can open.
            # docs/decisions explains why neither DOCKER_HOST nor a context would do.
            # systemd starts nothing that it has given up. A pattern may match nothing.
            yield ["systemctl", "reset-failed", "ws-docker-proxy.*"]
            # restart: a proxy from an earlier run may listen on a socket that was deleted.
            yield ["systemctl", "restart", PROXY_UNIT]
            yield ["mount", "--bind", str(layout.docker_proxy_socket), str(layout.docker_socket)]

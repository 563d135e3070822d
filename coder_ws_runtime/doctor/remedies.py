"""Remedies that several checks give."""

from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Remedy, Where

TOO_OLD = "use an image that is built on this project's base image"


def restart_workspace(context: Context, text: str = "restart the workspace", *, ask: bool = False) -> Remedy:
    """A new container: it has the image's original files, and the mounts of the template.

    Args:
        context: the workspace.
        text: what the restart is for.
        ask: whether to ask the user for the workspace's parameters.
    """
    return Remedy(text, context.restart(ask=ask), Where.CLIENT)


def change_template(context: Context, text: str) -> Remedy:
    """A change in the template, which a workspace gets when it is updated."""
    after = Remedy("push the template, then update the workspace", context.update(), Where.CLIENT)
    return Remedy(text, where=Where.TEMPLATE, then=after)


def change_host(context: Context, text: str, *commands: str) -> Remedy:
    """Something to do on the Docker host before the workspace is restarted."""
    return Remedy(text, commands, Where.HOST, then=restart_workspace(context, "then restart the workspace"))


def unmask_unit(context: Context, unit: systemd.Unit) -> Remedy:
    """Let a masked unit of ours start again, and start it."""
    verbs = (*unit.unmask, f"start {unit.name.removesuffix('.service')}")
    return Remedy("unmask it", tuple(context.as_root(f"systemctl {verb}") for verb in verbs))


def start_again(context: Context, text: str, *units: str, needs: tuple[str, ...] = ()) -> Remedy:
    """Restart units, also if they, or other units that they need, are masked or have failed too often.

    Args:
        context: the workspace.
        text: what the remedy is for.
        units: what to restart, as ``systemctl`` names it.
        needs: the other units.
    """
    first = systemd.before_start(context, *units, *needs)
    verbs = [*first, f"restart {' '.join(unit.removesuffix('.service') for unit in units)}"]
    masked = any(verb.startswith("unmask") for verb in first)
    return Remedy(text, tuple(context.as_root(f"systemctl {verb}") for verb in verbs), safe=not masked)


def restart_unit(context: Context, unit: str, text: str, *, safe: bool = False) -> Remedy:
    """Restart one of our units."""
    return Remedy(text, (context.as_root(f"systemctl restart {unit.removesuffix('.service')}"),), safe=safe)


def revert_unit(context: Context, unit: systemd.Unit, *, start: bool = True) -> Remedy:
    """Use the image's files of one of our units again, and start it; or others, if these are wrong."""
    files = [unit["FragmentPath"], *unit["DropInPaths"].split()]
    if not any(file.startswith(("/etc/", "/run/")) for file in files):  # systemctl(1) reverts these
        return change_template(context, f"use an image in which these are correct: {', '.join(files)}")
    name = unit.name.removesuffix(".service")
    commands = (f"systemctl revert {name}", *([f"systemctl restart {name}"] if start else []))
    text = "use the image's unit file again instead of a changed one"
    return Remedy(text, tuple(map(context.as_root, commands)))

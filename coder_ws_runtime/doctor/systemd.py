"""What systemd and its journal say, asked once for all checks."""

from collections.abc import Mapping
from dataclasses import dataclass

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Remedy

DOCKER_GROUP = "ws-docker-group.service"
RESOLVE = "home-persist-resolve.service"
JETBRAINS = "ws-jetbrains.service"
WATCH = "home-persist-watch.service"
HOOKS = "ws-hooks.service"
AGENT = "coder-agent.service"
WEB_SHELL = "web-shell.service"
DOCKER_ENGINE = "ws-docker-engine.service"
"""Only where the workspace has an engine of its own."""

UNITS = (DOCKER_GROUP, RESOLVE, JETBRAINS, WATCH, HOOKS, AGENT, WEB_SHELL)
"""Our units, in the order of the boot."""

_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "ConditionResult",
    "ExecMainStatus",
    "MainPID",
    "After",
    "FragmentPath",
    "DropInPaths",
    "ControlGroup",
    "InvocationID",
)


@dataclass(frozen=True, slots=True)
class Unit:
    """What systemd says of a unit: properties of systemctl(1) show."""

    name: str
    properties: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.properties.get(name, "")

    @property
    def there(self) -> bool:
        """Whether there is such a unit, and it is not masked."""
        return self["LoadState"] == "loaded"

    @property
    def masked(self) -> bool:
        """Whether it is kept from starting by a link to nothing."""
        return self["LoadState"] == "masked"

    @property
    def failed(self) -> bool:
        """Whether its last run ended badly."""
        return self["ActiveState"] == "failed"

    @property
    def active(self) -> bool:
        """Whether it runs, or has done what it had to do."""
        return self["ActiveState"] in {"active", "reloading"}

    @property
    def changing(self) -> bool:
        """Whether it is about to start or to stop."""
        return self["ActiveState"] in {"activating", "deactivating"}

    @property
    def left_out(self) -> bool:
        """Whether one of its conditions does not hold: systemd does not start it then."""
        return self["ConditionResult"] == "no" and self["ActiveState"] == "inactive"


def units(context: Context) -> dict[str, Unit]:
    """Our units as systemd sees them, by name; empty if it does not answer."""
    names = (*UNITS, DOCKER_ENGINE)
    shown = context.run(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", "--", *names], timeout=4)
    return {unit.name: unit for unit in parse_units(shown.stdout)}


def parse_units(shown: str) -> list[Unit]:
    """The units that systemctl show printed: blocks of ``Name=value``, with an empty line between."""
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in shown.split("\n\n")
    ]
    return [Unit(block["Id"], block) for block in blocks if "Id" in block]


def manager(context: Context) -> Mapping[str, str]:
    """The state of systemd itself: ``SystemState`` and ``NFailedUnits``."""
    shown = context.run(["systemctl", "show", "--property=SystemState,NFailedUnits"], timeout=4)
    return dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)


def journal(context: Context, unit: Unit, count: int = 5) -> list[str]:
    """The last lines that the unit's present or last run wrote, the oldest first."""
    matches = (
        [f"_SYSTEMD_INVOCATION_ID={unit['InvocationID']}"] if unit["InvocationID"] else ["-u", unit.name]
    )
    command = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={count}", *matches]
    return [line for line in context.run(command, timeout=3).stdout.splitlines() if line.strip()]


def restart(context: Context, unit: str, text: str, *, safe: bool = False) -> Remedy:
    """The remedy that restarts a unit of ours."""
    return Remedy(text, (context.as_root(f"systemctl restart {unit.removesuffix('.service')}"),), safe=safe)


def restart_command(context: Context, unit: str, command: str) -> str:
    """The command that does a boot step again.

    Args:
        context: the workspace.
        unit: the step's unit.
        command: what the user may run instead, unless the unit has failed: that mark would stay.
    """
    known = context.ask(units).get(unit) if context.ask(boots) else None
    if known is not None and known.failed:
        return context.as_root(f"systemctl restart {unit.removesuffix('.service')}")
    return context.as_user(command)


def boots(context: Context) -> bool:
    """Whether systemd is the running system's PID 1; the check of sd_booted(3)."""
    return context.live and context.layout.systemd_runtime.is_dir()


def steps_ran(context: Context) -> bool:
    """Whether somebody has run the boot steps: systemd, or whoever made the tree of files."""
    return not context.live or context.ask(boots)

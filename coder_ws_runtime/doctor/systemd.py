"""What systemd reports, asked once for all checks."""

import math
import os
import time
from collections.abc import Mapping

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor.context import Context

DOCKER_GROUP = "ws-docker-group.service"
RESOLVE = "home-persist-resolve.service"
JETBRAINS = "ws-jetbrains.service"
WATCH = "home-persist-watch.service"
HOOKS = "ws-hooks.service"
AGENT = "coder-agent.service"
WEB_SHELL = "web-shell.service"
DOCKER_ENGINE = "ws-docker-engine.service"
"""Only if the workspace has its own engine."""
ENGINE_SOCKET = "ws-docker-engine.socket"

JOURNAL = "systemd-journald.service"
JOURNAL_SOCKET = "systemd-journald.socket"
PROXY = "ws-docker-proxy.service"
PROXY_SOCKET = "ws-docker-proxy.socket"
MULTI_USER = "multi-user.target"
RESCUE = ("rescue.target", "emergency.target")
_DOCKER = (DOCKER_ENGINE, ENGINE_SOCKET, PROXY, PROXY_SOCKET)

UNITS = (DOCKER_GROUP, RESOLVE, JETBRAINS, WATCH, HOOKS, AGENT, WEB_SHELL)
"""Our units, in boot order."""

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
    "NRestarts",
    "ExecMainStartTimestampMonotonic",
    "StatusText",
)

_MASKS = {"": "/etc/systemd/system", "--runtime ": "/run/systemd/system"}
"""Where systemctl(1) masks a unit, by its option."""

_PATIENCE = 8.0
"""How many seconds systemd may take to answer; on a busy host it needs some."""
_RECENT = 300.0
"""For this many seconds a restart counts: a unit that keeps failing is running most of the time."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What systemd reports about a unit: properties from systemctl(1) show."""

    name: str
    properties: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.properties.get(name, "")

    @property
    def there(self) -> bool:
        """Whether the unit exists and is not masked."""
        return self["LoadState"] == "loaded"

    @property
    def masked(self) -> bool:
        """Whether a link to /dev/null keeps it from starting."""
        return self["LoadState"] == "masked"

    @property
    def unmask(self) -> list[str]:
        """What systemctl(1) has to do so that a masked unit can start again.

        A mask until the next boot is in another directory and needs its own option. A unit may have both.
        """
        there = [option for option, top in _MASKS.items() if os.path.lexists(f"{top}/{self.name}")]
        return [f"unmask {option}{self.name.removesuffix('.service')}" for option in there or [""]]

    @property
    def invalid(self) -> bool:
        """Whether systemd refuses its file, or a file that changes it."""
        return self["LoadState"] in {"bad-setting", "error"}

    @property
    def failed(self) -> bool:
        """Whether its last run failed."""
        return self["ActiveState"] == "failed"

    @property
    def active(self) -> bool:
        """Whether it runs, or has done its work."""
        return self["ActiveState"] in {"active", "reloading"}

    @property
    def changing(self) -> bool:
        """Whether it is starting or stopping."""
        return self["ActiveState"] in {"activating", "deactivating"}

    @property
    def restarting(self) -> bool:
        """Whether it exited by itself, and systemd waits before it starts it again."""
        return self["SubState"] == "auto-restart"

    @property
    def restarts(self) -> int:
        """How often systemd had to start it again, if the last time was within the last minutes."""
        count = self["NRestarts"]
        return int(count) if count.isdecimal() and self.age < _RECENT else 0

    @property
    def age(self) -> float:
        """Seconds since its program was started; endless if that is not known."""
        started = self["ExecMainStartTimestampMonotonic"]
        # Both clocks are CLOCK_MONOTONIC; systemd counts microseconds.
        return time.monotonic() - int(started) / 1e6 if started.isdecimal() else math.inf

    @property
    def left_out(self) -> bool:
        """Whether one of its conditions is not met, so that systemd does not start it."""
        return self["ConditionResult"] == "no" and self["ActiveState"] == "inactive"


def answers(context: Context) -> dict[str, Unit]:
    """Our units, other units that show the system's state, and all that have failed; by name.

    One call of systemctl(1): it expands a pattern to the units in the states that ``--state`` names.
    Empty if systemd does not answer.
    """
    wanted = [*UNITS, *_DOCKER, JOURNAL, JOURNAL_SOCKET, MULTI_USER, *RESCUE]
    command = ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", "--state=failed"]
    shown = context.run([*command, "--", *wanted, "*"], timeout=_PATIENCE)
    return {unit.name: unit for unit in parse_units(shown.stdout)}


def units(context: Context) -> dict[str, Unit]:
    """Our units as systemd reports them, by name; empty if it does not answer."""
    known = context.ask(answers)
    return {name: known[name] for name in (*UNITS, DOCKER_ENGINE) if name in known}


def strangers(context: Context) -> list[Unit]:
    """Units that have failed and are not ours."""
    ours = {*UNITS, *_DOCKER, JOURNAL, JOURNAL_SOCKET}
    return [unit for name, unit in context.ask(answers).items() if unit.failed and name not in ours]


def state(context: Context) -> str:
    """``running``, ``starting`` or ``maintenance``, like systemctl(1) is-system-running; empty: no answer."""
    known = context.ask(answers)
    if not known:
        return ""
    if any(known[name].active for name in RESCUE if name in known):
        return "maintenance"
    main = known.get(MULTI_USER)
    return "running" if main is None or main.active else "starting"


def before_start(context: Context, *names: str) -> list[str]:
    """What systemctl(1) has to do before these units can start: remove masks, forget failed starts."""
    known = context.ask(answers)
    there = [known[name] for name in names if name in known]
    failed = [unit.name for unit in there if unit.failed or unit.restarts]
    reset = [f"reset-failed {' '.join(failed)}"] if failed else []
    return [*(verb for unit in there if unit.masked for verb in unit.unmask), *reset]


def parse_units(shown: str) -> list[Unit]:
    """The units that systemctl show printed: blocks of ``Name=value``, separated by empty lines."""
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in shown.split("\n\n")
    ]
    return [Unit(block["Id"], block) for block in blocks if "Id" in block]


def restart_command(context: Context, unit: str, command: str) -> str:
    """The command that runs a boot step again.

    Args:
        context: the workspace.
        unit: the step's unit.
        command: what to run instead, unless the unit has failed: only systemd can reset that state.
    """
    known = context.ask(units).get(unit) if context.ask(boots) else None
    if known is not None and known.failed:
        return context.as_root(f"systemctl restart {unit.removesuffix('.service')}")
    return context.as_user(command)


def boots(context: Context) -> bool:
    """Whether systemd is the running system's PID 1; the test of sd_booted(3)."""
    return context.live and context.layout.systemd_runtime.is_dir()


def steps_ran(context: Context) -> bool:
    """Whether boot steps have run: by systemd, or by the author of the tree of files."""
    return not context.live or context.ask(boots)

"""The lines of a log that say why something failed."""

import json
import re
from collections.abc import Iterable, Sequence

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.systemd import Unit

_SYSTEMD = re.compile(
    r"^(Start(ing|ed) |Stopp(ing|ed) |Finished |Deactivated |Reload(ing|ed) |Failed to start |\S+: ("
    r"Main process exited|Failed with result|Scheduled restart job|Start request repeated|Deactivated |"
    r"Consumed |Control process exited|Unit process|Sent signal|State |Killing process|Triggering OnFailure)"
    r"|Failed to attach \d+ to compat systemd cgroup|.*compat systemd cgroup.*|.*cgroup v1.*|"
    r"Unit .* entered failed state|Dependency failed for )"
)
"""What systemd itself reports for every unit that fails, and about control groups on old hosts."""

_WHY = re.compile(
    r"\b(errors?|fatal|failed|failure|cannot|can't|could not|couldn't|unable|denied|refused|not found|"
    r"no such|not permitted|timed? ?out|killed|exception|traceback|panic|invalid|missing|unexpected)\b"
    r"|\w+(Error|Exception)\b",
    re.IGNORECASE,
)
_SECONDS = 6.0
"""How many seconds journalctl(1) may take; on a busy host it needs some."""
_ERR = 3
"""From this syslog(3) level on, a record is about an error."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a log, with its syslog(3) level if the journal has one."""

    text: str
    level: int = 6


def reasons(records: Iterable[Record | str], count: int = 3) -> list[str]:
    """At most `count` lines that say why, in order; if there are none, the last lines.

    What systemd reports for every unit that fails is left out. Of equal lines, only the last is kept.
    """
    own = _own(records)
    return [item.text.strip() for item in ([*filter(_tells, own)] or own)[-count:]]


def _own(records: Iterable[Record | str]) -> list[Record]:
    every = [Record(item) if isinstance(item, str) else item for item in records]
    own = [item for item in every if item.text.strip() and not _SYSTEMD.search(item.text)]
    return list({item.text: item for item in reversed(own)}.values())[::-1]


def _tells(record: Record) -> bool:
    return record.level <= _ERR or bool(_WHY.search(record.text))


def journal(context: Context, unit: Unit, count: int = 40, *, every_run: bool = False) -> list[Record]:
    """The last records of the unit's present or last run, oldest first.

    This includes systemd's records about the unit, which say why a program could not be started.

    Args:
        context: the workspace.
        unit: the unit.
        count: at most so many.
        every_run: also those of earlier runs.
    """
    run = "" if every_run else unit["InvocationID"]
    matches = [f"_SYSTEMD_INVOCATION_ID={run}", "+", f"INVOCATION_ID={run}"] if run else ["-u", unit.name]
    command = ["journalctl", "--quiet", "--no-pager", "--output=json", f"--lines={count}"]
    command += ["--output-fields=MESSAGE,PRIORITY"]
    return list(_records(context.run([*command, *matches], timeout=_SECONDS).stdout.splitlines()))


def why(context: Context, unit: Unit, count: int = 3) -> list[str]:
    """The lines of a unit's last run that say why it failed; of earlier ones, if it has only begun again."""
    records = journal(context, unit)
    if unit.restarts and not any(map(_tells, _own(records))):
        records = journal(context, unit, every_run=True)
    return reasons(records, count)


def _records(lines: Sequence[str]) -> Iterable[Record]:
    for line in lines:
        try:
            record = json.loads(line)
            message, level = record["MESSAGE"], int(record.get("PRIORITY", 6))
            if isinstance(message, list):  # bytes that are not UTF-8
                message = bytes(message).decode(errors="replace")
            yield Record(str(message), level)
        except (ValueError, KeyError, TypeError):
            continue


def refusal(context: Context, unit: Unit) -> list[str]:
    """Why systemd refuses a unit's files, and which files these are.

    systemd names them by the unit, before any run of it.
    """
    command = [
        "journalctl",
        "--quiet",
        "--no-pager",
        "--output=cat",
        "--lines=1",
        f"UNIT={unit.name}",
        "_PID=1",
    ]
    said = context.run([*command, "PRIORITY=3"], timeout=_SECONDS).stdout.split("\n")
    files = f"{unit['FragmentPath']} {unit['DropInPaths']}".split()
    return [*filter(None, said), *files]

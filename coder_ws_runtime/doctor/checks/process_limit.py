"""The check of the limit on processes, which includes threads: at the limit, no program starts."""

import threading
from collections import Counter
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Remedy, Verdict, failure, found, ok, warning
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.cgroups import own_groups

_MANY = 0.8
"""The part of the limit from which on there is a warning."""
_FEW = 32
"""With fewer left, a shell or an IDE may fail to start a program at any time."""
_SHOWN = 3


@check("system.processes", "the number of processes", needs=[Need.LIVE])
def processes(context: Context) -> Verdict:
    """The workspace has fewer processes and threads than it may have."""
    groups = own_groups(context.layout)
    # Each check is a thread of this process.
    limit, used = _number(groups, "pids.max"), _number(groups, "pids.current") - threading.active_count()
    if not limit:
        return ok(f"{used} processes and threads, no limit")
    if used <= _MANY * limit and limit - used >= min(_FEW, limit // 2):
        return ok(f"{used} of {limit} processes and threads")
    look = "ps -eLo comm= | sort | uniq -c | sort -n | tail"
    remedy = Remedy(
        "see which they are, and end those that are not needed, or have the limit raised", (look,)
    )
    problem = f"{used} of {limit} processes and threads are running; at the limit no program starts"
    evidence = [f"{count} are {name}" for name, count in _most(context.layout.proc)]
    full = limit - used < _FEW
    make, code = (failure, "system.processes-full") if full else (warning, "system.processes-many")
    return found([make(code, problem, remedy, evidence=evidence)], "")


def _number(groups: Path, name: str) -> int:
    """A number of the control group, on cgroup v2 or v1; 0 if there is none."""
    written = (text_file.read(groups / name) or text_file.read(groups / "pids" / name)).strip()
    return int(written) if written.isdecimal() else 0


def _most(proc: Path) -> list[tuple[str, int]]:
    """The names that most processes have; one whose parent does not collect it is named as ps(1) does."""
    names: Counter[str] = Counter()
    for directory in proc.glob("[0-9]*"):
        _, _, rest = text_file.read(directory / "stat").partition("(")
        name, _, fields = rest.rpartition(")")
        if name:
            names[f"{name} <defunct>" if fields.split()[:1] == ["Z"] else name] += 1
    return names.most_common(_SHOWN)

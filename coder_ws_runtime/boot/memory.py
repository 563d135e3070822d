"""What happens when programs need more memory than the workspace has.

Since 1.28, on cgroup v2, Kubernetes has the kernel end all programs of a container at once
(`memory.oom.group`). That is right for one service and wrong for a workspace: a compiler that needs too much
would end the editor, the terminals and the daemon with it. So the workspace has the kernel end one program
at a time.
"""

from enum import Enum

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system.cgroups import own_groups


class Ending(Enum):
    """Which programs the kernel ends, and whether we changed that."""

    ONE = "one program at a time"
    CHANGED = "one program at a time, no longer all at once"
    ALL = "all at once, and it cannot be changed from here"


def end_one_at_a_time(layout: Layout) -> Ending:
    """Have the kernel end one program at a time, if it would end them all. Needs root."""
    file = own_groups(layout) / "memory.oom.group"
    try:
        if file.read_text().strip() != "1":
            return Ending.ONE
        file.write_text("0")
    except FileNotFoundError:
        # cgroup v1, or the root control group, which has no such file.
        return Ending.ONE
    except OSError:
        return Ending.ALL
    return Ending.CHANGED

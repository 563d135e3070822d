"""What happens when programs want more memory than the workspace has.

Kubernetes has the kernel end all programs of a container at once (`memory.oom.group`, since 1.28, on
version 2 of control groups), which is right for one service and wrong for a workspace: a compiler that wants
too much would end the editor, the terminals and the daemon with it. So the workspace asks for one program
at a time.
"""

from enum import Enum

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system.cgroups import own_groups


class Ending(Enum):
    """Whom the kernel ends, and whether that was changed."""

    ONE = "one program at a time"
    CHANGED = "one program at a time, no longer all at once"
    ALL = "all at once, and it cannot be changed from here"


def end_one_at_a_time(layout: Layout) -> Ending:
    """Ask the kernel to end one program at a time, where it would end them all. Needs root."""
    file = own_groups(layout) / "memory.oom.group"
    try:
        if file.read_text().strip() != "1":
            return Ending.ONE
        file.write_text("0")
    except FileNotFoundError:
        # Version 1 of control groups, or the kernel's root, which has no such file.
        return Ending.ONE
    except OSError:
        return Ending.ALL
    return Ending.CHANGED

"""The names of the attic's batches: when, which workspace, and whose copies."""

import re
import time

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.digest import hex_digest
from coder_ws_runtime.errors import UsageError

# Compiled when the first name is read: most runs read none.
_NAME = (
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
    r"\.(?P<milliseconds>\d{3})Z-(?P<label>[A-Za-z0-9._-]+)"
    r"(?:@(?:(?P<owner>owner)|ws-(?P<workspace>[0-9a-f]{12})))?"
)
_LABEL_LIMIT = 64
_FIRST_YEAR = 1970
LAST_TIME = 253370764800.0
"""The year 9999, in seconds since the epoch: names have four digits for the year."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The information in the name of a batch."""

    name: str
    time: float
    """When it was made, in seconds since the epoch."""
    label: str
    """The workspace from which the copies come, as `label_of` writes it."""
    scope: str
    """``owner``, ``workspace``; empty: not recorded."""
    workspace: str
    """Which workspace's own copies they are, as `digest_of` writes it; empty if not recorded."""

    @classmethod
    def parse(cls, name: str) -> "Batch | None":
        """The information in a name; None if it is not the name of a batch."""
        found = re.fullmatch(_NAME, name)
        if not found:
            return None
        # time.strptime() loads a module as large as this one, when the first batch is parsed.
        parts = [int(found[name]) for name in ("year", "month", "day", "hour", "minute", "second")]
        if not (parts[0] >= _FIRST_YEAR and 1 <= parts[1] <= 12 and 1 <= parts[2] <= 31):  # noqa: PLR2004
            return None
        import calendar  # noqa: PLC0415 - slow to import; a boot lists no batch

        moment = calendar.timegm((*parts, 0, 0, 0)) + int(found["milliseconds"]) / 1000
        scope = "owner" if found["owner"] else "workspace" if found["workspace"] else ""
        return cls(name, moment, found["label"], scope, found["workspace"] or "")

    def has_copies_of(self, workspace_id: str, workspace_name: str = "") -> bool:
        """Whether its items may be earlier versions of a path with this scope.

        Args:
            workspace_id: whose own copies; empty: the owner's.
            workspace_name: the workspace's name. A batch of format 1 counts for a workspace if that
                workspace made it, and always for the owner.
        """
        if not self.scope:
            return not workspace_id or self.label in (label_of(workspace_name), label_of(workspace_id))
        return self.workspace == digest_of(workspace_id)


def digest_of(workspace_id: str) -> str:
    """The part of a batch's name that says whose copies it has; empty for the owner's."""
    if not workspace_id:
        return ""
    return hex_digest(workspace_id.encode())[:12]


def label_of(workspace: str) -> str:
    """A workspace's name or ID in the form used in a batch's name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", workspace).strip("-")[:_LABEL_LIMIT] or "unnamed"


def stamp(now: float, workspace: str) -> str:
    """The name of a batch without its scope: UTC with milliseconds, so names sort by time.

    Args:
        now: seconds since the epoch.
        workspace: name or ID of the workspace from which the batch comes.
    """
    clock = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    return f"{clock}.{int(now * 1000) % 1000:03d}Z-{label_of(workspace)}"


def batch_name(now: float, workspace: str, copies_of: str) -> str:
    """The name of a batch.

    Args:
        now: seconds since the epoch.
        workspace: name or ID of the workspace from which the batch comes.
        copies_of: the ID of the workspace whose own copies it has; empty: the owner's.
    """
    return f"{stamp(now, workspace)}@{f'ws-{digest_of(copies_of)}' if copies_of else 'owner'}"


def parse_batch(name: str) -> Batch:
    """The batch with the name that a user typed.

    Raises:
        UsageError: it is not the name of a batch, e.g. a path.
    """
    found = Batch.parse(name)
    if found is None:
        raise UsageError(
            f"{name!r} is not the name of a batch",
            code="attic.batch-invalid",
            hint="home-persist attic list shows the batches",
        )
    return found


def batch_time(batch: str) -> float:
    """When a batch was made, in seconds since the epoch; 0 if its name is not one of ours."""
    found = Batch.parse(batch)
    return found.time if found else 0.0

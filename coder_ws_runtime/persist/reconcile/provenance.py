"""Decide which of two copies is the newer save, and why. Pure: from what was recorded and what is seen.

Where a copy is does not matter. Content that was published a moment ago and has changed since is newer than
the volume's copy of it, whether or not a link replaced it in between. Content that was copied and has not
changed is older than whatever the volume has received since.
"""

import stat
from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.identity import CopyRecord, Identity


class Newer(Enum):
    """Which copy is the newer save."""

    HOME = "home"
    VOLUME = "volume"


class Reason(Enum):
    """Why; the value is a stable code."""

    COPIED = "copied-and-unchanged"
    """The home's file was copied and has not changed; the volume's has."""
    UNKEPT = "perhaps-not-kept"
    """The same, but the run was killed, perhaps before the copy was in its place: it may be nowhere else."""
    CHANGED = "changed-since-copied"
    """The home's file was copied and then changed; the volume's is what was published."""
    REPLACED = "replaced-link"
    """The home's file replaced our link since this container was created."""
    LATER = "written-later"
    """Both have changed, or nothing is known about either: the later modification time wins."""
    BROUGHT = "brought-by-image"
    """The home's file existed before any link of this container: it is from the image."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result."""

    newer: Newer
    reason: Reason


def which_is_newer(  # noqa: PLR0913 - all that the answer depends on, and nothing else
    home: Identity,
    volume: Identity,
    record: CopyRecord | None,
    *,
    replaced: bool = False,
    aside: bool = False,
    stays: bool = False,
    awaited: bool = False,
    grown: bool = False,
) -> Verdict:
    """Which of two files with different content or metadata is the newer save.

    Args:
        home: the home's file.
        volume: the volume's.
        record: what the ledger has about the home's file.
        replaced: this container had made the link, so the content at the path came later.
        aside: the home's was swapped with the link, which changed its ctime.
        stays: the home's is in a directory that is not linked, and programs continue to write it there.
        grown: the home's is a directory, and something in it is not as it was recorded.
        awaited: this container saw that the home had no such file, so a program of it wrote the home's.
    """
    if record is not None and _is_unpublished(volume, record):
        record = None
    if record is not None and not grown and is_unchanged(home, record, aside=aside):
        return Verdict(Newer.VOLUME, _of_unchanged(volume, record))
    if replaced and not stays and not aside:
        return Verdict(Newer.HOME, Reason.REPLACED)
    if record is not None and record.volume is not None and volume.has_content_of(record.volume):
        return Verdict(Newer.HOME, Reason.CHANGED)
    if record is None and not (stays or aside or awaited):
        return Verdict(Newer.VOLUME, Reason.BROUGHT)
    return Verdict(Newer.HOME if _written(home) > _written(volume) else Newer.VOLUME, Reason.LATER)


def is_unchanged(home: Identity, record: CopyRecord, *, aside: bool) -> bool:
    """Whether the home's file is as it was recorded.

    Content of the image that was recorded and not published stays the image's when a boot step gives it
    another owner or mode.
    """
    if stat.S_ISDIR(home.kind):
        return home.is_same_entry(record.home)
    return home == record.home or ((aside or record.volume is None) and home.has_content_of(record.home))


def _of_unchanged(volume: Identity, record: CopyRecord) -> Reason:
    """Why the volume's is newer than a file of the home that is as it was recorded."""
    if record.kept:
        return Reason.COPIED
    if record.volume is None:  # recorded, and not copied
        return Reason.BROUGHT
    published = record.volume != record.before and volume.has_content_of(record.volume)
    return Reason.COPIED if published else Reason.UNKEPT


def _written(file: Identity) -> int:
    """When a file was last written, in nanoseconds: a program may set a later mtime, but not the ctime."""
    return min(file.mtime, file.ctime)


def _is_unpublished(volume: Identity, record: CopyRecord) -> bool:
    """Whether the copy was never published: the volume still has its previous file."""
    if record.before is None or record.volume is None or record.before == record.volume:
        return False
    return volume.has_content_of(record.before)

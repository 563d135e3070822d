"""The format of a volume: ``.home-persist/format.json``.

Workspaces of one owner may run images of different ages on one volume. The number says which rules the volume
follows; `oldest_reader` is the oldest format whose software may still write to it. A volume without the file
has format 1: the first releases wrote no such file.

Format 2 adds to format 1: the file itself, batches in the attic whose names end with their scope, records of
the attic, and holders in lock files. Software of format 1 may still write.
"""

import json
import os

from coder_ws_runtime import __version__
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import NoVolumeError
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist.store.names import FORMAT, STATE

NUMBER = 2
"""The format that this version writes."""
OLDEST_READER = 1
"""The oldest format whose software may write to a volume of this format."""
FIRST = 1
"""The format of a volume without the file."""


@dataclass(frozen=True, slots=True)
class Format:
    """The content of the file."""

    number: int
    oldest_reader: int
    writer: str
    """The version of coder-ws-runtime that wrote it; empty if unknown."""

    @property
    def writable(self) -> bool:
        """Whether this version may write to the volume."""
        return self.oldest_reader <= NUMBER


OURS = Format(NUMBER, OLDEST_READER, __version__)


def encode(value: Format) -> bytes:
    """The document of a format."""
    document = {"format": value.number, "oldest_reader": value.oldest_reader, "writer": value.writer}
    return (json.dumps(document, indent=2) + "\n").encode()


def parse(text: bytes) -> Format:
    """The format in a document; unknown keys are ignored.

    Raises:
        ValueError: it is not such a document.
    """
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the text is wrong, not a type
    number, oldest = document.get("format"), document.get("oldest_reader")
    if not isinstance(number, int) or not isinstance(oldest, int):
        raise ValueError("'format' and 'oldest_reader' have to be integers")  # noqa: TRY004 - as above
    return Format(number, oldest, str(document.get("writer", "")))


def read(volume: Anchor) -> Format | None:
    """The format of a volume; None: it has no file.

    Raises:
        ValueError: the file is not valid.
        OSError: it cannot be read.
    """
    try:
        with volume.parent(f"{STATE}/{FORMAT}") as (fd, name):
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except FileNotFoundError:
        return None
    with open(opened, "rb") as file:
        return parse(file.read())


def refusal(volume: Anchor) -> NoVolumeError | None:
    """Why this version must not write to a volume; None if it may."""
    place = f"{volume.path}/{STATE}/{FORMAT}"
    try:
        found = read(volume)
    except (OSError, ValueError) as error:
        return NoVolumeError(
            f"the format of the volume cannot be read: {error}",
            code="volume.format-unreadable",
            place=place,
            hint="if no newer version of coder-ws-runtime has written to this volume, remove that file",
        )
    if found is None or found.writable:
        return None
    return NoVolumeError(
        f"the volume has format {found.number}, to which versions from format {found.oldest_reader} on may"
        f" write; this is coder-ws-runtime {__version__} with format {NUMBER}, so nothing is changed",
        code="volume.format-newer",
        place=place,
        hint=f"start this workspace from an image with coder-ws-runtime {found.writer or 'of that format'}"
        " or newer",
    )


def is_current(volume: Anchor) -> bool:
    """Whether the file exists and has at least our format. Raises like `read`."""
    found = read(volume)
    return found is not None and found.number >= NUMBER

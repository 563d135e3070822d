"""The lines of the ledger: a path relative to the home and what is known of it, separated by tabs.

A line with a name that has a tab or a line break begins with a slash, which no other line does, and has them
as escapes. All other lines have names as they are.
"""

import errno
import os

_ESCAPES = {"\n": r"\n", "\t": r"\t", "\\": r"\b"}
"""The backslash is last: it is in all escapes, and read last."""


def join_fields(*fields: str) -> str:
    """One line with these fields, of which the first is a path relative to the home."""
    line = "\t".join(fields)
    if line.count("\t") < len(fields) and "\n" not in line:
        return line
    escapes = str.maketrans(_ESCAPES)
    return "/" + "\t".join(field.translate(escapes) for field in fields)


def split_fields(line: str) -> list[str]:
    """The fields of a line that `join_fields` made: at most four."""
    if not line.startswith("/"):
        return line.split("\t", 3)
    fields = line[1:].split("\t")
    for plain, escape in _ESCAPES.items():
        fields = [field.replace(escape, plain) for field in fields]
    return fields


def append_line(fd: int, line: bytes) -> bytes:
    """Append a line to a file of the ledger, and return all that was written.

    Raises:
        OSError: it cannot be written, or not to its end.
    """
    # It also begins with a newline: if a crash truncated the previous line, this one is still readable.
    text = b"\n%b\n" % line
    if os.write(fd, text) < len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return text

"""Log to the journal with fields, or to stderr; and notify systemd.

python3-systemd is imported only if stderr is connected to the journal (the check of sd_journal_stream_fd(3):
``JOURNAL_STREAM`` has its device and inode), and for a notification only if systemd asked for it
(``NOTIFY_SOCKET``, sd_notify(3)).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


# The levels of syslog(3) that we use.
ERROR = 3
WARNING = 4
NOTICE = 5
INFO = 6
DEBUG = 7


def connected() -> bool:
    """Whether stderr is a stream of the journal."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    try:
        device, inode = (int(part) for part in stream.split(":"))
        stat = os.fstat(2)
    except (ValueError, OSError):
        return False
    return (stat.st_dev, stat.st_ino) == (device, inode)


def log(message: str, priority: int = INFO, fields: Mapping[str, object] | None = None) -> None:
    """Write one log record.

    Args:
        message: one line, for people.
        priority: a level of syslog(3); ``DEBUG`` is dropped unless ``CODER_WS_DEBUG`` is set.
        fields: for machines; names become upper case with the prefix ``CODER_WS_``.
    """
    if priority == DEBUG and "CODER_WS_DEBUG" not in os.environ:
        return
    if connected():
        try:
            from systemd import journal  # noqa: PLC0415 - see the module's docstring
        except ImportError:
            pass
        else:
            named = {f"CODER_WS_{key.upper()}": _utf_8(str(value)) for key, value in (fields or {}).items()}
            journal.send(
                _utf_8(message),
                PRIORITY=str(priority),
                SYSLOG_IDENTIFIER=os.path.basename(sys.argv[0]) or "coder-ws",
                **named,
            )
            return
        # Without python3-systemd, the level is still recorded: sd-daemon(3) reads this prefix.
        message = f"<{priority}>{message}"
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - stderr is the log


def _utf_8(text: str) -> str:
    """Text as the journal takes it: a name may have bytes that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def notify(state: str) -> None:
    """Tell systemd about this service, e.g. ``READY=1``; does nothing if systemd did not ask."""
    if "NOTIFY_SOCKET" not in os.environ:
        return
    from systemd import daemon  # noqa: PLC0415 - see the module's docstring

    daemon.notify(state)

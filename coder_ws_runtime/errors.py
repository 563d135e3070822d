"""Errors that users can cause and fix, as one family of exceptions.

A :class:`UserError` says what is wrong, where, and how to fix it. The CLI prints it in one line without a
traceback, and exits with its status. Any other exception that escapes is a bug, and keeps its
traceback.
"""

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    REFUSED = 1
    """Some paths, manifests or checks were refused or failed; the others were done."""
    USAGE = 2
    """The command line or a document is wrong; nothing was done."""
    NO_VOLUME = 3
    """There is no usable volume; nothing was done."""


class UserError(Exception):
    """An error that a user caused and can fix.

    Args:
        message: what is wrong, one sentence without a final full stop.
        code: stable, machine-readable name, e.g. ``manifest.unknown-key``.
        place: a file with a line or a JSON path, or a path in the home; empty if there is none.
        hint: how to fix it, one sentence; empty if the message already says so.
    """

    exit_status = ExitStatus.REFUSED

    def __init__(self, message: str, *, code: str, place: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        """The whole error as one line: ``place: message (hint)``."""
        where = f"{self.place}: " if self.place else ""
        remedy = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{remedy}"

    def as_dict(self) -> dict[str, str | None]:
        """The parts for JSON: `code`, `message`, `place` and `remedy`; null if there is none."""
        return {
            "code": self.code,
            "message": self.message,
            "place": self.place or None,
            "remedy": self.hint or None,
        }

    @classmethod
    def from_dict(cls, parts: dict[str, str | None], status: int) -> "UserError":
        """The error whose `as_dict` gave these parts, with its exit status."""
        message, code, place, hint = (parts[key] or "" for key in ("message", "code", "place", "remedy"))
        error = cls(message, code=code, place=place, hint=hint)
        error.exit_status = ExitStatus(status)
        return error


class RefusedError(UserError):
    """One item is refused; the others continue."""


class UsageError(UserError):
    """The command cannot be executed as given."""

    exit_status = ExitStatus.USAGE


class NoVolumeError(UserError):
    """There is no volume, or it cannot be used."""

    exit_status = ExitStatus.NO_VOLUME


class locate_errors:  # noqa: N801 - used as a statement
    """Add the place to a UserError raised inside, if it has none."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: object, __: object) -> None:
        if isinstance(error, UserError) and not error.place:
            error.place = self.place

"""What a user can cause, as one family of exceptions.

A :class:`UserError` says what is wrong, where, and how to fix it; the CLI prints it in one line
without a traceback and exits with its status. Anything else that escapes is a bug and keeps its
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
    """Something that a user caused and a user can fix.

    Args:
        message: what is wrong, one sentence without a final full stop.
        code: stable, machine-readable name, e.g. ``manifest.unknown-key``.
        place: where: a file with a line or a JSON path, a path in the home; empty if there is none.
        hint: how to fix it, one sentence; empty if the message says it already.
    """

    exit_status = ExitStatus.REFUSED

    def __init__(self, message: str, *, code: str, place: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        """The whole as one line: ``place: message (hint)``."""
        where = f"{self.place}: " if self.place else ""
        remedy = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{remedy}"

    def as_dict(self) -> dict[str, str | None]:
        """Its parts, for JSON: `code`, `message`, `place` and `remedy`; null where there is none."""
        return {
            "code": self.code,
            "message": self.message,
            "place": self.place or None,
            "remedy": self.hint or None,
        }

    @classmethod
    def from_dict(cls, parts: dict[str, str | None], status: int) -> "UserError":
        """The error of which `as_dict` gave the parts, with its exit status."""
        message, code, place, hint = (parts[key] or "" for key in ("message", "code", "place", "remedy"))
        error = cls(message, code=code, place=place, hint=hint)
        error.exit_status = ExitStatus(status)
        return error


class RefusedError(UserError):
    """One item is refused; the others go on."""


class UsageError(UserError):
    """The command cannot be carried out as it was given."""

    exit_status = ExitStatus.USAGE


class NoVolumeError(UserError):
    """There is no volume, or it cannot be used."""

    exit_status = ExitStatus.NO_VOLUME


class locate_errors:  # noqa: N801 - used as a statement
    """Give a UserError raised inside the place where it happened, if it has none."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: object, __: object) -> None:
        if isinstance(error, UserError) and not error.place:
            error.place = self.place

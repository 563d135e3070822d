"""Why a path is not as declared, as an error with its code and its hint."""

import os

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.errors import BusyError, MountPointError
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.reconcile.actions import Decision, Plan
from coder_ws_runtime.persist.reconcile.plan import mounted, removal_of
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.failures import failure_of


def in_use_error(entry: Entry, busy: BusyError) -> UserError:
    """A program has content of the path open for writing."""
    path = f"~/{entry.path}"
    inside = str(busy)
    file = in_shell(f"{entry.path}/{inside}" if inside else entry.path)
    what = f"a program is writing {inside!r} in it" if inside else "a program is writing it"
    return RefusedError(
        f"{what}; left as it was",
        code="path.in-use",
        place=path,
        hint=f"close the program (fuser -v {file} names it), then: home-persist resolve",
    )


def changing_error(path: str, again: str = "home-persist resolve") -> RefusedError:
    """A program writes a path of the home all the time; `again` is the command to try then."""
    return RefusedError(
        "keeps changing while it is moved",
        code="path.busy",
        place=f"~/{path}",
        hint=f"stop the program that writes it, then: {again}",
    )


def unforeseen_error(entry: Entry, error: Exception) -> UserError:
    """A bug, as the error of its path."""
    import traceback  # noqa: PLC0415 - seldom needed

    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return RefusedError(
        f"{type(error).__name__}: {error} ({where}); left as it was",
        code="path.unforeseen",
        place=f"~/{entry.path}",
        hint="this is a bug: report it with the output of ws-doctor bundle",
    )


def failure_error(session: Session, entry: Entry, failure: OSError) -> UserError:
    """A file system refused something, or another process has the lock of the path."""
    if isinstance(failure, MountPointError):
        return _mounted(entry, failure.filename)
    if not isinstance(failure, BlockingIOError):
        return failure_of(f"~/{entry.path}", failure, within=session.within(entry))
    return RefusedError(
        "another command is working on it",
        code="path.busy",
        place=f"~/{entry.path}",
        hint="when that has ended: home-persist resolve",
    )


def _mounted(entry: Entry, inside: str) -> UserError:
    """Something was mounted while we worked, or is missing in the kernel's list."""
    what, hint = mounted("" if inside == entry.path.rpartition("/")[2] else inside)
    hint = f"{hint}; to stop keeping it: {removal_of(entry)}"
    return RefusedError(what, code=Decision.MOUNTED.value, place=f"~/{entry.path}", hint=hint)


def refusal_of(session: Session, entry: Entry, now: Plan) -> UserError | None:
    """A settled plan after which the path is not as declared, as an error."""
    if not now.refused:
        return None
    hint = now.hint
    if now.decision is Decision.PERHAPS_WRITTEN:
        from coder_ws_runtime.persist.store.ownership import find_foreign  # noqa: PLC0415 - rarely needed

        foreign = find_foreign(session.home, entry.path, session.volume.owner)
        if foreign:
            hint = f"{foreign.remedy(session.volume.owner)}, then: home-persist resolve"
    return RefusedError(now.problem, code=now.code or now.decision.value, place=f"~/{entry.path}", hint=hint)

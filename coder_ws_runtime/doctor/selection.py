"""Select checks: by ID, by category, or by a pattern."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from coder_ws_runtime.doctor.engine import Check
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.text import find_nearest

IGNORED = "WS_DOCTOR_IGNORE"
"""The environment variable with the checks that are always ignored."""


def select(
    checks: Sequence[Check], only: Iterable[str], ignore: Iterable[str], always: Iterable[str] = ()
) -> list[Check]:
    """The checks in `only`, or all if it is empty, without those in `ignore` and `always`.

    Args:
        checks: all checks.
        only: IDs, categories or patterns like ``docker.*``; one string may have several, with commas.
        ignore: like `only`.
        always: like `only`; from the environment.

    Raises:
        UsageError: one of them matches no check (the hint names the nearest), or no check is left.
    """
    only = list(only)
    wanted = _matching(checks, only, "--only")
    if only and not wanted:
        raise UsageError(
            "no check is selected", code="cli.usage", place="--only", hint="ws-doctor --list shows them all"
        )
    unwanted = _matching(checks, ignore, "--ignore") | _matching(checks, always, IGNORED)
    chosen = [item for item in checks if (not wanted or item.id in wanted) and item.id not in unwanted]
    if not chosen:
        raise UsageError(
            "no check is left",
            code="cli.usage",
            place="--ignore",
            hint="ignore fewer, or add some with --only",
        )
    return chosen


def _matching(checks: Sequence[Check], words: Iterable[str], option: str) -> set[str]:
    matching: set[str] = set()
    for pattern in (part.strip() for word in words for part in word.split(",")):
        if not pattern:
            continue
        fitting = {item.id for item in checks if pattern == item.category or fnmatchcase(item.id, pattern)}
        if not fitting:
            raise UsageError(
                f"no check matches {pattern!r}",
                code="cli.usage",
                place=option,
                hint=_nearest(pattern, checks),
            )
        matching |= fitting
    return matching


def _nearest(word: str, checks: Sequence[Check]) -> str:
    known = [*dict.fromkeys(item.category for item in checks), *(item.id for item in checks)]
    # Users often omit the category: 'links' for 'home.links'.
    near = next((item.id for item in checks if item.id.partition(".")[2] == word), "")
    near = near or find_nearest(word, known)
    return f"did you mean {near!r}?" if near else "ws-doctor --list shows them all"

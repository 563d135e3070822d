"""Numbers and names in words, for people."""

from collections.abc import Sequence

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count: int) -> str:
    """A number of bytes for people, in units of 1024: ``512 B``, ``1.5 KiB``, ``20.0 MiB``."""
    power = min(max(count.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{count} B" if power == 0 else f"{count / 1024**power:.1f} {_UNITS[power]}"


def visible(name: str) -> str:
    """A file's name as one line of text: what would not be printed as itself is written as in Python.

    A name may have line breaks, what changes a terminal's colours or title, or bytes that are not UTF-8.
    """
    return name if name.isprintable() else "".join(map(_visible, name))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8: see os.fsdecode()
        return f"\\x{ord(character) - 0xDC00:02x}"
    return repr(character)[1:-1]


def plural(count: int, noun: str, many: str = "") -> str:
    """A number with its noun: ``1 path``, ``3 paths``, ``2 entries``.

    Args:
        count: how many.
        noun: the singular.
        many: the plural, if it is not the singular with an ``s``.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {many or f'{noun}s'}"


def find_nearest(word: str, known: Sequence[str], *, similarity: float = 0.6) -> str:
    """The name that is most similar to `word`; empty if none is similar enough.

    Args:
        word: what the user wrote.
        known: the names that exist.
        similarity: from 0 to 1, as the cutoff of :func:`difflib.get_close_matches`.
    """
    import difflib  # noqa: PLC0415 - slow to import, and only mistakes need it

    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=similarity)), "")


def suggest(word: str, known: Sequence[str]) -> str:
    """A hint for a mistyped name: the nearest of `known`, or all of them if none is near."""
    near = find_nearest(word, known)
    return f"did you mean {near!r}?" if near else f"known: {', '.join(known)}"

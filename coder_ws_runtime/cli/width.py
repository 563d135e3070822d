"""The width of text on a terminal, and text wrapped to a width.

A character takes zero, one or two columns: wide East Asian characters and emoji take two, combining marks
take none (Unicode Standard Annex 11).
"""

import re
from collections.abc import Sequence

_ESCAPES = r"\x1b\[[0-9;]*m"
_JOINER, _EMOJI, _TONES = "\u200d", "\ufe0f", range(0x1F3FB, 0x1F400)


def plain(text: str) -> str:
    """`text` without the escape sequences of colours."""
    return re.sub(_ESCAPES, "", text) if "\x1b" in text else text


def width(text: str) -> int:
    """How many columns `text` takes; escape sequences of colours take none."""
    text = plain(text)
    if text.isascii():
        return len(text)
    import unicodedata  # noqa: PLC0415 - a boot step has nothing to lay out

    total = last = 0
    joined = False
    for char in text:
        if char == _EMOJI:  # the previous character is shown as an emoji
            total += 2 - last if last == 1 else 0
            last = 2
        elif char == _JOINER:
            joined = True
        elif joined or ord(char) in _TONES:
            joined = False
        elif unicodedata.category(char) not in ("Mn", "Me", "Cf"):
            last = 2 if unicodedata.east_asian_width(char) in "WF" else 1
            total += last
    return total


def pad(text: str, columns: int) -> str:
    """`text` padded with spaces to this many columns."""
    return text + " " * (columns - width(text))


def wrap(text: str, columns: int, indent: str = "  ", *, breaking: bool = False) -> list[str]:
    """`text` in lines of at most this many columns, broken at spaces.

    Args:
        text: may contain escape sequences.
        columns: of each line.
        indent: of all lines except the first.
        breaking: whether to break a word that is wider than a line, too; after "/" or "-" if it has them.
    """
    lines: list[str] = []
    line = ""
    for given in text.split(" "):
        word = given
        room = columns - (len(indent) if lines or line else 0)
        if breaking and width(word) > room:
            *whole, word = _pieces(word, max(room, 1))
            lines += [*([line] if line else []), *(indent + piece if lines else piece for piece in whole)]
            line = indent + word
            continue
        if line and width(line) + 1 + width(word) > columns and line.strip():
            lines.append(line)
            line = indent + word
        else:
            line = f"{line} {word}" if line or lines else word
    return [*lines, line]


def _pieces(word: str, columns: int) -> Sequence[str]:
    """A word in pieces of at most this many columns."""
    pieces = []
    while width(word) > columns:
        end = len(word)
        while end > 1 and width(word[:end]) > columns:
            end -= 1
        good = max(word.rfind("/", 0, end), word.rfind("-", 0, end)) + 1
        end = good if good > end // 3 else end
        pieces.append(word[:end])
        word = word[end:]
    return [*pieces, word]


def shorten(text: str, columns: int) -> str:
    """`text`; if it is wider than this, an ellipsis and its end, because the end of a path says most."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[1:]
    return f"…{text}"

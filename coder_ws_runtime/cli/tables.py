"""Tables: as wide as their widest cells, or on a terminal as wide as that."""

import sys
from collections.abc import Sequence
from itertools import zip_longest

from coder_ws_runtime.cli.render import Fixed, columns_of, plain, style, terminal
from coder_ws_runtime.cli.width import pad, width, wrap

_GAP = 2
"""Blanks between two columns."""
_NARROWEST = 8
"""Columns that a cell keeps although its words are broken for it."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; cells may be styled.

    On a terminal that is narrower, the widest columns are folded, at their blanks as long as that is enough.
    Elsewhere a row is one line, so that grep(1) finds the whole of it.
    """
    cells: list[Sequence[str]] = [[style(title, bold=True) for title in head], *rows]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(width, column)) for column in columns]
    if terminal(sys.stdout):
        room = columns_of(sys.stdout)
        words = [max(width(word) for cell in column for word in cell.split() or [""]) for column in columns]
        widths = _fitted(widths, words, room)
        widths = _fitted(widths, [min(word, _NARROWEST) for word in words], room)
        cells = [line for row in cells for line in _folded(row, widths)]
        widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    return [Fixed(_line(row, widths)) for row in cells]


def _fitted(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Narrower columns, the widest first, until they fit or all are as narrow as they may be."""
    fitted = list(widths)
    while sum(fitted) + _GAP * (len(fitted) - 1) > room:
        loose = [index for index, found in enumerate(fitted) if found > least[index]]
        if not loose:
            break
        fitted[max(loose, key=fitted.__getitem__)] -= 1
    return fitted


def _folded(row: Sequence[str], widths: Sequence[int]) -> list[Sequence[str]]:
    """The lines of one row: more than one where a cell is folded."""
    parts = [
        [cell] if width(cell) <= room else wrap(plain(cell), room, "", breaking=True)
        for cell, room in zip(row, widths, strict=True)
    ]
    return list(zip_longest(*parts, fillvalue=""))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * _GAP).join(map(pad, cells, widths)).rstrip()

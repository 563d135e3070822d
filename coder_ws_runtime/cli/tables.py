"""Tables: as wide as their widest cells, but on a terminal not wider than that."""

import sys
from collections.abc import Sequence
from itertools import zip_longest

from coder_ws_runtime.cli.render import Fixed, columns_of, plain, style, terminal
from coder_ws_runtime.cli.width import pad, width, wrap

_GAP = 2
"""Spaces between two columns."""
_NARROWEST = 8
"""The least width of a cell whose words are broken."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table. Cells may contain colours.

    On a narrower terminal, the widest columns are folded, at spaces if possible. Elsewhere a row is one line,
    so that grep(1) finds all of it.
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
    """Narrower columns: the widest are reduced first, until the table fits or none can be reduced further."""
    fitted = list(widths)
    while sum(fitted) + _GAP * (len(fitted) - 1) > room:
        loose = [index for index, found in enumerate(fitted) if found > least[index]]
        if not loose:
            break
        fitted[max(loose, key=fitted.__getitem__)] -= 1
    return fitted


def _folded(row: Sequence[str], widths: Sequence[int]) -> list[Sequence[str]]:
    """The lines of one row: several if a cell is folded."""
    parts = [
        [cell] if width(cell) <= room else wrap(plain(cell), room, "", breaking=True)
        for cell, room in zip(row, widths, strict=True)
    ]
    return list(zip_longest(*parts, fillvalue=""))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * _GAP).join(map(pad, cells, widths)).rstrip()

"""Tables: as wide as their widest cells, or on a terminal as wide as that."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from coder_ws_runtime.cli.render import plain, style, terminal

_GAP = 2
"""Blanks between two columns."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; cells may be styled.

    On a terminal that is narrower, the widest columns are folded at their blanks. Elsewhere a row is one
    line, so that grep(1) finds the whole of it.
    """
    cells: list[Sequence[str]] = [[style(title, bold=True) for title in head], *rows]
    columns = list(zip(*([plain(cell) for cell in row] for row in cells), strict=True))
    widths = [max(map(len, column)) for column in columns]
    if terminal(sys.stdout):
        least = [max(len(word) for cell in column for word in cell.split() or [""]) for column in columns]
        widths = _fitted(widths, least, shutil.get_terminal_size().columns)
        cells = [line for row in cells for line in _folded(row, widths)]
        widths = [max(len(plain(cell)) for cell in column) for column in zip(*cells, strict=True)]
    return [_line(row, widths) for row in cells]


def _fitted(widths: list[int], least: list[int], room: int) -> list[int]:
    """Narrower columns, the widest first, until they fit or no word would."""
    widths = list(widths)
    while sum(widths) + _GAP * (len(widths) - 1) > room:
        loose = [index for index, width in enumerate(widths) if width > least[index]]
        if not loose:
            break
        widths[max(loose, key=widths.__getitem__)] -= 1
    return widths


def _folded(row: Sequence[str], widths: Sequence[int]) -> list[Sequence[str]]:
    """The lines of one row: more than one where a cell is folded."""
    parts = [
        [cell] if len(plain(cell)) <= width else textwrap.wrap(plain(cell), width, break_long_words=False)
        for cell, width in zip(row, widths, strict=True)
    ]
    return list(zip_longest(*parts, fillvalue=""))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - len(plain(cell))) for cell, width in zip(cells, widths, strict=True))
    return (" " * _GAP).join(padded).rstrip()

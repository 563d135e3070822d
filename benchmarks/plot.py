"""One SVG: a bar for each ratio, the baseline and the aim drawn in. Standard library only."""

import math
from html import escape

from benchmarks.figures import FIGURES, Unit

_LEFT = 330
_WIDTH = 900
_ROW = 26
_TOP = 56
_BAR = 14
_DECADES = (0.01, 0.1, 1.0, 10.0)
_HEADING = "Time as a ratio to the baseline in the same run (shorter is faster, logarithmic)"
_LEGEND = "green: aim reached; orange: missed; blue mark: the aim; line at 1: as fast as the baseline"
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.met { fill: #1a7f37 } .missed { fill: #bc4c00 }
.grid { stroke: #d1d9e0 } .base { stroke: #59636e; stroke-width: 1.5 }
.aim { stroke: #0969da; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 } .met { fill: #3fb950 } .missed { fill: #db6d28 }
  .grid { stroke: #3d444d } .base { stroke: #9198a1 } .aim { stroke: #4493f8 }
}
"""


def draw(figures: dict[str, dict[str, float]]) -> str:
    """The plot of all figures that are a ratio.

    Args:
        figures: what was measured, by the figure's name.

    Returns:
        an SVG document; it can be read without the page around it.
    """
    rows = [figure for figure in FIGURES if figure.unit is Unit.RATIO and figure.name in figures]
    height = _TOP + _ROW * len(rows) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{_HEADING}</title><style>{_STYLE}</style>",
        _text(8, 20, _HEADING),
        _text(8, 38, _LEGEND, small=True),
    ]
    bottom = _TOP + _ROW * len(rows)
    for decade in _DECADES:
        kind = "base" if decade == 1 else "grid"
        x = _x(decade)
        parts.append(f'<line class="{kind}" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(
            f'<text class="small" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{decade:g}</text>'
        )
    for number, figure in enumerate(rows):
        ratio = figures[figure.name]["ratio"]
        y = _TOP + _ROW * number + 6
        met = "met" if ratio <= figure.aim else "missed"
        start, end, aim = _x(_DECADES[0]), _x(ratio), _x(figure.aim)
        parts.append(_text(_LEFT - 10, y + 11, figure.name, anchor="end"))
        width = max(1.0, end - start)
        title = escape(f"{figure.title}, against {figure.baseline}")
        rect = f'<rect class="{met}" x="{start:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}">'
        parts.append(f"{rect}<title>{title}</title></rect>")
        parts.append(f'<line class="aim" x1="{aim:.1f}" y1="{y - 3}" x2="{aim:.1f}" y2="{y + _BAR + 3}"/>')
        parts.append(_text(end + 6, y + 11, f"{ratio:.2f}"))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, words: str, *, small: bool = False, anchor: str = "start") -> str:
    kind = ' class="small"' if small else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _x(ratio: float) -> float:
    """Where a ratio is on the axis; what is out of its range is drawn at its end."""
    low, high = math.log10(_DECADES[0]), math.log10(_DECADES[-1])
    share = (math.log10(max(ratio, _DECADES[0])) - low) / (high - low)
    return _LEFT + min(1.0, share) * (_WIDTH - _LEFT - 60)

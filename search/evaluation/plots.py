"""Precision-recall curves and bars as SVG: they take the colour of the page, or of the reader's scheme."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from facsimile.search.evaluation.results import MethodResult

_STYLE = (
    "<style>:root{color-scheme:light dark}"
    "svg{color:#1f2328;font:10px system-ui,sans-serif;fill:currentColor}"
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3}}"
    "svg .axis,svg .other{stroke:currentColor;fill:none}svg .axis{stroke-opacity:.4}"
    "svg .other{stroke-opacity:.12}svg .curve{stroke:#0a7ea4;stroke-width:2;fill:none}svg .bar{fill:#0a7ea4}"
    "svg .range{stroke:currentColor;stroke-width:1.5}</style>"
)

#: a panel: its size, and the square of its axes
_PANEL = (170, 174)
_LEFT, _TOP, _SIDE = 24, 20, 138

_COLUMNS = 4

#: a bar: height of a line, width of the names, of the bars, and of the values
_LINE, _NAMES, _BARS, _VALUES = 18, 140, 130, 40

_ROOT = '<svg xmlns="http://www.w3.org/2000/svg" role="img"'


def curve_panels(results: Sequence[MethodResult]) -> list[str]:
    """One SVG for each method: its curve of precision (upward) by recall, before those of all others.

    The first holds the curves that the others refer to, so that they belong into one document.
    """
    lines = [_line(result) for result in results]
    shared = "".join(f'<path class="other" d="{line}"/>' for line in lines)
    panels = []
    for place, (result, line) in enumerate(zip(results, lines, strict=True)):
        others = f'<g id="curves">{shared}</g>' if place == 0 else '<use href="#curves"/>'
        panels.append(
            f'{_ROOT} viewBox="0 0 {_PANEL[0]} {_PANEL[1]}" aria-label="Precision by recall of '
            f'{escape(result.spec)}">{_panel(result, others, line)}</svg>'
        )
    return panels


def curves(results: Sequence[MethodResult]) -> str:
    """The panels of all methods as one SVG file."""
    panels = curve_panels(results)
    rows = -(-len(panels) // _COLUMNS)
    width, height = _COLUMNS * _PANEL[0], rows * _PANEL[1]
    placed = [
        panel.replace(
            "<svg ",
            f'<svg x="{place % _COLUMNS * _PANEL[0]}" y="{place // _COLUMNS * _PANEL[1]}" '
            f'width="{_PANEL[0]}" height="{_PANEL[1]}" ',
            1,
        )
        for place, panel in enumerate(panels)
    ]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f"{_ROOT} {size}>{_STYLE}{''.join(placed)}</svg>\n"


def bars(results: Sequence[MethodResult], key: str, label: str) -> str:
    """A bar for each method, the best first; recall@1 with its 95 % interval."""
    order = sorted(results, key=lambda result: -float(result.figures[key]))
    width, height = _NAMES + _BARS + _VALUES, _LINE * len(order) + 4
    rows = []
    for place, result in enumerate(order):
        value, middle = float(result.figures[key]), place * _LINE + _LINE / 2 + 2
        end = _NAMES + _BARS * value
        rows.append(
            f'<text x="{_NAMES - 6}" y="{middle + 3.5}" text-anchor="end">'
            f"{escape(_short(result.spec))}</text>"
            f'<rect class="bar" x="{_NAMES}" y="{middle - 6}" width="{_BARS * value:.1f}" height="12"/>'
        )
        if key == "recall_at_1":
            low, high = (_NAMES + _BARS * each for each in result.interval)
            rows.append(f'<path class="range" d="M{low:.1f} {middle}H{high:.1f}"/>')
            end = max(end, high)
        rows.append(f'<text x="{end + 5:.1f}" y="{middle + 3.5}">{value:.3f}</text>')
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'{_ROOT} {size} aria-label="{escape(label)} of each method">{_STYLE}{"".join(rows)}</svg>\n'


def _panel(result: MethodResult, others: str, line: str) -> str:
    bottom, right = _TOP + _SIDE, _LEFT + _SIDE
    return (
        f'<text x="{_LEFT}" y="12" font-weight="600">{escape(_short(result.spec))}</text>'
        f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>'
        f'<text x="{_LEFT - 4}" y="{_TOP + 6}" text-anchor="end">1</text>'
        f'<text x="{_LEFT - 4}" y="{bottom}" text-anchor="end">0</text>'
        f'<text x="{right}" y="{bottom + 12}" text-anchor="end">1</text>'
        f'{others}<path class="curve" d="{line}"/>'
    )


def _line(result: MethodResult) -> str:
    points = zip(result.curve["recall"], result.curve["precision"], strict=True)
    return "M" + "L".join(
        f"{_LEFT + _SIDE * recall:.1f} {_TOP + _SIDE * (1 - precision):.1f}" for recall, precision in points
    )


def _short(spec: str) -> str:
    return spec if len(spec) <= 26 else f"{spec[:12]}…{spec[-13:]}"

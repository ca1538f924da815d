"""Charts as plain SVG text: bars in groups, and lines over a logarithmic size. Readable on light and dark pages.

Pure: figures in, text out. Which figures belong into which chart is for `pages`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 760
LABELS_WIDTH = 250
BAR, BAR_GAP, GROUP_GAP = 15, 5, 34
LINES_HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 300, 74, 44, 62, 48
LEAST_APART = 60
TICKS = 5
VALUE_WIDTH = 40
MOST_TIMES_MARK = 4.0
COLOURS = ("ours", "other", "third", "fourth")
# An image knows the reader's scheme by itself; middle tones stand where it does not.
_STYLE = """\
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #59636e; }
.title { font-size: 14px; font-weight: 600; fill: #1f2328; }
.group { font-weight: 600; fill: #1f2328; }
.grid { stroke: #8b949e; stroke-opacity: 0.28; }
.spread { stroke: #59636e; stroke-width: 1.2; }
.mark { stroke: #cf222e; stroke-dasharray: 4 3; }
.fill-ours { fill: #1f6feb; } .fill-other { fill: #9aa4ae; } .fill-third { fill: #1a9b74; }
.fill-fourth { fill: #c2690c; }
.line { fill: none; stroke-width: 2; }
.line-ours { stroke: #1f6feb; } .line-other { stroke: #9aa4ae; } .line-third { stroke: #1a9b74; }
.line-fourth { stroke: #c2690c; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; } .title, .group { fill: #e6edf3; } .spread { stroke: #c9d1d9; }
  .fill-ours { fill: #4493f8; } .line-ours { stroke: #4493f8; } .mark { stroke: #f85149; }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: float
    lowest: float
    highest: float
    ours: bool


@dataclass(frozen=True, slots=True)
class Series:
    """Points of size and value, in the order of their sizes. A guide is dashed, and only there to compare with."""

    name: str
    points: Sequence[tuple[float, float]]
    ours: bool
    guide: bool = False


def bars(title: str, groups: Sequence[tuple[str, Sequence[Bar]]], *, mark: float | None = None) -> str:
    """Horizontal bars from zero with their spread; `mark` draws a line across them all.

    With a mark, bars beyond four times it are cut off, so that one of them does not make all others look alike.
    """
    highest = max((max(bar.highest, bar.value) for _, group in groups for bar in group), default=1.0)
    if mark is not None:
        highest = min(max(highest, mark), MOST_TIMES_MARK * mark)
    ticks = nice_ticks(highest)
    room = WIDTH - LABELS_WIDTH - 70

    def across(value: float) -> float:
        return LABELS_WIDTH + min(value / ticks[-1], 1.0) * room

    parts: list[str] = []
    y = 44.0
    for name, group in groups:
        parts.append(f'<text class="group" x="0" y="{y + 12:.0f}">{escape(name)}</text>')
        y += 22
        for bar in group:
            parts += _bar(bar, y, across, mark, cut=bar.value > ticks[-1])
            y += BAR + BAR_GAP
        y += GROUP_GAP - 22
    height = y + 18
    grid = [_vertical(across(tick), 40, y, "grid") + _text(across(tick), y + 14, shown(tick)) for tick in ticks]
    if mark is not None:
        grid.append(_vertical(across(mark), 40, y, "mark"))
    return _document(title, height, [*grid, *parts])


def lines(title: str, across_name: str, unit: str, series: Sequence[Series]) -> str:
    """Values from zero over sizes on a logarithmic axis."""
    sizes = sorted({size for each in series if not each.guide for size, _ in each.points})
    ticks = nice_ticks(max((value for each in series for _, value in each.points), default=1.0))
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    bottom = LINES_HEIGHT - BOTTOM

    def x_of(size: float) -> float:
        share = (math.log10(size) - first) / (last - first) if last > first else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return bottom - value / ticks[-1] * (bottom - TOP)

    parts = [_horizontal(y_of(tick)) + _text(LEFT - 8, y_of(tick) + 4, shown(tick), "end") for tick in ticks]
    parts += [_text(x_of(size), bottom + 18, shown(size)) for size in _apart(sizes, x_of)]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, LINES_HEIGHT - 8, across_name))
    parts.append(_text(LEFT - 8, TOP - 12, unit, "end"))
    at = float(LEFT + 20)
    for each, colour in zip(series, _colours(series), strict=True):
        path = " ".join(f"{x_of(size):.1f},{y_of(value):.1f}" for size, value in each.points)
        dashes = ' stroke-dasharray="5 4"' if each.guide else ""
        parts.append(f'<polyline class="line line-{colour}"{dashes} points="{path}"/>')
        parts += [
            f'<circle class="fill-{colour}" cx="{x_of(size):.1f}" cy="{y_of(value):.1f}" r="3.2"/>'
            for size, value in (() if each.guide else each.points)
        ]
        parts.append(f'<rect class="fill-{colour}" x="{at:.0f}" y="{TOP - 23}" width="12" height="12" rx="2"/>')
        parts.append(_text(at + 17, TOP - 13, each.name, "start"))
        at += 38 + 6.6 * len(each.name)
    return _document(title, LINES_HEIGHT, parts)


def nice_ticks(highest: float) -> list[float]:
    """From 0 to at least `highest`, in steps of 1, 2, 2.5 or 5 times a power of ten."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def shown(value: float) -> str:
    """With about three digits that count, and thousands apart."""
    if value >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _colours(series: Iterable[Series]) -> list[str]:
    others = iter(COLOURS[1:] * 9)
    ours = iter([COLOURS[0], *COLOURS[2:]] * 9)
    return [next(ours) if each.ours else next(others) for each in series]


def _apart(sizes: Sequence[float], x_of: Callable[[float], float]) -> list[float]:
    """Those whose words do not run into the one before."""
    kept: list[float] = []
    for size in sizes:
        if not kept or x_of(size) - x_of(kept[-1]) > LEAST_APART:
            kept.append(size)
    return kept


def _bar(bar: Bar, y: float, across: Callable[[float], float], mark: float | None, *, cut: bool) -> list[str]:
    colour = COLOURS[0] if bar.ours else COLOURS[1]
    start, end, middle = across(0), across(bar.value), y + BAR / 2
    size = f'width="{max(end - start, 0.5):.1f}" height="{BAR}"'
    parts = [
        _text(LABELS_WIDTH - 8, y + 12, bar.label, "end"),
        f'<rect class="fill-{colour}" x="{start:.1f}" y="{y:.0f}" {size} rx="2"/>',
    ]
    if bar.highest > bar.lowest:
        low, high = across(bar.lowest), across(bar.highest)
        ends = "".join(f"M{at:.1f} {middle - 3:.1f}v6" for at in (low, high))
        parts.append(f'<path class="spread" d="M{low:.1f} {middle:.1f}H{high:.1f}{ends}"/>')
    beside = max(end, across(bar.highest)) + 6
    if mark is not None and beside < across(mark) < beside + VALUE_WIDTH:
        beside = across(mark) + 6  # not across the line
    parts.append(_text(beside, y + 12, shown(bar.value) + " →" * cut, "start"))
    return parts


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def _vertical(x: float, top: float, bottom: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{top:.0f}" x2="{x:.1f}" y2="{bottom:.0f}"/>'


def _horizontal(y: float) -> str:
    return f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'


def _document(title: str, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img">'
    )
    words = escape(title)
    heading = f'<text class="title" x="0" y="18">{words}</text>'
    return "\n".join([head, f"<title>{words}</title>", f"<style>\n{_STYLE}</style>", heading, *parts, "</svg>\n"])

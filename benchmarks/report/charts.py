"""Charts as inline SVG: lines with bands, and a scatter. Colours are the page's, so dark mode applies.

Pure functions of numbers; knows nothing of negotiations. Every chart has a title and a description for screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 10, 40
COLOURS: Final = 8
"""Series colours that the page's style has, as classes s0 to s7; more series use them again."""
DASH: Final = "6 4"


class Series(NamedTuple):
    """A named line or cloud.

    ``low`` and ``high``: an interval around each ``y``, or empty. ``colour``: which of the page's; series of one colour
    are told apart by ``dashed``.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    colour: int = 0
    dashed: bool = False

    @property
    def css(self) -> str:
        """The page's class for the colour."""
        return f"s{self.colour % COLOURS}"


class _Scale(NamedTuple):
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def line_chart(series: Sequence[Series], title: str, x_label: str, y_label: str) -> str:
    """Return lines over a common axis; "" if there is nothing to draw."""
    drawn = [s for s in series if s.x]
    if not drawn:
        return ""
    x, y = _scales(drawn)
    parts = list(_frame(x, y, title, x_label, y_label))
    for s in drawn:
        if s.low and s.high:
            edge = [*zip(s.x, s.high, strict=True), *reversed(list(zip(s.x, s.low, strict=True)))]
            parts.append(f'<polygon class="band {s.css}" points="{_points(edge, x, y)}"/>')
        style = f' stroke-dasharray="{DASH}"' if s.dashed else ""
        points = _points(list(zip(s.x, s.y, strict=True)), x, y)
        parts.append(
            f'<polyline class="line {s.css}"{style} points="{points}"><title>{escape(s.name)}</title></polyline>'
        )
    return _figure(parts, drawn, title)


def scatter_chart(series: Sequence[Series], title: str, x_label: str, y_label: str) -> str:
    """Return clouds of points over a common axis; "" if there is nothing to draw."""
    drawn = [s for s in series if s.x]
    if not drawn:
        return ""
    x, y = _scales(drawn)
    parts = list(_frame(x, y, title, x_label, y_label))
    for s in drawn:
        dots = "".join(f'<circle cx="{x(a)}" cy="{y(b)}" r="2.5"/>' for a, b in zip(s.x, s.y, strict=True))
        parts.append(f'<g class="dots {s.css}"><title>{escape(s.name)}</title>{dots}</g>')
    return _figure(parts, drawn, title)


def _scales(series: Sequence[Series]) -> tuple[_Scale, _Scale]:
    xs = [v for s in series for v in s.x]
    ys = [v for s in series for v in (*s.y, *s.low, *s.high)]
    return (
        _Scale(*_widened(min(xs), max(xs)), _LEFT, WIDTH - _RIGHT),
        _Scale(*_widened(min(ys), max(ys)), HEIGHT - _BOTTOM, _TOP),
    )


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return a range of some width around the values."""
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round figures within a range."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4.0))
    step *= next(m for m in (1.0, 2.0, 5.0, 10.0) if (high - low) / (step * m) <= 6.0)
    first = math.ceil(low / step)
    return [round(k * step, 10) for k in range(first, math.floor(high / step) + 1)]


def _frame(x: _Scale, y: _Scale, title: str, x_label: str, y_label: str) -> Iterator[str]:
    yield f"<title>{escape(title)}</title>"
    for value in _ticks(x.low, x.high):
        yield f'<text class="tick" x="{x(value)}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{value:g}</text>'
    for value in _ticks(y.low, y.high):
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(value)}" y2="{y(value)}"/>'
        yield f'<text class="tick" x="{_LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{value:g}</text>'
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    centre = (_LEFT + WIDTH) / 2
    yield f'<text class="label" x="{centre}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
    yield (
        f'<text class="label" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )


def _points(pairs: Sequence[tuple[float, float]], x: _Scale, y: _Scale) -> str:
    return " ".join(f"{x(a)},{y(b)}" for a, b in pairs)


def _figure(parts: Sequence[str], series: Sequence[Series], title: str) -> str:
    keys = "".join(
        f'<li class="{s.css}"><span class="key{" dashed" * s.dashed}" aria-hidden="true"></span>{escape(s.name)}</li>'
        for s in series
    )
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    return f'<figure class="chart">{svg}<figcaption>{escape(title)}<ul class="legend">{keys}</ul></figcaption></figure>'


def means_by(groups: Mapping[float, Sequence[float]], name: str, least: int = 5) -> Series:
    """Return the mean of each group with at least ``least`` values, and a 95 % normal interval, ordered by key."""
    kept = sorted((key, values) for key, values in groups.items() if len(values) >= least)
    x, y, half = [], [], []
    for key, values in kept:
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((v - mean) ** 2 for v in values) / max(len(values) - 1, 1))
        x.append(key)
        y.append(mean)
        half.append(1.96 * spread / math.sqrt(len(values)))
    low, high = [a - h for a, h in zip(y, half, strict=True)], [a + h for a, h in zip(y, half, strict=True)]
    return Series(name, x, y, low, high)

"""A picture of the table of lateness: horizontal bars on a logarithmic scale."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

LEFT, WIDTH, ROW = 230, 520, 22
LEAST, MOST = 1.0, 100_000.0
"""Milliseconds at the ends of the scale."""
COLOURS = {"limit": "#98a2b3", "ours": "#175cd3", "django-q2": "#b54708", "celery": "#067647"}


def draw(table: str) -> str:
    """Return an SVG of the medians and the 99th percentiles in *table*, the Markdown of ``benchmarks.lateness``."""
    rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in table.splitlines()]
    rows = [row for row in rows if len(row) > 6 and row[2].isdigit()]
    height = ROW * len(rows) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 110} {height}" font-family="sans-serif"'
        ' font-size="12" role="img" aria-label="Lateness by system, median and 99th percentile">',
        f'<rect width="{LEFT + WIDTH + 110}" height="{height}" fill="#fff"/>',
    ]
    for power in range(6):
        x = _x(10.0**power)
        parts.append(f'<path d="M{x:.0f} 8V{height - 30}" stroke="#eaecf0"/>')
        label = f"{10**power} ms" if power < 3 else f"{10 ** (power - 3)} s"
        parts.append(f'<text x="{x:.0f}" y="{height - 12}" text-anchor="middle" fill="#475467">{label}</text>')
    for number, (due, system, _runs, middle, _p95, late, *_rest) in enumerate(rows):
        y, colour = 10 + ROW * number, COLOURS.get(system, "#475467")
        start, end = _x(float(middle)), _x(float(late))
        parts.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(due)}, {escape(system)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y + 2}" width="{start - LEFT:.0f}" height="12" fill="{colour}"/>')
        parts.append(f'<path d="M{start:.0f} {y + 8}H{end:.0f}M{end:.0f} {y + 3}v10" stroke="{colour}" fill="none"/>')
        parts.append(f'<text x="{end + 6:.0f}" y="{y + 12}" fill="#475467">{middle} / {late} ms</text>')
    return "\n".join([*parts, "</svg>\n"])


def _x(milliseconds: float) -> float:
    share = math.log(max(milliseconds, LEAST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + WIDTH * min(share, 1)

"""Plots of the report, as SVG: curves over the number of peers, and bars made of parts."""

import itertools
import math

COLOURS = ("#1b6ca8", "#d1495b", "#6b8f2a", "#8d5fb0", "#c98a1b", "#3a7d7c", "#777777")
WIDTH = 720


def page(height, title, body):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" font-family="sans-serif" font-size="12">',
                      '<rect width="100%" height="100%" fill="white"/>', f'<text x="20" y="24" font-size="14">{title}</text>', *body, "</svg>"]) + "\n"


def legend(names, top):
    """One line for each."""
    return [part for row, (name, colour) in enumerate(zip(names, itertools.cycle(COLOURS)))
            for part in (f'<rect x="60" y="{top + 18 * row - 9}" width="14" height="9" fill="{colour}"/>',
                         f'<text x="82" y="{top + 18 * row}">{name}</text>')]


def steps(lowest, highest):
    """1, 2, 5, 10, … between these."""
    return [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5) if lowest <= digit * 10.0**power <= highest]


def curves(title, unit, lines):
    """Name → [(peers, y)], both axes logarithmic; 1 is always among the heights."""
    left, top, height = 60, 60, 280
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points if y > 0]
    low, high = math.log10(min(xs)), math.log10(max(xs) * 1.0001)
    bottom, ceiling = min([0.8, *ys]), max([2.0, *ys]) * 1.1

    def at(x, y):
        part = (math.log10(max(y, bottom)) - math.log10(bottom)) / (math.log10(ceiling) - math.log10(bottom))
        return left + (math.log10(x) - low) / (high - low) * (WIDTH - left - 30), top + height * (1 - part)

    body = [f'<text x="20" y="{top - 14}">{unit}</text>', f'<text x="{WIDTH / 2:.0f}" y="{top + height + 36}">peers</text>']
    for y in steps(bottom, ceiling):
        _, line = at(min(xs), y)
        body += [f'<line x1="{left}" y1="{line:.1f}" x2="{WIDTH - 30}" y2="{line:.1f}" stroke="#ddd"/>',
                 f'<text x="{left - 6}" y="{line + 4:.1f}" text-anchor="end">{y:g}</text>']
    body += [f'<text x="{at(x, 1)[0]:.1f}" y="{top + height + 18}" text-anchor="middle">{x:,}</text>' for x in sorted(set(xs))]
    for points, colour in zip(lines.values(), itertools.cycle(COLOURS)):
        path = [at(*point) for point in points]
        body.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in path)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in path]
    first = top + height + 60
    return page(first + 18 * len(lines), title, body + legend(lines, first))


def bars(title, unit, parts, rows):
    """`rows`: (label, [a number for each of `parts`]), drawn one after the other in one bar."""
    left, top, step = 350, 56, 24
    most = max(sum(numbers) for _, numbers in rows) or 1
    body = [f'<text x="{left}" y="{top - 12}">{unit}</text>']
    for row, (label, numbers) in enumerate(rows):
        x, y = left, top + step * row
        body.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{label}</text>')
        for number, colour in zip(numbers, itertools.cycle(COLOURS)):
            width = number / most * (WIDTH - left - 80)
            body.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="16" fill="{colour}"/>')
            x += width
        body.append(f'<text x="{x + 5:.1f}" y="{y + 12}">{sum(numbers):,.3g}</text>')
    first = top + step * len(rows) + 24
    named = legend(parts, first) if len(parts) > 1 else []
    return page(first + 18 * len(named) / 2, title, body + named)

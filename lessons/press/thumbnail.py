"""A small still picture of an instrument for the start page: what its `picture` gives, as SVG in the page's colours."""

import html
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np

from widgets.kit.instrument import Instrument

WIDE, HIGH, GAP = 240, 144, 8
LEVELS = 4  # of strength on each side of zero
RADIUS = 3
BAR = 0.76  # of the room that a bar has


def thumbnail(figure: Instrument) -> str:
    """Return the picture of an instrument, whose sentence is what a screen reader says of it."""
    panels = figure.picture()
    room = (WIDE - GAP * (len(panels) + 1)) / len(panels)
    drawn = "".join(
        f'<svg x="{GAP + i * (room + GAP):g}" y="{GAP}" width="{room:g}" height="{HIGH - 2 * GAP}"'
        f"{_cells(panel) if isinstance(panel, np.ndarray) else _marks(panel, room, HIGH - 2 * GAP)}</svg>"
        for i, panel in enumerate(panels)
    )
    label = html.escape(figure.sentence())
    return f'<svg class="small" role="img" aria-label="{label}" viewBox="0 0 {WIDE} {HIGH}">{drawn}</svg>'


def _cells(values: np.ndarray) -> str:
    """Return a matrix, square cell by square cell: a path for each strength, neighbours of one strength joined."""
    rows, columns = values.shape
    steps = np.rint(values * (LEVELS / (np.abs(values).max() or 1))).astype(int)
    paths: dict[int, str] = {}
    for y, line in enumerate(steps):
        x = 0
        for step, run in groupby(line.tolist()):
            wide = len(list(run))
            paths[step] = paths.get(step, "") + f"M{x} {y}h{wide}v1h-{wide}z"
            x += wide
    filled = "".join(
        f'<path class="{"more" if step > 0 else "less"}" fill-opacity="{abs(step) / LEVELS:g}" d="{path}"/>'
        for step, path in sorted(paths.items())
        if step
    )
    return f' class="cells" viewBox="0 0 {columns} {rows}">{filled}'


def _marks(marks: dict[str, Any], wide: float, high: float) -> str:
    """Return curves, bars and dots on one scale; the name of each says its form and its colour."""
    points, low, span = places(marks)

    def on_paper(points: Any) -> np.ndarray:
        share = (np.asarray(points) - low) / span
        size = np.array([wide, high]) - 2 * RADIUS
        return np.column_stack([share[:, 0], 1 - share[:, 1]]) * size + RADIUS

    drawn = ""
    for name, each in points.items():
        if name.startswith("bars"):
            half = BAR / 2
            corners = ([(x - half, 0), (x - half, y), (x + half, y), (x + half, 0)] for x, y in each)
            path = "".join(f"{_path(on_paper(bar))}z" for bar in corners)
        elif name.startswith("dots"):
            path = "".join(
                f"M{x - RADIUS:.1f} {y:.1f}a{RADIUS} {RADIUS} 0 1 0 6 0a3 3 0 1 0-6 0z"
                for x, y in on_paper(each)
            )
        else:
            path = _path(on_paper(each))
        drawn += f'<path class="{name}" d="{path}"/>'
    return f">{drawn}"


def places(marks: dict[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the points (n, 2) of each kind of mark, and where their common scale begins and how wide it is."""
    points = {name: _points(values) for name, values in marks.items()}
    together = np.concatenate(list(points.values()))
    low, most = together.min(axis=0), together.max(axis=0)
    if any(
        name.startswith("bars") for name in points
    ):  # they stand on zero and need half their room on either side
        low, most = np.minimum(low - [0.5, 0], [np.inf, 0]), np.maximum(most + [0.5, 0], [-np.inf, 0])
    return points, low, np.where(most > low, most - low, 1)


def _points(values: Any) -> np.ndarray:
    """Return points (n, 2): numbers stand at 0, 1, 2, ..."""
    given = np.asarray(values, dtype=float)
    return np.column_stack([np.arange(len(given)), given]) if given.ndim == 1 else given


def _path(points: Iterable[Iterable[float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)

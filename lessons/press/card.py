"""The picture of a lesson that travels with a link to it: its title, its question, and what its first figure draws."""

import io
import re
import textwrap
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lessons.press.thumbnail import places
from widgets.kit.instrument import SITE

WIDE, HIGH = 1200, 630  # pixels, what networks show whole
EDGE, GAP = 60, 24
PICTURE = 300  # pixels of height
THEME = (SITE / "theme.css").read_text(encoding="utf-8").split("}")[0]  # not that of the projector
COLOURS = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6})", THEME))
SCALE = np.array([[int(COLOURS[f"scale-{i}"][at : at + 2], 16) for at in (1, 3, 5)] for i in (1, 2, 4, 5)])


def card(title: str, question: str, panels: list[Any]) -> bytes:
    """Return the picture as a PNG file."""
    image = Image.new("RGB", (WIDE, HIGH), COLOURS["paper"])
    draw = ImageDraw.Draw(image)
    draw.text((EDGE, EDGE - 20), "LoRA, live", COLOURS["soft"], ImageFont.load_default(30))
    draw.text((EDGE, EDGE + 24), title, COLOURS["ink"], ImageFont.load_default(60))
    lines = "\n".join(textwrap.wrap(re.sub("[¿¡]", "", question), 62))  # which Pillow's letters lack
    draw.multiline_text((EDGE, EDGE + 108), lines, COLOURS["soft"], ImageFont.load_default(34), spacing=10)
    room = (WIDE - 2 * EDGE - GAP * (len(panels) - 1)) // len(panels)
    for i, panel in enumerate(panels):
        corner = (EDGE + i * (room + GAP), HIGH - PICTURE - EDGE + 20)
        if isinstance(panel, np.ndarray):
            image.paste(_cells(panel, room), corner)
        else:
            _marks(draw, panel, corner, room)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _cells(values: np.ndarray, room: int) -> Image.Image:
    """Return a matrix in the colours of the figures: blue below zero, orange above."""
    share = values / (np.abs(values).max() or 1)
    paper = np.array([int(COLOURS["paper"][at : at + 2], 16) for at in (1, 3, 5)])
    stops = np.array([SCALE[0], SCALE[1], paper, SCALE[2], SCALE[3]])
    pixels = np.stack(
        [np.interp(share, [-1, -0.5, 0, 0.5, 1], stops[:, channel]) for channel in range(3)], -1
    )
    rows, columns = values.shape
    size = min(room / columns, PICTURE / rows)
    fit = (max(1, round(columns * size)), max(1, round(rows * size)))
    return Image.fromarray(pixels.astype(np.uint8)).resize(fit, Image.Resampling.NEAREST)


def _marks(draw: ImageDraw.ImageDraw, marks: dict[str, Any], corner: tuple[int, int], room: int) -> None:
    """Draw curves, bars and dots on one scale, as the thumbnails do."""
    points, low, span = places(marks)
    for name, each in points.items():
        colour = next((COLOURS[word] for word in name.split() if word in COLOURS), COLOURS["control"])
        share = (each - low) / span
        on_paper = np.column_stack([share[:, 0] * room, (1 - share[:, 1]) * PICTURE]) + corner
        if name.startswith("bars"):
            half = 0.38 * room / max(span[0], 1)
            foot = corner[1] + (1 - (0 - low[1]) / span[1]) * PICTURE
            for x, y in on_paper:
                draw.rectangle((x - half, min(y, foot), x + half, max(y, foot)), colour)
        elif name.startswith("dots"):
            for x, y in on_paper:
                draw.ellipse((x - 7, y - 7, x + 7, y + 7), colour)
        else:
            draw.line([(float(x), float(y)) for x, y in on_paper], colour, 5, "curve")

"""The same figure the usual way: a Panel slider, NumPy on the server, Bokeh figures in the browser.

`panel serve tests/bench/panel_round_trip.py`; measured by tests/bench/ticks.py.
"""

import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, LinearColorMapper, Span
from bokeh.palettes import RdBu11
from bokeh.plotting import figure

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from compute.spectrum import energy, relative_error
from compute.svd import SVD, balanced_factors, factorize, truncate
from compute.tasks import make_task
from widgets.rank import Rank

SIZE = 32
MAPS = ["delta_w", "copy", "residual", "lora_B", "lora_A"]


@lru_cache
def factored() -> SVD:
    """Return the matrix that the published figure opens on, factored once for all sessions."""
    return factorize(make_task("few-patterns", SIZE, 0))


def pictures(r: int) -> dict[str, np.ndarray]:
    """Return the five matrices at rank r; what a factor does not store is not a number."""
    svd = factored()
    delta_w, copy = truncate(svd, SIZE), truncate(svd, r)
    lora_B, lora_A = np.full((SIZE, SIZE), np.nan), np.full((SIZE, SIZE), np.nan)
    lora_B[:, :r], lora_A[:r] = balanced_factors(svd, r)
    return dict(zip(MAPS, [delta_w, copy, delta_w - copy, lora_B, lora_A], strict=True))


def heatmap(name: str, values: np.ndarray, top: float) -> tuple[figure, ColumnDataSource]:
    """Return one heatmap and its source."""
    source = ColumnDataSource({"image": [values]})
    plot = figure(
        title=name, width=190, height=200, toolbar_location=None, x_range=(0, SIZE), y_range=(SIZE, 0)
    )
    mapper = LinearColorMapper(palette=RdBu11, low=-top, high=top, nan_color="white")
    plot.image("image", x=0, y=0, dw=SIZE, dh=SIZE, color_mapper=mapper, source=source)
    plot.axis.visible = False
    return plot, source


def curve(title: str, values: np.ndarray) -> tuple[figure, Span]:
    """Return one curve over the rank and the line at the present rank."""
    plot = figure(title=title, width=330, height=230, toolbar_location=None)
    plot.line(np.arange(len(values)), values)
    now = Span(location=1, dimension="height")
    plot.add_layout(now)
    return plot, now


def page() -> pn.Column:
    """Return the figure of one session."""
    svd, shown = factored(), pictures(1)
    top = float(np.abs(shown["delta_w"]).max())
    factor_top = float(np.abs(pictures(SIZE)["lora_B"]).max())
    maps = {name: heatmap(name, shown[name], factor_top if "lora" in name else top) for name in MAPS}
    curves = [
        curve("Relative error", relative_error(svd.s)),
        curve("Energy kept", energy(svd.s)),
        curve("Singular values", svd.s),
    ]
    words = Rank(guess="skip")
    sentence = pn.pane.Markdown(words.sentence())
    slider = pn.widgets.IntSlider(name="Rank r", start=0, end=SIZE, value=1)

    def follow(event) -> None:
        r = event.new
        words.r = r
        with pn.io.hold():  # one message for all changes
            for name, values in pictures(r).items():
                if name != "delta_w":
                    maps[name][1].data = {"image": [values]}
            for _, now in curves:
                now.location = r
            sentence.object = words.sentence()

    slider.param.watch(follow, "value")
    return pn.Column(
        slider, sentence, pn.Row(*(plot for plot, _ in maps.values())), pn.Row(*(plot for plot, _ in curves))
    )


pn.extension()
page().servable()

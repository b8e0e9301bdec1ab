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

from compute.matrices.controls import noise_control
from compute.matrices.examples import make_task
from compute.matrices.spectrum import energy, relative_error
from compute.matrices.svd import SVD, balanced_factors, factorize
from helpers.matrices import truncated
from widgets.kit.text import fill
from widgets.rank import Rank, case
from widgets.rank.words import READOUT_VALUES

SIZE = 32
MAPS = ["delta_w", "copy", "residual", "lora_B", "lora_A"]


@lru_cache
def factored() -> SVD:
    """Return the matrix that the published figure opens on, factored once for all sessions."""
    return factorize(make_task("few-patterns", SIZE, 0))


def pictures(r: int) -> dict[str, np.ndarray]:
    """Return the five matrices at rank r; what a factor does not store is not a number."""
    svd = factored()
    delta_w, copy = truncated(svd, SIZE), truncated(svd, r)
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


def curve(title: str, values: np.ndarray, noise: np.ndarray) -> tuple[figure, Span]:
    """Return one curve over the rank with the band of noise behind it, and the line at the present rank."""
    plot = figure(title=title, width=330, height=230, toolbar_location=None)
    ranks = np.arange(len(values))
    plot.varea(ranks, noise[0], noise[2], fill_alpha=0.3, color="gray")
    plot.line(ranks, noise[1], color="gray")
    plot.line(ranks, values)
    now = Span(location=1, dimension="height")
    plot.add_layout(now)
    return plot, now


def said(words: Rank, r: int) -> dict[str, str]:
    """Return the four read-outs at rank r."""
    values = words.values(r)
    texts = {
        name: text if isinstance(text, str) else text[case(values)] for name, text in READOUT_VALUES.items()
    }
    return {name: fill(text, values) for name, text in texts.items()}


def page() -> pn.Column:
    """Return the figure of one session."""
    svd, shown = factored(), pictures(1)
    top = float(np.abs(shown["delta_w"]).max())
    factor_top = float(np.abs(pictures(SIZE)["lora_B"]).max())
    maps = {name: heatmap(name, shown[name], factor_top if "lora" in name else top) for name in MAPS}
    noise = noise_control(svd.shape)
    curves = [
        curve("Relative error", relative_error(svd.s), noise.error),
        curve("Energy kept", energy(svd.s), noise.energy),
        curve("Singular values", svd.s / np.linalg.norm(svd.s), noise.s),
    ]
    words = Rank(guess="skip")
    readouts = {name: pn.pane.Markdown(text) for name, text in said(words, 1).items()}
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
            for name, text in said(words, r).items():
                readouts[name].object = text

    slider.param.watch(follow, "value")
    return pn.Column(
        slider,
        sentence,
        pn.Row(*readouts.values()),
        pn.Row(*(plot for plot, _ in maps.values())),
        pn.Row(*(plot for plot, _ in curves)),
    )


pn.extension()
page().servable()

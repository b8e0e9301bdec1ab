"""The spectra instrument: the singular values of a change beside those of noise, and three ways to call it low."""

from typing import Any

import numpy as np
import param

from compute.matrices.spectrum import energy
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument
from widgets.kit.languages import say
from widgets.kit.text import fill, fill_code
from widgets.spectra.sources import LABELS, MADE_LAYER, source, spectra
from widgets.spectra.words import ENCLOSED, PRINT_R90, SENTENCES, WORDS

LEVEL = 0.9  # share of the energy that r90 is about


class Spectra(Instrument):
    """Show the singular values of a change beside those of noise, and how few directions hold its energy.

    Left the singular values over their norm, linear or log; right the share of energy in the first directions. Grey
    are the controls: draws of noise, the Marchenko-Pastur law, and, as a solid line, training on random targets. Below
    r90 of every layer. Left out: how large the change is, and what it does.
    """

    source = one_of(
        LABELS,
        default="few-3",
        label="Change",
        doc="Where the matrix comes from: made up, learned, a real adapter, or noise.",
    )
    layer = param.String(
        default=MADE_LAYER,
        regex=r"^[\w.]{1,80}$",
        label="Layer",
        doc="the name of a layer that the source has",
    )
    scale = one_of(
        {"linear": "linear", "log": "log"}, default="linear", label="Axis", doc="Of the singular values."
    )
    guess = guess_number(2)

    keyed_by = ("source",)
    parts = ("source", "guess", "values", "energy", "layers", "table", "code", "share")
    says = ("label",)
    sheets = ("spectra/spectra",)
    pictured = ({"bars kept": 1, "curve control": 4}, {"curve kept": 2})

    def enclosed(self) -> list[str]:
        """Return the sources of few layers; one with all layers of the model is as large as all of these."""
        small = [key for key in LABELS if len(spectra(key)["layers"]) < 18]
        return [key for key in small if key != self.source]

    def enclosed_words(self) -> str:
        """Say which sources the single file carries."""
        return fill(ENCLOSED, {"sources": ", ".join([self.source, *self.enclosed()])})

    def make_arrays(self) -> dict[str, Any]:
        """Return the spectra of every layer of the source, and the noise beside each shape."""
        found = source(self.source)
        return {
            "key": self.source,
            "label": LABELS[self.source],
            "note": found.note,
            "first": found.first,
            "level": LEVEL,
            "snippet": found.code + PRINT_R90,
            **spectra(self.source),
        }

    def _layer(self) -> dict[str, Any]:
        """Return the layer that is shown: the chosen one, or the first where this source has none of that name."""
        layers = {layer["name"]: layer for layer in spectra(self.source)["layers"]}
        return layers.get(self.layer, layers[source(self.source).first])

    def _noise(self) -> dict[str, Any]:
        return spectra(self.source)["noise"]["x".join(map(str, self._layer()["shape"]))]

    def values(self, i: int) -> dict[str, Any]:
        """Return every number that a sentence about the first i directions may use; lib/spectrum.js makes the same."""
        layer, noise, label = self._layer(), self._noise(), say(LABELS[self.source])
        s = np.array(layer["s"])
        last = max(0, i - 1)
        return {
            "label": label if layer["name"] == MADE_LAYER else f"{label}, {layer['name']}",
            "k": len(s),
            "level": LEVEL,
            **{name: layer[name] for name in ("r90", "stable", "entropy")},
            "noise_name": noise["name"],
            **{f"noise_{name}": noise["ranks"][name] for name in ("r90", "stable", "entropy")},
            "i": i,
            "s": s[last] / np.linalg.norm(s),
            "energy": energy(s)[i],
            "noise_low": noise["s"][0][last],
            "noise_s": noise["s"][1][last],
            "noise_high": noise["s"][2][last],
            "noise_energy": noise["energy"][1][i],
            **({"law": noise["law"]["s"][last]} if noise["law"] else {}),
            **_targets(layer["targets"], i),
        }

    def case(self) -> str:
        """Say which sentence fits: the guess is open, or where r90 lies beside random targets, or beside noise."""
        if self.asks():
            return "ask"
        if found := self._layer()["targets"]:
            return beside(found)
        ranks = self._noise()["ranks"]
        return "below" if self._layer()["r90"] < ranks["low"] else "like"

    def sentence(self) -> str:
        """Say in one sentence what the picture shows now."""
        return fill(SENTENCES[self.case()], self.values(0))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the numbers behind the curves."""
        law = WORDS["tableLaw"] if self._noise()["law"] else WORDS["tableLawless"]
        targets = WORDS["tableTargets" if self._layer()["targets"] else "tableTargetless"]
        rows = [
            [fill(cell, self.values(i)) for cell in (*WORDS["tableRow"], law, *targets)]
            for i in range(1, len(self._layer()["s"]) + 1)
        ]
        return self.words["tableHead"], rows

    def snippet(self) -> str:
        """Return NumPy code that prints r90."""
        return fill_code(source(self.source).code + PRINT_R90, {"layer": self._layer()["name"]})


def beside(targets: dict[str, Any]) -> str:
    """Say whether a task takes fewer directions than random targets, over all seeds of both, or more, or neither."""
    if targets["own_high"] < targets["low"]:
        return "fewer"
    return "more" if targets["own_low"] > targets["high"] else "even"


def _targets(targets: dict[str, Any] | None, i: int) -> dict[str, Any]:
    """Return the numbers of the second control, if there is one."""
    if targets is None:
        return {}
    named = {"r90": "targets_r90", "low": "targets_low", "high": "targets_high"}
    return {
        **{named.get(name, name): value for name, value in targets.items() if name != "s"},
        "targets_s": targets["s"][max(0, i - 1)],
        "targets_energy": energy(np.array(targets["s"]))[i],
    }

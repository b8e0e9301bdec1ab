"""The inspector: what is in an adapter that a reader brings, read in her browser, and what could be spared of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any

import numpy as np
import param

from compute.adapters.formats.llama_cpp import ARCHITECTURES, TIED
from compute.adapters.formats.llama_cpp import NAMES as GGUF_NAMES
from compute.adapters.formats.page import STYLE
from compute.adapters.formats.writing import WORDS as WITH_UNDERSCORE
from compute.adapters.scaling import scaling_of
from compute.costs.sizes import stored_numbers
from compute.experiments.derived import load_derived
from compute.experiments.spectra import LORA, R, load_spectra
from compute.matrices.controls import noise_product_band
from compute.matrices.spectrum import entropy_rank, r90, stable_rank
from widgets.inspector.words import NOTES, SNIPPETS, WORDS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import kept, say
from widgets.kit.layers import shape_of
from widgets.kit.text import fill, fill_code

OWN = "mirror-voice"  # an adapter of ours: the task that it learned
DIGITS = 4  # of a singular value
FIRST = "first"  # the layer that is shown where an address names none
Shape = tuple[int, int]


@dataclass(frozen=True)
class Example:
    """Hold what is known of an adapter: its config, and of each layer shape and singular values, scale included.

    Two that differ in the config alone are one `adapter`, whose values are shipped once.
    """

    adapter: str
    label: str
    note: str
    code: str
    config: dict[str, Any]
    layers: dict[str, tuple[Shape, list[float]]]

    @property
    def r(self) -> int:
        """Return the rank that is paid for in each layer."""
        return self.config["r"]

    @property
    def scale(self) -> float:
        """Return what PEFT multiplies by."""
        rule = "alpha/sqrt(r)" if self.config["use_rslora"] else "alpha/r"
        return scaling_of(rule, self.config["lora_alpha"], self.r)

    @property
    def numbers(self) -> int:
        """Return how many numbers all factors have."""
        return sum(stored_numbers(shape, self.r) for shape, _ in self.layers.values())


class Inspector(Instrument):
    """Open an adapter in the browser: its layers, their spectra, the scale that each program applies, what can be cut.

    Each cell is a layer, the deeper the larger what is measured in it; bars are the singular values of the layer that
    is chosen over their norm, grey what products of random factors of its shape and rank do. Left out: what a
    change does and, until the reader brings its base, all of a DoRA but the factors.
    """

    example = one_of(
        {
            "own": "ours: mirror voice",
            "rooted": "the same, alpha over the root of r",
            "imdb": "IMDB reviews, DistilBERT",
            "gpt2": "GPT-2",
        },
        default="own",
        label="Example",
        doc="An adapter of which the page has the spectra, until the reader opens her own.",
    )
    measure = one_of(
        {
            "r90": "r90: directions that hold 90 % of the energy",
            "share": "r90 over the rank paid",
            "stable": "stable_rank",
            "entropy": "entropy_rank",
            "norm": "norm of delta_w",
        },
        default="r90",
        label="Cells",
        doc="What the cells show of each layer.",
    )
    layer = param.String(
        default=FIRST, regex=r"^[\w.\[\]-]{1,200}$", label="Layer", doc="the name of a layer of the adapter"
    )
    cut = one_of(
        {
            "all": "every direction, only converted",
            "rank": "the same rank in each layer",
            "energy": "as much energy in each layer, in %",
            "error": "at most this relative error in each layer, in %",
            "budget": "so many of the numbers in all, in %, where they hold most",
        },
        default="all",
        label="Keep",
        doc="By what rule directions are kept.",
    )
    amount = param.Integer(
        default=90,
        bounds=(1, 100),
        label="How much",
        doc="The rank, or a percentage: what the rule is about.",
    )

    parts = (
        "open",
        "cells",
        "spectrum",
        "scales",
        "doctor",
        "compare",
        "base",
        "merge",
        "cut",
        "table",
        "code",
        "share",
    )
    says = ("label", "note")
    sheets = ("inspector/inspector",)
    pictured = ({"bars kept": 3, "curve control": 4},)

    def make_arrays(self) -> dict[str, Any]:
        """Return the examples, and the noise beside each shape and rank of theirs."""
        return {
            "examples": {
                key: {
                    "label": each.label,
                    "note": each.note,
                    "config": each.config,
                    "adapter": each.adapter,
                }
                for key, each in examples().items()
            },
            "adapters": {each.adapter: _shipped(each) for each in examples().values()},
            "noise": {
                f"{out}x{into}x{r}": _noise((out, into), r)
                for each in examples().values()
                for (out, into), _ in each.layers.values()
                for r in [each.r]
            },
            "own": SNIPPETS["own"],
            "pair": SNIPPETS["pair"],
            "style": STYLE,
            "words": WITH_UNDERSCORE,
            "llama": {"models": ARCHITECTURES, "names": GGUF_NAMES, "tied": TIED},
        }

    def _shown(self) -> Example:
        return examples()[self.example]

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; inspector.js makes the same."""
        example = self._shown()
        found = [r90(np.array(s)) for _, s in example.layers.values()]
        return {
            "label": example.label,
            "format": "PEFT LoRA",
            "layers": len(example.layers),
            "numbers": example.numbers,
            "rank": str(example.r),
            "used": fmean(found),
            "spread": f"{min(found)}–{max(found)}" if min(found) < max(found) else str(min(found)),
            "scale": f"{example.scale:g}",
        }

    def sentence(self) -> str:
        """Say in a few words what is in the adapter."""
        return fill(WORDS["sentences"]["example"], self.values())

    def rows(self) -> Iterable[Values]:
        """Return what is measured in each layer."""
        for name, (shape, s) in self._shown().layers.items():
            values = np.array(s)
            noise = _noise(shape, self._shown().r)
            yield {
                "name": name,
                "shape": f"{shape[0]} × {shape[1]}",
                "rank": self._shown().r,
                "r90": r90(values),
                "noise_r90": noise["r90"],
                "stable": stable_rank(values),
                "entropy": entropy_rank(values),
                "norm": f"{np.linalg.norm(values):.4g}",
                "scale": f"{self._shown().scale:g}",
            }

    def snippet(self) -> str:
        """Return code that prints r90 of each layer, or what a command does with a file of the reader's own."""
        return self._shown().code


@kept()
def examples() -> dict[str, Example]:
    """Return the adapters of which the page has the spectra."""
    recorded = load_spectra()
    own = recorded.of(OWN, LORA)  # delta_w, scale included
    layers = {layer: (shape_of(layer), s) for layer, s in own.s.items()}
    code = fill_code(SNIPPETS["learned"], {"task": OWN, "way": LORA})
    note = fill(NOTES["own"], {"recorded": recorded.recorded})
    plain, rooted = _config(R, 2 * R), _config(R, 2 * round(math.sqrt(R)), use_rslora=True)
    found = {
        "own": Example("own", say("ours: mirror voice"), note, code, plain, layers),
        "rooted": Example(
            "own", say("ours, alpha over the root of r"), NOTES["rooted"], code, rooted, layers
        ),
    }
    for key, name, label in (
        ("imdb", "lora-imdb-distilbert", say("IMDB reviews, DistilBERT")),
        ("gpt2", "peft-gpt2", "GPT-2"),
    ):
        each = load_derived()[name]
        scale = each.lora_alpha / each.r
        found[key] = Example(
            key,
            label,
            fill(NOTES["real"], {"base": each.base_model, "repository": each.repository}),
            fill_code(SNIPPETS["derived"], {"name": name}),
            _config(each.r, int(each.lora_alpha)),
            {
                layer: (kept.shape, [float(f"{scale * value:.{DIGITS}g}") for value in kept.s])
                for layer, kept in each.layers.items()
            },
        )
    return found


def _config(r: int, alpha: int, use_rslora: bool = False) -> dict[str, Any]:
    """Return what decides on the scale in adapter_config.json."""
    return {"peft_type": "LORA", "r": r, "lora_alpha": alpha, "use_rslora": use_rslora, "target_modules": []}


def _shipped(example: Example) -> dict[str, Any]:
    return {
        "snippet": example.code,
        "layers": [{"name": name, "shape": shape, "s": s} for name, (shape, s) in example.layers.items()],
    }


@cache
def _noise(shape: Shape, r: int) -> dict[str, Any]:
    """Return the band of products of random factors: its three curves, and r90 of the middle one."""
    band = noise_product_band(shape, r).s
    return {"s": [[float(f"{value:.{DIGITS}g}") for value in row] for row in band], "r90": r90(band[1])}

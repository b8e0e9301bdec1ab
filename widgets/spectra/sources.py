"""Spectra to look at, by their source: made up, learned in full or by LoRA, derived from real adapters, noise."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from compute.experiments.derived import load_derived
from compute.experiments.spectra import FULL, LORA, RANDOM, SEEDS, TASKS, R, load_spectra, ways
from compute.matrices.controls import Band, marchenko_pastur_band, noise_control, noise_product_band
from compute.matrices.examples import FALL, few_directions, iid_noise
from compute.matrices.spectrum import TIE, entropy_rank, r90, stable_rank
from compute.matrices.svd import factorize
from widgets.kit.languages import kept, say
from widgets.kit.layers import shape_of
from widgets.kit.text import fill, fill_code

SIZE, SEED = 64, 0  # of the matrices that are made up: as wide as the model that learned the others
KS = (2, 3, 4, 8)
MADE_LAYER = "matrix"  # what stands in an address where there is one matrix only
ROUNDING = 1e-12  # of the largest singular value: what is below is no direction
DECIMALS = 5  # of a singular value over the norm
_TASKS_SAID = {
    "mirror-voice": "mirror voice",
    "formal-voice": "formal voice",
    "who-had-it-first": "who had it first",
    "new-facts-512": "512 new facts",
    "new-facts-2048": "2,048 new facts",
}
LORA_OF = {f"lora-{task}": task for task in TASKS if LORA in ways(task)}


class Source(NamedTuple):
    """Where spectra come from: a note, the code that loads one, and the layer that is shown first."""

    note: str
    code: str
    first: str
    layers: Callable[
        [], Mapping[str, tuple[tuple[int, int], list[float]]]
    ]  # shape and s by the name of the layer
    r: int | None = None  # of an adapter
    task: str | None = None  # of full finetuning that was also done on random targets


MADE_NOTE = (
    "Made up: {k} directions, each {fall} times as strong as the one before, and nothing else. It was built to "
    "have low rank, and shows how that looks."
)
LEARNED_NOTE = (
    "Measured: what full finetuning added to each matrix of the model that reads the world. Nobody told it to be low "
    "in rank. The solid grey line: the same steps at the same rate, with every word or answer to be learned drawn by "
    "lot. Recorded {recorded}."
)
LORA_NOTE = (
    "Measured: what LoRA added. Its r = {r} allows {r} directions and no more. The control is a product of two random "
    "factors of the same shapes. Recorded {recorded}."
)
REAL_NOTE = (
    "Measured: an adapter that somebody else trained on {base} ({repository}). Its r = {r} allows {r} directions and "
    "no more. The control is a product of two random factors of the same shapes."
)
NOISE_NOTE = "One matrix of independent Gaussian numbers: the control, chosen as the matrix."

LOAD_MADE = """import numpy as np

rng = np.random.default_rng({seed})
u, _ = np.linalg.qr(rng.standard_normal(({n}, {k})))
v, _ = np.linalg.qr(rng.standard_normal(({n}, {k})))
delta_w = (u * {fall} ** np.arange({k})) @ v.T
s = np.linalg.svd(delta_w, compute_uv=False)
"""
LOAD_NOISE = """import numpy as np

delta_w = np.random.default_rng({seed}).standard_normal(({n}, {n}))
s = np.linalg.svd(delta_w, compute_uv=False)
"""
LOAD_LEARNED = """# Run it in the folder of this project.
import numpy as np
from compute.experiments.spectra import load_spectra

s = np.array(load_spectra().of("{task}", "{way}").s["{layer}"])
"""
LOAD_REAL = """# Run it in the folder of this project.
import json

import numpy as np

with open("assets/recorded/adapters.json", encoding="utf-8") as file:
    s = np.array(json.load(file)["{name}"]["layers"]["{layer}"]["s"])
"""


def _made(matrix: np.ndarray) -> dict[str, tuple[tuple[int, int], list[float]]]:
    s = factorize(matrix).s
    return {MADE_LAYER: ((SIZE, SIZE), np.where(s > ROUNDING * s[0], s, 0.0).round(6).tolist())}


def _few(k: int) -> Source:
    values = {"k": k, "fall": FALL, "n": SIZE, "seed": SEED}
    return Source(
        fill(MADE_NOTE, values),
        fill_code(LOAD_MADE, values),
        MADE_LAYER,
        lambda: _made(few_directions(SIZE, k, SEED)),
    )


def _learned(task: str, way: str) -> Source:
    about = {"recorded": load_spectra().recorded, "r": R}
    found = load_spectra().of(task, way).s
    return Source(
        fill(LORA_NOTE if way == LORA else LEARNED_NOTE, about),
        fill_code(LOAD_LEARNED, {"task": task, "way": way}),
        "blocks.1.attention.v_proj",
        lambda: {layer: (shape_of(layer), s) for layer, s in found.items()},
        R if way == LORA else None,
        None if way == LORA else task,
    )


def _real(name: str) -> Source:
    adapter = load_derived()[name]
    about = {"base": adapter.base_model, "repository": adapter.repository, "r": adapter.r}
    return Source(
        fill(REAL_NOTE, about),
        fill_code(LOAD_REAL, {"name": name}),
        next(iter(adapter.layers)),
        lambda: {layer: (kept.shape, kept.s) for layer, kept in adapter.layers.items()},
        adapter.r,
    )


def _noise() -> Source:
    code = fill_code(LOAD_NOISE, {"n": SIZE, "seed": SEED})
    return Source(say(NOISE_NOTE), code, MADE_LAYER, lambda: _made(iid_noise(SIZE, SEED)))


SOURCES: dict[str, tuple[str, Callable[[], Source]]] = {
    **{f"few-{k}": (f"Made up: {k} directions", partial(_few, k)) for k in KS},
    **{task: (f"Learned: {label}", partial(_learned, task, FULL)) for task, label in _TASKS_SAID.items()},
    **{
        key: (f"LoRA, r = {R}: {_TASKS_SAID[task]}", partial(_learned, task, LORA))
        for key, task in LORA_OF.items()
    },
    "lora-imdb-distilbert": (
        "Real adapter: IMDB reviews, DistilBERT",
        partial(_real, "lora-imdb-distilbert"),
    ),
    "peft-gpt2": ("Real adapter: GPT-2", partial(_real, "peft-gpt2")),
    "noise": ("Noise: one draw", _noise),
}
LABELS = {key: label for key, (label, _) in SOURCES.items()}


@kept()
def source(key: str) -> Source:
    """Return a source by its key."""
    return SOURCES[key][1]()


class Control(NamedTuple):
    """What noise does in the place of a matrix: its name, its band, and the law where there is one for it."""

    name: str
    band: Band
    law: Band | None


def control(shape: tuple[int, int], r: int | None) -> Control:
    """Return the noise for a matrix of a shape, or for an adapter of rank r."""
    if r is not None:
        return Control(say("the product of two random factors"), noise_product_band(shape, r), None)
    return Control(say("noise of this shape"), noise_control(shape), marchenko_pastur_band(shape))


def measures(s: np.ndarray) -> dict[str, float]:
    """Return the three effective ranks of a spectrum."""
    return {"r90": r90(s), "stable": stable_rank(s), "entropy": entropy_rank(s)}


def noise_measures(band: Band) -> dict[str, float]:
    """Return the same of noise, from its median curve, and between which values the r90 of nine draws in ten lies."""
    low, high = (int(np.argmax(band.energy[i] >= 0.9 - TIE)) for i in (2, 0))
    return measures(band.s[1]) | {"low": low, "high": high}


@kept()
def spectra(key: str) -> dict[str, Any]:
    """Return the spectra of a source, ready for JSON: its layers, and the noise beside each shape."""
    found = source(key)
    matrices = found.layers()
    layers = [
        {
            "name": name,
            "shape": list(shape),
            "s": s,
            **measures(np.array(s)),
            "targets": targets(found.task, name),
        }
        for name, (shape, s) in matrices.items()
    ]
    shapes = sorted({shape for shape, _ in matrices.values()})
    noise = {f"{out}x{into}": _shipped(control((out, into), found.r)) for out, into in shapes}
    return {"layers": layers, "noise": noise}


def targets(task: str | None, layer: str) -> dict[str, Any] | None:
    """Return the second control of a layer: the same training on random targets, and r90 of both over the seeds."""
    if task is None:
        return None
    own, drawn = (load_spectra().of(task, way) for way in (FULL, RANDOM))
    s = np.array(drawn.s[layer])
    return {
        "s": (s / np.linalg.norm(s)).round(DECIMALS).tolist(),
        "r90": drawn.r90[layer][0],
        "low": min(drawn.r90[layer]),
        "high": max(drawn.r90[layer]),
        "own_low": min(own.r90[layer]),
        "own_high": max(own.r90[layer]),
        "seeds": len(SEEDS),
    }


def _shipped(noise: Control) -> dict[str, Any]:
    def rows(band: Band, what: str) -> list[list[float]]:
        return [[float(f"{value:.4g}") for value in row] for row in getattr(band, what)]

    return {
        "name": noise.name,
        "s": rows(noise.band, "s"),
        "energy": rows(noise.band, "energy"),
        "law": noise.law and {"s": rows(noise.law, "s")[1], "energy": rows(noise.law, "energy")[1]},
        "ranks": noise_measures(noise.band),
    }

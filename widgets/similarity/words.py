"""What the similarity instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.paper import LARGE, PAIRS, SMALL
from widgets.kit.paper import TRAIN

TITLE = "The same directions?"
CAPTION = (
    "The first directions that lora_A reads in two runs, strongest first: how much of those of one run lies within as "
    "many of the other, as the mean squared cosine of the angles between them. One means the same subspace, zero "
    "means at right angles; grey is chance. Full finetuning has no lora_A, so the directions that its delta_w reads "
    "are taken instead. Each run is at its own best learning rate; two seeds start from other random factors and read "
    "the texts in another order. Left out: unequal numbers of directions; the paper takes every pair of numbers."
)
PUBLISHED = "both tasks"

_PAIR_LABELS = dict(
    zip(
        PAIRS,
        (
            f"r = {SMALL} and r = {LARGE}",
            f"r = {SMALL}, two seeds",
            f"r = {LARGE}, two seeds",
            f"r = {SMALL} and full finetuning",
        ),
        strict=True,
    )
)
ALL = "all layers, on average"

SENTENCE = (
    "In {layer_label}, after {task_label}, the first {i} of the directions at r = {r} and at r = {more} have a "
    "similarity of {ranks:.2f}, those of two seeds {seeds_small:.2f} at r = {r} and {seeds_large:.2f} at r = {more}, "
    "those at r = {r} and of full finetuning {full:.2f}. Chance gives {chance:.2f}."
)
WORDS: dict[str, Any] = {
    "sentence": SENTENCE,
    "sliderLabel": "Directions",
    "shown": "{i}",
    "pairs": _PAIR_LABELS,
    "chance": "chance",
    "chart": {
        "title": "Similarity of the first directions of two runs",
        "x": "directions of each",
        "probe": "{i}: ranks {ranks:.2f}, seeds {seeds_small:.2f} and {seeds_large:.2f}, full finetuning {full:.2f}; "
        "chance {chance:.2f}",
    },
    "tableHead": ["directions", *_PAIR_LABELS.values(), "chance"],
    "tableRow": [
        "{i}",
        "{ranks:.3f}",
        "{seeds_small:.3f}",
        "{seeds_large:.3f}",
        "{full:.3f}",
        "{chance:.3f}",
    ],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = (
    TRAIN
    + """from compute.adapters.layer import lora_layers
from compute.matrices.similarity import subspace_similarity
from compute.matrices.svd import factorize

base, rows = load_base(), []
for r, rate in (({r}, {rate}), ({more}, {more_rate})):
    config = config_of("{task_name}", r, rate=rate, seed=0)
    model = prepare(config, base)
    for _ in updates(model, config):
        pass
    rows.append([factorize(layer.lora_A.detach().double().numpy()).Vh for _, layer in lora_layers(model)])
found = [subspace_similarity(one, other, {i}, {i}) for one, other in zip(*rows)]
print(f"on average over the layers: {sum(found) / len(found):.2f}")
"""
)

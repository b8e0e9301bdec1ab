"""What the subspace instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.subspace import SEEDS, SUBSPACE_TASKS
from compute.matrices.controls import DRAWS
from widgets.kit.text import slug

TITLE = "Intrinsic dimension is not rank"
CAPTION = (
    "Every weight of the model, embeddings included, was dealt one of D numbers and a sign, by lot; only these "
    "numbers learn. Left: the loss they reach, on an axis that does not start at zero. The line is one subspace, "
    f"the band the range over {len(SEEDS)}. Middle: how many directions hold nine tenths of the energy of one "
    "layer's change. Right: the singular values of that change, filled as far as r90 goes, over the band of "
    f"{DRAWS} draws of noise; dashed, those of full finetuning. Left out: other learning rates. One rate serves "
    "every D, and at small D it may be too large."
)
PUBLISHED = ", ".join(map(slug, SUBSPACE_TASKS))

SENTENCE = (
    "With {D:,d} numbers in place of {weights:,d}, the model reaches {loss:.3f} nats per token on “{label}”; the base "
    "has {before:.3f}, full finetuning {floor:.3f}. Yet the change of {layer} has rank {rank} of {k}, and {r90} "
    "directions hold {level:.0%} of its energy. Noise needs {noise_r90}, full finetuning's change {full_r90}."
)
WORDS: dict[str, Any] = {
    "sentence": SENTENCE,
    "sliderLabel": "Numbers D",
    "shown": "{D:,d}",
    "readouts": {
        "numbers": "Numbers trained",
        "loss": "Loss, unseen sentences",
        "rank": "Rank of the change",
        "r90": "r90 of the change",
    },
    "readoutValues": {
        "numbers": "{D:,d}",
        "loss": "{loss:.3f} nats",
        "rank": "{rank} of {k}",
        "r90": "{r90} of {k}",
    },
    "readoutControls": {
        "numbers": "of {weights:,d}",
        "loss": "full finetuning {floor:.3f}",
        "rank": "noise {k}",
        "r90": "noise {noise_r90}, full {full_r90}",
    },
    "charts": {
        "loss": {
            "title": "Loss on unseen sentences against D (nats)",
            "x": "numbers trained, D",
            "probe": "D = {D:,d}: {loss:.3f} nats, {loss_low:.3f} to {loss_high:.3f} over subspaces",
        },
        "r90": {
            "title": "r90 of the change against D",
            "x": "numbers trained, D",
            "probe": "D = {D:,d}: {r90} of {k} directions; noise {noise_r90}, full finetuning {full_r90}",
        },
        "s": {
            "title": "Singular values, over their norm",
            "x": "direction",
            "probe": "direction {i}: {s:.3f} of the norm; noise {noise_s:.3f}, full finetuning {full_s:.3f}",
        },
    },
    "curve": "D numbers",
    "base": "base",
    "full": "full finetuning",
    "noise": "noise",
    "tableHead": ["D", "loss (nats)", "lowest", "highest", "rank", "r90"],
    "tableRow": ["{D:,d}", "{loss:.3f}", "{loss_low:.3f}", "{loss_high:.3f}", "{rank}", "{r90}"],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project; it trains for about ten seconds.
import torch

from compute.model.checkpoint import load_base
from compute.training.config import TrainConfig
from compute.training.subspace import train_in_subspace
from compute.training.loop import evaluate, learned

base = load_base()
config = TrainConfig(task="{task}", method="full", learning_rate={rate})
model = train_in_subspace(config, D={D}, seed={seed}, base=base)
print(f"loss on unseen sentences: {evaluate(model, config.task).validation_loss:.3f} nats per token")
print(f"rank of the change: {torch.linalg.matrix_rank(learned(model, base)['{layer}'])}")
"""

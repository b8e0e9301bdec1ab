"""What the subspace instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.subspace import SEEDS, TASKS, VOICE
from compute.matrices.controls import DRAWS
from compute.world.tasks import FACTS

TITLE = "Intrinsic dimension is not rank"
LABELS = {
    name: f"{of.n_texts} new facts" if of.task == FACTS else f"{VOICE.capitalize()}"
    for name, of in TASKS.items()
}
MEASURES = {FACTS: "of the answers", VOICE: "of the sentences"}  # that are right
CAPTION = (
    "Every weight of the model, embeddings included, was assigned one of D numbers and a sign at random. Only these "
    "numbers learn, each D at its own best learning rate. First chart: how much is right; for a voice, how many of "
    "the sentences that the model writes are in it and make sense where they stand. The line is the mean over "
    f"{len(SEEDS)} subspaces, the band their range; grey, the other tasks. Second: how many directions hold nine "
    "tenths of the energy of one layer's change, in one subspace. Third: the singular values of that change, filled "
    f"as far as r90 goes, over the band of {DRAWS} draws of noise; dashed, those of full finetuning. Left out: other "
    "kinds of subspaces."
)
PUBLISHED = ", ".join(TASKS)

SENTENCE = (
    "With {D:,d} numbers in place of {weights:,d}, {right:.1%} {measure} are right after “{label}”, on average over "
    "{seeds} subspaces; the base has {before:.1%}, full finetuning {floor:.1%}. The change of {layer} has rank {rank} "
    "of {k}, and {r90} directions hold {level:.0%} of its energy. Noise needs {noise_r90}, full finetuning's change "
    "{full_r90}."
)
WORDS: dict[str, Any] = {
    "sentence": SENTENCE,
    "sliderLabel": "Numbers D",
    "shown": "{D:,d}",
    "readouts": {
        "numbers": "Numbers trained",
        "right": "Right",
        "rank": "Rank of the change",
        "r90": "r90 of the change",
    },
    "readoutValues": {
        "numbers": "{D:,d}",
        "right": "{right:.1%}",
        "rank": "{rank} of {k}",
        "r90": "{r90} of {k}",
    },
    "readoutControls": {
        "numbers": "of {weights:,d}",
        "right": "full finetuning {floor:.1%}",
        "rank": "noise {k}",
        "r90": "noise {noise_r90}, full {full_r90}",
    },
    "charts": {
        "right": {
            "title": "Share that is right, against D",
            "x": "numbers trained, D",
            "probe": (
                "D = {D:,d}: {right:.1%}, {right_low:.1%} to {right_high:.1%} over subspaces; loss {loss:.3f} nats"
            ),
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
    "tableHead": ["D", "learning rate", "right", "lowest", "highest", "loss (nats)", "rank", "r90"],
    "tableRow": [
        "{D:,d}",
        "{rate}",
        "{right:.1%}",
        "{right_low:.1%}",
        "{right_high:.1%}",
        "{loss:.3f}",
        "{rank}",
        "{r90}",
    ],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project; it trains for about five seconds.
import torch

from compute.experiments.subspace import Asked, config_of
from compute.model.checkpoint import load_base
from compute.training.loop import learned
from compute.training.subspace import train_in_subspace
from compute.world.batches import texts_of

base = load_base()
config = config_of(Asked("{task}", {D}, {rate}, {seed}))
model = train_in_subspace(config, D={D}, seed={seed}, base=base)
texts = texts_of(config.task, "test", {texts}, base.config.block_size)
with torch.no_grad():
    print(f"loss: {model.loss(*texts):.3f} nats per word that is learned")
print(f"rank of the change: {torch.linalg.matrix_rank(learned(model, base)['{layer}'])}")
"""

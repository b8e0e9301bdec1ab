"""The text of the mixer: labels, templates of its sentences, and the code that prints its numbers."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS

VOICE_LABELS = {"legal": "Legal", "medical": "Medical", "code": "Code"}
NONE = "none"
METHOD_LABELS = {
    "products": "Sum of the products",
    "factors": "Sum of the factors",
    "concatenation": "Concatenation",
    "svd": "SVD back to rank r",
}
METHODS_SAID = {
    "products": "by the sum of the products",
    "factors": "by the sum of the factors",
    "concatenation": "by concatenation",
    "svd": "by the SVD of the sum",
}

TITLE = "Mix two adapters"
CAPTION = (
    "Bars: share of each voice among sentences that the mixed model wrote; a grammar of each voice says exactly "
    "whose a sentence is. The line on a bar is the 95 % interval. Marks below a bar: the base, and each adapter "
    "alone at full weight. The same throws of the dice for every setting. Interference: loss in the mix minus loss "
    "with the voice's own adapter alone at full weight. Left out: the two voices that no model here wrote (dialect "
    "and new language), weights between the settings, and the chance in training the adapters."
)
PUBLISHED = "all mixes that were measured"
ENCLOSED = "the mixes of {primary} and {second}; the lesson has the others"

WORDS: dict[str, Any] = {
    "sentence": {
        "pair": (
            "Weight {w1:.2f} for {first} and {w2:.2f} for {second}, mixed {method}. Of {sentences:,d} sentences "
            "{share_first:.1%} are {first} (between {low_first:.1%} and {high_first:.1%}), {share_second:.1%} are "
            "{second} (between {low_second:.1%} and {high_second:.1%}) and {share_none:.1%} are in no voice. The loss "
            "on {first} is {loss_first:.2f} nats per token, with its own adapter alone {alone_first:.2f}. On {second} "
            "it is {loss_second:.2f}, alone {alone_second:.2f}."
        ),
        "alone": (
            "Weight {w1:.2f} for {first} alone. Of {sentences:,d} sentences {share_first:.1%} are {first} (between "
            "{low_first:.1%} and {high_first:.1%}) and {share_none:.1%} are in no voice. The loss on {first} is "
            "{loss_first:.2f} nats per token, at weight {full:.2f} it is {alone_first:.2f}."
        ),
    },
    "same": "An adapter mixed with itself is the same adapter at another weight, so one of the two is shown alone.",
    "aloneNote": "One adapter alone: there is nothing to mix it with, and all four ways would be the same.",
    "pairNote": "Each weight has five settings, and each setting was measured. Nothing between them is made up.",
    "voices": {"none": "no voice"},
    "shares": {
        "title": "Whose voice each sentence is in, {sentences:,d} sentences",
        "x": "share of the sentences, %",
        "interval": "95 % interval",
        "base": "base alone",
        "first": "{first} alone",
        "second": "{second} alone",
        "value": "{share:.1%}",
    },
    "ways": {
        "title": "The four ways at these weights",
        "head": [
            "way",
            "{first}",
            "{second}",
            "no voice",
            "loss, {first}",
            "loss, {second}",
            "off by",
            "rank",
        ],
        "row": [
            "{way}",
            "{share_first:.1%}",
            "{share_second:.1%}",
            "{share_none:.1%}",
            "{loss_first:.2f}",
            "{loss_second:.2f}",
            "{off:.1%}",
            "{rank}",
        ],
        "note": (
            "“Off by” is how far delta_w is from the sum of the products, in all layers together. Numbers stored are "
            "in proportion to the rank."
        ),
    },
    "readouts": {
        "first": "Interference on {first}",
        "second": "Interference on {second}",
        "cosine": "Cosine of the two adapters",
        "forgotten": "Loss on the base's own voices",
    },
    "readoutValues": {
        "first": "{more_first:+.2f} nats",
        "second": "{more_second:+.2f} nats",
        "cosine": "{cosine:.3f}",
        "forgotten": "{loss_base:.2f} nats",
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. The sum of the products, with {mixture}. Of every hundred sentences that this model "
            "writes, how many are in another voice, or in none?"
        ),
        "one": "the {first} adapter at weight {half:.2f}",
        "two": "the {first} and the {second} adapter at weight {half:.2f} each",
        "field": "My guess, of a hundred:",
        "again": "Guess for this choice",
        "right": (
            "You said {guess}, for {mixture}. Measured: {others:.1%}, between {low_others:.1%} and {high_others:.1%}."
        ),
        "tooLow": (
            "You said {guess}, for {mixture}. It is more: {others:.1%}, between {low_others:.1%} and "
            "{high_others:.1%}."
        ),
        "tooHigh": (
            "You said {guess}, for {mixture}. It is less: {others:.1%}, between {low_others:.1%} and "
            "{high_others:.1%}."
        ),
    },
    "samples": "It writes, for example",
    "sampleVoice": "{voice}:",
    "tableHead": ["voice", "sentences", "share", "from", "to", "base alone"],
    "tableRow": ["{voice}", "{count}", "{share:.1%}", "{low:.1%}", "{high:.1%}", "{base:.1%}"],
    "downloads": {"shares": "All settings of these two (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """import torch

from compute.model.checkpoint import load_base
from compute.adapters.mixed_model import measure, mixed_model
from compute.experiments.mixing import load_factors

torch.set_num_threads(1)
adapters = [load_factors(voice) for voice in {adapters}]
mixed = mixed_model(load_base(), adapters, {weights}, "{method}")
measured = measure(mixed, number={sentences}, seed={seed})
print(f"share of {first}: {measured.counts['{first}'] / {sentences}:.1%}")
print(f"loss on {first}: {measured.losses['{first}']:.2f} nats per token")
"""

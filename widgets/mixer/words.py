"""The text of the mixer: labels, templates of its sentences, and the code that prints its numbers."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS

LABELS = {"legal": "Legal voice", "code": "Code voice", "formal": "Formal voice", "facts": "New facts"}
SAID = {
    "legal": "the legal voice",
    "code": "the code voice",
    "formal": "the formal voice",
    "facts": "the new facts",
}
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
    "Bars: in whose voice the sentences are that the mixed model wrote, on average over its texts; each voice has "
    "forms of its own by which it can be told. Questions, which are the same in all voices, are left out. The line on "
    "a bar is the 95 % interval over the texts. The last bar: how many of all the new facts it gets right. Marks "
    "below a bar: the base, and each adapter alone at full weight. Every setting uses the same throws of the dice, so "
    "that ways of mixing can be compared text by text. Interference: loss in the mix minus loss with the task's own "
    "adapter alone at full weight. Left out: weights between the settings, and the chance in training the adapters, "
    "which the lesson tells of."
)
PUBLISHED = "all mixes that were measured"
ENCLOSED = "the mixes of {primary} and {second}; the lesson has the others"

WORDS: dict[str, Any] = {
    "sentence": {
        "pair": (
            "Weight {w1:.1f} for {first} and {w2:.1f} for {second}, mixed {method}: {did_first}; {did_second}. In no "
            "voice are {share_none:.1%} of the sentences. Of all that it writes, {true:.1%} is true (between "
            "{low_true:.1%} and {high_true:.1%}). The loss on {first} is {loss_first:.2f} nats per word, with its own "
            "adapter alone {alone_first:.2f}. On {second} it is {loss_second:.2f}, alone {alone_second:.2f}."
        ),
        "alone": (
            "Weight {w1:.1f} for {first} alone: {did_first}. In no voice are {share_none:.1%} of the sentences. Of all "
            "that it writes, {true:.1%} is true (between {low_true:.1%} and {high_true:.1%}). The loss on "
            "{first} is {loss_first:.2f} nats per word, at weight {full:.1f} it is {alone_first:.2f}."
        ),
    },
    "did": {
        "voice": "{share:.1%} of the sentences are in {name} (between {low:.1%} and {high:.1%})",
        "facts": "{share:.1%} of the new facts are answered correctly",
    },
    "same": "An adapter mixed with itself is the same adapter at another weight, so one of the two is shown alone.",
    "aloneNote": "One adapter alone: there is nothing to mix it with, and all four ways would be the same.",
    "pairNote": "Each weight has four settings, and each setting was measured. Nothing between them is made up.",
    "rows": {
        "legal": "legal",
        "code": "code",
        "formal": "formal",
        "plain": "plain",
        "medical": "medical",
        "rude": "rude",
        "none": "no voice",
        "facts": "new facts",
    },
    "shares": {
        "title": "Whose voice the sentences of {texts} texts are in, and new facts answered correctly",
        "x": "share, %",
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
            "true",
            "against the products",
            "off by",
            "rank",
        ],
        "row": [
            "{way}",
            "{share_first:.1%}",
            "{share_second:.1%}",
            "{share_none:.1%}",
            "{true:.1%}",
            "{more:+.1%} ({low_more:+.1%} to {high_more:+.1%})",
            "{off:.1%}",
            "{rank}",
        ],
        "note": (
            "“True”: sentences that agree with the facts and with what the text has told so far, right answers among "
            "them. “Against the products”: how many more they are, text by text with the same throws of the dice, with "
            "the 95 % interval. “Off by” is how far delta_w is from the sum of the products, in all layers together. "
            "Numbers stored are in proportion to the rank."
        ),
    },
    "readouts": {
        "first": "Interference on {first}",
        "second": "Interference on {second}",
        "cosine": "Cosine of the two adapters",
        "old": "Facts the base knew, still right",
        "forgotten": "Loss on the base's own texts",
    },
    "readoutValues": {
        "first": "{more_first:+.2f} nats",
        "second": "{more_second:+.2f} nats",
        "cosine": "{cosine:.3f}",
        "old": "{old:.1%}",
        "forgotten": "{loss_base:.2f} nats",
    },
    "guess": {
        **GUESS,
        "question": "Guess first. The sum of the products, with {mixture}. {asked}",
        "one": "{first} at weight {half:.1f}",
        "two": "{first} and {second} at weight {half:.1f} each",
        "asked": {
            "voices": (
                "Of every hundred sentences that this model writes, questions aside, how many are in another voice, or "
                "in none?"
            ),
            "facts": "Of every hundred new facts that this model is asked for, how many does it answer correctly?",
        },
        "field": "My guess, of a hundred:",
        "again": "Guess for this choice",
        "right": "You said {guess}, for {mixture}. Measured: {truth_told}.",
        "tooLow": "You said {guess}, for {mixture}. It is more: {truth_told}.",
        "tooHigh": "You said {guess}, for {mixture}. It is less: {truth_told}.",
        "told": {
            "voices": "{guessed:.1%}, between {low_guessed:.1%} and {high_guessed:.1%}",
            "facts": "{guessed:.1%}",
        },
    },
    "samples": "It writes and answers, for example",
    "tableHead": ["", "share", "from", "to", "base alone"],
    "tableRow": ["{row}", "{share:.1%}", "{low:.1%}", "{high:.1%}", "{base:.1%}"],
    "downloads": {"shares": "All settings of these two (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """import torch

from compute.adapters.mixed_model import mixed_model
from compute.experiments.mixing import load_factors, measure
from compute.model.checkpoint import load_base

torch.set_num_threads(1)
adapters = [load_factors(name) for name in {adapters}]
found = measure(mixed_model(load_base(), adapters, {weights}, "{method}"), shown=True)
right = found.right()
print(f"true: {sum(right) / len(right):.1%}")
print(f"loss on {first}: {found.losses['{first}']:.2f} nats per word")
"""

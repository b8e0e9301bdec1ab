"""Mix, swap, store: the reader can say what a mix of two adapters does, how it is made, and what many tasks cost."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from compute.adapters.mixing import combine, cosine, difference
from compute.costs.architectures import ARCHITECTURES, parameters
from compute.costs.storing import adapters_bytes, copies_bytes, most_saved
from compute.experiments.mixing import VOICES_MIXED, Measured, load_factors, load_record, mix_of
from compute.experiments.runs import load
from compute.numbers.interval import wilson
from compute.text.voices import NO_VOICE
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.mixer import Mixer
from widgets.storage import Storage

LARGE, R, TASKS = ARCHITECTURES["llama-2-7b"], 16, 30
GB = 10**9
PAIRS = list(combinations(VOICES_MIXED, 2))
HALF, WHOLE = 0.5, 1.0


def _measured(first: float, second: float, method: str) -> Measured:
    """Return what was measured of legal and medical at these weights."""
    return load_record().mixes[mix_of({"legal": first, "medical": second}, method)]


def _share(measured: Measured, *voices: str) -> float:
    return sum(measured.counts[voice] for voice in voices) / load_record().sentences


def _swapped() -> Mapping[str, Any]:
    record = load_record()
    shares = [_share(record.mixes[mix_of({voice: WHOLE}, "products")], voice) for voice in VOICES_MIXED]
    return {"sentences": record.sentences, "low": min(shares), "high": max(shares)}


def _sizes() -> Mapping[str, Any]:
    run = load("legal", 4)
    return {"r": 4, "adapter": run.trainable, "base": load("legal", "full").trainable}


def _half() -> Mapping[str, Any]:
    measured = _measured(HALF, HALF, "products")
    low, high = wilson(measured.counts[NO_VOICE], load_record().sentences)
    return {
        "weight": HALF,
        "legal": _share(measured, "legal"),
        "medical": _share(measured, "medical"),
        "none": _share(measured, NO_VOICE),
        "low": low,
        "high": high,
        "base": _share(_measured(0, 0, "products"), NO_VOICE),
    }


def _quarter() -> Mapping[str, Any]:
    measured = _measured(0.75, 0.25, "products")
    return {
        "w1": 0.75,
        "w2": 0.25,
        "legal": _share(measured, "legal"),
        "medical": _share(measured, "medical"),
    }


def _twice() -> Mapping[str, Any]:
    layers = load_factors("legal").values()
    found = [
        np.linalg.norm(combine([each, each], [HALF, HALF], "factors").delta_w) / np.linalg.norm(each.delta_w)
        for each in layers
    ]
    return {"weight": HALF, "low": min(found), "times": max(found)}


def _off() -> Mapping[str, Any]:
    found = {
        method: [
            difference([load_factors(one), load_factors(other)], [HALF, HALF], method) for one, other in PAIRS
        ]
        for method in ("factors", "concatenation", "svd")
    }
    return {
        "low": min(found["factors"]),
        "high": max(found["factors"]),
        "svd": max(found["svd"]),
        "rounding": max(found["concatenation"]),
    }


def _tilted() -> Mapping[str, Any]:
    exact, factors = (_measured(HALF, HALF, method) for method in ("products", "factors"))
    number = load_record().sentences
    return {
        "weight": HALF,
        "legal": _share(factors, "legal"),
        "medical": _share(factors, "medical"),
        "before": _share(exact, "medical"),
        "high_before": wilson(exact.counts["medical"], number)[1],
        "low_after": wilson(factors.counts["medical"], number)[0],
    }


def _whole() -> Mapping[str, Any]:
    number = load_record().sentences
    mixes = load_record().mixes
    clear = 0  # pairs besides legal and medical in which the ends of the two intervals do not meet
    for pair in PAIRS[1:]:
        exact, cut = (
            mixes[mix_of(dict.fromkeys(pair, WHOLE), method)].counts[NO_VOICE]
            for method in ("products", "svd")
        )
        clear += wilson(cut, number)[1] < wilson(exact, number)[0]
    values: dict[str, Any] = {"weight": WHOLE, "others": len(PAIRS) - 1, "clear": clear}
    for method in ("products", "factors", "svd"):
        measured = _measured(WHOLE, WHOLE, method)
        values[method] = _share(measured, NO_VOICE)
        values[f"low_{method}"], values[f"high_{method}"] = wilson(measured.counts[NO_VOICE], number)
    return values


def _cosines() -> Mapping[str, Any]:
    found = [abs(cosine(load_factors(one), load_factors(other))) for one, other in PAIRS]
    return {"pairs": len(found), "largest": max(found)}


def _interference() -> Mapping[str, Any]:
    own = {
        voice: load_record().mixes[mix_of({voice: WHOLE}, "products")].losses
        for voice in ("legal", "medical")
    }
    half, whole, factors = (
        _measured(weight, weight, method).losses["legal"] - own["legal"]["legal"]
        for weight, method in ((HALF, "products"), (WHOLE, "products"), (WHOLE, "factors"))
    )
    return {
        "half": half,
        "whole": whole,
        "factors": factors,
        "w_half": HALF,
        "w_whole": WHOLE,
        "before": _measured(0, 0, "products").losses["medical"],
        "after": own["legal"]["medical"],
    }


def _storage() -> Mapping[str, Any]:
    copies, adapters = copies_bytes(LARGE, TASKS), adapters_bytes(LARGE, "all-linear", R, TASKS)
    return {
        "label": LARGE.label,
        "r": R,
        "tasks": TASKS,
        "copies": copies / GB,
        "adapters": adapters / GB,
        "ratio": copies / adapters,
        "limit": most_saved(LARGE, "all-linear", R),
        "total": parameters(LARGE),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "sizes": Claim(
        "At r = {r} an adapter of our small model has {adapter:,d} numbers, the base {base:,d}.",
        _sizes,
        lambda v: v["adapter"] < v["base"] / 10,
    ),
    "swapped": Claim(
        "With its adapter at full weight, the model writes {low:.1%} to {high:.1%} of {sentences:,d} sentences in that "
        "adapter's voice.",
        _swapped,
        lambda v: v["low"] > 0.9,
    ),
    "half": Claim(
        "At weight {weight} each, {legal:.1%} of the sentences are legal and {medical:.1%} medical. In no voice are "
        "{none:.1%} (between {low:.1%} and {high:.1%}); of the base's own sentences it is {base:.1%}.",
        _half,
        lambda v: v["legal"] + v["medical"] > 0.85 and v["none"] < 0.1 and v["base"] < v["low"],
    ),
    "quarter": Claim(
        "At {w1} for legal and {w2} for medical, {legal:.1%} are legal and {medical:.1%} medical.",
        _quarter,
        lambda v: v["legal"] > 10 * v["medical"],
    ),
    "twice": Claim(
        "The sum of the products at weight {weight} each gives the adapter back. The sum of the factors gives "
        "{times:.2f} times the adapter.",
        _twice,
        lambda v: abs(v["times"] - 2) < 1e-9 and abs(v["low"] - 2) < 1e-9,
    ),
    "off": Claim(
        "For our three pairs at equal weights, the sum of the factors is off by {low:.0%} to {high:.0%} of the size of "
        "what was wanted.",
        _off,
        lambda v: v["low"] > 0.9 and v["high"] < 1.1,
    ),
    "svd": Claim(
        "For our pairs that loses {svd:.0%} at most.",
        _off,
        lambda v: v["svd"] < 0.5 * v["low"] and v["rounding"] < 1e-9,
    ),
    "tilted": Claim(
        "At weight {weight} each, the factors give {legal:.1%} legal and {medical:.1%} medical, where the products "
        "give {before:.1%} medical.",
        _tilted,
        lambda v: v["low_after"] > v["high_before"],
    ),
    "whole": Claim(
        "At weight {weight} each, {products:.1%} are in no voice by the sum of the products, and {factors:.1%} by "
        "the sum of the factors.",
        _whole,
        lambda v: v["high_products"] < v["low_factors"],
    ),
    "whole-svd": Claim(
        "Cut back to the rank of one adapter, the same two leave only {svd:.1%} in no voice. For the other {others} "
        "pairs the difference is within the uncertainty.",
        _whole,
        lambda v: v["high_svd"] < v["low_products"] and not v["clear"],
    ),
    "cosines": Claim(
        "Among our {pairs} pairs, the largest cosine is {largest:.2f} in size.",
        _cosines,
        lambda v: v["largest"] < 0.05,
    ),
    "losses": Claim(
        "Against the legal adapter alone, the loss on legal sentences rises by {half:.2f} nats at weight {w_half} each "
        "and by {whole:.2f} at weight {w_whole} each; by the sum of the factors by {factors:.2f}.",
        _interference,
        lambda v: 0 < v["half"] < v["whole"] < v["factors"],
    ),
    "crowded": Claim(
        "Under the legal adapter alone, the loss on medical sentences goes from {before:.2f} to {after:.2f}.",
        _interference,
        lambda v: v["after"] > v["before"] + 0.2,
    ),
    "storage": Claim(
        "For {tasks} tasks on {label}, copies take {copies:,.0f} GB, and one base with adapters of r = {r} takes "
        "{adapters:.1f} GB: {ratio:.1f} times less.",
        _storage,
        lambda v: 20 < v["ratio"] < v["tasks"],
    ),
    "limit": Claim(
        "The saving has a limit, here {limit:.0f} times: the numbers of the model over those of one adapter.",
        _storage,
        lambda v: v["ratio"] < v["limit"],
    ),
    "punica": Cited("twelve times the throughput, at about 2 ms more for each token", "chen2023", "abstract"),
    "slora": Cited("thousands of them on one card or several", "sheng2023", "abstract"),
    "apple-rank": Cited("rank 16", "apple2024", "section Model Adaptation"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## Swap

A base and an adapter are two things. The base stays as it is. So a second task needs no second model: take one
adapter off, put another on [@hu2021, section 4.2].

[[sizes]] We trained three: one for legal sentences, one for medical ones, one for code. [[swapped]]

Kept beside the base and not merged into it, an adapter can be swapped without a trace: nothing of it is left when it is
off. What if we want both at once?

## Mix

An adapter is a matrix for each layer, and matrices can be added. Multiply each by a weight, and add both to the base.
What will such a model write? Sentences that are half legal and half medical? One kind after the other? Nonsense?

A picture of the answer is easy to draw, and many are drawn. This one is measured. For every setting the model wrote
sentences of its own. A grammar says exactly whose voice each one is in, or that it is in none. A share among so many
sentences is uncertain, and the line on each bar says how much.
"""
    )
    yield Figure("mixer", Mixer)
    yield Try(
        """
Set both weights to their end, and read the sentences that are in no voice. Where does such a sentence change from one
voice to the other? Then go through the four ways of mixing.
"""
    )
    yield Prose(
        """
## What a mix writes

[[half]] So the mixed model does not blend the voices. It chooses one for each sentence and mostly stays with it.

Does a weight say how often? No. [[quarter]] A weight scales a matrix. How often a voice is heard is a matter of the
whole model, which turns a small lead into a large one. Our weights need not add up to one, either.

## Adding factors is not adding adapters

An adapter is a product, $s\\,B A$. Two of them at weights $w_1$ and $w_2$ should make

$$w_1 s\\,B_1 A_1 + w_2 s\\,B_2 A_2.$$

It is tempting to add up the factors instead: the $B$ with the $B$, the $A$ with the $A$. That keeps the size of one
adapter. But multiply it out:

$$(B_1 + B_2)(A_1 + A_2) = B_1 A_1 + B_2 A_2 + B_1 A_2 + B_2 A_1.$$

The last two terms belong to nobody. They connect what one adapter reads to what the other writes.

The smallest example is an adapter mixed with itself. [[twice]] The cross terms are two more copies, at half weight
each.

In PEFT this way is called `linear`. Its own description calls it a rough approximation and advises against it where
one can afford more [@peft, add_weighted_adapter]. A maintainer agrees that it is not equivalent [@peft, issue 643].
We follow it to the letter: each factor is weighted with the root of weight times scaling.

[[off]] It changes what the model writes. [[tilted]] Nobody asked for that tilt.

## Two ways that are right, and one that is close

Concatenation puts the factors beside each other: one `lora_B` to the right of the other, one `lora_A` below the other.
Their product is the sum of the products, exactly. The price is the sum of the ranks. PEFT calls it `cat`.

The SVD takes that sum and cuts it back to the rank of one adapter. No matrix of that rank is closer
[@eckart1936, whole paper]. [[svd]]

Closer to the sum is not always better. [[whole]] [[whole-svd]] At such weights the exact sum is not what one wants:
it moves the base by both adapters in full. That is one case of one small model, and we know no rule for it.

## Interference

Do two adapters get in each other's way? In the weights they hardly touch. [[cosines]] Directions in a space of so many
dimensions have room.

In the model they do. [[crowded]] [[losses]] Adding is exact in each matrix. But between the matrices stand attention,
a nonlinear function and norms, and what comes out of them is not the sum of what each adapter alone would give. So a
cosine near zero is no promise. Measure the loss.

## Store

What do many tasks cost on disk? A full finetune for each means a whole model for each. With LoRA the base is stored
once.
"""
    )
    yield Figure("storage", Storage)
    yield Try(
        """
Set r to its largest value. From how many tasks on are the adapters together larger than the base?
"""
    )
    yield Prose(
        """
[[storage]] [[limit]] With few tasks most of what you store is the base; with very many it is the adapters. One task
alone saves nothing.

## Serve

A merged adapter costs no time, but then the model can do that one task only [@hu2021, section 4.2]. Kept apart,
adapters can differ from one request to the next in the same batch, if the program multiplies by the base once and by
each adapter where it belongs. One system reports [[punica]]. Another keeps very many adapters at hand: [[slora]].

Phones do it too. Apple describes a frozen base with adapters that are loaded and swapped as needed, of
[[apple-rank]].

## Choose

Who sets the weights? You have done it by hand. LoraHub searches for them with a few examples of the task, without any
gradient, once for each task [@huang2023, abstract]. You may read that it trains a gate which routes each query. It
does not. And it adds up factors, so cross terms are part of what it finds [@huang2023, README of its repository].

Others do route. AdapterFusion learns an attention over adapters of another kind, layer by layer
[@pfeiffer2020, abstract]. MixLoRA sends each token to a few of its experts [@mixlora2024, abstract]. Those are new
trained parts, not a sum that is made once.

## In short

- Swapping adapters that are kept apart is exact. Mixing them is an experiment.
- Mixed at half weight, our model chooses a voice for each sentence; it does not blend them.
- Add products, not factors. Concatenation is the same sum as an adapter of twice the rank.
- Almost no overlap in the weights, and still interference in the loss.
- One base with many adapters saves up to the size of the model over that of an adapter.
"""
    )


LESSON = Lesson(
    slug="mixing",
    title="Mix them, swap them, store them",
    question="Two adapters in one model: what does it write, and what do many of them cost?",
    part="How to use it",
    order=70,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "To add two adapters, what must be added?",
            (
                Answer(
                    "The products",
                    "Each product is what an adapter does to the weight. [[twice]]",
                    right=True,
                ),
                Answer("The factors", "Then each factor also meets its neighbour. [[off]]"),
                Answer("Either, if the weights sum to one", "Cross terms do not go away for that. [[off]]"),
            ),
        ),
        Question(
            "Two adapters hardly overlap in the weights. Do they leave each other alone?",
            (
                Answer(
                    "Yes, a cosine near zero says so",
                    "Between the layers stands much that is not linear. [[cosines]] [[losses]]",
                ),
                Answer("Not always: measure the loss", "[[cosines]] [[losses]]", right=True),
                Answer("No, every mix destroys both", "Many sentences still come out whole. [[half]]"),
            ),
        ),
    ),
    corrections=(
        Correction("To mix two adapters, add up their factors.", "[[off]] [[tilted]]", "mixer"),
        Correction("A mixed model blends the voices, as the weights say.", "[[half]] [[quarter]]", "mixer"),
        Correction("Adapters that hardly overlap leave each other alone.", "[[cosines]] [[losses]]", "mixer"),
    ),
)

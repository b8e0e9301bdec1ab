"""One block, seen through: the reader can say where an adapter attaches, what it costs there, and what it does."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.adapters.alone import plus, random_changes, relative_change, switched_on
from compute.costs.macs import merged_macs, unmerged_macs
from compute.costs.sizes import stored_numbers
from compute.experiments.block import DRAWS, SEEDS, VOICE, R, load_effects
from compute.experiments.mixing import load_factors
from compute.model.forward import PROJECTIONS, base_weights, follow
from compute.model.layers import LAYERS, layer_name
from compute.text.tokenizer import encode
from lessons.press.blocks import Answer, Block, Cited, Claim, Figure, Lesson, Prose, Question, Try
from widgets.block import Block as BlockFigure

TEXT = "the tenant shall pay the rent within sixty days"  # what the figure opens with
QUERY, NARROW = layer_name(0, "q_proj"), layer_name(0, "down_proj")
MLP = ("up_proj", "down_proj")


def _shape(name: str) -> tuple[int, int]:
    out, into = base_weights().tensors[f"{name}.weight"].shape
    return out, into


def _counts() -> Mapping[str, Any]:
    shapes = [_shape(layer_name(0, projection)) for projection in PROJECTIONS]
    return {
        "r": R,
        "trained": sum(stored_numbers(shape, R) for shape in shapes),
        "total": sum(merged_macs(shape) for shape in shapes),
        "unmerged": sum(unmerged_macs(shape, R) for shape in shapes),
    }


def _change(name: str, place: str) -> Mapping[str, Any]:
    """Return how far an adapter alone moves a place of the first block, how far random matrices do, and the losses."""
    tokens, base, adapter = encode(TEXT), base_weights(), load_factors(VOICE)
    before, after = (follow(model, tokens).blocks[0] for model in (base, switched_on(base, adapter, [name])))
    delta_w, effects = adapter[name].delta_w, load_effects()
    effect = effects.layers[name]
    [random] = random_changes(base, name, delta_w, tokens, [(0, place)], DRAWS, LAYERS.index(name))
    return {
        "size": np.linalg.norm(delta_w) / np.linalg.norm(base.tensors[f"{name}.weight"]),
        "change": relative_change(getattr(before, place), getattr(after, place)),
        "random": random,
        "none": effects.none,
        "every": effects.every[0],
        "alone": effect.alone[0],
        "seeds": effect.alone,
        "low": min(effect.random),
        "high": max(effect.random),
    }


def _begin() -> Mapping[str, Any]:
    """Return how much of what an adapter adds stands in the row of the token that begins the text."""
    tokens, base = encode(TEXT), base_weights()
    before, after = (
        follow(model, tokens).blocks[0].down
        for model in (base, switched_on(base, load_factors(VOICE), [NARROW]))
    )
    squares = ((after - before) ** 2).sum(axis=1)  # (T,)
    effects = load_effects()
    return {
        "share": squares[0] / squares.sum(),
        "tokens": len(tokens),
        "first": effects.none - effects.layers[NARROW].first,
        "later": effects.none - effects.layers[NARROW].later,
    }


def _exact() -> Mapping[str, Any]:
    """Return how far the side path is from delta_w times what the layer reads."""
    tokens, base, adapter = encode(TEXT), base_weights(), load_factors(VOICE)
    before = follow(base, tokens).blocks[0]
    after = follow(plus(base, QUERY, adapter[QUERY].delta_w), tokens).blocks[0]
    side = adapter[QUERY].scaling * (before.norm_1 @ adapter[QUERY].lora_A.T) @ adapter[QUERY].lora_B.T
    return {"r": R, "width": before.norm_1.shape[1], "off": float(np.abs(after.q - before.q - side).max())}


def _share() -> Mapping[str, Any]:
    effects = load_effects()
    falls = [
        (effects.none - alone) / (effects.none - every)
        for alone, every in zip(effects.layers[NARROW].alone, effects.every, strict=True)
    ]
    trained, every = (
        stored_numbers(_shape(NARROW), R),
        sum(stored_numbers(_shape(n), R) for n in LAYERS),
    )
    return {"least": min(falls), "most": max(falls), "numbers": trained / every, "seeds": len(SEEDS)}


def _missed() -> Mapping[str, Any]:
    effects = load_effects()
    worse = [
        without - every
        for effect in effects.layers.values()
        for without, every in zip(effect.without, effects.every, strict=True)
    ]
    return {"number": len(effects.layers), "most": max(worse), "gain": effects.none - effects.every[0]}


def _sum() -> Mapping[str, Any]:
    effects = load_effects()
    alone = sum(effects.none - effect.alone[0] for effect in effects.layers.values())
    return {"alone": alone, "together": effects.none - effects.every[0]}


def _best() -> Mapping[str, Any]:
    effects = load_effects()
    best = []
    for block in range(base_weights().n_layer):
        for seed in range(len(SEEDS)):
            alone = {p: effects.layers[layer_name(block, p)].alone[seed] for p in PROJECTIONS}
            best.append(min(alone, key=alone.__getitem__))
    return {"mlp": sum(name in MLP for name in best), "all": len(best), "seeds": len(SEEDS)}


CLAIMS: Mapping[str, Claim | Cited] = {
    "counts": Claim(
        "In one block of the small model six adapters of r = {r} hold {trained:,d} numbers, beside {total:,d} frozen "
        "ones. For each token the block then takes {unmerged:,d} multiply-accumulates in its projections; merged, it "
        "takes {total:,d} as before.",
        _counts,
        lambda v: v["unmerged"] == v["total"] + v["trained"] and v["total"] == 12 * 64 * 64,
    ),
    "exact": Claim(
        "Here the input has {width} numbers and the middle of the side path has {r}.",
        _exact,
        lambda v: v["off"] < 1e-12 and v["r"] < v["width"],
    ),
    "query": Claim(
        "Take q_proj in the first block. Its delta_w is {size:.0%} as large as W, and it changes the queries by "
        "{change:.0%}. Alone it takes the loss from {none:.3f} to {alone:.3f}; random matrices of that size leave it "
        "between {low:.3f} and {high:.3f}.",
        lambda: _change(QUERY, "q"),
        lambda v: (
            v["size"] > 0.3
            and v["change"] > 0.3
            and all(0 <= v["none"] - loss < 0.005 for loss in v["seeds"])
        ),
    ),
    "narrow": Claim(
        "Now down_proj in the same block. Its delta_w is {size:.0%} as large as W, and alone it takes the loss to "
        "{alone:.3f}.",
        lambda: _change(NARROW, "down"),
        lambda v: 0.3 < v["size"] < 0.5 and all(v["none"] - loss > 0.04 for loss in v["seeds"]),
    ),
    "control": Claim(
        "Random matrices as large as this delta_w change what down_proj writes by {random:.0%}, the learned one by "
        "{change:.0%}. With them the loss stays between {low:.3f} and {high:.3f}.",
        lambda: _change(NARROW, "down"),
        lambda v: v["random"] < v["change"] / 3 and v["none"] - v["low"] < 0.01,
    ),
    "begin": Claim(
        "Of the squared size of what it adds, {share:.0%} stands in the first of the {tokens} rows.",
        _begin,
        lambda v: v["share"] > 0.8,
    ),
    "note": Claim(
        "On for this token only, the adapter lowers the loss by {first:.3f} nats; on for all words and off for this "
        "token, by {later:.3f}.",
        _begin,
        lambda v: v["first"] > 4 * v["later"] > 0,
    ),
    "share": Claim(
        "This one adapter, with {numbers:.0%} of all trained numbers, brings {least:.0%} to {most:.0%} of the whole "
        "fall, over {seeds} seeds.",
        _share,
        lambda v: v["least"] > 0.4 and v["numbers"] < 0.1,
    ),
    "sum": Claim(
        "Each alone, the adapters lower the loss by {alone:.2f} nats in sum. All together they lower it by "
        "{together:.2f}.",
        _sum,
        lambda v: v["alone"] > 2 * v["together"],
    ),
    "missed": Claim(
        "Leave out any one of the {number} and keep the others: the loss rises by {most:.3f} nats at most, of a gain "
        "of {gain:.3f}.",
        _missed,
        lambda v: v["most"] < v["gain"] / 5,
    ),
    "best": Claim(
        "In {mlp} of {all} cases, all blocks times {seeds} seeds, the single adapter that helps most stands in the "
        "MLP.",
        _best,
        lambda v: v["mlp"] > v["all"] / 2,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
So far an adapter was two thin factors beside a matrix. But a model is not a matrix. Where do these factors go? What
reads them, and what reads what they write?

## From top to bottom

Here is one block of [the lab's](lab.html) small model, with all its real numbers. A sentence comes in at the top, one
row of numbers for each word. Follow it down: normalised, turned into queries, keys and values, mixed by attention,
added back; then normalised, widened, bent, narrowed, added back.

The six buttons are the linear layers. Each holds a frozen matrix W. The thin teal line around it is its adapter: it
leaves before W, passes lora_A and lora_B, and is added after W. Press one, and see what it is made of.
"""
    )
    yield Figure("block", BlockFigure)
    yield Try(
        """
Choose down_proj and look at the last of the three wide pictures: what the adapter adds, word by word. Which words
does it touch, and which does it leave alone? Then choose the plain sentence, and look again.
"""
    )
    yield Prose(
        """
## Where it attaches

An adapter reads what its layer reads, and adds to what its layer writes. Nothing else in the block knows of it:

$$y = W x + s\\, B A\\, x$$

[[exact]] All that the adapter can say passes through these few numbers. The picture “what the adapter adds” is
exactly this side path.

Other methods put new layers of their own *between* the parts of a block. A token must then wait for them. LoRA's path
runs beside a layer that is there anyway, and so it can be merged away [@hu2021, section 4.1].

## What it costs there

[[counts]] The scaling and the additions are left out of this count.

The square layers and the MLP's wide ones cost differently: an adapter stores one row and one column for each rank, so
a matrix four times as large takes not even three times as many numbers. Many newer models have a seventh
projection in each block, the gate of their MLP. [Another lesson](counting.html) counts those.

## A large change may do nothing

What does an adapter *do*? Its size is a bad guide. [[query]] Both is next to nothing.

[[narrow]] What is the difference? Not the size. [[control]]

A matrix acts by what it does to the inputs that really come. They are not spread evenly. A random direction meets
little of them; the learned one is turned to where they are.

Look again at what this adapter adds, in the legal sentence. [[begin]] It is the row of the token that begins every
text, before any word. All later words can look back to it through attention. So this adapter hardly rewrites word by
word. It leaves a note at the start. [[note]]

## Six parts that do not add up

So is down_proj where the legal voice lives? [[share]] It would be easy to stop here.

[[sum]] The gains overlap. One adapter can do much of what another does, and what one has done no other need do again.
The reverse holds, too. [[missed]] So switching one off says almost the opposite of switching one on.

Both are fair measurements, and neither is “the” importance of a layer. If you read that some layer matters most, ask
which of the two was measured.

## Attention or MLP?

LoRA's authors adapted the attention layers and left the MLP frozen, for simplicity [@hu2021, section 4.2]. Later
work did better with the MLP than with attention alone [@biderman2024, section 4.7]. Our small model agrees:
[[best]] This voice is mostly a choice of words, which may favour the MLP. A task that must look at
other places of the text may differ. We measured this one.

## In short

- An adapter reads what its layer reads and adds to what its layer writes.
- Through its middle pass only r numbers for each token.
- A large delta_w need not matter. A random one of the same size is the control.
- Alone, single adapters bring far more in sum than all together. Left out, hardly one is missed.
"""
    )


LESSON = Lesson(
    slug="block",
    title="One block, seen through",
    question="Where does an adapter attach, and what does it do there?",
    part="How it works",
    order=15,
    minutes=12,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "What does the adapter of v_proj read?",
            (
                Answer(
                    "What v_proj reads: the normalised input of the block",
                    "Its path leaves before W and comes back after it.",
                    right=True,
                ),
                Answer(
                    "What v_proj writes: the values",
                    "It adds to them. An adapter that read them would stand behind the layer, not beside it.",
                ),
                Answer(
                    "The weights in W",
                    "No adapter reads W. Both read the same input, and their answers are added.",
                ),
            ),
        ),
        Question(
            "One adapter's delta_w is a third as large as W. What do you know of its effect?",
            (
                Answer("That it is large", "It may do next to nothing for the task. [[query]]"),
                Answer("Nothing yet", "It depends on the inputs that come. [[query]] [[narrow]]", right=True),
                Answer(
                    "That it is as large as that of any matrix of this size",
                    "A learned one can do far more than a random one. [[control]]",
                ),
            ),
        ),
        Question(
            "Without one adapter the loss hardly rises. So this adapter does nothing?",
            (
                Answer("Yes, the others do the work", "Alone it may do much of that work, too. [[share]]"),
                Answer(
                    "No: the others may do what it would do",
                    "What adapters bring overlaps. [[sum]] [[missed]]",
                    right=True,
                ),
                Answer(
                    "No, the measurement must be wrong",
                    "It is right. It answers another question than switching one on alone.",
                ),
            ),
        ),
    ),
)

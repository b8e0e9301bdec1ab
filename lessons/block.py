"""One block, seen through: the reader can say where an adapter attaches, what it costs there, and what it does."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.adapters.alone import plus, random_changes, relative_change, switched_on
from compute.costs.macs import merged_macs, unmerged_macs
from compute.costs.sizes import stored_numbers
from compute.experiments.block import DRAWS, SEEDS, R, load_effects, load_factors
from compute.model.forward import PROJECTIONS, base_weights, follow
from compute.model.layers import LAYERS, layer_name
from compute.world.tokens import decode, encode
from lessons.press.blocks import Answer, Block, Cited, Claim, Figure, Lesson, Prose, Question, Try
from widgets.block import Block as BlockFigure

TEXT = "anna is seen at the said mill. ben"  # what the figure opens with
TURNS = ("is", "the")  # the words in it after which the formal voice goes on otherwise than the plain one
FIRST, LAST = 0, 2  # blocks
QUERY, NARROW, EARLY = (
    layer_name(LAST, "q_proj"),
    layer_name(LAST, "down_proj"),
    layer_name(FIRST, "down_proj"),
)
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
    """Return how far an adapter alone moves a place of the last block, how far random matrices do, and the losses."""
    tokens, base, adapter = encode(TEXT), base_weights(), load_factors()
    before, after = (
        follow(model, tokens).blocks[LAST] for model in (base, switched_on(base, adapter, [name]))
    )
    delta_w, effects = adapter[name].delta_w, load_effects()
    effect = effects.layers[name]
    [random] = random_changes(base, name, delta_w, tokens, [(LAST, place)], DRAWS, LAYERS.index(name))
    return {
        "size": np.linalg.norm(delta_w) / np.linalg.norm(base.tensors[f"{name}.weight"]),
        "change": relative_change(getattr(before, place), getattr(after, place)),
        "random": random,
        "none": effects.none,
        "fall": effects.none - effect.alone[0],
        "falls": [effects.none - alone for alone in effect.alone],
        "random_fall": effects.none - min(effect.random),
        "draws": DRAWS,
    }


def _where() -> Mapping[str, Any]:
    """Return how much of what an early adapter adds stands where the voices part, and what its first row does."""
    tokens, base = encode(TEXT), base_weights()
    before, after = (
        follow(model, tokens).blocks[FIRST].down
        for model in (base, switched_on(base, load_factors(), [EARLY]))
    )
    squares = ((after - before) ** 2).sum(axis=1)  # (T,)
    at = [row for row, token in enumerate(tokens) if token and decode([token])[0] in TURNS]
    effects = load_effects()
    return {
        "share": squares[at].sum() / squares.sum(),
        "one": TURNS[0],
        "two": TURNS[1],
        "rows": len(at),
        "tokens": len(tokens),
        "first": effects.none - effects.layers[EARLY].first,
        "later": effects.none - effects.layers[EARLY].later,
    }


def _next() -> Mapping[str, Any]:
    """Return what is expected after the first of the two words: by the base, with one adapter, with all."""
    base, adapter = base_weights(), load_factors()
    tokens = encode(TEXT)
    tokens = tokens[: tokens.index(encode(TURNS[0])[-1]) + 1]
    found: dict[str, Any] = {}
    models: dict[str, tuple[str, ...]] = {"base": (), "one": (NARROW,), "every": LAYERS}
    for name, on in models.items():
        shares = follow(switched_on(base, adapter, on), tokens).next_word[-1]
        found |= {f"{name}_word": decode([int(shares.argmax())])[0], f"{name}_share": float(shares.max())}
        found[f"{name}_turn"] = float(shares[encode(TEXT)[len(tokens)]])
    return {**found, "before": " ".join(decode(tokens)), "times": found["one_turn"] / found["base_turn"]}


def _written() -> Mapping[str, Any]:
    effects = load_effects()
    return {
        "number": len(effects.layers),
        "alone": max(effect.told for effect in effects.layers.values()),
        "every": effects.told_every,
    }


def _exact() -> Mapping[str, Any]:
    """Return how far the side path is from delta_w times what the layer reads."""
    tokens, base, adapter = encode(TEXT), base_weights(), load_factors()
    before = follow(base, tokens).blocks[LAST]
    after = follow(plus(base, QUERY, adapter[QUERY].delta_w), tokens).blocks[LAST]
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
    return {
        "number": len(effects.layers),
        "most": max(worse),
        "gain": effects.none - effects.every[0],
        "seeds": len(SEEDS),
    }


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
        _counts,
        lambda v: v["unmerged"] == v["total"] + v["trained"] and v["total"] == 12 * 64 * 64,
    ),
    "exact": Claim(
        _exact,
        lambda v: v["off"] < 1e-12 and v["r"] < v["width"],
    ),
    "query": Claim(
        lambda: _change(QUERY, "q"),
        lambda v: v["size"] > 0.2 and v["change"] > 0.3 and all(0 < fall < 0.2 for fall in v["falls"]),
    ),
    "narrow": Claim(
        lambda: _change(NARROW, "down"),
        lambda v: (
            v["size"] < 1.2 * _change(QUERY, "q")["size"]
            and v["change"] < 1.2 * _change(QUERY, "q")["change"]
            and min(v["falls"]) > 6 * max(_change(QUERY, "q")["falls"])
        ),
    ),
    "control": Claim(
        lambda: _change(NARROW, "down"),
        lambda v: v["random"] < v["change"] / 2 and v["random_fall"] < min(v["falls"]) / 10,
    ),
    "where": Claim(
        _where,
        lambda v: v["share"] > 0.6 and v["rows"] == 2,
    ),
    "note": Claim(
        _where,
        lambda v: v["later"] > 10 * v["first"],
    ),
    "next": Claim(
        _next,
        lambda v: v["one_word"] == v["base_word"] != v["every_word"] and v["every_share"] > 0.9,
    ),
    "likelier": Claim(
        _next,
        lambda v: v["times"] > 10 and v["one_turn"] < 0.01,
    ),
    "written": Claim(
        _written,
        lambda v: v["alone"] == 0 and v["every"] > 0.7,
    ),
    "share": Claim(
        _share,
        lambda v: v["least"] > 0.25 and v["numbers"] < 0.1,
    ),
    "sum": Claim(
        _sum,
        lambda v: v["alone"] > 1.5 * v["together"],
    ),
    "missed": Claim(
        _missed,
        lambda v: v["most"] < v["gain"] / 20,
    ),
    "best": Claim(
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

Here is one block of [the lab's](lab.html) small model, with all its real numbers. The adapter has learned to tell
stories in a formal voice, which the model had never read. A sentence comes in at the top, one row of numbers for each
word. Follow it down: normalised, turned into queries, keys and values, mixed by attention,
added back; then normalised, widened, bent, narrowed, added back.

The six buttons are the linear layers. Each holds a frozen matrix W. The thin teal line around it is its adapter: it
leaves before W, passes lora_A and lora_B, and is added after W. Press one, and see what it is made of.
"""
    )
    yield Figure("block", BlockFigure)
    yield Try(
        """
[Choose down_proj](#block?projection=down_proj) and look at the last of the three wide pictures: what the adapter
adds, word by word. Which words does it touch most? Then choose the plain sentence, and look again.
"""
    )
    yield Prose(
        """
## Where it attaches

An adapter reads what its layer reads, and adds to what its layer writes. Nothing else in the block knows of it:

$$y = W x + s\\, B A\\, x$$

Here the input has [[exact.width]] numbers and the middle of the side path has [[exact.r]]. All that the adapter can
say passes through these few numbers. The picture “what the adapter adds” is exactly this side path.

Other methods put new layers of their own *between* the parts of a block. A token must then wait for them. LoRA's path
runs beside a layer that is there anyway, and so it can be merged away [@hu2021, section 4.1].

## What it costs there

In one block of the small model six adapters of r = [[counts.r]] hold [[counts.trained:,d]] numbers, beside
[[counts.total:,d]] frozen ones. For each token the block then takes [[counts.unmerged:,d]] multiply-accumulates in
its projections; merged, it takes [[counts.total:,d]] as before. The scaling and the additions are left out of this
count.

The square layers and the MLP's wide ones cost differently: an adapter stores one row and one column for each rank, so
a matrix four times as large takes not even three times as many numbers. Many newer models have a seventh
projection in each block, the gate of their MLP. [Another lesson](counting.html) counts those.

## Word by word

Look again at what down_proj adds in the first block, in the formal sentence. Of the squared size of what it adds,
[[where.share:.0%]] stands in [[where.rows]] of the [[where.tokens]] rows, “[[where.one]]” and “[[where.two]]”. A
plain story says “is at the mill” where a formal one says “is seen at the said mill”. So these are just the words
after which the formal voice goes on in its own way, and the plain sentence shows the same two. The adapter does not
set the tone once, at the start. On for the token that begins the text and off for all words, it lowers the loss by
[[note.first:.2f]] nats; the other way round, by [[note.later:.2f]]. It works word by word.

## Size is a bad guide

What does an adapter *do*? Let us switch on one, leave all others off, and measure the loss on formal texts that no
run has read. Take q_proj in the last block. Its delta_w is [[query.size:.0%]] as large as W, and it changes the
queries by [[query.change:.0%]]. Alone it lowers the loss by [[query.fall:.2f]] nats per word, of the
[[query.none:.2f]] that the base has.

Now down_proj in the same block. Its delta_w is [[narrow.size:.0%]] as large as W and changes what is written by
[[narrow.change:.0%]], hardly more. Alone it lowers the loss by [[narrow.fall:.2f]]. What is the difference? Not the
size. Random matrices as large as this delta_w change what down_proj writes by [[control.random:.0%]], and the best of
[[control.draws]] lowers the loss by [[control.random_fall:.2f]].

A matrix acts by what it does to the inputs that really come. They are not spread evenly. A random direction meets
little of them; a learned one is turned to where they are, and what it writes must be of use to what comes after.

## Parts that do not add up

So is down_proj of the last block where the formal voice lives? This one adapter, with [[share.numbers:.0%]] of all
trained numbers, brings [[share.least:.0%]] to [[share.most:.0%]] of the whole fall, over [[share.seeds]] seeds. It
would be easy to stop here.

But a loss may fall far before a single word changes. After “[[next.before]]” the base expects “[[next.base_word]]”
with [[next.base_share:.0%]]. With that one adapter on it still does, with [[next.one_share:.0%]]. With all of them on
it expects “[[next.every_word]]”, with [[next.every_share:.0%]]. To the base “[[likelier.every_word]]” is all but
impossible there; with this one adapter on it is [[likelier.times:,.0f]] times as likely. That counts in nats, and it
does not yet make the word come first. Let the model write, with one adapter on: whichever of the [[written.number]]
it is, [[written.alone:.0%]] of its statements are formal. With all of them on, [[written.every:.0%]] are. So the
voice lives in no one of them.

In nats they overlap all the same. Each alone, the adapters lower the loss by [[sum.alone:.1f]] nats in sum. All
together they lower it by [[sum.together:.1f]]. One adapter can do much of what another does, and once one has done
it, the others need not. The reverse holds, too. Leave out any one of the [[missed.number]] and keep the others: the
loss rises by [[missed.most:.2f]] nats at most, over [[missed.seeds]] seeds, of a gain of [[missed.gain:.1f]]. So
switching one off says almost the opposite of switching one on.

Both are fair measurements, and neither is “the” importance of a layer. If you read that some layer matters most, ask
which of the two was measured.

## Attention or MLP?

LoRA's authors adapted the attention layers and left the MLP frozen, for simplicity [@hu2021, section 4.2]. Later work
did better with the MLP than with attention alone [@biderman2024, section 4.7]. Our small model agrees: In
[[best.mlp]] of [[best.all]] cases, all blocks times [[best.seeds]] seeds, the single adapter that helps most stands
in the MLP. This voice is mostly a choice of words, which may favour the MLP. A task that must look at other places of
the text may differ. We measured this one.

## In short

- An adapter reads what its layer reads and adds to what its layer writes.
- Through its middle pass only r numbers for each token.
- Two changes of the same size may differ much in what they do. A random one is the control.
- Alone, single adapters bring more nats in sum than all together, and none of them makes a formal sentence. Left out,
  hardly one is missed.
"""
    )


LESSON = Lesson(
    slug="block",
    title="One block, seen through",
    question="Where does an adapter attach, and what does it do there?",
    part="Rooms",
    order=220,
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
            "One adapter's delta_w is a quarter as large as W. What do you know of its effect?",
            (
                Answer(
                    "That it is large",
                    "It may do little for the task. Take q_proj in the last block. Its delta_w is "
                    "[[query.size:.0%]] as large as W, and it changes the queries by [[query.change:.0%]]. Alone "
                    "it lowers the loss by [[query.fall:.2f]] nats per word, of the [[query.none:.2f]] that the "
                    "base has.",
                ),
                Answer(
                    "Nothing yet",
                    "It depends on the inputs that come. Take q_proj in the last block. Its delta_w is "
                    "[[query.size:.0%]] as large as W, and it changes the queries by [[query.change:.0%]]. Alone "
                    "it lowers the loss by [[query.fall:.2f]] nats per word, of the [[query.none:.2f]] that the "
                    "base has. Now down_proj in the same block. Its delta_w is [[narrow.size:.0%]] as large as W "
                    "and changes what is written by [[narrow.change:.0%]], hardly more. Alone it lowers the loss "
                    "by [[narrow.fall:.2f]].",
                    right=True,
                ),
                Answer(
                    "That it is as large as that of any matrix of this size",
                    "A learned one can do far more than a random one. Random matrices as large as this delta_w "
                    "change what down_proj writes by [[control.random:.0%]], and the best of [[control.draws]] "
                    "lowers the loss by [[control.random_fall:.2f]].",
                ),
            ),
        ),
        Question(
            "Without one adapter the loss hardly rises. So this adapter does nothing?",
            (
                Answer(
                    "Yes, the others do the work",
                    "Alone it may do much of that work, too. This one adapter, with [[share.numbers:.0%]] of all "
                    "trained numbers, brings [[share.least:.0%]] to [[share.most:.0%]] of the whole fall, over "
                    "[[share.seeds]] seeds.",
                ),
                Answer(
                    "No: the others may do what it would do",
                    "What adapters bring overlaps. Each alone, the adapters lower the loss by [[sum.alone:.1f]] "
                    "nats in sum. All together they lower it by [[sum.together:.1f]]. Leave out any one of the "
                    "[[missed.number]] and keep the others: the loss rises by [[missed.most:.2f]] nats at most, "
                    "over [[missed.seeds]] seeds, of a gain of [[missed.gain:.1f]].",
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

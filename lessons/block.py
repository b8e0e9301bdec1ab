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
        lambda v: (
            v["random"] < v["change"] / 2 and v["random_fall"] < min(v["falls"]) / 10 and v["draws"] == 10
        ),
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
        lambda v: v["times"] > 1000 and v["one_turn"] < 0.01,
    ),
    "written": Claim(
        _written,
        lambda v: v["alone"] == 0 and v["every"] > 0.7 and v["number"] == len(LAYERS),
    ),
    "share": Claim(
        _share,
        lambda v: v["least"] > 0.25 and v["numbers"] < 0.1 and v["seeds"] == 5,
    ),
    "sum": Claim(
        _sum,
        lambda v: v["alone"] > 1.5 * v["together"],
    ),
    "missed": Claim(
        _missed,
        lambda v: v["most"] < v["gain"] / 20 and v["seeds"] == 5,
    ),
    "best": Claim(
        _best,
        lambda v: v["mlp"] > v["all"] / 2 and v["all"] == 3 * v["seeds"] == 15,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
[The first adapter](first.html) was a listener and a speaker beside a linear layer. But a model is not a layer. What
does the listener hear, who hears what the speaker says, and what does any one of these pairs do when all others are
silent? This room opens one block of the village's model, with all its real numbers, to look.

## From top to bottom

A sentence comes in at the top, one row of numbers for each word. Follow it down: it is brought to a common size
(normalised), turned into queries, keys and values, mixed by attention, and added to what came in; then it is
normalised again, made longer, bent, made short, and added once more.

The six buttons are the linear layers. Each holds a frozen matrix W, and the thin teal line around it is its adapter,
which leaves before W, passes lora_A and lora_B, and comes back after it. These adapters have learned the formal
voice, with r = [[exact.r]]. Press one of the buttons, and see what it is made of.
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

Here the input has [[exact.width]] numbers and the middle of the side path has [[exact.r]], so all that the adapter
can say passes through these few. The picture “what the adapter adds” is exactly this side path. Because it runs
beside a layer that is there anyway, it can be added to the layer's weights for good, and then it costs nothing
[@hu2021, section 4.1]. Methods that put new layers *between* the parts of a block make every token wait for them.

Until it is merged, it does cost something: in one block the six adapters hold [[counts.trained:,d]] numbers beside
[[counts.total:,d]] frozen ones. For each token the block then takes [[counts.unmerged:,d]] multiply-accumulates in
its linear layers, where it took [[counts.total:,d]] before. A matrix four times as large does not need four times the
adapter, since what an adapter stores for each rank is one row and one column. [The room of counting](counting.html)
does this for large models, whose MLP often has a seventh matrix.

## Word by word

Look again at what down_proj adds in the first block to the formal sentence. Of the squared size of all that it adds,
[[where.share:.0%]] is in two of the [[where.tokens]] rows, “[[where.one]]” and “[[where.two]]”. A plain story says
“is at the mill” where a formal one says “is seen at the said mill”. So these are just the words after which the
formal voice goes on in its own way, and the plain sentence shows the same two.

It might have been otherwise, for an adapter could set the tone once, at the start, and leave the rest to the model.
This one does not: switched on only for the token that begins a text, it lowers the loss by [[note.first:.2f]] nats,
and switched on only for the words after it by [[note.later:.2f]].

## Size is a bad guide

To see what a single adapter *does*, we switch one on, leave all others off, and measure the loss on formal texts that
no run has read. Take q_proj in the last block. Its delta_w is [[query.size:.0%]] as large as W and changes the
queries by [[query.change:.0%]]. But of the loss, which is [[query.none:.2f]] nats for the base, it takes away no more
than [[query.fall:.2f]].

Now down_proj in the same block. Its delta_w is [[narrow.size:.0%]] as large as W and changes what is written by
[[narrow.change:.0%]], hardly more than the other. Yet alone it lowers the loss by [[narrow.fall:.2f]]. The difference
is not in the size: as a control, random matrices as large as this delta_w change what down_proj writes by
[[control.random:.0%]], and the best of ten lowers the loss by [[control.random_fall:.2f]].

A matrix acts by what it does to the inputs that really come, and these are not spread evenly. A random direction
meets little of them, while a learned one is turned to where they are, and what it writes must be of use to what comes
after.

## Parts that do not add up

So is down_proj of the last block where the formal voice lives? This one adapter has [[share.numbers:.0%]] of all
trained numbers, and over five seeds it brings between [[share.least:.0%]] and [[share.most:.0%]] of the whole fall of
the loss. It would be easy to stop here.

But a loss may fall far before a single word changes. After “[[next.before]]” the base expects “[[next.base_word]]”,
and with that one adapter on it still does, with [[next.one_share:.1%]]; only with all of them on does it expect
“[[next.every_word]]”. What has changed is how impossible that word was, for with the one adapter it is
[[likelier.times:,.0f]] times as likely as before and still far from likely. Let the model write with any one of the
[[written.number]] adapters on, and not one of its statements is formal. With all of them on, [[written.every:.0%]]
are.

In nats the adapters overlap: each alone, they lower the loss by [[sum.alone:.1f]] in sum, and all together by
[[sum.together:.1f]], because once one has done it, the others need not. For the same reason none is missed: leave out
any one and keep the others, and the loss rises by [[missed.most:.2f]] at most, over five seeds. So switching one off
says almost the opposite of switching one on. Both are fair measurements, and neither is “the” importance of a layer.
Where you read that some layer matters most, ask which of the two was measured.

## Attention or MLP?

LoRA's authors adapted the attention layers and left the MLP frozen, for simplicity [@hu2021, section 4.2]. Later work
did better with the MLP than with attention alone [@biderman2024, section 4.7]. In our small model the single adapter
that helps most is in the MLP in [[best.mlp]] of [[best.all]] cases, three blocks times five seeds. What happens when
only some layers get an adapter, at equal cost, is measured in [another room](placing.html).

## What this does not show

One small model and one task, a voice that is mostly a choice of words, which may favour the MLP; a task that must
look at other places of the text may differ. The words of the first figure are one sentence, and a share of its
squared size is no share of the loss.
"""
    )


LESSON = Lesson(
    slug="block",
    title="One block, seen through",
    question="Where does an adapter attach, and what does it do there?",
    part="Rooms",
    order=220,
    minutes=8,
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
                    "It may do little for the task. The delta_w of q_proj in the last block is [[query.size:.0%]] as "
                    "large as W, and alone it lowers the loss by [[query.fall:.2f]] of [[query.none:.2f]] nats.",
                ),
                Answer(
                    "Nothing yet",
                    "It depends on the inputs that come. In the last block the delta_w of q_proj is "
                    "[[query.size:.0%]] as large as W and that of down_proj [[narrow.size:.0%]], but alone the one "
                    "lowers the loss by [[query.fall:.2f]] nats and the other by [[narrow.fall:.2f]].",
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
                    "Alone it may do much of that work, too. The adapter of down_proj in the last block, with "
                    "[[share.numbers:.0%]] of all trained numbers, brings [[share.least:.0%]] to "
                    "[[share.most:.0%]] of the whole fall of the loss.",
                ),
                Answer(
                    "No: the others may do what it would do",
                    "What adapters bring overlaps. Each alone, they lower the loss by [[sum.alone:.1f]] nats in sum, "
                    "and all together by [[sum.together:.1f]]. Without any one of the [[missed.number]] it rises by "
                    "[[missed.most:.2f]] at most.",
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

"""A base in four bits: the reader can say what is stored, what it costs, and what LoRA has to do with it."""

from collections.abc import Iterator, Mapping
from functools import cache
from statistics import fmean
from typing import Any

import numpy as np

from compute.costs.architectures import ARCHITECTURES, parameters
from compute.costs.counting import lora_numbers
from compute.costs.memory import GB, lora_states, qlora_states
from compute.experiments.lossy import RANKS, REPAIRED, load_lossy
from compute.experiments.qlora import BLOCKS, load_qlora
from compute.experiments.qlora import R as ADAPTER_R
from compute.experiments.sample_weights import sample_weights
from compute.numbers.quantising import (
    BLOCK,
    FLOAT32,
    LEVELS,
    NF4,
    SCALE_BLOCK,
    bits_per_number,
    constructed_nf4,
    dequantise,
    double_quantised,
    in_few_bits,
    quantise,
    relative_squared_error,
    usage,
    usage_entropy,
)
from compute.world.tasks import FACTS, SKILL
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.bits import Bits
from widgets.lossy import Lossy
from widgets.quantised import Quantised

NAMES = {"nf4": "NF4", "int4": "int4", "fp4": "FP4", "int3": "int3", "int2": "int2"}
DRAWN = 2**18  # Gaussian numbers: enough for three digits
LARGE, CARD = ARCHITECTURES["llama-2-70b"], 80
FOUR_BITS = ("nf4", "int4", "fp4")
ROUGH = "int2"


@cache
def _gaussian() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(DRAWN)


@cache
def _squared(format: str) -> float:
    return relative_squared_error(_gaussian(), in_few_bits(_gaussian(), format))


def _grids() -> Mapping[str, Any]:
    nf4 = _squared("nf4")
    return {
        "drawn": DRAWN,
        "block": BLOCK,
        **{name.replace("-", "_"): _squared(name) for name in LEVELS},
        "names": [NAMES[name] for name in FOUR_BITS],
        "nf4_name": NAMES["nf4"],
        "fp4_name": NAMES["fp4"],
        "least": _squared("uniform") / nf4,
        "symmetric": _squared("int4") / nf4,
        "fifteen": len(LEVELS["int4"]),
        "sixteen": len(LEVELS["uniform"]),
    }


def _used() -> Mapping[str, Any]:
    shares = usage(quantise(_gaussian(), "nf4"))
    return {
        "least": shares.min(),
        "most": shares.max(),
        "even": 1 / len(NF4),
        "entropy": usage_entropy(shares),
        "bits": 4,
    }


def _errors(matrix: str, block: int = BLOCK) -> dict[str, float]:
    weights = sample_weights(matrix).astype(float)
    return {
        name: relative_squared_error(weights, in_few_bits(weights, name, block)) ** 0.5 for name in FOUR_BITS
    }


def _controls() -> Mapping[str, Any]:
    uniform, heavy = _errors("uniform"), _errors("heavy")
    return {
        "nf4_name": NAMES["nf4"],
        "int4_name": NAMES["int4"],
        "fp4_name": NAMES["fp4"],
        "uniform_nf4": uniform["nf4"],
        "uniform_int4": uniform["int4"],
        "heavy_nf4": heavy["nf4"],
        "heavy_fp4": heavy["fp4"],
    }


def _double() -> Mapping[str, Any]:
    weights = sample_weights("base").astype(float)
    once = quantise(weights, "nf4")
    twice = once._replace(absmax=double_quantised(once.absmax))
    before, after = (relative_squared_error(weights, dequantise(each)) ** 0.5 for each in (once, twice))
    return {
        "scale": 32,
        "block": BLOCK,
        "single": bits_per_number("nf4"),
        "stored": 8,
        "scale_block": SCALE_BLOCK,
        "double": bits_per_number("nf4", double=True),
        "before": before,
        "after": after,
    }


def _stored() -> Mapping[str, Any]:
    stored = load_lossy().stored
    return {
        "format": NAMES["nf4"],
        "weights": _errors("base")["nf4"],
        "plain": stored[FLOAT32].facts,
        "after": stored["nf4"].facts,
    }


def _facts_lost() -> Mapping[str, Any]:
    stored = load_lossy().stored
    return {
        "plain": stored[FLOAT32].facts,
        **{f"{name}_name": label for name, label in NAMES.items()},
        **{name: stored[name].facts for name in NAMES},
        "stories": stored["int3"].stories,
    }


def _facts_noise() -> Mapping[str, Any]:
    recorded = load_lossy()
    noise = {
        name: sum(each.facts for each in recorded.noise[name]) / len(recorded.noise[name]) for name in NAMES
    }
    return {
        **{f"{name}_name": label for name, label in NAMES.items()},
        **{name: recorded.stored[name].facts for name in NAMES},
        **{f"{name}_noise": share for name, share in noise.items()},
    }


def _brought_back() -> Mapping[str, Any]:
    recorded, r = load_lossy(), RANKS[-1]
    values: dict[str, Any] = {"r": r, "least": RANKS[0], "plain": recorded.stored[FLOAT32].facts}
    for name in ("int3", "int2"):
        values |= {
            f"{name}_name": NAMES[name],
            name: recorded.stored[name].facts,
            f"{name}_loftq": recorded.corrected[name][str(r)].facts,
        }
    [name] = REPAIRED
    return values | {
        "zero": recorded.facts(name, r, "B=0"),
        "both": recorded.facts(name, r, "LoftQ"),
        "worst": min(each.facts for each in recorded.of(name, RANKS[0], "LoftQ").known),
        "best": max(each.facts for each in recorded.of(name, RANKS[0], "B=0").known),
        "thin": recorded.facts(name, RANKS[0], "LoftQ"),
        "thin_zero": recorded.facts(name, RANKS[0], "B=0"),
    }


def _blocks() -> Mapping[str, Any]:
    shares = load_qlora().stored["int3"]
    return {
        "format": NAMES["int3"],
        "least": BLOCKS[0],
        "most": BLOCKS[-1],
        "fine": shares[0],
        "coarse": shares[-1],
    }


def _learned(task: str, base_format: str) -> Mapping[str, Any]:
    """Return what is right of a task on a format and on float32, on average over the seeds, and how far apart."""
    recorded = load_qlora()
    of, plain = recorded.of(task, base_format), recorded.of(task, FLOAT32)
    apart = recorded.apart(task, base_format)
    again = zip(of.requantised, of.right, strict=True)
    return {
        "plain_name": FLOAT32,
        "format": NAMES[base_format],
        "seeds": len(of.right),
        "before": recorded.before[task][base_format],
        "stored": load_lossy().stored[base_format].facts,
        **{name: fmean(getattr(of, name)) for name in ("right", "facts", "requantised", "moved")},
        **{f"plain_{name}": fmean(getattr(plain, name)) for name in ("right", "facts")},
        "apart": apart.mean,
        "low": apart.low,
        "high": apart.high,
        "verdict": apart.verdict,
        "worse": sum(after < beside for after, beside in again),
    }


def _memory() -> Mapping[str, Any]:
    trained = lora_numbers(LARGE, "all-linear", 16)
    return {
        "label": LARGE.label,
        "r": 16,
        "bits": 16,
        "adapted": sum(lora_states(parameters(LARGE), trained, "mixed")) / GB,
        "qlora": sum(qlora_states(LARGE, trained, "mixed")) / GB,
        "card": CARD,
        "format": NAMES["nf4"],
    }


def _weights() -> Mapping[str, Any]:
    bits = bits_per_number("nf4", double=True)
    return {
        "billions": 65,
        "bits": 16,
        "full": 65 * 16 / 8,
        "format": NAMES["nf4"],
        "stored": 65 * bits / 8,
        "times": 16 / bits,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "levels": Claim(
        lambda: {"apart": float(np.abs(constructed_nf4() - NF4).max())},
        lambda v: v["apart"] < 2e-7,
    ),
    "grids": Claim(
        _grids,
        # FACTS of this project, computed elsewhere with other draws; three digits are known from this many numbers.
        lambda v: all(
            abs(v[name] / known - 1) < 0.01
            for name, known in {"nf4": 0.00845, "fp4": 0.01117, "int4": 0.01159, "uniform": 0.0101}.items()
        ),
    ),
    "lead": Claim(
        _grids,
        lambda v: 1.15 < v["least"] < v["symmetric"] < 1.4,
    ),
    "used": Claim(
        _used,
        lambda v: v["most"] > 5 * v["least"] and 3.87 < v["entropy"] < 3.89,
    ),
    "controls": Claim(
        _controls,
        lambda v: v["uniform_int4"] < 0.8 * v["uniform_nf4"] and v["heavy_fp4"] <= v["heavy_nf4"],
    ),
    "double": Claim(
        _double,
        lambda v: v["double"] == 4.126953125 and abs(v["after"] - v["before"]) < 2e-4,
    ),
    "stored": Claim(
        _stored,
        lambda v: v["weights"] > 0.08 and 0 < v["plain"] - v["after"] < 0.02,
    ),
    "facts-lost": Claim(
        _facts_lost,
        lambda v: v["plain"] > v["nf4"] > v["fp4"] > v["int4"] > 0.9 > 0.7 > v["int3"] > 0.1 > v["int2"],
    ),
    "stories-last": Claim(
        _facts_lost,
        lambda v: v["stories"] > v["int3"] + 0.2,
    ),
    "facts-noise": Claim(
        _facts_noise,
        lambda v: 0 < v["int3_noise"] < 1,
    ),
    "brought-back": Claim(
        _brought_back,
        lambda v: v["int3_loftq"] > v["int3"],
    ),
    "repaired": Claim(
        _brought_back,
        lambda v: v["both"] > v["zero"] > v["int3"] + 0.2 and v["worst"] > v["best"],
    ),
    "blocks": Claim(
        _blocks,
        lambda v: v["fine"] > v["coarse"] + 0.3,
    ),
    "skill": Claim(
        lambda: _learned(SKILL, "nf4"),
        lambda v: v["verdict"] == "level" and v["high"] - v["low"] < 0.03,
    ),
    "new": Claim(
        lambda: {**_learned(FACTS, "nf4"), "r": ADAPTER_R},
        lambda v: v["verdict"] == "level" and v["plain_right"] < 0.9,
    ),
    "rough": Claim(
        lambda: {**_learned(SKILL, ROUGH), "r": ADAPTER_R},
        lambda v: v["stored"] < 0.1 and v["right"] > 0.95 and v["verdict"] == "level",
    ),
    "not-repaired": Claim(
        lambda: _learned(SKILL, ROUGH),
        lambda v: v["facts"] < 0.1 < 0.8 < v["plain_facts"],
    ),
    "moved": Claim(
        lambda: _learned(SKILL, ROUGH),
        lambda v: v["moved"] < 0.1 < 0.9 < v["right"],
    ),
    "again": Claim(
        lambda: _learned(FACTS, "nf4"),
        lambda v: v["worse"] == v["seeds"],
    ),
    "again-rough": Claim(
        lambda: _learned(SKILL, "int3"),
        lambda v: v["requantised"] < v["right"] - 0.4,
    ),
    "seventy": Claim(
        _memory,
        lambda v: v["adapted"] > v["card"] > v["qlora"],
    ),
    "sixty-five": Claim(
        _weights,
        lambda v: 33 < v["stored"] < 48 and 3.8 < v["times"] < 4,
    ),
    "dettmers-65": Cited("65 billion numbers on one GPU of 48 GB", "dettmers2023", "abstract"),
    "dettmers-sizes": Cited("41 GB for 65 billion, 21 for 33", "dettmers2023", "tables 1 and 6"),
    "dettmers-parts": Cited("5,048 MB of base and 26 MB of adapter", "dettmers2023", "section 2"),
    "dettmers-33": Cited("33 billion numbers on a card of 24 GB", "dettmers2023", "sections 1 and 5.3"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## Round the base, not the adapter

LoRA freezes the base. So the base takes up memory and is only ever read. Does it need all its digits?

QLoRA stores each frozen weight in four bits [@dettmers2023, section 3]. Four bits can tell sixteen things apart. So
every weight must go to one of sixteen levels. This is called *quantising*: rounding, with few places to round to. The
adapter keeps all its digits, and learns beside it.

How is one set of sixteen levels to fit large weights and small ones? Cut the matrix into blocks. In each, divide by
the largest magnitude and remember it. Now everything lies between minus one and one. Each number goes to the nearest
level, and the block keeps its *scale*: that largest magnitude. To read a weight, multiply its level by the scale.

Which levels would you choose? Look at the weights first.
"""
    )
    yield Figure("bits", Bits)
    yield Try(
        """
Slide from [small blocks](#bits?block=0) to [the whole matrix](#bits?block=5). What happens to the histogram, and why
does the error grow? Then take the uniform matrix. Which format wins now?
"""
    )
    yield Prose(
        """
## Levels where the weights are

Weights of trained models lie roughly on a bell curve around zero. Even levels waste places where hardly any weight
is. `NF4` stands for “normal float”: its levels are quantiles of the bell curve, so that about the same share of the
curve lies between any two neighbours. They are close together in the middle, far apart at the ends, and one of them is
exactly zero [@dettmers2023, section 3].

The formula in the paper cannot be used as it is printed: read literally, it asks for the quantile of probability
zero, which is infinite. The levels that were published are built a little differently. Computed so, they agree with
the published ones to within [[levels.apart:.1e]].

Beside it stand two older ideas. `int4` has even steps. `FP4` is a tiny floating-point number with one bit of sign, two
of exponent and one of mantissa, so its steps grow with the size. How much does `NF4` gain?

On [[grids.drawn:,d]] Gaussian numbers in blocks of [[grids.block]], the squared error over the squares of the numbers
is [[grids.nf4:.5f]] with [[grids.nf4_name]]. It is [[grids.fp4:.5f]] with [[grids.fp4_name]], [[grids.int4:.5f]] with
[[grids.fifteen]] even levels around a zero, and [[grids.uniform:.5f]] with [[grids.sixteen]] even levels. So the lead
over even levels is a factor of [[lead.least:.2f]] or [[lead.symmetric:.2f]], depending on which even levels you mean.
A comparison with “`int4`” that does not name its grid says little.

The idea behind the levels is that each should be used equally often. Are they? The emptiest level holds
[[used.least:.1%]] of Gaussian weights, the fullest [[used.most:.1%]], where even shares would be [[used.even:.2%]].
The codes carry [[used.entropy:.2f]] bits of information in [[used.bits]] bits of storage. Dividing by the largest of
a block changes the curve: the outermost levels are there for one weight in each block, and few others come near.

And where the weights are no bell curve, the lead is gone. On uniform numbers [[controls.nf4_name]] misses
[[controls.uniform_nf4:.1%]] and [[controls.int4_name]] [[controls.uniform_int4:.1%]]. On heavy tails
[[controls.nf4_name]] misses [[controls.heavy_nf4:.1%]], [[controls.fp4_name]] [[controls.heavy_fp4:.1%]].

## What the scales cost

A scale of [[double.scale]] bits for [[double.block]] weights makes [[double.single]] bits a weight. With
[[double.stored]] bits a scale, and one more of [[double.scale]] for [[double.scale_block]] scales, it is
[[double.double:.3f]]. On the matrix in the figure the relative error goes from [[double.before:.3%]] to
[[double.after:.3%]]. This is *double quantisation*. It saves little on each weight and costs hardly anything. (The
paper stores these scales in an eight-bit float; ours lie on an even grid.)

Smaller blocks have smaller errors and more scales. That is the trade that the slider makes.

## Does the model notice?

A relative error of nearly a tenth sounds like a lot. Now we do it to a whole model: all linear layers of
[the one that you have met](world.html), `NF4`, blocks as in QLoRA. It knows facts by heart, and a fact is either right
or lost. Make your guess.
"""
    )
    yield Figure("quantised", Quantised)
    yield Try(
        """
Slide through the formats. Where does storing alone begin to hurt? And is the hurt still there after LoRA has learned?
"""
    )
    yield Prose(
        """
In [[stored.format]] the matrix in the figure is [[stored.weights:.0%]] of its length away from where it was. The base
still has [[stored.after:.1%]] of its facts right, where it had [[stored.plain:.1%]]. As it is, the base has
[[facts-lost.plain:.1%]] of its facts right. In [[facts-lost.nf4_name]] it has [[facts-lost.nf4:.1%]], in
[[facts-lost.fp4_name]] [[facts-lost.fp4:.1%]], in [[facts-lost.int4_name]] [[facts-lost.int4:.1%]], in
[[facts-lost.int3_name]] [[facts-lost.int3:.1%]], and in [[facts-lost.int2_name]] [[facts-lost.int2:.1%]]. So the
formats can be told apart, and four bits cost little but not nothing. Smaller blocks help where there are few levels.
In [[blocks.format]] [[blocks.fine:.0%]] of the facts are left with a scale for [[blocks.least]] weights, and
[[blocks.coarse:.0%]] with one for [[blocks.most:,d]].

What goes first is what is known by heart. In [[stories-last.int3_name]] [[stories-last.stories:.0%]] of the questions
on stories are still right. And rounding is as bad as chance, and no worse: as a control, we leave the levels aside.
Noise as large as the rounding to [[facts-noise.int3_name]] leaves [[facts-noise.int3_noise:.0%]] of the facts, where
rounding leaves [[facts-noise.int3:.0%]].

## What is lost can be brought back
"""
    )
    yield Figure("lossy", Lossy)
    yield Try(
        """
Slide to `int3`. Which of the curves on the right begins above the line “as stored”, without any training?
"""
    )
    yield Prose(
        """
What rounding takes away is a matrix, the difference between a weight and its stored copy, and a matrix has a best
copy of low rank. LoftQ puts that copy into the adapter before training begins, and stores the rest again
[@li2023, algorithm 1]. On [[brought-back.int3_name]] LoftQ's factors of rank [[brought-back.r]] bring the facts from
[[brought-back.int3:.0%]] to [[brought-back.int3_loftq:.0%]] without any training, and on [[brought-back.int2_name]]
from [[brought-back.int2:.0%]] to [[brought-back.int2_loftq:.0%]].

The adapter can also learn it. Trained on the base's own texts, an adapter with r = [[repaired.r]] brings back
[[repaired.zero:.0%]] from the usual start and [[repaired.both:.0%]] from LoftQ's factors; with r = [[repaired.least]]
it is [[repaired.thin_zero:.0%]] and [[repaired.thin:.0%]]. Nobody had to show it the lost facts one by one; it read
what the base had read. Its learning rate was chosen by the facts about every other person, who are asked again in the
end: what has to be remembered has no unseen half. It repairs a part, since the difference is not of low rank, and a
thin adapter can only make up for the directions that matter most.

## And finetuning on top?

Back to the right half of the first of these figures. On [[skill.format]] LoRA has [[skill.right:.1%]] of the skill's
questions right, on [[skill.plain_name]] [[skill.plain_right:.1%]], over [[skill.seeds]] seeds. The interval of the
difference reaches from [[skill.low:+.1%]] to [[skill.high:+.1%]]. With so many new facts that r = [[new.r]] cannot
hold them all, it is [[new.right:.0%]] against [[new.plain_right:.0%]], and the interval from [[new.low:+.0%]] to
[[new.high:+.0%]]. Nothing to tell apart: five seeds say that much and no more.

It fits what QLoRA's authors report for far larger models: finetuned on four bits, they perform as they do when
finetuned in sixteen [@dettmers2023, abstract].

LoRA does more than not to suffer. Take the format that broke. In [[rough.format]] the base has [[rough.stored:.0%]]
of its own facts left. LoRA with r = [[rough.r]] takes it from [[rough.before:.0%]] to [[rough.right:.0%]] of the
skill's questions, where the [[rough.plain_name]] base comes to [[rough.plain_right:.0%]]. The adapter learns the task
and, with the same few directions, makes good what rounding broke for it. So it matters on which base an adapter
learned. An adapter trained on the [[moved.plain_name]] base and put on the [[moved.format]] base has
[[moved.moved:.0%]] right. One trained there has [[moved.right:.0%]].

The repair is for the task alone. Of the facts that the base once knew, [[not-repaired.facts:.0%]] are right
afterwards, and [[not-repaired.plain_facts:.0%]] on the [[not-repaired.plain_name]] base.

You can train on each of these bases in [the live lab](lab.html?train.base_format=int2): the choice stands under “More
settings”.

## What is computed in four bits? Nothing

Four bits are for storage. When a layer computes, its weights are turned back into sixteen bits, in the forward pass and
again in the backward pass [@dettmers2023, section 3]. That takes time. What never happens is a gradient for them, or
a step: the weights stay where they are.

In code names, with $W$ turned back from its codes:

$$y = x \\, W^{\\top} + s \\, x \\, \\text{lora_A}^{\\top} \\text{lora_B}^{\\top}$$

Gradients pass through $W$ to reach the adapters of the layers before. They are computed with the rounded $W$, so that
the adapter learns for the base as it is stored.

## Merging needs the digits again

What if you merge the adapter into its four-bit base and store the sum in four bits? Everything is rounded once more,
the adapter included. On new facts in [[again.format]], [[again.right:.0%]] are right with the adapter beside the base
and [[again.requantised:.0%]] when both are merged and stored again: fewer in [[again.worse]] of [[again.seeds]] runs.
In [[again-rough.format]], on the skill, it goes from [[again-rough.right:.0%]] to [[again-rough.requantised:.0%]].
Keep the adapter beside the base, or merge into a copy with all its digits.

## What it buys

LoRA alone leaves the frozen base as large as it was. [[seventy.label]] with LoRA, r = [[seventy.r]] on all linear
layers, needs [[seventy.adapted:.1f]] GB for weights in [[seventy.bits]] bits and the states of the adapter, before
any activation. That is more than the [[seventy.card]] GB of a large card. With its linear layers in
[[seventy.format]] it is [[seventy.qlora:.1f]] GB. So it is the four bits that bring it onto a card.

The weights of [[sixty-five.billions]] billion numbers take [[sixty-five.full:.0f]] GB in [[sixty-five.bits]] bits. In
[[sixty-five.format]] with double quantisation they take [[sixty-five.stored:.1f]], [[sixty-five.times:.2f]] times
less. The authors finetuned [[dettmers-65]]. The models they release take [[dettmers-sizes]]; that is their size, not
the memory of training. And adapters are nearly free: for their smallest base they count [[dettmers-parts]].

The mini-model is too small to save anything. What it shows is the cost, and in four bits that is little here. Other
models may lose more: measure it on yours.

## In short

- Each block of weights keeps one scale; each weight keeps four bits, the number of a level.
- `NF4` puts its levels where a bell curve has its weights. On other shapes other levels are better.
- Here, four bits cost the model a few of its facts. With three levels it breaks, and LoRA repairs what its task needs.
- The base is turned back to compute with, and never changes. Merging back into few bits rounds again.
"""
    )


LESSON = Lesson(
    slug="qlora",
    title="Four bits",
    question="The frozen weights are rounded to sixteen levels. What does that cost, and what does it save?",
    part="At work",
    order=110,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A weight is stored as a code of four bits. What else do you need to read it?",
            (
                Answer(
                    "The scale of its block",
                    "Level times scale is the weight. A scale of [[double.scale]] bits for [[double.block]] "
                    "weights makes [[double.single]] bits a weight. With [[double.stored]] bits a scale, and one "
                    "more of [[double.scale]] for [[double.scale_block]] scales, it is [[double.double:.3f]]. On "
                    "the matrix in the figure the relative error goes from [[double.before:.3%]] to "
                    "[[double.after:.3%]].",
                    right=True,
                ),
                Answer(
                    "Nothing, the level is the weight",
                    "Levels lie between minus one and one. Without the scale every block would be equally large.",
                ),
                Answer(
                    "The adapter",
                    "The adapter is added to what the layer says. The base can be read without it.",
                ),
            ),
        ),
        Question(
            "Which part of a training step does QLoRA leave out for the frozen weights?",
            (
                Answer(
                    "Turning them back into more bits",
                    "That it does twice, in the forward pass and in the backward pass.",
                ),
                Answer(
                    "Their gradient and their step",
                    "They never change, so neither is needed. That is LoRA's part; four bits only shrink the storage.",
                    right=True,
                ),
                Answer(
                    "The backward pass through them",
                    "The adapters of earlier layers hear of the loss through these weights, so it must go through.",
                ),
            ),
        ),
        Question(
            "`NF4` had the smallest error in the first figure. What follows for a model?",
            (
                Answer(
                    "It always costs the least",
                    "An error of weights is no loss of facts. In [[stored.format]] the matrix in the figure is "
                    "[[stored.weights:.0%]] of its length away from where it was. The base still has "
                    "[[stored.after:.1%]] of its facts right, where it had [[stored.plain:.1%]]. Other weights, "
                    "other losses.",
                ),
                Answer(
                    "It is best for any numbers",
                    "It is made for a bell curve. On uniform numbers even levels win. On uniform numbers "
                    "[[controls.nf4_name]] misses [[controls.uniform_nf4:.1%]] and [[controls.int4_name]] "
                    "[[controls.uniform_int4:.1%]]. On heavy tails [[controls.nf4_name]] misses "
                    "[[controls.heavy_nf4:.1%]], [[controls.fp4_name]] [[controls.heavy_fp4:.1%]].",
                ),
                Answer(
                    "For weights near a bell curve it is a good choice; what it costs a model must be measured",
                    "Just so. The first figure is about weights, the second about answers.",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA makes the largest models fit on a single GPU.",
            "LoRA alone does not shrink the frozen base. Four bits do. [[seventy.label]] with LoRA, r = "
            "[[seventy.r]] on all linear layers, needs [[seventy.adapted:.1f]] GB for weights in "
            "[[seventy.bits]] bits and the states of the adapter, before any activation. That is more "
            "than the [[seventy.card]] GB of a large card. With its linear layers in [[seventy.format]] "
            "it is [[seventy.qlora:.1f]] GB.",
            "bits",
        ),
        Correction(
            "With QLoRA even its largest model fits a consumer's GPU.",
            "The card that held it is a professional one: [[dettmers-65]]. For a consumer's card the authors name "
            "[[dettmers-33]].",
            "bits",
        ),
        Correction(
            "LoRA spares you from dequantising, and gradients flow through dequantised activations.",
            "The weights are turned back in both passes [@dettmers2023, section 3, equations 5 and 6]; "
            "activations were never quantised. What LoRA spares is the gradient of these weights. What "
            "the rounding costs is small here: In [[stored.format]] the matrix in the figure is "
            "[[stored.weights:.0%]] of its length away from where it was. The base still has "
            "[[stored.after:.1%]] of its facts right, where it had [[stored.plain:.1%]].",
            "quantised",
        ),
    ),
)

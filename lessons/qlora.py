"""A base in four bits: the reader can say what is stored, what it costs, and what LoRA has to do with it."""

from collections.abc import Iterator, Mapping
from functools import cache
from statistics import fmean
from typing import Any

import numpy as np

from compute.costs.architectures import ARCHITECTURES, parameters
from compute.costs.counting import lora_numbers
from compute.costs.memory import GB, PRECISIONS, lora_states, qlora_states
from compute.experiments.lossy import RANKS, REPAIRED, load_lossy
from compute.experiments.qlora import R as ADAPTER_R
from compute.experiments.qlora import load_qlora
from compute.experiments.sample_weights import sample_weights
from compute.numbers.quantising import (
    BLOCK,
    FLOAT32,
    NF4,
    SCALE_BLOCK,
    bits_per_number,
    constructed_nf4,
    dequantise,
    double_quantised,
    in_few_bits,
    quantise,
    relative_squared_error,
)
from compute.world.tasks import FACTS, SKILL
from lessons.press.blocks import (
    Answer,
    Block,
    Cited,
    Claim,
    Correction,
    Figure,
    Lesson,
    Prediction,
    Prose,
    Question,
    Stop,
    Teaching,
    Try,
)
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


def _lead() -> Mapping[str, Any]:
    """Return how many times the squared error of NF4 even levels have on Gaussian numbers: sixteen, and fifteen."""
    squared = {
        name: relative_squared_error(_gaussian(), in_few_bits(_gaussian(), name))
        for name in ("nf4", "uniform", "int4")
    }
    return {
        "least": squared["uniform"] / squared["nf4"],
        "symmetric": squared["int4"] / squared["nf4"],
        **squared,
    }


def _errors(matrix: str, block: int = BLOCK) -> dict[str, float]:
    weights = sample_weights(matrix).astype(float)
    return {
        name: relative_squared_error(weights, in_few_bits(weights, name, block)) ** 0.5 for name in FOUR_BITS
    }


def _controls() -> Mapping[str, Any]:
    uniform = _errors("uniform")
    return {"nf4_name": NAMES["nf4"], "int4_name": NAMES["int4"], **uniform}


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
    """Return what the base knows in each format, and with noise as large."""
    recorded = load_lossy()
    known = {name: recorded.stored[name].facts for name in NAMES}
    noise = {f"{name}_noise": fmean(each.facts for each in recorded.noise[name]) for name in NAMES}
    names = {f"{name}_name": label for name, label in NAMES.items()}
    return {
        **known,
        **noise,
        **names,
        "weights": _errors("base")["nf4"],
        "plain": recorded.stored[FLOAT32].facts,
        "stories": recorded.stored["int3"].stories,
    }


def _brought_back() -> Mapping[str, Any]:
    """Return which facts factors of the largest and the smallest rank bring back."""
    recorded, [name] = load_lossy(), REPAIRED
    high, low = RANKS[-1], RANKS[0]
    return {
        "name": NAMES[name],
        "stored": recorded.stored[name].facts,
        "loftq": recorded.corrected[name][str(high)].facts,
        "zero": recorded.facts(name, high, "B=0"),
        "both": recorded.facts(name, high, "LoftQ"),
        "thin": recorded.facts(name, low, "LoftQ"),
        "thin_zero": recorded.facts(name, low, "B=0"),
        "worst": min(each.facts for each in recorded.of(name, low, "LoftQ").known),
        "best": max(each.facts for each in recorded.of(name, low, "B=0").known),
    }


def _learned(task: str, base_format: str) -> Mapping[str, Any]:
    """Return what is right of a task on a format and on float32, on average over the seeds, and how far apart."""
    recorded = load_qlora()
    of, plain = recorded.of(task, base_format), recorded.of(task, FLOAT32)
    apart = recorded.apart(task, base_format)
    again = zip(of.requantised, of.right, strict=True)
    return {
        "format": NAMES[base_format],
        "r": ADAPTER_R,
        "seeds": len(of.right),
        "before": recorded.before[task][base_format],
        "stored": load_lossy().stored[base_format].facts,
        **{name: fmean(getattr(of, name)) for name in ("right", "facts", "requantised", "moved")},
        **{f"plain_{name}": fmean(getattr(plain, name)) for name in ("right", "facts")},
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
        "base": parameters(LARGE) * PRECISIONS["mixed"].weights / GB,
        "adapted": sum(lora_states(parameters(LARGE), trained, "mixed")) / GB,
        "qlora": sum(qlora_states(LARGE, trained, "mixed")) / GB,
        "card": CARD,
        "format": NAMES["nf4"],
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "levels": Claim(
        lambda: {"apart": float(np.abs(constructed_nf4() - NF4).max())},
        lambda v: v["apart"] < 2e-7,
    ),
    "lead": Claim(
        _lead,
        # FACTS of this project, computed elsewhere with other draws; three digits are known from this many numbers.
        lambda v: (
            1.15 < v["least"] < v["symmetric"] < 1.4
            and all(
                abs(v[name] / known - 1) < 0.01
                for name, known in {"nf4": 0.00845, "int4": 0.01159, "uniform": 0.0101}.items()
            )
        ),
    ),
    "controls": Claim(_controls, lambda v: v["int4"] < 0.8 * v["nf4"]),
    "double": Claim(
        _double,
        lambda v: v["double"] == 4.126953125 and f"{v['after']:.4f}" == f"{v['before']:.4f}",
    ),
    "stored": Claim(
        _stored,
        lambda v: (
            v["weights"] > 0.08 and 0 < v["plain"] - v["nf4"] < 0.02 and v["nf4"] > v["fp4"] > v["int4"]
        ),
    ),
    "facts-lost": Claim(
        _stored,
        lambda v: v["int4"] > 0.9 > 0.7 > v["int3"] > 0.1 > v["int2"] and v["stories"] > v["int3"] + 0.2,
    ),
    "facts-noise": Claim(
        _stored,
        lambda v: all(abs(v[name] - v[f"{name}_noise"]) < 0.03 for name in NAMES),
    ),
    "brought-back": Claim(
        _brought_back,
        lambda v: v["loftq"] > v["stored"] + 0.2 and v["both"] > v["zero"] > v["loftq"],
    ),
    "repaired": Claim(
        _brought_back,
        lambda v: v["thin"] > v["thin_zero"] > v["stored"] + 0.1 and v["worst"] > v["best"],
    ),
    "skill": Claim(
        lambda: _learned(SKILL, "nf4"),
        lambda v: v["verdict"] == "level" and v["high"] - v["low"] < 0.03,
    ),
    "rough": Claim(
        lambda: _learned(SKILL, ROUGH),
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
        lambda v: v["worse"] == v["seeds"] and v["right"] - v["requantised"] > 0.03,
    ),
    "seventy": Claim(
        _memory,
        lambda v: v["adapted"] > v["card"] > 2 * v["qlora"] and v["base"] > 0.95 * v["adapted"],
    ),
    "dettmers-65": Cited("65 billion numbers on one GPU of 48 GB", "dettmers2023", "abstract"),
    "dettmers-full": Cited("more than 780 GB", "dettmers2023", "section 1"),
    "dettmers-33": Cited("33 billion numbers on a card of 24 GB", "dettmers2023", "sections 1 and 5.3"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A clinic must not send its letters to anybody else's computer. It owns one graphics card with [[seventy.card]] GB of
memory, and the model that it needs does not fit. LoRA alone is no help here: it freezes the base, but frozen numbers
must still be there to compute with. [[seventy.label]] with adapters of r = [[seventy.r]] on all its linear layers takes
[[seventy.adapted:.0f]] GB before training has read a single word, and almost all of that is [the base
itself](counting.html).

But these numbers are only ever read. Do they need all their digits? Picture each weight as a length that is measured
with a ruler. The finer the ruler's marks, the more bits it takes to write down which mark the length reaches. Four bits
can tell sixteen marks apart. QLoRA measures every weight of the frozen linear layers with a ruler as coarse as that,
while the adapter keeps its digits [@dettmers2023, section 3]. What does such a ruler cost, and what can make up for it?

## A ruler made for its weights

How can sixteen marks measure both large weights and small ones? Cut the matrix into blocks. In each block, stretch the
ruler until its last mark reaches the largest weight, and write down how far you stretched it: that is the block's
*scale*. Then round every weight to the nearest mark, which is called *quantising*. To read a weight, multiply its mark
by the scale. Where would you put the marks? Look at the weights first.
"""
    )
    yield Figure("bits", Bits)
    yield Try(
        """
Slide from [small blocks](#bits?block=0) to [the whole matrix](#bits?block=5). What happens to the histogram, and why
does the error grow? Then take [the uniform matrix](#bits?matrix=uniform&block=2), the control: which ruler wins now?
"""
    )
    yield Prose(
        """
The weights of trained models lie roughly on a bell curve around zero, so evenly spaced marks are wasted far out, where
there is hardly any weight. `NF4`, the “normal float”, has its marks at quantiles of that curve: they are close together
in the middle, far apart at the ends, and one of them is exactly zero [@dettmers2023, section 3]. (Read literally, the
formula in the paper asks for a quantile that is infinite. The marks, or *levels*, that the authors published are built
a little differently; if we build them that way, ours agree with theirs to within [[levels.apart:.0e]].)

On numbers from an exact bell curve, even marks have [[lead.least:.2f]] times the squared error of `NF4` if there are
sixteen of them, and [[lead.symmetric:.2f]] times if there are fifteen, placed symmetrically around zero. Both go by the
name “`int4`”, so a comparison that does not say which it means says little. And the gain depends on the bell curve: on
uniformly distributed numbers `NF4` has an error of [[controls.nf4:.1%]] of their length, the even marks of `int4` only
[[controls.int4:.1%]].

Scales take room too: with one scale of [[double.scale]] bits for every [[double.block]] weights, a weight takes
[[double.single]] bits in all. So the scales are measured with a ruler of their own, which is called *double
quantisation*. It brings a weight down to [[double.double:.2f]] bits, and the first three digits of the error of the
figure's matrix do not change.

## Does the model notice?

A weight that is off by a tenth sounds bad, and in `NF4` the matrix in the figure is off by [[stored.weights:.0%]] of
its length. Now we store all linear layers of [our model](world.html) like this. It knows many facts by heart, and a
fact is either right or lost. How many would you guess are lost?
"""
    )
    yield Figure("quantised", Quantised)
    yield Try(
        """
Slide through the formats. Where does the rounding alone begin to hurt, and does it still hurt after LoRA has learned?
"""
    )
    yield Prose(
        """
In `NF4` the base still has [[stored.nf4:.0%]] of its facts right; with all digits it had [[stored.plain:.0%]]. The
[seven even marks](#quantised?format=4) of `int3` leave [[facts-lost.int3:.0%]] of them, and the [three
marks](#quantised?format=5) of `int2` next to none. What is known by heart goes first: when the answer can be read in
the story just before the question, `int3` still leaves [[facts-lost.stories:.0%]] right. As a control, we add random
noise to each matrix instead of rounding it. With noise as large as the error of `int3`, [[facts-noise.int3_noise:.0%]]
of the facts are left. So what harms is the size of the error, not the fact that it comes from rounding.

Then LoRA, on top of the rounded base, learns a skill that the base did not have: saying who had a thing first. On `NF4`
it gets [[skill.right:.1%]] of these questions right, on a base with all its digits [[skill.plain_right:.1%]], and
[[skill.seeds]] seeds cannot tell the two apart. QLoRA's authors report the same for far larger models
[@dettmers2023, abstract]. More surprising is what happens on the base that broke. On `int2` an adapter of r =
[[rough.r]] reaches [[rough.right:.0%]], so the same few directions must have learned the task and also repaired
whatever rounding had broken for it.

It repairs no more than the task needs: of the facts that the base once knew, only [[not-repaired.facts:.0%]] are right
afterwards. And an adapter fits only the ruler that it was trained with: one that was trained on the base with all its
digits and is then moved to the `int2` base gets only [[moved.moved:.0%]] of these questions right. You can train on any
of these bases in [the live lab](lab.html?train.base_format=int2), under “More settings”.

## What was lost can be brought back

What a ruler takes away is itself a matrix, the difference between the weights and their coarse copy, and every matrix
has [a best copy of low rank](rank.html). Couldn't an adapter simply hold that copy?
"""
    )
    yield Figure("lossy", Lossy)
    yield Try(
        """
Which of the curves in the second chart begins above the line “as stored” although nothing was trained? Then [take the
ruler with three marks](#lossy?format=5), with which almost everything is gone. How much can be brought back?
"""
    )
    yield Prose(
        """
It can: LoftQ puts the best copy into the adapter before any training begins [@li2023, algorithm 1], and on `int3`, at
the largest rank in the figure, this raises the share of right facts from [[brought-back.stored:.0%]] to
[[brought-back.loftq:.0%]]. Training does more: an adapter that starts there and reads some of the base's own texts
again reaches [[brought-back.both:.0%]], and even one of a single pattern reaches [[repaired.thin:.0%]]. Nobody showed
it the lost facts one by one. Not everything comes back, since the difference is not a matrix of low rank, and a thin
adapter can only make up for the directions that matter most.

## What is computed in four bits? Nothing

Four bits are for storage. When a layer computes, its weights are read off the ruler and turned back into sixteen bits,
in the forward pass and once more in the backward pass, which takes time [@dettmers2023, section 3]. What these weights
never get is a gradient or a step. (If a step briefly needs more memory than the card has, QLoRA moves the optimiser's
records to the computer's main memory and back; this is called paging [@dettmers2023, section 3].)

Merging needs the digits again. If you merge an adapter into its four-bit base and store the sum in four bits, the
adapter too is measured with the coarse ruler. With the adapter kept apart, [[again.right:.0%]] of new facts were right,
and after such a merge [[again.requantised:.0%]], fewer in every run. So keep it apart, or [merge](merging.html) it into
a copy of the base with more digits.

So the clinic's model fits. With its linear layers in `NF4` it takes [[seventy.qlora:.0f]] GB before it has read a word,
which leaves half the card for the texts. QLoRA's authors finetuned [[dettmers-65]], where full finetuning would have
taken [[dettmers-full]].

Our own model is too small to save anything. What it shows is the price, for two tasks and five seeds. A larger model
may lose more or less, so count what it knows before and after, as we did here.

With base, adapters, merges and rulers the machine is complete, and it runs on one card. So far it has worked because at
every step there was something to measure, and a control to compare it with. [What goes wrong when nobody
looks?](failures.html)
"""
    )


LESSON = Lesson(
    slug="qlora",
    title="Four bits",
    question="The frozen weights are rounded to sixteen levels. What does that cost, and what does it save?",
    part="At work",
    order=110,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A weight is stored as a code of four bits. What else do you need to read it?",
            (
                Answer(
                    "The scale of its block",
                    "Level times scale is the weight. With a scale for every [[double.block]] weights that comes to "
                    "[[double.single]] bits a weight, with double quantisation to [[double.double:.2f]].",
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
                    "An error of weights is no loss of facts. The matrix is off by [[stored.weights:.0%]] of "
                    "its length, and the base has [[stored.nf4:.0%]] of its facts right.",
                ),
                Answer(
                    "It is best for any numbers",
                    "It is made for a bell curve. On uniform numbers [[controls.nf4_name]] misses "
                    "[[controls.nf4:.1%]], and the even levels of [[controls.int4_name]] [[controls.int4:.1%]].",
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
            "[[seventy.r]] on all linear layers, takes [[seventy.adapted:.1f]] GB for weights in [[seventy.bits]] bits "
            "and the states of the adapter, before any activation. That is more than the [[seventy.card]] GB of one "
            "card. With its linear layers in [[seventy.format]] it is [[seventy.qlora:.1f]] GB.",
            "bits",
        ),
        Correction(
            "With QLoRA even the largest model of its paper fits a consumer's GPU.",
            "The card that held it is a professional one: [[dettmers-65]]. For a consumer's card the authors name "
            "[[dettmers-33]].",
            "bits",
        ),
        Correction(
            "LoRA spares you from dequantising, and gradients flow through dequantised activations.",
            "The weights are turned back in both passes [@dettmers2023, section 3, equations 5 and 6]; activations "
            "were never quantised. What LoRA spares is the gradient of these weights. What the rounding costs is small "
            "here: in [[stored.nf4_name]] the base has [[stored.nf4:.0%]] of its facts right, where it had "
            "[[stored.plain:.0%]].",
            "quantised",
        ),
    ),
    teaching=Teaching(
        goals=(
            "say what is stored in four bits, what is computed in four bits, and what an adapter has to do with either",
            "explain why marks at quantiles suit the weights of trained models, and name the control that shows it",
            "find the format at which a base begins to lose what it knows by heart, and tell what LoRA can repair from "
            "what it cannot",
            "say what a model takes on a card with a base in four bits and without, and where the difference is",
        ),
        predictions=(
            Prediction(
                "On numbers that are spread evenly, which ruler misses by less: the marks of `NF4`, or the even marks "
                "of `int4`?",
                "The even ones. `NF4` misses [[controls.nf4:.1%]] of the length of these numbers, `int4` "
                "[[controls.int4:.1%]]. The gain of `NF4` belongs to the bell curve.",
                "bits?matrix=uniform&block=2",
            ),
            Prediction(
                "All linear layers of the base are stored in `NF4`, and nothing is trained. It had "
                "[[stored.plain:.0%]] of its facts right. How many are right now?",
                "[[stored.nf4:.0%]], although the matrix in the figure is off by [[stored.weights:.0%]] of its length. "
                "An error of weights is no loss of facts.",
                "quantised?format=1",
            ),
            Prediction(
                "On `int2` the base has next to none of its facts right. Can LoRA still teach it a new skill? Do the "
                "facts come back with it?",
                "The skill can be taught: [[rough.right:.0%]] of its questions are right. The facts do not come back, "
                "for [[not-repaired.facts:.0%]] of them are right afterwards.",
                "quantised?format=5",
            ),
            Prediction(
                "Factors of low rank are set beside the base in `int3`, and nothing is trained. Can they bring back "
                "any of what the ruler took?",
                "Yes: factors of the largest rank in the figure take the facts from [[brought-back.stored:.0%]] to "
                "[[brought-back.loftq:.0%]], since the difference has a best copy of low rank.",
                "lossy?format=4",
            ),
        ),
        stops=(
            Stop(
                "Tell of the clinic and its one card. Ask which numbers in training are only ever read, and whether "
                "these need all their digits.",
                "",
                (2, 4),
            ),
            Stop(
                "Slide from small blocks to the whole matrix. Have the class say why one large weight spoils the ruler "
                "for all the others.",
                "bits?matrix=base&block=0",
                (4, 7),
            ),
            Stop(
                "Collect the first prediction, then show the control. For what numbers would the class make a ruler of "
                "its own?",
                "bits?matrix=uniform&block=2",
                (0, 5),
            ),
            Stop(
                "Collect the second prediction and enter one that many share. Then slide on until storing alone begins "
                "to hurt.",
                "quantised?format=1",
                (5, 8),
            ),
            Stop(
                "Collect the third prediction. Compare what LoRA learned with what the base still knows, and ask what "
                "one would have to measure before using such a model.",
                "quantised?format=5&guess=skip",
                (5, 8),
            ),
            Stop(
                "Collect the fourth prediction. Find the curve that begins above the line although nothing was "
                "trained, and say where it gets that from.",
                "lossy?format=4",
                (0, 7),
            ),
            Stop(
                "Each student writes an answer to every question on the handout. Show the answers, and let a wrong one "
                "be taken apart by the class.",
                "recall",
                (4, 6),
            ),
        ),
    ),
)

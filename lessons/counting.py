"""What it costs, counted: the reader can say what LoRA saves in numbers and in memory, and why the two differ."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.costs.architectures import ARCHITECTURES, TARGETS, block_matrices, linear_numbers, parameters
from compute.costs.counting import lora_numbers, model_break_even_rank
from compute.costs.macs import training_macs
from compute.costs.memory import (
    GB,
    PRECISIONS,
    activation_bytes,
    full_states,
    lora_states,
    nf4_bits,
    qlora_states,
)
from compute.costs.sizes import stored_numbers
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.counting import Counting

SMALL, GPT3 = (ARCHITECTURES[name] for name in ("llama-2-7b", "gpt3"))
R = 16  # a usual rank
MB, MIB, MILLION, BILLION = 10**6, 2**20, 10**6, 10**9
BITS = 8 * PRECISIONS["mixed"].weights
PRINTED = 175 * BILLION  # GPT-3's numbers, as its paper rounds them
# What a sum that doubles r and adds up single sides has printed for r = 16 on Llama-2 7B: millions in a block, millions
# in all, times fewer.
TOLD = {"said_block": 2.7, "said": 86, "said_times": 80}
MEASURED = {"before": 1200, "after": 350}  # GB for GPT-3: Hu et al. 2021, section 4.2
PACE = {"before": 32.5, "after": 43.1}  # tokens a second on each card, for GPT-3: the same section


def _block() -> Mapping[str, Any]:
    trained, total = lora_numbers(SMALL, "all-linear", R), parameters(SMALL)
    return {
        "label": SMALL.label,
        "r": R,
        "per_block": trained // SMALL.n_layer,
        "n_layer": SMALL.n_layer,
        "trained": trained,
        "total": total,
        "share": trained / total,
        "fewer": total / trained,
    }


def _written() -> Mapping[str, Any]:
    return {"written": 2 * R * (5 * SMALL.n_embd + 3 * SMALL.n_ffn), **TOLD}


def _files() -> Mapping[str, Any]:
    sizes = {targets: lora_numbers(SMALL, targets, R) * BITS / 8 / MB for targets in TARGETS}
    return {"r": R, "bits": BITS, **{targets.replace("-", "_"): size for targets, size in sizes.items()}}


def _gpt3_mlp() -> Mapping[str, Any]:
    attention, mlp = block_matrices(GPT3)["q_proj"], block_matrices(GPT3)["up_proj"]
    return {
        "label": GPT3.label,
        "each": attention[0] * attention[1],
        "more": mlp[0] * mlp[1],
        "adapter": stored_numbers(mlp, 8) / stored_numbers(attention, 8),
    }


def _states() -> Mapping[str, Any]:
    full = full_states(parameters(SMALL), "mixed")
    lora = lora_states(parameters(SMALL), lora_numbers(SMALL, "all-linear", R), "mixed")
    return {
        "label": SMALL.label,
        "r": R,
        **{name: size / GB for name, size in full._asdict().items()},
        "full": sum(full) / GB,
        "adapted": sum(lora) / GB,
        "base": parameters(SMALL) * PRECISIONS["mixed"].weights / GB,
        "less": sum(full) / sum(lora),
        "fewer": parameters(SMALL) / lora_numbers(SMALL, "all-linear", R),
    }


def _adam() -> Mapping[str, Any]:
    numbers = 70 * BILLION
    full = full_states(numbers, "mixed")
    return {
        "billions": 70,
        "moments": full_states(numbers, "no-master").optimiser / GB,
        "optimiser": full.optimiser / GB,
        "full": sum(full) / GB,
    }


def _fewer() -> Mapping[str, Any]:
    trained = lora_numbers(GPT3, "q-v", 4)
    size = trained * PRECISIONS["mixed"].weights
    return {
        "label": GPT3.label,
        "r": 4,
        "trained": trained,
        "billions": PRINTED // BILLION,
        "times": PRINTED / trained,
        "gb": PRINTED * PRECISIONS["mixed"].weights / GB,
        "mb": size / MB,
        "mib": size / MIB,
        "bits": BITS,
    }


def _less() -> Mapping[str, Any]:
    full = sum(full_states(PRINTED, "mixed"))
    lora = sum(lora_states(PRINTED, lora_numbers(GPT3, "q-v", 4), "mixed"))
    return {
        "measured": MEASURED["before"] / MEASURED["after"],
        "base": PRINTED * PRECISIONS["mixed"].weights / GB,
        "bytes": MEASURED["before"] * GB / PRINTED,
        "rule": sum(PRECISIONS["mixed"]),
        "ruled": full / lora,
    }


def _step() -> Mapping[str, Any]:
    shape = block_matrices(SMALL)["q_proj"]
    return {
        **PACE,
        "r": R,
        "n": shape[0],
        "share": training_macs(shape, R) / training_macs(shape),
        "more": PACE["after"] / PACE["before"] - 1,
        "less": 1 - PACE["before"] / PACE["after"],
    }


def _bits() -> Mapping[str, Any]:
    return {
        "block": 64,
        "scale": 32,
        "plain": nf4_bits(double_quantisation=False),
        "double": nf4_bits(),
        "billions": 65,
        "saved": 65 * BILLION * (nf4_bits(double_quantisation=False) - nf4_bits()) / 8 / GB,
        "times": BITS / nf4_bits(),
        "bits": BITS,
    }


def _four_bit_base() -> Mapping[str, Any]:
    base = sum(qlora_states(SMALL, 0, "mixed"))
    rest = (parameters(SMALL) - linear_numbers(SMALL)) * PRECISIONS["mixed"].weights
    return {"label": SMALL.label, "gb": base / GB, "rest": rest / GB}


def _activations() -> Mapping[str, Any]:
    one, many = (activation_bytes(SMALL, batch, 2048, "mixed") / GB for batch in (1, 16))
    return {"label": SMALL.label, "context": 2048, "one": one, "batch": 16, "many": many}


CLAIMS: Mapping[str, Claim | Cited] = {
    "block": Claim(
        _block,
        lambda v: (v["per_block"], v["trained"], round(v["fewer"], 1)) == (1_249_280, 39_976_960, 168.6),
    ),
    "told": Claim(
        _written,
        lambda v: v["written"] == 1_712_128 and v["said"] * MILLION > 2 * _block()["trained"],
    ),
    "files": Claim(
        _files,
        lambda v: 10 < v["q_v"] < v["attention"] < 40 < v["all_linear"],
    ),
    "gpt3-mlp": Claim(
        _gpt3_mlp,
        lambda v: v["more"] == 4 * v["each"] == 603_979_776 and v["adapter"] == 2.5,
    ),
    "states": Claim(
        _states,
        lambda v: v["base"] > 0.9 * v["adapted"] and v["optimiser"] == 0.75 * v["full"],
    ),
    "gap": Claim(
        _states,
        lambda v: v["fewer"] > 100 and 7 < v["less"] < 8,
    ),
    "adam": Claim(
        _adam,
        lambda v: (v["moments"], v["optimiser"], v["full"]) == (560, 840, 1120),
    ),
    "hu-fewer": Cited("10,000 times fewer numbers to train", "hu2021", "abstract"),
    "hu-less": Cited("three times less memory", "hu2021", "abstract"),
    "fewer": Claim(
        _fewer,
        lambda v: v["trained"] == 18_874_368 and round(v["times"]) == 9272 and v["gb"] == 350,
    ),
    "hu-file": Cited("35 MB", "hu2021", "section 4.2"),
    "hu-memory": Cited("from 1.2 TB to 350 GB", "hu2021", "section 4.2"),
    "less": Claim(
        _less,
        lambda v: round(v["measured"], 2) == 3.43 and v["base"] == MEASURED["after"],
    ),
    "ruled": Claim(
        _less,
        lambda v: v["bytes"] < v["rule"] and 7.9 < v["ruled"] < 8,
    ),
    "step": Claim(
        _step,
        lambda v: 2 / 3 < v["share"] < 0.68 and (round(v["more"], 3), round(v["less"], 3)) == (0.326, 0.246),
    ),
    "slower": Cited("about 15 % fewer tokens a second", "biderman2024", "appendix I"),
    "again": Cited("30 % more time", "chen2016", "abstract"),
    "bits": Claim(
        _bits,
        lambda v: v["double"] == 4.126953125 and round(v["saved"], 2) == 3.03 and 3.8 < v["times"] < 4,
    ),
    "dettmers-65": Cited("from more than 780 GB to less than 48 GB", "dettmers2023", "section 1"),
    "sixty-five": Claim(
        lambda: {"billions": 65, "each": 12, "gb": sum(full_states(65 * BILLION, "no-master")) / GB},
        lambda v: v["gb"] == 780,
    ),
    "four-bit-base": Claim(
        _four_bit_base,
        lambda v: v["rest"] < v["gb"] < 5.048,
    ),
    "dettmers-base": Cited("5,048 MB", "dettmers2023", "section 2"),
    "dettmers-adapter": Cited("26 MB", "dettmers2023", "section 2"),
    "dettmers-sizes": Cited("41 GB for 65 billion, 21 for 33", "dettmers2023", "tables 1 and 6"),
    "dettmers-gradients": Cited("from 567 MB to 18 MB a sequence", "dettmers2023", "section 2"),
    "activations": Claim(
        _activations,
        lambda v: abs(v["many"] - 16 * v["one"]) < 1e-9 and v["one"] < 1,
    ),
    "break-even": Claim(
        lambda: {"label": SMALL.label, "even": model_break_even_rank(SMALL, "all-linear")},
        lambda v: 2048 < v["even"] < 4096,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
How much does LoRA save? Its authors give two answers in one sentence, and they are far apart: [[hu-fewer]], and
[[hu-less]]. Both are right, because they count different things, the numbers that are *trained* and the memory that is
*needed while training*. This room counts both, for models whose sizes are published.

Counting needs no model. On a matrix with $d$ rows and $k$ columns an adapter has $r\\,(d + k)$ numbers. Add that up
over the matrices that have one, and you are done; alpha scales what the adapter says and changes no count.
"""
    )
    yield Figure("counting", Counting)
    yield Try(
        """
Take [the model with the most numbers](#counting?model=gpt3) and slide r from one end to the other. Which of the three
bars moves at all? Then [set the axis to the cards](#counting?scale=cards), and look for the largest model that one of
them can hold.
"""
    )
    yield Prose(
        """
The sizes come from the papers [@radford2019, table 2] [@brown2020, table 2.1] [@grattafiori2024, table 3], those of
Llama-2 from the configurations released with it [@touvron2023, released configuration]. Where a model was released,
our total is that of its published weights, number by number.

## What is trained

At r = [[block.r]] the seven matrices of one block of [[block.label]] cost [[block.per_block:,d]] numbers. All its
blocks together cost [[block.trained:,d]], which is [[block.share:.2%]] of what the model has, or [[block.fewer:.1f]]
times fewer.

The sum is easily got wrong. A matrix of the MLP has two different sides, and each counts once; doubling one of them is
right only for square matrices. It matters, too, which matrix one has in mind. In [[gpt3-mlp.label]] a matrix of
attention has [[gpt3-mlp.each:,d]] numbers and one of the MLP [[gpt3-mlp.more:,d]], four times as many, while an
adapter on it is [[gpt3-mlp.adapter:.1f]] times as large.

How large is the file? At r = [[files.r]] and [[files.bits]] bits a number it has [[files.q_v:.1f]] MB with adapters on
q and v. On all of attention it has [[files.attention:.1f]] MB, on all linear layers [[files.all_linear:.1f]], and in
twice the bits it is twice as large.

The saving ends at the break-even rank, where the adapters hold as many numbers as their matrices. On all linear layers
of [[break-even.label]] that is r = [[break-even.even:,.0f]], and the gold line in the second picture shows how far
away it is.

## What lies in memory

Training keeps more than weights. Each trained number has a gradient; Adam keeps two running means for it; and where
the weights have few bits, it keeps a copy in more. In the usual mixed precision this makes sixteen bytes for each
trained number: two for the weight, two for the gradient, twelve for the optimiser [@rajbhandari2020, section 3].

For [[states.label]] the weights take [[states.weights:.1f]] GB and everything together [[states.full:.1f]]. With LoRA
at r = [[states.r]] on all linear layers it is [[states.adapted:.1f]] GB, and nearly all of that is the frozen base.
LoRA removes fourteen of the sixteen bytes for every frozen number. The last two it cannot remove, because the base
must be there to compute with [@hu2021, section 4.2]. So [[gap.fewer:.1f]] times fewer numbers give [[gap.less:.1f]]
times less memory.

How much of that is the optimiser? For [[adam.billions]] billion numbers Adam's two means take [[adam.moments:,.0f]]
GB, with the copy of the weights [[adam.optimiser:,.0f]]. It takes weights and gradients besides to reach
[[adam.full:,.0f]] GB. And what such a model needs to fit a single card is not LoRA but [fewer bits](qlora.html).

## Where the two answers come from

With r = [[fewer.r]] on q and v of [[fewer.label]], LoRA trains [[fewer.trained:,d]] numbers, and the printed total of
[[fewer.billions]] billion is [[fewer.times:,.0f]] times that. A finetuned copy takes [[fewer.gb:.0f]] GB and the
adapter [[fewer.mb:.1f]] MB, or [[fewer.mib:.1f]] if an MB is counted in powers of two. The paper prints [[hu-file]].
That is the first answer: what you train, store and send.

For memory the authors measured a step [[hu-memory]]. That is [[less.measured:.2f]] times less, and [[less.base:.0f]]
GB is what the frozen weights take by themselves. There is the whole second answer. What remains is the model itself,
and no other optimiser would shrink it. The larger figure is [[ruled.bytes:.2f]] bytes a number, where the rule above
has [[ruled.rule]]; the paper does not say what it holds.

## Is a step faster?

Full finetuning multiplies by something as large as W three times in a step: forward, for the gradient of what the layer
reads, and for the gradient of W itself. LoRA leaves out the third and adds the thin products. At r = [[step.r]] on a
matrix of [[step.n:,d]] rows and columns, [[step.share:.0%]] of the multiplications are left.

What does the clock say? For GPT-3 LoRA's authors report [[step.before]] tokens a second on each card with full
finetuning and [[step.after]] with LoRA, and call that a quarter faster [@hu2021, section 4.2]. By these numbers it is a
quarter of the time: in tokens a second the gain is [[step.more:.0%]]. Another study, with usual implementations,
measured the opposite, [[slower]]. A saving in multiplications becomes one in time only if nothing else takes it up.

## Where QLoRA saves

QLoRA stores the frozen matrices in four bits [@dettmers2023, section 3]. With the scales of its blocks a weight takes
[[bits.plain]] bits, and [[bits.double:.3f]] once the scales are quantised too, which saves [[bits.saved:.2f]] GB at
[[bits.billions]] billion. Against [[bits.bits]] bits the weights become [[bits.times:.2f]] times smaller. Embeddings,
the output table and norms keep their bits. It hardly matters in a large model, but it shows where the vocabulary is
large beside the rest: compare the two smallest of the Llama models above.

The authors report that finetuning their largest model came down [[dettmers-65]]. The first is what
[[sixty-five.billions]] billion numbers take at [[sixty-five.each]] bytes each. That fits weights and gradients with
few bits and Adam without the extra copy, though the paper does not break it down. The models they released take
[[dettmers-sizes]]; that is the size of their files, not the memory of training.

Is our count what a machine shows? Not quite. For [[four-bit-base.label]] in four bits we count
[[four-bit-base.gb:.2f]] GB, [[four-bit-base.rest:.2f]] of it in tables and norms. The authors measured
[[dettmers-base]] for a model of that size, and [[dettmers-adapter]] for its adapter. Read the bars as what is needed
at least.

## What is an estimate

Activations cannot be counted without the program that makes them. They grow with the tokens of a step. Our estimate
assumes that every block is recomputed in the backward pass. That saves much memory, and in one measurement it took
[[again]]. What stays is the input of each block, and the scores of all tokens in the loss
[@korthikanti2022, sections 4 and 5]. It gives [[activations.one:.1f]] GB for one sequence of
[[activations.context:,d]] tokens on [[activations.label]], and [[activations.many:.1f]] GB for [[activations.batch]].

LoRA changes little here, since the input still flows through the whole frozen model. How much recomputing saves,
QLoRA's authors measured for one part of it, the gradients of the inputs: [[dettmers-gradients]]. So the outlined parts
of the bars say how much to expect, not what you will see. Every program loses something besides to buffers and to the
gaps between them [@rajbhandari2020, section 3.2].
"""
    )


LESSON = Lesson(
    slug="counting",
    title="What it costs, counted",
    question="LoRA trains far fewer numbers than the model has. Why is so much memory still needed?",
    part="Rooms",
    order=280,
    minutes=8,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "LoRA trains far fewer numbers than the model has. Why does memory shrink so much less?",
            (
                Answer(
                    "Adam keeps more for each number with LoRA",
                    "It keeps the same for each trained number, and far fewer are trained.",
                ),
                Answer(
                    "Activations grow", "They hardly change. The input still flows through the whole model."
                ),
                Answer(
                    "The frozen base must stay in memory",
                    "It is what remains: of the [[states.adapted:.1f]] GB that [[states.label]] needs with LoRA, "
                    "[[states.base:.1f]] GB are the frozen base.",
                    right=True,
                ),
            ),
        ),
        Question(
            "What does QLoRA shrink that LoRA does not?",
            (
                Answer(
                    "The frozen weights",
                    "They are stored in four bits, with their scales in [[bits.double:.3f]]: "
                    "[[bits.times:.2f]] times smaller than in [[bits.bits]] bits.",
                    right=True,
                ),
                Answer(
                    "The optimiser states",
                    "LoRA has taken most of those away already. In full finetuning of [[states.label]] they are "
                    "[[states.optimiser:.1f]] GB of [[states.full:.1f]].",
                ),
                Answer(
                    "The adapter",
                    "The adapter keeps its bits. It was small before: [[files.all_linear:.1f]] MB at r = [[files.r]] "
                    "on all linear layers.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "On every matrix an adapter costs twice r times one side.",
            "Only where both sides are equal. A sum of that kind for r = [[block.r]] on all matrices of "
            "[[block.label]] has been printed as [[told.said_block]] million numbers a block, [[told.said]] million "
            "in all, about [[told.said_times]] times fewer than the model has; worked out, even it gives "
            "[[told.written:,d]] a block. With both sides counted, a block costs [[block.per_block:,d]] numbers and "
            "the [[block.n_layer]] blocks [[block.trained:,d]]. The whole model has [[block.total:,d]], so that LoRA "
            "trains [[block.share:.2%]] of them, [[block.fewer:.1f]] times fewer.",
            "counting",
        ),
        Correction(
            "Far fewer numbers, so as much less memory.",
            "On [[states.label]] [[gap.fewer:.1f]] times fewer numbers give [[gap.less:.1f]] times less memory, for "
            "the frozen base stays. For GPT-3 the authors measured [[less.measured:.2f]] times less, and "
            "[[less.base:.0f]] GB is what its frozen weights take by themselves.",
            "counting",
        ),
        Correction(
            "LoRA does not make a step of training faster as gradient checkpointing does.",
            "Checkpointing makes a step slower: it computes activations a second time to save memory, at a cost of "
            "[[again]]. With LoRA [[step.share:.0%]] of the multiplications of a square matrix with [[step.n:,d]] "
            "rows are left at r = [[step.r]], and what becomes of that depends on the program. LoRA's authors report "
            "[[step.less:.0%]] less time on GPT-3 [@hu2021, section 4.2], others [[slower]].",
            "counting",
        ),
    ),
)

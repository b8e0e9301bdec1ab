"""What it costs, counted: the reader can say what LoRA saves in numbers and in memory, and why the two differ."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.costs.architectures import ARCHITECTURES, TARGETS, block_matrices, linear_numbers, parameters
from compute.costs.counting import lora_numbers, model_break_even_rank
from compute.costs.memory import (
    CARDS,
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

SMALL, LARGE, GPT3 = (ARCHITECTURES[name] for name in ("llama-2-7b", "llama-2-70b", "gpt3"))
R = 16  # the rank of the usual story's example
MB, MIB, MILLION, BILLION = 10**6, 2**20, 10**6, 10**9
BITS = 8 * PRECISIONS["mixed"].weights
PRINTED = 175 * BILLION  # GPT-3's numbers, as its paper rounds them
# What one telling of the story prints for r = 16 on Llama-2 7B: millions in a block, millions in all, times fewer.
TELLING = {"said_block": 2.7, "said": 86, "said_times": 80}
MEASURED = {"before": 1200, "after": 350}  # GB for GPT-3: Hu et al. 2021, section 4.2


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
    return {"written": 2 * R * (5 * SMALL.n_embd + 3 * SMALL.n_ffn), **TELLING}


def _files() -> Mapping[str, Any]:
    sizes = {targets: lora_numbers(SMALL, targets, R) * BITS / 8 / MB for targets in TARGETS}
    return {"r": R, "bits": BITS, **{targets.replace("-", "_"): size for targets, size in sizes.items()}}


def _seventy_numbers() -> Mapping[str, Any]:
    attention, every = (lora_numbers(LARGE, targets, 8) / MILLION for targets in TARGETS[1:])
    return {"label": LARGE.label, "r": 8, "attention": attention, "every": every}


def _gpt3_mlp() -> Mapping[str, Any]:
    attention, mlp = block_matrices(GPT3)["q_proj"], block_matrices(GPT3)["up_proj"]
    return {
        "label": GPT3.label,
        "side": attention[0],
        "out": mlp[0],
        "in": mlp[1],
        "each": attention[0] * attention[1],
        "more": mlp[0] * mlp[1],
        "r": 8,
        "adapter": stored_numbers(mlp, 8),
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


def _seventy() -> Mapping[str, Any]:
    trained = lora_numbers(LARGE, "all-linear", R)
    return {
        "label": LARGE.label,
        "r": R,
        "bits": BITS,
        "base": parameters(LARGE) * PRECISIONS["mixed"].weights / GB,
        "adapted": sum(lora_states(parameters(LARGE), trained, "mixed")) / GB,
        "qlora": sum(qlora_states(LARGE, trained, "mixed")) / GB,
        "card": CARDS[-1],
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
    "telling": Claim(
        _written,
        lambda v: v["written"] == 1_712_128 and v["said"] * MILLION > 2 * _block()["trained"],
    ),
    "files": Claim(
        _files,
        lambda v: 10 < v["q_v"] < v["attention"] < 40 < v["all_linear"],
    ),
    "seventy-numbers": Claim(
        _seventy_numbers,
        lambda v: v["attention"] < 50 and v["every"] > 100,
    ),
    "gpt3-mlp": Claim(
        _gpt3_mlp,
        lambda v: v["more"] == 4 * v["each"] == 603_979_776 and v["adapter"] == 491_520,
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
    "seventy": Claim(
        _seventy,
        lambda v: v["adapted"] > v["base"] > v["card"] > v["qlora"],
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
    "bits": Claim(
        _bits,
        lambda v: v["double"] == 4.126953125 and round(v["saved"], 2) == 3.03 and 3.8 < v["times"] < 4,
    ),
    "dettmers-65": Cited("from more than 780 GB to less than 48 GB", "dettmers2023", "abstract"),
    "sixty-five": Claim(
        lambda: {"billions": 65, "each": 12, "gb": sum(full_states(65 * BILLION, "no-master")) / GB},
        lambda v: v["gb"] == 780,
    ),
    "four-bit-base": Claim(
        _four_bit_base,
        lambda v: v["rest"] < v["gb"] < 5.048,
    ),
    "dettmers-base": Cited("5,048 MB", "dettmers2023", "section 2"),
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
## Two answers

How much does LoRA save? You will hear two answers, and they are far apart. LoRA's authors give both in one sentence:
[[hu-fewer]], and [[hu-less]].

Both are right. They count different things: the numbers that are *trained*, and the memory that is *needed while
training*. This page counts both, for models whose sizes are published.

Counting needs no model. A matrix with $d$ rows and $k$ columns costs $r\\,(d + k)$ numbers. Add that up over the
matrices that have an adapter, and you are done. The other choice, alpha, scales what the adapter says and changes no
count.
"""
    )
    yield Figure("counting", Counting)
    yield Try(
        """
Take the model with the most numbers and slide r from one end to the other. Which of the three bars moves at all? Then
set the axis to the cards, and look for the largest model that one card can hold.
"""
    )
    yield Prose(
        """
The sizes come from the papers [@radford2019, table 2] [@brown2020, table 2.1] [@touvron2023, section 2.2]
[@grattafiori2024, table 3] and from the configurations released with the models. For each released model our total is
that of its published weights, number by number.

## Count one block

At r = [[block.r]] the seven matrices of one block of [[block.label]] cost [[block.per_block:,d]] numbers, and its
[[block.n_layer]] blocks cost [[block.trained:,d]]. The whole model has [[block.total:,d]]: LoRA trains
[[block.share:.2%]] of them, [[block.fewer:.1f]] times fewer.

The usual story has another number here. One telling arrives at [[telling.said_block]] million for a block,
[[telling.said]] million in all, and a saving of about [[telling.said_times]] times. Its own formula, worked out,
gives [[telling.written:,d]] for a block. What happened? The formula doubles $r$ and adds up single sides. Doubling is
right for a square matrix, where both sides are equal. A matrix of the MLP has two different sides, and each counts
once.

Which matrix you count matters too. In [[gpt3-mlp.label]] a matrix of attention is [[gpt3-mlp.side:,d]] ×
[[gpt3-mlp.side:,d]], [[gpt3-mlp.each:,d]] numbers. A matrix of the MLP is [[gpt3-mlp.out:,d]] × [[gpt3-mlp.in:,d]],
[[gpt3-mlp.more:,d]] numbers, and r = [[gpt3-mlp.r]] on it costs [[gpt3-mlp.adapter:,d]]. A telling that takes the one
for the other is off by a factor of four before any adapter comes in.

And how large is the file? At r = [[files.r]] and [[files.bits]] bits it has [[files.q_v:.1f]] MB with adapters on q
and v, [[files.attention:.1f]] MB on all of attention and [[files.all_linear:.1f]] MB on all linear layers. In twice
the bits it is twice as large. So “ten to forty megabytes” is right for attention, and too small for the recipe that
adapts everything. The story's count for a large model is that of attention, too. On [[seventy-numbers.label]], r =
[[seventy-numbers.r]] costs [[seventy-numbers.attention:.1f]] million numbers on all of attention and
[[seventy-numbers.every:.1f]] million on all linear layers.

The saving ends at the break-even rank, where the adapters hold as many numbers as their matrices. On all linear
layers of [[break-even.label]] it is r = [[break-even.even:,.0f]]. The gold line in the second picture shows how far
away that is.

## What lies in memory

Training keeps more than weights. Each trained number has a gradient. Adam keeps two running means for it, and, where
the weights have few bits, a copy in more. In the usual mixed precision that makes sixteen bytes for each trained
number: two for the weight, two for the gradient, twelve for the optimiser [@rajbhandari2020, section 3].

For [[states.label]] that is [[states.weights:.1f]] GB of weights, [[states.gradients:.1f]] GB of gradients and
[[states.optimiser:.1f]] GB of optimiser states: [[states.full:.1f]] GB. With LoRA at r = [[states.r]] on all linear
layers it is [[states.adapted:.1f]] GB, and [[states.base:.1f]] GB of that is the frozen base. LoRA removes fourteen
of the sixteen bytes for every frozen number. It cannot remove the last two, because the base must be there to compute
with [@hu2021, section 4.2]. So [[gap.fewer:.1f]] times fewer numbers give [[gap.less:.1f]] times less memory.

The usual story says that Adam alone needs another terabyte for a large model. For [[adam.billions]] billion numbers
Adam's two moments take [[adam.moments:,.0f]] GB, and [[adam.optimiser:,.0f]] GB with the copy of the weights. It
takes weights and gradients besides to reach [[adam.full:,.0f]] GB.

It also says that LoRA brings such a model onto a single card. The base of [[seventy.label]] alone takes
[[seventy.base:.1f]] GB in [[seventy.bits]] bits, and LoRA at r = [[seventy.r]] brings it to [[seventy.adapted:.1f]]
GB. A card of [[seventy.card]] GB cannot hold that. In four bits it is [[seventy.qlora:.1f]] GB. So one card will do,
but not because of LoRA alone.

## Where the two answers come from

Now the two answers from the beginning. With r = [[fewer.r]] on q and v of [[fewer.label]], LoRA trains
[[fewer.trained:,d]] numbers. The printed total of [[fewer.billions]] billion is [[fewer.times:,.0f]] times that. One
finetuned copy takes [[fewer.gb:.0f]] GB in [[fewer.bits]] bits, the adapter [[fewer.mb:.1f]] MB, or [[fewer.mib:.1f]]
if an MB is counted in powers of two. The paper prints [[hu-file]]. That is the first answer: what you train, store
and send. (The figure adds up the layers and gets a little less than the printed total.)

For memory the authors measured a step [[hu-memory]]. That is [[less.measured:.2f]] times less, and [[less.base:.0f]]
GB is what the frozen weights take by themselves. There is the whole second answer. What remains is not the optimiser.
It is the model itself, and no other optimiser would shrink it. The larger figure is [[ruled.bytes:.2f]] bytes a
number, where the rule above has [[ruled.rule]]; the paper does not say what it holds. By the rule it would be
[[ruled.ruled:.1f]] times.

One comment on the paper says that more can be saved only by changing the optimiser. After LoRA there is little left
of it to change. What is left is frozen weights, and those can be stored in fewer bits.

## Where QLoRA saves

QLoRA stores the frozen matrices in four bits, in a format called `NF4` [@dettmers2023, section 3]. With a scale of
[[bits.scale]] bits for each block of [[bits.block]] weights a weight takes [[bits.plain]] bits. Quantising the scales
too makes it [[bits.double:.3f]], which saves [[bits.saved:.2f]] GB at [[bits.billions]] billion. Against
[[bits.bits]] bits the weights become [[bits.times:.2f]] times smaller.

Embeddings, the output table and norms keep their bits. That hardly matters in a large model. It shows where the
vocabulary is large beside the model: compare the two smallest of the Llama models above.

The four bits are for storage. To compute, the weights are turned back into more bits, in the forward pass and again
in the backward pass [@dettmers2023, section 3]. What is never computed is a gradient for them.

The authors report that finetuning their largest model came down [[dettmers-65]]. The first is what
[[sixty-five.billions]] billion numbers take at [[sixty-five.each]] bytes each: [[sixty-five.gb:.0f]] GB. That fits
weights and gradients with few bits and Adam without the extra copy; the paper does not break it down.

Is our count what a machine shows? Not quite. For [[four-bit-base.label]] we count [[four-bit-base.gb:.2f]] GB,
[[four-bit-base.rest:.2f]] GB of it in tables and norms that keep their bits. The authors measured [[dettmers-base]]
for a model of that size. Read the bars as what is needed at least.

## What is an estimate

Weights, gradients and optimiser states can be counted. Activations can only be estimated. They grow with the number
of tokens in a step, and depend on how the program is written.

Our estimate assumes that every block is recomputed in the backward pass. That costs time and saves much memory
[@chen2016, abstract]. What stays is the input of each block, and the scores of all tokens in the loss
[@korthikanti2022, sections 4 and 5]. It gives [[activations.one:.1f]] GB for one sequence of
[[activations.context:,d]] tokens on [[activations.label]], and [[activations.many:.1f]] GB for [[activations.batch]].

LoRA changes little here: the input still flows through the whole frozen model. How much recomputing saves, the QLoRA
authors measured for one part of it, the gradients of the inputs: [[dettmers-gradients]].

So the outlined parts of the bars say how much to expect, not what you will see. Besides, every program loses
something to buffers and to gaps between them [@rajbhandari2020, section 3.2].

## In short

- Numbers trained: add up r times both sides of each adapted matrix.
- LoRA saves gradients and optimiser states. The frozen weights stay.
- QLoRA shrinks the frozen weights, and with both a large model fits one card.
- Activations are what they were before, and only estimated.
"""
    )


LESSON = Lesson(
    slug="counting",
    title="What it costs, counted",
    question="LoRA trains far fewer numbers than the model has. Why is so much memory still needed?",
    part="Rooms",
    order=280,
    minutes=12,
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
                    "It is what remains. For [[states.label]] that is [[states.weights:.1f]] GB of weights, "
                    "[[states.gradients:.1f]] GB of gradients and [[states.optimiser:.1f]] GB of optimiser "
                    "states: [[states.full:.1f]] GB. With LoRA at r = [[states.r]] on all linear layers it is "
                    "[[states.adapted:.1f]] GB, and [[states.base:.1f]] GB of that is the frozen base. That is "
                    "[[less.measured:.2f]] times less, and [[less.base:.0f]] GB is what the frozen weights take "
                    "by themselves.",
                    right=True,
                ),
            ),
        ),
        Question(
            "What does QLoRA shrink that LoRA does not?",
            (
                Answer(
                    "The frozen weights",
                    "They are stored in four bits. With a scale of [[bits.scale]] bits for each block of "
                    "[[bits.block]] weights a weight takes [[bits.plain]] bits. Quantising the scales too makes "
                    "it [[bits.double:.3f]], which saves [[bits.saved:.2f]] GB at [[bits.billions]] billion. "
                    "Against [[bits.bits]] bits the weights become [[bits.times:.2f]] times smaller.",
                    right=True,
                ),
                Answer(
                    "The optimiser states",
                    "LoRA has already taken most of those away. For [[states.label]] that is "
                    "[[states.weights:.1f]] GB of weights, [[states.gradients:.1f]] GB of gradients and "
                    "[[states.optimiser:.1f]] GB of optimiser states: [[states.full:.1f]] GB. With LoRA at r = "
                    "[[states.r]] on all linear layers it is [[states.adapted:.1f]] GB, and [[states.base:.1f]] "
                    "GB of that is the frozen base.",
                ),
                Answer(
                    "The adapter",
                    "The adapter keeps its bits. It was small before. At r = [[files.r]] and [[files.bits]] bits "
                    "it has [[files.q_v:.1f]] MB with adapters on q and v, [[files.attention:.1f]] MB on all of "
                    "attention and [[files.all_linear:.1f]] MB on all linear layers.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "One telling's sum for adapters on all matrices.",
            "One telling arrives at [[telling.said_block]] million for a block, [[telling.said]] million "
            "in all, and a saving of about [[telling.said_times]] times. Its own formula, worked out, "
            "gives [[telling.written:,d]] for a block. At r = [[block.r]] the seven matrices of one block"
            " of [[block.label]] cost [[block.per_block:,d]] numbers, and its [[block.n_layer]] blocks "
            "cost [[block.trained:,d]]. The whole model has [[block.total:,d]]: LoRA trains "
            "[[block.share:.2%]] of them, [[block.fewer:.1f]] times fewer.",
            "counting",
        ),
        Correction(
            "Far fewer numbers, so as much less memory.",
            "So [[gap.fewer:.1f]] times fewer numbers give [[gap.less:.1f]] times less memory. That is "
            "[[less.measured:.2f]] times less, and [[less.base:.0f]] GB is what the frozen weights take "
            "by themselves.",
            "counting",
        ),
    ),
)

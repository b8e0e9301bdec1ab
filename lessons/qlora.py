"""A base in four bits: the reader can say what is stored, what it costs, and what LoRA has to do with it."""

from collections.abc import Iterator

from lessons._qlora_claims import CLAIMS
from lessons.press.blocks import Answer, Block, Correction, Figure, Lesson, Prose, Question, Try
from widgets.bits import Bits
from widgets.quantised import Quantised


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
Slide from small blocks to the whole matrix. What happens to the histogram, and why does the error grow? Then take the
uniform matrix. Which format wins now?
"""
    )
    yield Prose(
        """
## Levels where the weights are

Weights of trained models lie roughly on a bell curve around zero. Even levels waste places where hardly any weight
is. `NF4` stands for “normal float”: its levels are quantiles of the bell curve, so that about the same share of the
curve lies between any two neighbours. They are close together in the middle, far apart at the ends, and one of them is
exactly zero [@dettmers2023, section 3].

The formula in the paper cannot be used as it is printed: read literally, it asks for the quantile of probability zero,
which is infinite. The levels that were published are built a little differently. [[levels]]

Beside it stand two older ideas. `int4` has even steps. `FP4` is a tiny floating-point number with one bit of sign, two
of exponent and one of mantissa, so its steps grow with the size. How much does `NF4` gain?

[[grids]] [[lead]] A comparison with “`int4`” that does not name its grid says little.

The idea behind the levels is that each should be used equally often. Are they? [[used]] Dividing by the largest of a
block changes the curve: the outermost levels are there for one weight in each block, and few others come near.

And where the weights are no bell curve, the lead is gone. [[controls]]

## What the scales cost

[[double]] This is *double quantisation*. It saves little on each weight and costs hardly anything. (The paper stores
these scales in an eight-bit float; ours lie on an even grid.)

Smaller blocks have smaller errors and more scales. That is the trade that the slider makes.

## Does the model notice?

A relative error of nearly a tenth sounds like a lot. Now we do it to a whole model: all linear layers of the
mini-model, `NF4`, blocks as in QLoRA. Make your guess.
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
[[stored]]

Why so little? As a control, we leave the levels aside. [[noise]] So here rounding acts like a faint noise, and what
this model has learned stands well above it.

That also means that we cannot rank the three formats on this model: differences this small say nothing. The order in
the first figure is one of weights. It need not be one of losses.

Somewhere it must break. [[breaks]] And this is no faint noise any more. [[no-noise]] With three levels most weights
become zero, as the first figure shows.

## And finetuning on top?

[[known]] Nothing to tell apart. [[new]] Here the seeds on rounded bases scatter more, to both sides. Three seeds are
too few to say whether that is the format.

It fits what QLoRA's authors report for far larger models: finetuned on four bits, they perform as they do when
finetuned in sixteen [@dettmers2023, abstract].

LoRA even repairs. Take the format that broke. [[rough]] The adapter learns the task and, with the same few
directions, makes good what rounding broke for it. So it matters on which base an adapter learned. [[moved]]

The repair is for the task alone. [[not-repaired]] Both forget, and the rounded base ends further off.

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
the adapter included. [[again]] [[again-rough]] Keep the adapter beside the base, or merge into a copy with all its
digits.

## What it buys

LoRA alone leaves the frozen base as large as it was. [[seventy]] So it is the four bits that bring it onto a card.

[[sixty-five]] The authors finetuned [[dettmers-65]]. The models they release take [[dettmers-sizes]]; that is their
size, not the memory of training. And adapters are nearly free: for their smallest base they count
[[dettmers-parts]].

The mini-model is too small to save anything. What it shows is the cost, and that is nearly nothing here. Other models
may lose more: measure it on yours.

## In short

- Each block of weights keeps one scale; each weight keeps four bits, the number of a level.
- `NF4` puts its levels where a bell curve has its weights. On other shapes other levels are better.
- Here, four bits cost the model nothing that we can measure. With three levels it breaks, and LoRA repairs much.
- The base is turned back to compute with, and never changes. Merging back into few bits rounds again.
"""
    )


LESSON = Lesson(
    slug="qlora",
    title="A base in four bits",
    question="The frozen weights are rounded to sixteen levels. What does that cost, and what does it save?",
    part="What it costs",
    order=85,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A weight is stored as a code of four bits. What else do you need to read it?",
            (
                Answer("The scale of its block", "Level times scale is the weight. [[double]]", right=True),
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
                    "It always has the lowest loss",
                    "An error of weights is no loss. Here the formats of four bits could not be told apart. [[stored]]",
                ),
                Answer(
                    "It is best for any numbers",
                    "It is made for a bell curve. On uniform numbers even levels win. [[controls]]",
                ),
                Answer(
                    "For weights near a bell curve it is a good choice; the loss must be measured",
                    "Just so. The first figure is about weights, the second about losses.",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA makes the largest models fit on a single GPU.",
            "LoRA alone does not shrink the frozen base. Four bits do. [[seventy]]",
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
            "The weights are turned back in both passes [@dettmers2023, section 3, equations 5 and 6]; activations "
            "were never quantised. What LoRA spares is the gradient of these weights. What the rounding costs is small "
            "here: [[stored]]",
            "quantised",
        ),
    ),
)

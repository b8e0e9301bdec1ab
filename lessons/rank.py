"""What low rank means: the reader can say what a rank-r copy keeps, what it costs, and when it saves nothing."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from compute.costs.sizes import break_even_rank, rank_dimension, stored_numbers, times_smaller
from compute.experiments.learned import LEARNED, load_learned
from compute.experiments.tasks import FULL, RANKS, load_tasks, way_of
from compute.matrices.controls import marchenko_pastur_band, noise_band, noise_control
from compute.matrices.examples import make_task
from compute.matrices.spectrum import energy, flat_error, knee_rank, r90, relative_error, stable_rank
from compute.matrices.svd import factorize
from lessons.press.blocks import (
    Answer,
    Block,
    Cited,
    Claim,
    Correction,
    Figure,
    Lesson,
    Live,
    Prose,
    Question,
    Try,
)
from widgets.live.own_matrix import OwnMatrix
from widgets.patterns import Patterns
from widgets.rank import Rank

LAYER = (4096, 4096)  # one attention matrix of a mid-size model
N = 32  # the size the lesson's figure opens with


def _s(task: str, n: int = N) -> np.ndarray:
    return factorize(make_task(task, n, 0)).s


def _layer(r: int) -> Mapping[str, Any]:
    return {
        "r": r,
        "out": LAYER[0],
        "total": LAYER[0] * LAYER[1],
        "each": stored_numbers(LAYER, r) // 2,
        "stored": stored_numbers(LAYER, r),
        "times": times_smaller(LAYER, r),
    }


def _usual_story() -> Mapping[str, Any]:
    noise = noise_band((N, N)).error
    return {
        "r": 4,
        "n": N,
        "flat": flat_error(N, 4),
        "kept": 1 - flat_error(N, 4) ** 2,
        "noise": noise[1, 4],
        "reorder": relative_error(_s("reorder"))[4],
        "worst": flat_error(N, 4),
    }


def _two_measures() -> Mapping[str, Any]:
    s = _s("blur")
    r = int(np.argmax(energy(s) >= 0.9))
    return {"r": r, "energy": energy(s)[r], "error": relative_error(s)[r]}


def _noise() -> Mapping[str, Any]:
    s = noise_band((N, N)).s[1]
    return {"n": N, "first": s[0] ** 2, "r90": r90(s), "stable": stable_rank(s), "even": 1 / N}


def _large_noise() -> Mapping[str, Any]:
    share = int(np.argmax(marchenko_pastur_band(LAYER).energy[1] >= 0.9))
    return {"directions": share, "n": LAYER[0], "break_even": break_even_rank(LAYER)}


def _learned_r90() -> Mapping[str, Any]:
    formal, new = (load_learned(f"{task}-v_proj") for task in ("formal-voice", "new-words"))
    return {
        "formal": r90(factorize(formal).s),
        "new": r90(factorize(new).s),
        "n": min(formal.shape),
        "noise": r90(noise_control(formal.shape).s[1]),
        "made": r90(_s("few-patterns")),
    }


def _learned_knees() -> Mapping[str, Any]:
    matrices = [load_learned(name) for name in LEARNED]
    knees = [knee_rank(factorize(delta_w).s) for delta_w in matrices]
    evens = [break_even_rank(delta_w.shape) for delta_w in matrices]
    below = [knee - even for knee, even in zip(knees, evens, strict=True)]
    return {"least": min(knees), "most": max(knees), "tolerance": 0.05, "margin": min(below)}


def _learned_task(task: str) -> Mapping[str, Any]:
    recorded, (least, most) = load_tasks(), (RANKS[0], RANKS[-1])
    before = recorded.before[task]["loss"]
    narrow, wide = (recorded.apart(task, way_of(r)) for r in (least, most))
    return {
        "r": least,
        "more": most,
        "gain": before - fmean(recorded.of(task, FULL).loss),
        "lora_gain": before - fmean(recorded.of(task, way_of(least)).loss),
        "gap": narrow.mean,
        "gap_more": wide.mean,
        "least_gap": min(narrow.low, wide.low),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "three": Claim(
        lambda: {"n": N, "r": knee_rank(_s("few-patterns"), 1e-6)},
        lambda v: v["r"] == 3,
    ),
    "blur": Claim(
        lambda: {
            "r": knee_rank(_s("blur")),
            "tolerance": 0.05,
            "stored": stored_numbers((N, N), knee_rank(_s("blur"))),
            "total": N * N,
        },
        lambda v: v["r"] == 9 and v["stored"] < v["total"],
    ),
    "reorder": Claim(
        lambda: {"r": knee_rank(_s("reorder")), "n": N, "even": break_even_rank((N, N))},
        lambda v: v["r"] == v["n"] > v["even"],
    ),
    "usual": Claim(
        _usual_story,
        lambda v: round(v["flat"], 3) == 0.935,
    ),
    "worst": Claim(
        _usual_story,
        lambda v: (
            abs(v["reorder"] - v["worst"]) < 1e-9
            and v["noise"] < v["worst"]
            and abs(v["kept"] - 4 / N) < 1e-12
        ),
    ),
    "measures": Claim(
        _two_measures,
        lambda v: v["energy"] >= 0.9 and v["error"] > 0.2 and abs(v["error"] ** 2 + v["energy"] - 1) < 1e-12,
    ),
    "noise": Claim(
        _noise,
        lambda v: v["first"] > 3 * v["even"] and N / 2 <= v["r90"] < N,
    ),
    "layer": Claim(
        lambda: _layer(8),
        lambda v: v["total"] == 16_777_216 and v["stored"] == 65_536 and v["times"] == 256,
    ),
    "break-even": Claim(
        lambda: {"even": break_even_rank(LAYER), "small": break_even_rank((N, N))},
        lambda v: v["even"] == 2048 and v["small"] == 16,
    ),
    "freedom": Claim(
        lambda: {"r": 4, "stored": stored_numbers(LAYER, 4), "free": rank_dimension(LAYER, 4)},
        lambda v: v["stored"] == 32_768 and v["free"] == 32_752,
    ),
    "large-noise": Claim(
        _large_noise,
        lambda v: abs(v["directions"] / v["n"] - 0.5098) < 0.0005,
    ),
    "learned-r90": Claim(
        _learned_r90,
        lambda v: 2 * v["made"] < v["formal"] < 0.6 * v["noise"],
    ),
    "learned-knee": Claim(
        _learned_knees,
        lambda v: v["margin"] > 0,
    ),
    "learned-task": Claim(
        lambda: _learned_task("formal voice"),
        lambda v: 0.97 * v["gain"] < v["lora_gain"] < v["gain"],
    ),
    "learned-new": Claim(
        lambda: _learned_task("new words"),
        lambda v: v["gap"] > v["gap_more"] and v["least_gap"] > 0.1,
    ),
    "learned-same": Claim(
        _learned_r90,
        lambda v: v["new"] <= v["formal"],
    ),
    "bid-model": Cited("The model Llama-2-7B", "biderman2024", "section 4.6"),
    "bid-rank": Cited("more than 1,500 of 4,096 directions", "biderman2024", "section 4.6 and appendix E"),
    "share": Cited("90 %", "biderman2024", "section 4.6"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A finetuned model is the old model plus a change. For one weight matrix $W$ the change is another matrix of the same
shape. We call it `delta_w`. It has as many numbers as $W$ itself.

LoRA writes that change as a product of two thin matrices, `lora_B` times `lora_A` [@hu2021, section 4.1]. That
saves numbers only if the change is simple in one special sense. The sense is called *rank*. This page lets you
see it.

## One pattern

Take a column of numbers and a row of numbers. Multiply every entry of the column with every entry of the row. The
result fills a whole matrix. It is one *pattern*: each of its rows is the same row, only stronger, weaker or turned
around.

A pattern is cheap. A matrix with $n$ rows and $n$ columns has $n^2$ numbers. The column and the row that make the
pattern have $n$ each.

Now add a second pattern, and a third. The *rank* of a matrix is the number of patterns that it takes to build it, when
they are chosen as well as they can be.
"""
    )
    yield Figure("patterns", Patterns)
    yield Try(
        """
Step through the patterns of “Few patterns”, and stop when the sum looks finished. Then choose “Reorder”. Its
matrix is easy to describe. Does it come together early?
"""
    )
    yield Prose(
        """
In symbols, the sum of the first $r$ patterns is

$$\\sum_{i=1}^{r} s_i \\, u_i v_i^{\\top}$$

Each $u_i$ is a column and each $v_i$ a row, all of length one. The strength $s_i$ is called a *singular value*. What
does such a pattern do to an input $x$? It asks how much of $v_i$ is in $x$, multiplies the answer by $s_i$, and writes
that much of $u_i$ into the output. So rank limits how many things a change can do. It does not limit how strongly
it does them.

## The best copy of rank r

Most matrices are no exact sum of a few patterns. But we can stop after $r$ of them and keep what we have. That is a
*copy of rank r*. Which patterns should we keep? The strongest ones: no other matrix of rank $r$ comes closer
[@eckart1936, pages 211-218]. The singular value decomposition finds them.

The next figure does that. On the left stands a matrix, beside it its best copy, then what the copy misses. The two
thin matrices are what you would store. Before you slide: how many patterns will it take?
"""
    )
    yield Figure("rank", Rank)
    yield Try(
        """
Keep r at the same place and go through the first five matrices. Watch the red curve and the grey one. Where is the red
curve far below the grey one, where does it lie on it, and where is it above?
"""
    )
    yield Prose(
        """
## Three kinds of change

[“Few patterns”](#rank?task=few-patterns&r=3) is what everybody hopes for. Its matrix of [[three.n]] rows and
[[three.n]] columns looks busy, yet [[three.r]] patterns make all of it. After that the residual is blank.

[“Blur”](#rank?task=blur&r=9) replaces each number by a weighted mean of its neighbours. Its singular values fall fast
but never reach zero. The blur needs r = [[blur.r]] for an error of [[blur.tolerance:.0%]] or less, and there it
stores [[blur.stored:,d]] numbers in place of [[blur.total:,d]]. There is a saving, but a modest one.

[“Reorder”](#rank?task=reorder&r=9) is the surprise. Moving every entry on by one place is said in a few words, but it
needs r = [[reorder.r]] of [[reorder.n]], and from r = [[reorder.even:.0f]] on nothing is saved. Every direction is as
important as every other, so there is nothing to leave out. *Easy to say* and *low in rank* are different things.

The other two matrices look alike. One is noise. The other is a random rotation, with all its singular values equal. You
cannot tell them apart by eye. The curves can.

## A number to find out

The usual story shows a figure like ours with one matrix in it and says: a small r captures the change almost exactly.
One telling of it prints its result beside that sentence. At r = [[usual.r]] its best copy of a [[usual.n]] ×
[[usual.n]] matrix had a relative error of [[usual.flat:.1%]]. Is that almost exact?

[Set the figure to “Flat spectrum” and r to four](#rank?task=flat&r=4), and read the error. A copy with that error
keeps [[worst.kept:.1%]] of the energy. It is the largest error that any [[worst.n]] × [[worst.n]] matrix can have at
r = [[worst.r]]: a matrix whose singular values are all equal has it, and so has the reorder matrix
([[worst.reorder:.1%]]). Even noise does better, at [[worst.noise:.1%]].

So the matrix in that picture was the hardest there is, and the sentence beside it said the opposite. A picture of a
matrix shows nothing until a control stands beside it. That is why every curve here runs over a grey band.

## Two measures that get mixed up

*Energy* is the share of the squared singular values that the copy keeps. *Relative error* is the length of what it
misses, divided by the length of the matrix. They are tied together:

$$\\text{error} = \\sqrt{1 - \\text{energy}}$$

The square root matters. For the blur, r = [[measures.r]] keeps [[measures.energy:.1%]] of the energy and still misses
[[measures.error:.1%]] by relative error. Whoever quotes the energy sounds far better than whoever quotes the error,
and both are right. So ask which one you are being told.

## What noise does

Noise has full rank, but it does not spread its energy evenly. In noise of [[noise.n]] × [[noise.n]] the first
direction holds [[noise.first:.1%]] of the energy, where an even share would be [[noise.even:.1%]]; [[noise.r90]]
directions hold nine tenths of it. A falling curve alone is therefore no sign of structure. How the curve of noise
falls is known exactly for large matrices [@marchenko1967, theorem 1], and small ones we simply draw many times. What
counts is the gap between your curve and that band.

## Counting

A copy of rank $r$ of a matrix with $d$ rows and $k$ columns needs $r$ columns of length $d$ and $r$ rows of length $k$:

$$r\\,(d + k) \\quad \\text{numbers instead of} \\quad d\\,k$$

A weight matrix of [[layer.out:,d]] × [[layer.out:,d]] has [[layer.total:,d]] numbers. At r = [[layer.r]], lora_B and
lora_A have [[layer.each:,d]] each, [[layer.stored:,d]] together: [[layer.times:,.0f]] times fewer.

The saving ends where both sides are equal, at $r = dk/(d+k)$. We call that the *break-even rank*. For that layer it
is r = [[break-even.even:,.0f]], for the figure above r = [[break-even.small:,.0f]]. Beyond it, the two thin matrices
hold more numbers than the thick one. The figure draws it as a golden line and says so when you cross it.

Is each of these numbers a freedom to move? Almost. You can double `lora_B` and halve `lora_A`, and the product stays
the same. At r = [[freedom.r]] the pair for that layer stores [[freedom.stored:,d]] numbers and can move in
[[freedom.free:,d]] independent ways.

## What a model really learned

The list of matrices in the figure above has four more. Nobody made those up. We finetuned a small language model, which
you will meet in a later lesson, with all its weights free. Then we subtracted the old weights from the new ones. One
task was a formal voice, which the model had never read, though it knew each of the words. The other was a language in
which every word was new to it.

[Choose “Learned: formal voice, v_proj”](#rank?task=formal-voice-v_proj). Is its red curve steep, as for the few
patterns, or does it lie on the grey band?

Neither. For the formal voice, v_proj keeps nine tenths of its energy in [[learned-r90.formal]] of [[learned-r90.n]]
directions; noise would need [[learned-r90.noise]]. So this is no noise. But it is no short list of patterns either.
For a relative error of [[learned-knee.tolerance:.0%]] or less the four need r = [[learned-knee.least]] to
[[learned-knee.most]], and each of them is above its break-even rank. A copy that close saves nothing. *Lower in rank
than noise* is not *tiny in rank*. And training on pure chance would leave a trace of its own, which [a later
lesson](spectra.html) sets beside it as a second control.

Is that bad news for LoRA? Not by itself. LoRA does not copy this change. It looks for a change of its own that does
the same job. How well it does the job is measured by the loss: how badly the model guesses the next word, in nats.
Each method has the learning rate that suits it best, and is measured on stories that it has not read. On the formal
voice full finetuning lowered it by [[learned-task.gain:.2f]] nats, and LoRA with r = [[learned-task.r]] by
[[learned-task.lora_gain:.2f]]. One pattern in each layer did almost all of it. A task may need far less than
rebuilding the whole change.

A task may also need more than the curves suggest. In the language of new words LoRA with r = [[learned-new.r]] ends
[[learned-new.gap:.2f]] nats above full finetuning, and with r = [[learned-new.more]] still
[[learned-new.gap_more:.2f]]. Yet the curves do not show it. Its v_proj keeps nine tenths of its energy in
[[learned-same.new]] directions, where the formal voice took [[learned-same.formal]]. So the spectrum of a change does
not tell by itself which rank the task needs. (The rank is not even what is missing there: [The knee](knee.html) finds
out what is.)

## What this does not show

Our matrices were made by rules, or by a very small model that read sentences made by rules. Whether a large finetuned
model changes by a matrix of low rank is a question about models, not about algebra. LoRA's authors stated it as a
hypothesis [@hu2021, section 4.1]. LoRA itself does not ask: it *forces* its change to have rank $r$.

In one published setting it was measured. [[bid-model]] was trained further on code, with all its weights free, and
the change of one of its matrices was taken apart. It needed [[bid-rank]] for [[share]] of the variance. Pure noise of
that size would need [[large-noise.directions:,d]]. Its authors add a caution: this was continued pretraining,
instruction finetuning may be lower in rank, and a task may need less than rebuilding the whole change does.

So low rank is a bet. Later lessons let you run it on a real model.

## Your own matrix

Nothing convinces like one's own numbers. Bring a matrix, a picture, or an adapter that you have trained. An adapter of
rank $r$ has at most $r$ directions. Look at how many it really uses, and compare with the grey band: the product of two
random factors of the same rank.
"""
    )
    yield Live(
        "own",
        title="Your own matrix",
        invitation="Open your own matrix or adapter",
        without=(
            "This copy of the lesson has no Python behind it, and factoring your matrix needs NumPy. Start the "
            "app with `make serve`, and the button stands here."
        ),
        make=OwnMatrix,
    )
    yield Prose(
        """
## In short

- Rank counts patterns: one column times one row each.
- The best copy of rank r keeps the r strongest patterns. What it misses is known exactly.
- It saves numbers below the break-even rank, and only there.
- A spectrum means something only beside that of noise.
- What our small model learned lies between noise and a few patterns. A task may need less than that, or more.
"""
    )


LESSON = Lesson(
    slug="rank",
    title="A thin change",
    question="A finetune changes a matrix. How many numbers does the change need?",
    part="A thin change",
    order=30,
    minutes=15,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A matrix looks like a mess. What does its rank tell you?",
            (
                Answer(
                    "How large its numbers are",
                    "Rank says nothing of size. Multiply a matrix by any number but zero, and its rank stays.",
                ),
                Answer(
                    "How many patterns, a column times a row each, add up to it",
                    "A mess for the eye can be a short sum. Its matrix of [[three.n]] rows and [[three.n]] "
                    "columns looks busy, yet [[three.r]] patterns make all of it.",
                    right=True,
                ),
                Answer(
                    "How hard its rule is to say in words",
                    "Words and rank are different things. Moving every entry on by one place is said in a few "
                    "words, but it needs r = [[reorder.r]] of [[reorder.n]], and from r = [[reorder.even:.0f]] on"
                    " nothing is saved.",
                ),
            ),
        ),
        Question(
            "A copy of rank r keeps most of the energy of a matrix. When does it also save numbers?",
            (
                Answer(
                    "Always",
                    "Two thin matrices can hold more numbers than a thick one. For that layer it is r = "
                    "[[break-even.even:,.0f]], for the figure above r = [[break-even.small:,.0f]].",
                ),
                Answer(
                    "When the residual is blank",
                    "A blank residual says that the copy is good, not that it is small.",
                ),
                Answer(
                    "When r is below the break-even rank",
                    "That is all it takes. For that layer it is r = [[break-even.even:,.0f]], for the figure "
                    "above r = [[break-even.small:,.0f]].",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "To move every entry on by one is a small change.",
            "Moving every entry on by one place is said in a few words, but it needs r = [[reorder.r]] of"
            " [[reorder.n]], and from r = [[reorder.even:.0f]] on nothing is saved.",
            "rank",
        ),
        Correction(
            "In a published figure a small r rebuilds nearly all.",
            "At r = [[usual.r]] its best copy of a [[usual.n]] × [[usual.n]] matrix had a relative error "
            "of [[usual.flat:.1%]]. A copy with that error keeps [[worst.kept:.1%]] of the energy. It is "
            "the largest error that any [[worst.n]] × [[worst.n]] matrix can have at r = [[worst.r]]: a "
            "matrix whose singular values are all equal has it, and so has the reorder matrix "
            "([[worst.reorder:.1%]]). Even noise does better, at [[worst.noise:.1%]].",
            "rank",
        ),
    ),
)

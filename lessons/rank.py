"""What low rank means: the reader can say what a rank-r copy keeps, what it costs, and when it saves nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.costs.sizes import break_even_rank, stored_numbers
from compute.experiments.learned import load_learned
from compute.matrices.controls import noise_band, noise_control
from compute.matrices.examples import make_task
from compute.matrices.spectrum import energy, flat_error, knee_rank, r90, relative_error
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
    Prediction,
    Prose,
    Question,
    Stop,
    Teaching,
    Try,
)
from widgets.live.own_matrix import OwnMatrix
from widgets.patterns import Patterns
from widgets.rank import Rank

LAYER = (4096, 4096)  # one attention matrix of a mid-size model
N = 32  # the size the lesson's figure opens with
THIN = 4  # the rank at which two matrices that look alike are told apart


def _s(task: str, n: int = N) -> np.ndarray:
    return factorize(make_task(task, n, 0)).s


def _layer() -> Mapping[str, Any]:
    r = 8
    return {
        "r": r,
        "out": LAYER[0],
        "total": LAYER[0] * LAYER[1],
        "stored": stored_numbers(LAYER, r),
    }


def _apart() -> Mapping[str, Any]:
    """Return what a copy misses of a matrix with equal singular values, and of one that looks like it."""
    return {
        "r": THIN,
        "n": N,
        "flat": flat_error(N, THIN),
        "kept": 1 - flat_error(N, THIN) ** 2,
        "noise": noise_band((N, N)).error[1, THIN],
        "reorder": relative_error(_s("reorder"))[THIN],
    }


def _two_measures() -> Mapping[str, Any]:
    s = _s("blur")
    r = int(np.argmax(energy(s) >= 0.9))
    return {"r": r, "energy": energy(s)[r], "error": relative_error(s)[r]}


def _noise() -> Mapping[str, Any]:
    return {"first": noise_band((N, N)).s[1][0] ** 2, "even": 1 / N}


def _learned() -> Mapping[str, Any]:
    delta_w = load_learned("formal-voice-v_proj")
    return {
        "r90": r90(factorize(delta_w).s),
        "n": min(delta_w.shape),
        "noise": r90(noise_control(delta_w.shape).s[1]),
        "made": r90(_s("few-patterns")),
    }


def _convex() -> Mapping[str, Any]:
    """Return what a best pair of factors misses, the same pair with its signs turned, and what lies halfway."""
    delta_w, r = make_task("few-patterns", N, 0), 2
    U, s, Vh = factorize(delta_w)
    pair = U[:, :r] * s[:r], Vh[:r]
    turned = tuple(-factor for factor in pair)
    between = tuple((one + other) / 2 for one, other in zip(pair, turned, strict=True))
    missed = [
        np.linalg.norm(delta_w - lora_B @ lora_A) / np.linalg.norm(delta_w)
        for lora_B, lora_A in (pair, turned, between)
    ]
    return {"r": r, **dict(zip(("pair", "turned", "between"), missed, strict=True))}


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
        lambda v: v["r"] == 9 and v["total"] / 2 < v["stored"] < v["total"],
    ),
    "reorder": Claim(
        lambda: {"r": knee_rank(_s("reorder")), "n": N, "even": break_even_rank((N, N))},
        lambda v: v["r"] == v["n"] > v["even"],
    ),
    "apart": Claim(
        _apart,
        lambda v: (
            round(v["flat"], 3) == 0.935
            and abs(v["reorder"] - v["flat"]) < 1e-9
            and v["noise"] < v["flat"]
            and abs(v["kept"] - THIN / N) < 1e-12
        ),
    ),
    "measures": Claim(
        _two_measures,
        lambda v: v["r"] == 5 and v["error"] > 0.2 and abs(v["error"] ** 2 + v["energy"] - 1) < 1e-12,
    ),
    "noise": Claim(
        _noise,
        lambda v: v["first"] > 3 * v["even"],
    ),
    "layer": Claim(
        _layer,
        lambda v: v["total"] == 16_777_216 and v["stored"] == 65_536,
    ),
    "break-even": Claim(
        lambda: {"even": break_even_rank(LAYER), "small": break_even_rank((N, N))},
        lambda v: v["even"] == 2048 and v["small"] == 16,
    ),
    "convex": Claim(
        _convex,
        lambda v: v["pair"] == v["turned"] < 0.5 and v["between"] == 1,
    ),
    "learned": Claim(
        _learned,
        lambda v: 2 * v["made"] < v["r90"] < 0.6 * v["noise"],
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A wallpaper printer does not keep whole walls in store. He keeps rollers. Each roller carries one line of colours, and
next to it hangs a list that says how hard to press it at each height of the wall: firmly here, lightly there, and in
places with the inks swapped. One roller and its list print a whole wall. Richer designs take a second roller on top of
the first, or a third.

The last chapter left us with a `delta_w` that has as many numbers as the matrix it changes. Think of it as a wall, full
of small patches of colour. If a few rollers could print it, then the rollers and their lists are all we would have to
keep, and the notes of our fifty customers would be thin. How many rollers does it take?

## One roller and one list

In numbers, the roller is a row and the list is a column. Multiply every entry of the column by every entry of the row,
and the products fill a matrix in which each row is the same row, only stronger, weaker or turned around. Let us call
that a *pattern*. It is cheap, because a matrix with $n$ rows and $n$ columns has $n^2$ numbers, while the column and
the row that make the pattern have $n$ each.

Now print a second pattern over the first, and a third: matrices are added cell by cell. The *rank* of a matrix is the
smallest number of patterns that add up to it.
"""
    )
    yield Figure("patterns", Patterns)
    yield Try(
        """
Step through the patterns of “Few patterns”, and stop when the sum looks finished. Then choose
[“Reorder”](#patterns?task=reorder&r=1), whose matrix is easy to describe. Does it come together early?
"""
    )
    yield Prose(
        """
In symbols, the sum of the first $r$ patterns is

$$\\sum_{i=1}^{r} s_i \\, u_i v_i^{\\top}$$

where each $u_i$ is a column, each $v_i^{\\top}$ a row, and all of them have length one. How strongly a pattern is
printed is a separate number, $s_i$, its *singular value*. What does such a pattern do when it is part of a linear
layer? It asks how much of $v_i$ is in the input $x$, multiplies the answer by $s_i$, and writes that much of $u_i$ into
the output. So rank limits how many things a change can do. It does not limit how strongly it does them.

## The best copy

Few walls are the exact sum of just a few patterns. But we can stop after $r$ of them and keep what we have; we call
that a *copy of rank r*. The *singular value decomposition* takes a matrix apart into such patterns, strongest first. If
we keep the $r$ strongest, no other matrix of rank $r$ comes closer [@eckart1936, pages 211-218].

The next figure does that. First comes a matrix, then its best copy, then the *residual*, what the copy misses. The
red curve says how much that is: the length of the residual over the length of the matrix, which we call the *relative
error*. The grey band is the same for matrices of pure chance. Before you slide, guess how many patterns it will take.
"""
    )
    yield Figure("rank", Rank)
    yield Try(
        """
Leave r where it is and go through the first five matrices. Where is the red curve far below the grey band, where does
it lie on it, and where is it above?
"""
    )
    yield Prose(
        """
## Three kinds of wall

[“Few patterns”](#rank?task=few-patterns&r=3) is what everybody hopes for. With its [[three.n]] rows and columns it
looks busy, yet [[three.r]] patterns make up all of it, and then the residual is blank.

[“Blur”](#rank?task=blur&r=9) is a matrix that replaces each number of a list by a weighted mean of itself and its
neighbours. Its singular values fall fast but never reach zero, so there is no last pattern, only a point where you
decide that it is close enough. If an error of [[blur.tolerance:.0%]] will do, it takes r = [[blur.r]]. The storeroom
then holds [[blur.stored:,d]] numbers in place of [[blur.total:,d]], which is a saving, but a modest one.

[“Reorder”](#rank?task=reorder&r=9) is the surprise. It moves every entry of a list on by one place, a rule that takes
half a sentence, and yet it needs all [[reorder.r]] patterns. They are all equally strong, so there is none to leave
out, and from r = [[reorder.even:.0f]] on the rollers and lists take up as much room as the wall or more. *Easy to say*
and *low in rank* are different things.

## Two walls that look alike

Two of the five cannot be told apart by eye. One is noise, with every entry drawn independently. The other is a random
rotation, whose singular values are all equal. [Set the figure to the rotation, with r at four](#rank?task=flat&r=4):
the copy misses [[apart.flat:.1%]], the largest error that a matrix of this size can have at this r, while a copy of
noise misses only [[apart.noise:.1%]]. The curves see what the eye does not.

They also show why noise belongs in the picture. Its patterns are not equally strong: the first holds
[[noise.first:.0%]] of its squared length, where an even share would be [[noise.even:.0%]]. So a falling curve is no
sign of structure, because the curve of noise falls too, in a way that is known exactly for large matrices
[@marchenko1967, theorem 1]. What counts is the gap between the curve and the band.

Errors can also be reported in a way that sounds kinder. The *energy* of a copy is its share of the matrix's squared
length, and the one follows from the other:

$$\\text{error} = \\sqrt{1 - \\text{energy}}$$

Five patterns keep [[measures.energy:.0%]] of the energy of the blur and still leave a relative error of
[[measures.error:.0%]]. Both numbers are right, so ask which of them you are being told. (The copy that the figure shows
now, at r = [[#rank.r]], keeps [[#rank.energy:.1%]] and misses [[#rank.error:.1%]].)

## What the rollers weigh

A copy of rank $r$ of a matrix with $d$ rows and $k$ columns needs $r$ lists of length $d$ and $r$ rollers of length
$k$:

$$r\\,(d + k) \\quad \\text{numbers instead of} \\quad d\\,k$$

A matrix with [[layer.out:,d]] rows and columns has [[layer.total:,d]] numbers. At r = [[layer.r]] the two thin matrices
that make up its copy have [[layer.stored:,d]] together. The saving ends where both sides are equal, at $r = dk/(d+k)$.
This is the *break-even rank*. For that matrix it is r = [[break-even.even:,.0f]]; in the figure it is the golden line.

LoRA keeps its change in just this form. The lists stand side by side in one thin matrix, `lora_B`, and the rollers lie
one above the other in a second, `lora_A`. The product of the two is delta_w [@hu2021, section 4.1].

## How many for the formal voice?

The list of the figure ends with matrices that nobody made up. One is the delta_w of the last chapter: [choose “Learned:
formal voice, v_proj”](#rank?task=formal-voice-v_proj&r=17). Nine tenths of its energy are in [[learned.r90]] of
[[learned.n]] patterns. Noise would need [[learned.noise]] for that, and our made-up wall of three patterns needs only
[[learned.made]]. So this change is not noise, but neither is it the work of two or three rollers. What the changes of
real finetunes look like, and what pure chance would leave behind, is [a chapter of its own](spectra.html).

## Your own matrix

Nothing convinces like one's own numbers. Bring a matrix, a picture, or an adapter that you have trained, and see how
many of the patterns that it has room for it really uses.
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
## What this does not show

The errors on this page compare numbers. Whether a model can do without what the copy misses is another matter, which
none of these curves can decide.

It may even be the wrong thing to ask. Before we can copy a change, somebody must have trained the whole model; then we
print what she found as well as a few rollers can. But nobody wants this particular wall. What we want is a voice, and
there may be a thin change that gives it without resembling any copy of the thick one. Would training find it, if it had
only a roller and a list to work with? [Let us try](first.html).
"""
    )


LESSON = Lesson(
    slug="rank",
    title="A thin change",
    question="How much is in a matrix that is full of numbers?",
    part="The bet",
    order=30,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A matrix looks like a mess. What does its rank tell you?",
            (
                Answer(
                    "How large its numbers are",
                    "Rank says nothing about size. Multiply a matrix by any number but zero, and its rank stays.",
                ),
                Answer(
                    "How many patterns, a column times a row each, add up to it",
                    "What is a mess for the eye can be a short sum. The matrix of “Few patterns” looks busy with its "
                    "[[three.n]] rows and columns, yet [[three.r]] patterns make all of it.",
                    right=True,
                ),
                Answer(
                    "How hard its rule is to say in words",
                    "To move every entry on by one place is said in a few words, and needs r = [[reorder.r]] of "
                    "[[reorder.n]].",
                ),
            ),
        ),
        Question(
            "A copy of rank r keeps most of the energy of a matrix. When does it also save numbers?",
            (
                Answer(
                    "Always, because thin matrices are smaller than thick ones",
                    "From the break-even rank on they hold no fewer numbers. For a matrix with [[layer.out:,d]] rows "
                    "and columns that is r = [[break-even.even:,.0f]].",
                ),
                Answer(
                    "When the residual is blank",
                    "A blank residual says that the copy is good, not that it is small.",
                ),
                Answer(
                    "When r is below the break-even rank",
                    "That is all it takes, $r(d+k)$ below $dk$. For the figure's matrices of [[three.n]] rows and "
                    "columns the two are equal at r = [[break-even.small:,.0f]].",
                    right=True,
                ),
            ),
        ),
        Question(
            "The singular values of a matrix fall. Is there structure in it?",
            (
                Answer(
                    "Not by that alone: compare with noise of the same shape",
                    "Those of noise fall, too. Its first pattern holds [[noise.first:.0%]] of the energy where an even "
                    "share would be [[noise.even:.0%]].",
                    right=True,
                ),
                Answer(
                    "Yes, since noise has no strongest direction",
                    "It has one by chance: in a drawn matrix some direction is always the strongest.",
                ),
                Answer(
                    "Yes, if the matrix looks regular, too",
                    "A random rotation and noise look alike, and their curves are far apart.",
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
            "A small r rebuilds nearly all of a matrix, as a published figure shows.",
            "At r = [[apart.r]] the best copy in that figure, of a matrix with [[apart.n]] rows and columns, had a "
            "relative error of [[apart.flat:.1%]]. A copy with that error keeps [[apart.kept:.1%]] of the energy. It "
            "is the largest error that any matrix of this size can have at r = [[apart.r]]: one whose singular values "
            "are all equal has it, and so has the reorder matrix ([[apart.reorder:.1%]]). Even noise does better, at "
            "[[apart.noise:.1%]].",
            "rank",
        ),
        Correction(
            "To fit two thin matrices is a convex problem, and so training finds the best copy.",
            "The best copy comes from the singular value decomposition, and the problem is not convex. A best pair for "
            "“Few patterns” at r = [[convex.r]] misses [[convex.pair:.0%]], and the same pair with all its signs "
            "turned misses as much. Halfway between the two lies zero, which misses [[convex.between:.0%]]. In a "
            "convex problem nothing between two best points could be worse.",
            "rank",
        ),
    ),
    teaching=Teaching(
        goals=(
            "build a matrix of rank one from a column and a row, and count what it saves",
            "tell what is easy to say from what is low in rank",
            "turn an error into an energy, and ask which of the two somebody is reporting",
            "reckon the break-even rank of a layer",
            "say why a curve that falls shows no structure until the curve of noise is drawn beside it",
        ),
        predictions=(
            Prediction(
                "“Reorder” has [[reorder.n]] rows and columns and moves every entry of a list on by one place. How "
                "many patterns does a copy need that misses no more than [[blur.tolerance:.0%]] of it?",
                "All [[reorder.r]]. They are equally strong, so that there is none to leave out, and already at r = "
                "[[reorder.even:.0f]] the rollers fill as much room as the wall.",
                "rank?task=reorder&r=9",
            ),
            Prediction(
                "Noise and a random rotation look alike. Both are copied at r = four. Is one of the copies better, "
                "and which?",
                "That of noise, which misses [[apart.noise:.1%]]. The rotation misses [[apart.flat:.1%]], the most "
                "that any matrix of this size can miss there.",
                "rank?task=flat&r=4",
            ),
            Prediction(
                "The delta_w of the formal voice has [[learned.n]] rows and columns. In how many patterns are nine "
                "tenths of its energy? Three made-up patterns need [[learned.made]] for that, noise "
                "[[learned.noise]].",
                "In [[learned.r90]]: it is not noise, and not a short list either.",
                "rank?task=formal-voice-v_proj&r=17",
            ),
        ),
        stops=(
            Stop(
                "Print a wallpaper on the board. One student calls out a row of five small numbers, another a column "
                "of five, and the class fills in the products. How many numbers were called out, and how many are on "
                "the wall?",
                "",
                (2, 4),
            ),
            Stop(
                "Add one pattern after another and let the class call “stop” when the sum looks finished. Ask those "
                "who called early what they no longer saw.",
                "patterns?task=few-patterns&r=1",
                (3, 5),
            ),
            Stop(
                "Let somebody say in one sentence what “reorder” does. Collect the first prediction, then show the "
                "curve. Where do those err who thought that a short rule is a thin matrix?",
                "rank?task=reorder&r=9",
                (5, 7),
            ),
            Stop(
                "Cover all but the first picture, show the noise and the rotation in turn, and vote on which is "
                "which. Collect the second prediction, then bring in the curves. What is the grey band for?",
                "rank?task=flat&r=4",
                (4, 7),
            ),
            Stop(
                "One half of the class reports this copy by its energy, the other by its relative error, in one line "
                "each, as for a newspaper. Read some lines of both, and let the class guess whether they speak of the "
                "same copy.",
                "rank?task=blur&r=5&guess=skip",
                (0, 6),
            ),
            Stop(
                "Everybody reckons for the matrix of the figure from which r on two thin matrices save nothing, then "
                "looks for the golden line. Do the same for a layer of the size that the page names.",
                "rank?task=blur&r=16&guess=skip",
                (2, 5),
            ),
            Stop(
                "Collect the third prediction, with the sentence on delta_w from the last chapter beside it. Who "
                "would sign that the change is low in rank, and what would she have to add?",
                "rank?task=formal-voice-v_proj&r=17",
                (0, 5),
            ),
            Stop(
                "Answer the questions on the handout. Then each student makes up a fourth one with three answers, and "
                "the best goes round.",
                "recall",
                (4, 6),
            ),
        ),
    ),
)

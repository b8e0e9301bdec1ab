"""How far it can be compressed: the reader can say where a knee is, by which error, and when there is none."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from compute.costs.sizes import break_even_rank, stored_numbers, times_smaller
from compute.experiments.capacity import COUNTS, ENOUGH, MIXED, RANKS, load_capacity
from compute.experiments.capacity import FULL as CAPACITY_FULL
from compute.experiments.runs import FULL, RECORDED_RANKS, WITH_EMBEDDINGS, load
from compute.matrices.controls import noise_band
from compute.matrices.examples import make_task
from compute.matrices.knee import find_knee, first_within
from compute.matrices.spectrum import flat_error, relative_error
from compute.matrices.svd import factorize
from compute.text.voices import NEW_VOICES
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.capacity import Capacity
from widgets.knee import Knee
from widgets.wall import Wall

N = 24  # the size the lesson's figure opens with
SHAPE = (N, N)
TOLERANCE = 0.05
NATS = 0.05
STRICT, LAX = 0.01, 0.5  # the ends of the figure's slider
KNOWN = ("legal", "medical", "code")  # voices that the base has read a little of


def _knees(matrix: np.ndarray, tolerance: float = TOLERANCE) -> dict[str, Any]:
    """Return the knee of a matrix by both errors, and their verdicts."""
    s = factorize(matrix).s
    found = {measure: find_knee(s, matrix.shape, tolerance, measure) for measure in ("norm", "squared")}
    return {
        "n": len(s),
        "tolerance": tolerance,
        **{measure: each.rank for measure, each in found.items()},
        "verdicts": {each.verdict for each in found.values()},
    }


def _turned(planes: int, degrees: float) -> np.ndarray:
    """Return the rotation that turns the first planes of N / 2 by the same angle and leaves the others."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rotation = np.eye(N)
    for first in range(0, 2 * planes, 2):
        rotation[first : first + 2, first : first + 2] = turn
    return rotation


def _shift() -> Mapping[str, Any]:
    knees = _knees(make_task("reorder", N, 0))
    return {
        **knees,
        "even": break_even_rank(SHAPE),
        "stored": stored_numbers(SHAPE, knees["norm"]),
        "total": N * N,
        "times": times_smaller(SHAPE, knees["norm"]),
    }


def _half() -> Mapping[str, Any]:
    s = factorize(make_task("reorder", N, 0)).s
    r = N // 2
    return {
        "r": r,
        "shift": relative_error(s)[r],
        "worst": flat_error(N, r),
        "noise": noise_band(SHAPE).error[1, r],
    }


def _rotation() -> Mapping[str, Any]:
    degrees = 45
    every, one = _turned(N // 2, degrees), _turned(1, degrees) - np.eye(N)
    return {
        **_knees(every),
        "degrees": degrees,
        "one": _knees(one)["norm"],
        "verdict": find_knee(factorize(one).s, SHAPE, TOLERANCE).verdict,
    }


def _noise_knee() -> Mapping[str, Any]:
    s = noise_band(SHAPE).s[1]
    found, strict = find_knee(s, SHAPE, LAX), find_knee(s, SHAPE, TOLERANCE)
    return {
        "lax": LAX,
        "r": found.rank,
        "n": N,
        "verdict": found.verdict,
        "tolerance": TOLERANCE,
        "strict": strict.rank,
        "strictly": strict.verdict,
        "even": break_even_rank(SHAPE),
    }


def _blur_tolerances() -> Mapping[str, Any]:
    blur = make_task("blur", N, 0)
    return {
        "strict": STRICT,
        "lax": LAX,
        "most": _knees(blur, STRICT)["norm"],
        "least": _knees(blur, LAX)["norm"],
    }


def _final(task: str, r: int | str) -> float:
    return load(task, r).validation_loss[-1]


def _real_knee(task: str, tolerance: float) -> int | None:
    return first_within({r: _final(task, r) for r in RECORDED_RANKS}, _final(task, FULL), tolerance)


def _known() -> Mapping[str, Any]:
    knees = {_real_knee(task, NATS) for task in KNOWN}
    r = RECORDED_RANKS[0]
    return {
        "tolerance": NATS,
        "r": r,
        "knees": knees,
        "trainable": load(KNOWN[0], r).trainable,
        "full": load(KNOWN[0], FULL).trainable,
    }


def _wall(task: str) -> Mapping[str, Any]:
    places = {"first": 1, "middle": 4, "last": RECORDED_RANKS[-1]}
    gaps = {f"{name}_gap": _final(task, r) - _final(task, FULL) for name, r in places.items()}
    return {**places, **gaps, "tolerance": NATS, "knee": _real_knee(task, NATS)}


def _fall() -> Mapping[str, Any]:
    full = load("new language", FULL).validation_loss
    return {
        "r": 1,
        "share": (full[0] - _final("new language", 1)) / (full[0] - full[-1]),
        "gap": _final("new language", 1) - full[-1],
    }


def _mean(count: int, r: int, what: str = "right", mixed: bool = False) -> float:
    return fmean(getattr(load_capacity().of(count, r, mixed), what))


def _fits() -> Mapping[str, Any]:
    holding = [count for count in COUNTS if load_capacity().least(count) == 1]
    held = load_capacity().of(holding[-1], 1)
    return {
        "r": held.r,
        "count": holding[-1],
        "right": fmean(held.right),
        "numbers": held.numbers,
        "holding": holding,
    }


def _overflows() -> Mapping[str, Any]:
    most = COUNTS[-1]
    r = load_capacity().least(most)
    values = {"most": most, "first": _mean(most, 1), "r": r, "right": _mean(most, r or RANKS[-1])}
    return values | {
        "low": max(load_capacity().of(most, 1).right),
        "high": min(load_capacity().of(most, r or RANKS[-1]).right),
    }


def _bits() -> Mapping[str, Any]:
    full = [load_capacity().of(COUNTS[-1], r) for r in RANKS if _mean(COUNTS[-1], r) < ENOUGH]
    bits = [held.bits for held in full]
    return {"count": COUNTS[-1], "low": min(bits), "high": max(bits), "ranks": len(full)}


def _forgets() -> Mapping[str, Any]:
    r = RANKS[2]
    return {
        "count": MIXED,
        "r": r,
        "before": load_capacity().before["old"],
        "old": _mean(MIXED, r, "old"),
        "full": _mean(MIXED, CAPACITY_FULL, "old"),
        "worst": max(max(load_capacity().of(MIXED, each).old) for each in (*RANKS, CAPACITY_FULL)),
    }


def _mixes() -> Mapping[str, Any]:
    r = RANKS[2]
    kept = {each: load_capacity().of(MIXED, each, mixed=True) for each in (*RANKS, CAPACITY_FULL)}
    return {
        "r": r,
        "stories": _mean(MIXED, r, "stories", mixed=True),
        "without": _mean(MIXED, r, "stories"),
        "old": _mean(MIXED, r, "old", mixed=True),
        "right": _mean(MIXED, r, mixed=True),
        "least": min(min(held.stories) for held in kept.values()),
        "most": max(max(load_capacity().of(MIXED, each).stories) for each in kept),
        "best": max(max(held.old) for held in kept.values()),
    }


def _embeddings() -> Mapping[str, Any]:
    gaps = [abs(_final(task, WITH_EMBEDDINGS) - _final(task, FULL)) for task in NEW_VOICES]
    return {"r": 4, "gap": max(gaps), "last": RECORDED_RANKS[-1]}


CLAIMS: Mapping[str, Claim | Cited] = {
    "story": Claim(
        "There the figure itself printed a knee at r = {norm} and a saving of {times:.1f} times.",
        _shift,
        lambda v: v["norm"] == N and v["times"] == 0.5,
    ),
    "shift": Claim(
        "For an error of {tolerance:.0%} it takes r = {norm} of {n}, or r = {squared} if the error is squared. At "
        "r = {norm} the factors hold {stored:,d} numbers in place of {total:,d}, and break-even was at r = {even:.0f}.",
        _shift,
        lambda v: v["norm"] == N and v["squared"] == N - 1 > v["even"] and v["verdicts"] == {"flat"},
    ),
    "half": Claim(
        "At r = {r} the copy of the shift still misses {shift:.0%}. No matrix of this size can do worse. Noise misses "
        "{noise:.0%}.",
        _half,
        lambda v: abs(v["shift"] - v["worst"]) < 1e-9 and v["noise"] < v["shift"] / 2,
    ),
    "minus": Claim(
        "Then it takes r = {norm} by the relative error and r = {squared} by its square, of {n}.",
        lambda: _knees(make_task("reorder", N, 0) - np.eye(N)),
        lambda v: v["verdicts"] == {"costs"} and N / 2 < v["squared"] < v["norm"] < N,
    ),
    "rotation": Claim(
        "Turn every plane by {degrees} degrees: all {n} singular values are equal again, and the error takes "
        "r = {norm}. Turn one plane only and take the identity away: now r = {one} is exact.",
        _rotation,
        lambda v: v["verdicts"] == {"flat"} and v["norm"] == N and v["one"] == 2 and v["verdict"] == "saves",
    ),
    "energy": Claim(
        "A copy that keeps {energy:.0%} of the energy has a relative error of {error:.0%}.",
        lambda: {"energy": 1 - TOLERANCE, "error": np.sqrt(TOLERANCE)},
        lambda v: round(v["error"], 2) == 0.22 and abs(v["error"] ** 2 + v["energy"] - 1) < 1e-12,
    ),
    "blur": Claim(
        "For the blur, {tolerance:.0%} is met at r = {norm} if it is the relative error, and at r = {squared} if it is "
        "the square.",
        lambda: _knees(make_task("blur", N, 0)),
        lambda v: v["verdicts"] == {"saves"} and v["squared"] < v["norm"] < N / 2,
    ),
    "tolerance": Claim(
        "At {strict:.0%} the blur has its knee at r = {most}, at {lax:.0%} at r = {least}.",
        _blur_tolerances,
        lambda v: v["most"] > 2 * v["least"],
    ),
    "noise": Claim(
        "At {lax:.0%} noise has a knee that saves, r = {r} of {n}. At {tolerance:.0%} it is r = {strict}, beyond "
        "break-even at r = {even:.0f}.",
        _noise_knee,
        lambda v: v["verdict"] == "saves" and v["strictly"] == "costs" and v["strict"] > v["even"],
    ),
    "known": Claim(
        "At a tolerance of {tolerance:.2f} nats the three known voices have their knee at r = {r}, the smallest r "
        "recorded: {trainable:,d} numbers trained in place of {full:,d}.",
        _known,
        lambda v: v["knees"] == {v["r"]} and v["trainable"] < v["full"] / 50,
    ),
    "language": Claim(
        "The new language ends {first_gap:.2f} nats above full finetuning at r = {first}, {middle_gap:.2f} at "
        "r = {middle} and {last_gap:.2f} at r = {last}.",
        lambda: _wall("new language"),
        lambda v: v["knee"] is None and v["first_gap"] > v["middle_gap"] + 0.2 and v["last_gap"] > 0.4,
    ),
    "fits": Claim(
        "r = {r}, {numbers:,d} numbers trained, holds {count:,d} new facts: {right:.1%} of them are right.",
        _fits,
        lambda v: v["right"] >= ENOUGH and list(COUNTS[: len(v["holding"])]) == v["holding"],
    ),
    "overflows": Claim(
        "Of {most:,d} it holds {first:.0%}; those take r = {r}, with {right:.1%} right.",
        _overflows,
        lambda v: v["r"] is not None and v["low"] < v["high"] - 0.2,
    ),
    "bits": Claim(
        "Where {count:,d} facts are too many for a rank, it holds {low:.2f} to {high:.2f} bits for each number "
        "trained.",
        _bits,
        lambda v: v["ranks"] >= 2 and v["low"] > 0 and v["high"] < 2 * v["low"],
    ),
    "forgets": Claim(
        "After {count:,d} new facts at r = {r}, {old:.0%} of the old ones are right; before it was {before:.0%}. Full "
        "finetuning leaves {full:.0%}.",
        _forgets,
        lambda v: v["worst"] < v["before"] - 0.3,
    ),
    "mixes": Claim(
        "With text of the base's own in every step the same adapter answers {stories:.0%} of the questions about new "
        "stories, in place of {without:.0%}, and still {right:.1%} of the new facts; of the old ones it has {old:.0%}.",
        _mixes,
        lambda v: v["least"] > v["most"] and v["right"] >= ENOUGH and v["best"] < 0.3,
    ),
    "dialect": Claim(
        "The dialect ends {first_gap:.2f}, {middle_gap:.2f} and {last_gap:.2f} above it.",
        lambda: _wall("dialect"),
        lambda v: v["knee"] is None and v["first_gap"] > v["middle_gap"] + 0.03 and v["last_gap"] > 0.1,
    ),
    "fall": Claim(
        "In the new language r = {r} already wins {share:.0%} of the fall that full finetuning brings, and still ends "
        "{gap:.2f} nats above it.",
        _fall,
        lambda v: 0.9 < v["share"] < 0.95 and v["gap"] > 0.7,
    ),
    "embeddings": Claim(
        "At r = {r} both new voices then end within {gap:.3f} nats of full finetuning. Without it r = {last} was not "
        "enough.",
        _embeddings,
        lambda v: v["gap"] < 0.01 and all(_real_knee(task, v["gap"]) is None for task in NEW_VOICES),
    ),
    "code-rank": Cited("a rank of 256", "biderman2024", "section 4.7"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
Whoever uses LoRA must choose r. Too small, and the change does not fit. Too large, and nothing is saved. The hope is
that there is a place between: a *knee*, where the error has fallen and the cost has not yet risen.

## The usual story

So where is it? The usual story takes three tasks from easy to hard, and plots the error against r. The easy one is a
*shift*: each entry moves on by one place. That is said in a few words, so it should take a few patterns. The hard one
is a rotation.

It is a good idea to try. Here is such a figure. You say how much error you accept, and the knee is the smallest r that
meets it. Before you look: how many patterns for the shift?
"""
    )
    yield Figure("knee", Knee)
    yield Try(
        """
Look at the shift first, then choose “Random rotation”. Can you tell the easy task from the hard one by any of the three
pictures? Then drag the tolerance up for both. When does the saving begin?
"""
    )
    yield Prose(
        """
## Easy to say, impossible to shorten

[[shift]] It has no knee. [[half]]

The reason stands in the picture on the right: all its singular values are equal. A shift keeps the length of every
input, and so it treats all directions alike. There is no direction that could be left out more cheaply than another.
The rotation does the same. To singular values the easy task and the hard one are one task.

One telling of the story shows the shift as a task of rank two. [[story]] Its arithmetic was right. The sentence beside
it was not.

Perhaps the base passes its input on unchanged, and only the difference has to be learned. [[minus]] That is not small
either.

Is a rotation always hard? It depends on how much it turns. [[rotation]] So a name tells little. The
singular values tell.

## When we say that there is none

At full rank every error is zero, so *some* r always meets the tolerance. To call that a knee would make every curve
bend. Here is our rule. At a knee something is left out, and what is kept counts for more, direction by direction, than
what is left out. That fails in two cases only. Either every direction is needed, or every direction counts the same. In
both the figure says “none”.

A knee may also come too late. At or above the break-even rank the two factors hold as many numbers as the matrix,
or more. Then the figure says that nothing is saved.

## Two errors

The solid line is the relative error: the length of what is missed over the length of the matrix. The dashed line is
its square, which is what the energy leaves over. Both are in use, and often neither is named.

[[energy]] So a paper that keeps so much energy, and a paper that accepts so large an error, say the same. [[blur]]
Ask which error is meant before you compare two knees.

## The tolerance decides

A knee is no property of a matrix alone. [[tolerance]] Neither number is wrong. What you accept is your choice, and it
has to be said.

A generous choice has a price: it finds knees where nothing is. [[noise]] That is what the grey band is for. A knee
means something where it comes well before that of noise, under the same tolerance.

## The real knee

A copy of a matrix is a stand-in. What we want is a model that does its task. So let us ask the small model of
[the lab](lab.html): how close does LoRA come to full finetuning, at each r? Now the error is a loss, and the
floor is what full finetuning reaches.
"""
    )
    yield Figure("wall", Wall)
    yield Try(
        """
Start at the new language and drag the tolerance up until a knee appears. Then do the same for the dialect, and for the
legal voice. How much would you have to accept to call all three solved?
"""
    )
    yield Prose(
        """
[[known]] There is nothing to see on the way, because the knee is at the very start. The base half knew these voices.

The other two are different. [[language]] [[dialect]] First the loss falls with r. Then it stays where it is, above
the floor: that is a *wall*. A larger r does not climb it.

Whether that is much depends on the measure, once more. [[fall]]

## What removes the wall

If more rank does not help, rank was not what was missing. These adapters sit on the linear layers and leave the
embeddings of the words as they were. A language whose words are all exchanged needs new embeddings. So let
them learn as well: the squares in the figure. [[embeddings]] [The lab](lab.html) tells the rest: what that costs,
and what is forgotten.

So a curve that goes flat says that r is large enough for *what is being adapted*. It does not say that the task is
done. Only the floor says that.

## How much fits in

A voice is one habit, and a habit takes little room. What of things that nothing else tells? A second small model,
[the base of a small world](world.html), knows where many people live, what they like and what they make. Let it learn
the same of people of whom it has never read. Each such fact is a word drawn by dice, and no rule helps: whoever is
right must have stored it.
"""
    )
    yield Figure("capacity", Capacity)
    yield Try(
        """
Drag the number of new facts up, and watch the rank at which the teal curve reaches the top. Before the last stop, say
which rank it will take.
"""
    )
    yield Prose(
        """
[[fits]] [[overflows]] So the knee is no property of the adapter either: it moves with what there is to learn.

Counted in bits, the reason is plain. [[bits]] A rank is room, and a task takes as much room as it has news.

The price stands on the right. [[forgets]] That is what learning facts alone does. [[mixes]] So a little of the old
text brings back a way of answering, which every text shows. Separate facts it does not bring back: in so few steps
hardly any of them is read again.

## On models of full size

LoRA's authors swept r on two tasks, and even the smallest did nearly as well as the largest
[@hu2021, section 7.2, table 6]. They add that a new language may ask for more [@hu2021, footnote to section 7.2]. A
later study trained a larger model on code. The smaller ranks that it tried were not enough there, and it advises
[[code-rank]].

The knee is where the task puts it. The way to find it is to sweep r beside a floor. You can do that now: in
[the lab](lab.html), open the live part and press “Train every r”.

This was one small model, with one seed and one learning rate for each method. What another seed
would change we did not measure. So read no order into ranks whose losses lie close together.

## In short

- A knee needs a tolerance, and a tolerance needs a named error.
- A shift and a rotation of every plane have no knee. Their singular values are all equal.
- A knee at or above break-even saves nothing. A generous tolerance finds a knee even in noise.
- What counts is the loss on the task, beside the floor of full finetuning.
- Facts take room: the more there are, the higher the rank that holds them. Learning nothing else costs the old ones.
- A flat curve above the floor is a wall, and a larger r is not always what it lacks.
"""
    )


LESSON = Lesson(
    slug="knee",
    title="How far can it be compressed?",
    question="How small may r be before a copy, or a task, breaks?",
    part="How it works",
    order=40,
    minutes=15,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Two papers report a knee for the same matrix, at different r. Who is wrong?",
            (
                Answer("The one with the larger r", "Perhaps it only accepts less error. [[tolerance]]"),
                Answer("The one with the smaller r", "Perhaps it squares the error. [[blur]]"),
                Answer(
                    "Perhaps nobody",
                    "A knee belongs to a tolerance and to an error. [[tolerance]] [[blur]]",
                    right=True,
                ),
            ),
        ),
        Question(
            "The loss stops falling as r grows. What do you know?",
            (
                Answer(
                    "That r is large enough for what is being adapted",
                    "Whether the task is done, only the floor tells. [[language]]",
                    right=True,
                ),
                Answer("That the task is learned", "It may have met a wall. [[language]]"),
                Answer(
                    "That a still larger r would help",
                    "Here it did not. Something else had to learn. [[embeddings]]",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "The shift is an easy task with a knee at a small r.",
            "[[shift]] [[half]]",
            "knee",
        ),
        Correction(
            "Nine tenths of the energy, or more, is nearly all of the matrix.",
            "[[energy]]",
            "knee",
        ),
        Correction(
            "If LoRA does not reach full finetuning, a larger r will.",
            "Not always. [[language]] [[embeddings]]",
            "wall",
        ),
    ),
)

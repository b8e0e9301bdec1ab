"""How much fits in: the reader can name a knee with its tolerance, and say how much room facts take in an adapter."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from compute.costs.sizes import break_even_rank, stored_numbers
from compute.experiments.capacity import BITS, COUNTS, ENOUGH, FULL, MIXED, RANKS, SEEDS, STEPS, load_capacity
from compute.experiments.tasks import RANKS as TASK_RANKS
from compute.experiments.tasks import load_tasks, way_of
from compute.matrices.controls import noise_band
from compute.matrices.examples import make_task
from compute.matrices.knee import find_knee
from compute.matrices.spectrum import flat_error, relative_error
from compute.matrices.svd import factorize
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
from widgets.capacity import Capacity
from widgets.knee import Knee

N = 24  # the size the lesson's figure opens with
SHAPE = (N, N)
TOLERANCE = 0.05
NATS = 0.05
STRICT, LAX = 0.01, 0.5  # the ends of the figure's slider
FORMAL, MIRROR = "formal voice", "mirror voice"
FIRST, LAST = way_of(TASK_RANKS[0]), way_of(TASK_RANKS[-1])
R = RANKS[2]  # at which it is told what became of the old facts


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


def _shift() -> Mapping[str, Any]:
    knees = _knees(make_task("reorder", N, 0))
    return {
        **knees,
        "even": break_even_rank(SHAPE),
        "stored": stored_numbers(SHAPE, knees["norm"]),
        "total": N * N,
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


def _noise_knee() -> Mapping[str, Any]:
    s = noise_band(SHAPE).s[1]
    found, strict = find_knee(s, SHAPE, LAX), find_knee(s, SHAPE, TOLERANCE)
    return {
        "lax": LAX,
        "r": found.rank,
        "verdict": found.verdict,
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


def _habits() -> Mapping[str, Any]:
    formal, mirror = (load_tasks().enough(task, NATS) for task in (FORMAL, MIRROR))
    return {"tolerance": NATS, "formal": formal, "mirror": mirror, "last": TASK_RANKS[-1]}


def _told() -> Mapping[str, Any]:
    first, last = (fmean(load_tasks().of(FORMAL, way).task_right) for way in (FIRST, LAST))
    return {
        "first": first,
        "last": last,
        "most": TASK_RANKS[-1],
        "gain": load_tasks().apart(FORMAL, LAST, FIRST, "task_right").verdict,
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
    return {"low": min(bits), "high": max(bits), "ranks": [held.r for held in full], "fact": 2**BITS}


def _forgets() -> Mapping[str, Any]:
    return {
        "count": MIXED,
        "r": R,
        "before": load_capacity().before["old"],
        "old": _mean(MIXED, R, "old"),
        "full": _mean(MIXED, FULL, "old"),
        "worst": max(max(load_capacity().of(MIXED, each).old) for each in (*RANKS, FULL)),
    }


def _mixes() -> Mapping[str, Any]:
    kept = {each: load_capacity().of(MIXED, each, mixed=True) for each in (*RANKS, FULL)}
    return {
        "r": R,
        "stories": _mean(MIXED, R, "stories", mixed=True),
        "without": _mean(MIXED, R, "stories"),
        "old": _mean(MIXED, R, "old", mixed=True),
        "right": _mean(MIXED, R, mixed=True),
        "least": min(min(held.stories) for held in kept.values()),
        "most": max(max(load_capacity().of(MIXED, each).stories) for each in kept),
        "best": max(max(held.old) for held in kept.values()),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "shift": Claim(
        _shift,
        lambda v: v["norm"] == N and v["squared"] == N - 1 > v["even"] and v["verdicts"] == {"flat"},
    ),
    "half": Claim(
        _half,
        lambda v: abs(v["shift"] - v["worst"]) < 1e-9 and v["noise"] < v["shift"] / 2,
    ),
    "energy": Claim(
        lambda: {"energy": 1 - TOLERANCE, "error": np.sqrt(TOLERANCE)},
        lambda v: round(v["error"], 2) == 0.22 and abs(v["error"] ** 2 + v["energy"] - 1) < 1e-12,
    ),
    "blur": Claim(
        lambda: _knees(make_task("blur", N, 0)),
        lambda v: v["verdicts"] == {"saves"} and v["squared"] < v["norm"] < N / 2,
    ),
    "tolerance": Claim(
        _blur_tolerances,
        lambda v: v["most"] > 2 * v["least"],
    ),
    "noise": Claim(
        _noise_knee,
        lambda v: v["verdict"] == "saves" and v["strictly"] == "costs" and v["strict"] > v["even"],
    ),
    "habits": Claim(
        _habits,
        lambda v: 1 == v["formal"] < v["mirror"] < v["last"],
    ),
    "told": Claim(
        _told,
        lambda v: v["gain"] == "above",
    ),
    "fits": Claim(
        _fits,
        lambda v: v["right"] >= ENOUGH and list(COUNTS[: len(v["holding"])]) == v["holding"],
    ),
    "overflows": Claim(
        _overflows,
        lambda v: (
            v["r"] is not None
            and v["low"] < v["high"] - 0.2
            and v["most"] == 4 * MIXED
            and v["first"] * v["most"] > MIXED
        ),
    ),
    "bits": Claim(
        _bits,
        lambda v: v["ranks"] == [1, 2] and v["low"] > 0 and v["high"] < 2 * v["low"] and v["fact"] == 16,
    ),
    "forgets": Claim(
        _forgets,
        lambda v: v["worst"] < 0.2 < 0.9 < v["before"],
    ),
    "mixes": Claim(
        _mixes,
        lambda v: v["least"] > v["most"] and v["right"] >= ENOUGH and v["best"] < 0.3,
    ),
    "runs": Claim(
        lambda: {"steps": STEPS, "seeds": len(SEEDS)},
        lambda v: v["seeds"] == 5,
    ),
    "code-rank": Cited("a rank of 256", "biderman2024", "section 4.7"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
Somebody is writing a game set in a town, and everybody who lives there has a home, a trade and a favourite thing. Ask
the baker where she lives, and she should tell you, even if no script foresaw the question. For a voice, [one pattern in
each matrix](first.html) was enough. (One also says one *direction*: whatever comes in, such a change can push the
output in one direction only.) But a voice is a single manner for the whole town. Facts are another matter: every person
brings new ones, and knowing the baker does not help with the smith.

Think of the adapter as a suitcase whose size is r. You want the smallest one that closes, and before you pack you have
to decide what may stay at home.

## What may stay at home

For a matrix this can be worked out exactly, because we know the [best copy of each rank](rank.html) and what that copy
misses. Decide how much error you accept, a *tolerance*. The smallest r that meets it is the *knee* of the curve: with a
smaller r you miss too much, and with a larger one you carry what you do not need.

The figure opens on a shift, the matrix that moves each entry of its input on by one place. Hardly anything is easier to
describe. How many patterns would you guess it takes to build?
"""
    )
    yield Figure("knee", Knee)
    yield Try(
        """
Look at the shift, then at [the blur](#knee?task=blur&tolerance=5) and at [noise](#knee?task=noise&tolerance=5). In
which of the three is there a place where you would stop packing? Then ask [less of the
noise](#knee?task=noise&tolerance=50), and see what your generosity finds.
"""
    )
    yield Prose(
        """
From the shift nothing can be left out. With r = [[half.r]], half of its patterns, a copy still misses
[[half.shift:.0%]] of it, which is as bad as it can be for a matrix of this size. The third picture shows the reason:
its singular values are all equal, because a shift keeps the length of whatever it moves and so prefers no direction to
another. What takes few words to say may still take many numbers to store.

The blur is the other extreme. It lets slow changes pass and flattens fast ones, so that a few patterns hold nearly all
of it, and at a tolerance of [[blur.tolerance:.0%]] its knee is at r = [[blur.norm]]. If you square the error first, the
knee is at r = [[blur.squared]]. Both kinds of error are in use, so a knee means nothing until you know which one was
meant.

You also need to know the tolerance. At [[noise.lax:.0%]] even noise, in which there is nothing to find, has a knee that
saves numbers, at r = [[noise.r]]. At the tolerance that we asked of the blur, noise needs r = [[noise.strict]], far
beyond [break-even](rank.html). That is why the grey band is drawn: a knee means something only if it comes well before
that of noise.

## The case closes, or bursts

A matrix is only a stand-in. What the game needs is a model that answers, so from now on the error is the model's: its
loss, or the share of its answers that are wrong. Habits of speech should pack small, since they are made of what [the
base](world.html) knows already. Let us take full finetuning as the standard, and accept a loss [[habits.tolerance:.2f]]
nats above it. Then the formal voice has its knee at r = [[habits.formal]]. The *mirror* says each sentence backwards,
so that every word is known and only the order is new; its knee is at r = [[habits.mirror]]. If we count sentences
instead, the formal voice keeps gaining: [[told.first:.0%]] of its sentences are right at the smallest rank, and
[[told.last:.0%]] at the largest.

Facts are not made of anything that the base knows. It has learned by heart where the people of its world live, what
they like and what they make. Now it has to learn the same about people it has never read of. Each new fact is one of
sixteen words, drawn by dice, so that no rule helps and no fact follows from another. To get one right, the model must
have stored it.
"""
    )
    yield Figure("capacity", Capacity)
    yield Try(
        """
Begin with [few facts](#capacity?facts=1) and drag their number up, watching for the rank at which the teal curve
reaches the top. Before you go to [the last stop](#capacity?facts=4), predict which rank it will take. What happens in
the second chart meanwhile?
""",
        run={
            "one direction, a few facts": {"facts": "32", "size": "1"},
            "one direction, too many": {"facts": "2048", "size": "1", "batch": "128"},
            "as many, in sixteen directions": {"facts": "2048", "size": "16", "batch": "128"},
        },
    )
    yield Prose(
        """
Of the [[#capacity.count:,d]] facts that the figure shows now, r = [[#capacity.r]] has [[#capacity.right:.1%]] right. Up
to [[fits.count:,d]] new facts the smallest suitcase closes, with [[fits.right:.1%]] of them right. Then it bursts. Of
four times as many facts it holds [[overflows.first:.0%]], and it takes r = [[overflows.r]] before nearly all are right
again. Neither the base nor its matrices have changed, and yet the knee has moved, because it moves with what there is
to learn.

Counting in bits shows why it is so sharp. Picking one word out of sixteen takes four bits. Where there are too many
facts for a rank, each trained number turns out to hold [[bits.low:.2f]] to [[bits.high:.2f]] of a bit. So you can work
out in advance whether the case will close: compare the bits that the facts need with the numbers in the two factors. A
rank is room, and a task takes as much room as it has news. Larger models raise the same question. On two tasks LoRA's
authors found the smallest rank nearly as good as the largest [@hu2021, section 7.2, table 6], while a study that
trained a model on code advises [[code-rank]].

## What fell out meanwhile

Nobody unpacked the base, whose weights are frozen. But the model that answers is base and adapter together, and the new
facts are asked for in the same words as the old. After [[forgets.count:,d]] of them, at r = [[forgets.r]], only
[[forgets.old:.0%]] of the old facts are still right; before, it was [[forgets.before:.0%]]. A larger suitcase is no
cure: full finetuning leaves [[forgets.full:.0%]], and no rank spares many more.

Part of the damage comes from reading nothing but new facts. If every step reads some of the base's own texts as well,
the same adapter answers [[mixes.stories:.0%]] of the questions about new stories correctly instead of
[[mixes.without:.0%]], and loses none of its new facts. Of the old facts it still has only [[mixes.old:.0%]]. Following
a story is a skill that every text exercises, so a little of the old reading brings it back, whereas any one old fact is
hardly ever read again in so few steps. The game would get a model that can read again but has lost most of its
memories. What else helps is shown [where one task follows another](menu.html#sequence).

## What this does not show

Every run had at most [[runs.steps]] steps, the best of four learning rates, and [[runs.seeds]] seeds; with more steps
the same numbers might hold more. The bits per number are those of one small model and of facts drawn by dice. Real
facts lean on each other and may pack better, and a [wider base](scale.html#sizes) gives the same rank more numbers.

So packing has a rule, and it sounds like common sense: if the suitcase does not close, take a larger one. Does more
rank always help, then? At [the wall](wall.html) somebody is waiting who has tried.
"""
    )


LESSON = Lesson(
    slug="knee",
    title="How much fits in",
    question="One direction held a voice. Will it hold the facts of a whole town?",
    part="The bet",
    order=50,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Two papers report a knee for the same matrix, at different r. Who is wrong?",
            (
                Answer(
                    "The one with the larger r",
                    "Perhaps it only accepts less error. At [[tolerance.strict:.0%]] the blur has its knee at r ="
                    " [[tolerance.most]], at [[tolerance.lax:.0%]] at r = [[tolerance.least]].",
                ),
                Answer(
                    "The one with the smaller r",
                    "Perhaps it squares the error. For the blur, [[blur.tolerance:.0%]] is met at r = "
                    "[[blur.norm]] if it is the relative error, and at r = [[blur.squared]] if it is the square.",
                ),
                Answer(
                    "Perhaps nobody",
                    "A knee belongs to a tolerance and to an error. The blur alone has it anywhere from r = "
                    "[[tolerance.most]] to r = [[tolerance.least]], by the tolerance that is asked of it.",
                    right=True,
                ),
            ),
        ),
        Question(
            "The thinnest adapter holds all of its new facts. Now there are four times as many. What do you expect?",
            (
                Answer(
                    "It depends on how many there were",
                    "The case closes as long as there is room. Here r = [[fits.r]] held [[fits.count:,d]] facts "
                    "whole, and of four times as many [[overflows.first:.0%]].",
                    right=True,
                ),
                Answer(
                    "The same: it has learned how facts are asked for",
                    "How they are asked for is a habit, and small. But the answers were drawn by dice, and each of "
                    "them has to be stored.",
                ),
                Answer(
                    "A quarter of them at most",
                    "It had not been full. Of [[overflows.most:,d]] facts it held [[overflows.first:.0%]], which "
                    "are more facts than the [[fits.count:,d]] of before.",
                ),
            ),
        ),
        Question(
            "You mix texts of the base's own into every step of learning new facts. What comes back?",
            (
                Answer(
                    "The old facts",
                    "Hardly: [[mixes.old:.0%]] of them were right here. Each is one of very many, and in so few "
                    "steps hardly any is read again.",
                ),
                Answer(
                    "The way of reading that all those texts share",
                    "Of the questions about new stories [[mixes.stories:.0%]] were right again, in place of "
                    "[[mixes.without:.0%]], and the new facts did not suffer.",
                    right=True,
                ),
                Answer(
                    "Nothing, and the new facts suffer",
                    "The new facts were [[mixes.right:.1%]] right, and the questions about stories came back.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "The shift is an easy task with a knee at a small r.",
            "For an error of [[shift.tolerance:.0%]] it takes r = [[shift.norm]] of [[shift.n]], or r = "
            "[[shift.squared]] if the error is squared. At r = [[shift.norm]] the factors hold "
            "[[shift.stored:,d]] numbers in place of [[shift.total:,d]], and break-even was at r = "
            "[[shift.even:.0f]]. At r = [[half.r]] the copy of the shift still misses [[half.shift:.0%]]."
            " No matrix of this size can do worse. Noise misses [[half.noise:.0%]].",
            "knee",
        ),
        Correction(
            "Nine tenths of the energy, or more, is nearly all of the matrix.",
            "A copy that keeps [[energy.energy:.0%]] of the energy has a relative error of "
            "[[energy.error:.0%]].",
            "knee",
        ),
        Correction(
            "LoRA cannot add what is not already latent in the base, because new features are full-rank objects.",
            "A new feature is one direction in and one direction out: rank one. With r = [[fits.r]] the model learns "
            "[[fits.count:,d]] facts about people of whom it has never read, and has [[fits.right:.1%]] of them "
            "right. In theory a rank that is large enough lets LoRA represent any smaller target network "
            "[@zeng2023, abstract]; that does not say whether it will be learned.",
            "capacity",
        ),
    ),
    teaching=Teaching(
        goals=(
            "name a knee with its error and its tolerance, and ask for both where somebody reports one without",
            "compare a knee with that of noise and with break-even before calling it a saving",
            "reckon in bits whether facts drawn by dice fit into an adapter",
            "say why frozen weights do not keep old facts, and what old texts among the new ones bring back",
        ),
        predictions=(
            Prediction(
                "The shift moves every entry of a list of [[shift.n]] on by one place. From which r on does its best "
                "copy miss [[shift.tolerance:.0%]] or less?",
                "Only at r = [[shift.norm]], with all of its patterns. At r = [[half.r]] the copy still misses "
                "[[half.shift:.0%]], and from r = [[shift.even:.0f]] on it saves no numbers.",
                "knee?task=reorder&tolerance=5",
            ),
            Prediction(
                "The thinnest adapter has [[fits.right:.1%]] of [[fits.count:,d]] new facts right. What share will it "
                "have of four times as many, and what rank does it take for nearly all?",
                "[[overflows.first:.0%]] of them are right at the smallest rank, and it takes r = [[overflows.r]] for "
                "nearly all. The base is the same; what has grown is the news.",
                "capacity?facts=4",
            ),
            Prediction(
                "The base is frozen while [[forgets.count:,d]] new facts are learned at r = [[forgets.r]]. It had "
                "[[forgets.before:.0%]] of the old ones right. How many are right now, and how many would be after "
                "full finetuning?",
                "[[forgets.old:.0%]], and [[forgets.full:.0%]] after full finetuning. The weights of the base are as "
                "they were, but it is base and adapter together that answer.",
                "capacity?facts=3",
            ),
        ),
        stops=(
            Stop(
                "Everybody packs for a week, ten things in a list, and crosses out what may stay at home until half "
                "is left. Whose list was easy to halve, and whose was not? That makes two kinds of matrices.",
                "",
                (2, 4),
            ),
            Stop(
                "Collect the first prediction and let somebody sketch the curve that she expects. Show it, and ask "
                "what equal singular values leave one to cross out.",
                "knee?task=reorder&tolerance=5",
                (4, 6),
            ),
            Stop(
                "Turn up the tolerance on noise until it has a knee that saves. Then a student reports “a knee at a "
                "small r” to the class, who may put three questions before they believe her.",
                "knee?task=noise&tolerance=5&guess=skip",
                (3, 6),
            ),
            Stop(
                "One half of the class reads off the knee of the blur by the relative error, the other by its square. "
                "Each defends its r. What must the sentence say so that both can sign it?",
                "knee?task=blur&tolerance=5&measure=squared&guess=skip",
                (0, 5),
            ),
            Stop(
                "Collect the second and the third prediction, because the figure shows both. Then look at the first "
                "chart only, and drag the number of facts up to the last stop. Why can the model not find a rule that "
                "saves room, as it did with the voice?",
                "capacity?facts=3",
                (4, 7),
            ),
            Stop(
                "How many bits does it take to name one word of sixteen, and how many for all facts of the figure? "
                "Let pairs look up in the table how many numbers each rank trains, and say by how many bits a number "
                "where the case bursts.",
                "capacity?facts=4",
                (0, 6),
            ),
            Stop(
                "Now the second chart, and the third predictions beside it. Somebody says that frozen weights cannot "
                "forget: let the class answer her. Which curve does mixing in old texts lift, and how far?",
                "capacity?facts=3",
                (3, 6),
            ),
            Stop(
                "Answer the questions on paper. Let those who changed their minds on the second one say which part of "
                "the figure did it.",
                "recall",
                (4, 5),
            ),
        ),
    ),
)

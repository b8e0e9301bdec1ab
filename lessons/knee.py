"""How far it can be compressed: the reader can say where a knee is, by which error, and when there is none."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from compute.costs.sizes import break_even_rank, stored_numbers, times_smaller
from compute.experiments.capacity import COUNTS, ENOUGH, MIXED, RANKS, load_capacity
from compute.experiments.capacity import FULL as CAPACITY_FULL
from compute.experiments.forgetting import TASKS as FORGETTING_TASKS
from compute.experiments.forgetting import load_forgetting
from compute.experiments.tasks import EMBEDDED, FULL, SUSPECTS, load_tasks, plan, rates_of, way_of, ways
from compute.experiments.tasks import RANKS as TASK_RANKS
from compute.experiments.tasks import SEEDS as TASK_SEEDS
from compute.matrices.controls import noise_band
from compute.matrices.examples import make_task
from compute.matrices.knee import find_knee
from compute.matrices.spectrum import flat_error, relative_error
from compute.matrices.svd import factorize
from compute.training.config import TrainConfig
from compute.world.tasks import NEW_WORDS, SKILL
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.capacity import Capacity
from widgets.knee import Knee
from widgets.wall import Wall

N = 24  # the size the lesson's figure opens with
SHAPE = (N, N)
TOLERANCE = 0.05
NATS = 0.05
STRICT, LAX = 0.01, 0.5  # the ends of the figure's slider
FORMAL, MIRROR = "formal voice", "mirror voice"
FIRST, LAST = way_of(TASK_RANKS[0]), way_of(TASK_RANKS[-1])
EMBEDDINGS, NORMS, BOTH = SUSPECTS


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


def _end(task: str, way: str, what: str = "loss") -> float:
    return fmean(getattr(load_tasks().of(task, way), what))


def _gap(task: str, way: str) -> float:
    """Return how far above full finetuning a way to learn a task ends."""
    return load_tasks().apart(task, way).mean


def _share(task: str, way: str) -> float:
    """Return how much of the fall that full finetuning brings a way brings too."""
    before = load_tasks().before[task]["loss"]
    return (before - _end(task, way)) / (before - _end(task, FULL))


def _voice() -> Mapping[str, Any]:
    return {
        "r": TASK_RANKS[0],
        "numbers": load_tasks().of(FORMAL, FIRST).numbers,
        "full": load_tasks().of(FORMAL, FULL).numbers,
        "tolerance": NATS,
        "knee": load_tasks().enough(FORMAL, NATS),
    }


def _told() -> Mapping[str, Any]:
    return {
        "r": TASK_RANKS[0],
        "first": _end(FORMAL, FIRST, "task_right"),
        "last": _end(FORMAL, LAST, "task_right"),
        "most": TASK_RANKS[-1],
        "verdict": load_tasks().apart(FORMAL, FIRST, what="task_right").verdict,
        "gain": load_tasks().apart(FORMAL, LAST, FIRST, "task_right").verdict,
    }


def _skill() -> Mapping[str, Any]:
    return {
        "r": TASK_RANKS[0],
        "before": load_tasks().before[SKILL]["task"],
        "right": _end(SKILL, FIRST, "task_right"),
        "worst": min(load_tasks().of(SKILL, FIRST).task_right),
        "numbers": load_tasks().of(SKILL, FIRST).numbers,
    }


def _mirror() -> Mapping[str, Any]:
    return {
        "first": TASK_RANKS[0],
        "gap": _gap(MIRROR, FIRST),
        "tolerance": NATS,
        "knee": load_tasks().enough(MIRROR, NATS),
        "last": TASK_RANKS[-1],
    }


def _wall() -> Mapping[str, Any]:
    places = {"first": TASK_RANKS[0], "last": TASK_RANKS[-1]}
    gaps = {f"{name}_gap": _gap(NEW_WORDS, way_of(r)) for name, r in places.items()}
    verdicts = {load_tasks().apart(NEW_WORDS, way_of(r)).verdict for r in TASK_RANKS}
    return {**places, **gaps, "knee": load_tasks().enough(NEW_WORDS, NATS), "verdicts": verdicts}


def _more() -> Mapping[str, Any]:
    return {
        "r": TASK_RANKS[-1],
        "numbers": load_tasks().of(NEW_WORDS, LAST).numbers,
        "full": load_tasks().of(NEW_WORDS, FULL).numbers,
    }


def _fall() -> Mapping[str, Any]:
    return {
        "r": TASK_RANKS[0],
        "share": _share(NEW_WORDS, FIRST),
        "right": max(_end(NEW_WORDS, way_of(r), "task_right") for r in TASK_RANKS),
        "full": _end(NEW_WORDS, FULL, "task_right"),
    }


def _suspects() -> Mapping[str, Any]:
    recorded = load_tasks()
    alone, norms, both = (recorded.of(NEW_WORDS, way) for way in SUSPECTS)
    ranks = [recorded.of(NEW_WORDS, way_of(r)) for r in TASK_RANKS]
    return {
        "numbers": alone.numbers,
        "alone": fmean(alone.loss),
        "best": min(fmean(learned.loss) for learned in ranks),
        "norms": fmean(norms.loss),
        "norms_numbers": norms.numbers,
        "r": EMBEDDED,
        "both": fmean(both.loss),
        "full": _end(NEW_WORDS, FULL),
        "spared": recorded.apart(NEW_WORDS, EMBEDDINGS, BOTH).verdict,
        "beyond": recorded.apart(NEW_WORDS, BOTH).verdict,
        "clear": max(alone.loss) < min(min(learned.loss) for learned in ranks),
        "unclear": min(norms.loss) > min(min(learned.loss) for learned in ranks),
    }


def _price() -> Mapping[str, Any]:
    left = {task: [_end(task, way, "facts") for way in ways(task)] for task in (FORMAL, MIRROR)}
    return {
        "before": load_tasks().before[MIRROR]["facts"],
        "mirror": max(left[MIRROR]),
        "formal": min(left[FORMAL]),
    }


def _spares() -> Mapping[str, Any]:
    low, full = load_tasks().of(SKILL, FIRST), load_tasks().of(SKILL, FULL)
    return {
        "r": TASK_RANKS[0],
        "first": fmean(low.facts),
        "full": fmean(full.facts),
        "clear": min(low.facts) > max(full.facts) + 0.3,
        "right": load_tasks().apart(SKILL, FIRST, what="task_right").verdict,
    }


def _gently() -> Mapping[str, Any]:
    recorded = load_forgetting()
    rate = recorded.best(SKILL, FULL)
    return {
        "rate": rate,
        "steps": FORGETTING_TASKS[SKILL]["steps"],
        **{name: recorded.mean(SKILL, FULL, rate, name) for name in ("right", "facts")},
    }


def _short() -> Mapping[str, Any]:
    inside = [rates_of(way)[0] < load_tasks().of(task, way).rate < rates_of(way)[-1] for task, way in plan()]
    return {
        "steps": TrainConfig.steps,
        "seeds": len(TASK_SEEDS),
        "rates": len(rates_of(FULL)),
        "inside": inside,
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


CLAIMS: Mapping[str, Claim | Cited] = {
    "story": Claim(
        _shift,
        lambda v: v["norm"] == N and v["times"] == 0.5,
    ),
    "shift": Claim(
        _shift,
        lambda v: v["norm"] == N and v["squared"] == N - 1 > v["even"] and v["verdicts"] == {"flat"},
    ),
    "half": Claim(
        _half,
        lambda v: abs(v["shift"] - v["worst"]) < 1e-9 and v["noise"] < v["shift"] / 2,
    ),
    "minus": Claim(
        lambda: _knees(make_task("reorder", N, 0) - np.eye(N)),
        lambda v: v["verdicts"] == {"costs"} and N / 2 < v["squared"] < v["norm"] < N,
    ),
    "rotation": Claim(
        _rotation,
        lambda v: v["verdicts"] == {"flat"} and v["norm"] == N and v["one"] == 2 and v["verdict"] == "saves",
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
    "voice": Claim(
        _voice,
        lambda v: v["knee"] == v["r"] and v["numbers"] < v["full"] / 50,
    ),
    "told": Claim(
        _told,
        lambda v: v["gain"] == "above" and v["verdict"] == "below",
    ),
    "skill": Claim(
        _skill,
        lambda v: v["before"] < 0.1 and v["worst"] > 0.9,
    ),
    "mirror": Claim(
        _mirror,
        lambda v: v["gap"] > v["tolerance"] and v["first"] < v["knee"] < v["last"],
    ),
    "language": Claim(
        _wall,
        lambda v: v["knee"] is None and v["verdicts"] == {"above"} and v["last_gap"] > 5 * NATS,
    ),
    "more": Claim(
        _more,
        lambda v: v["numbers"] > v["full"],
    ),
    "fall": Claim(
        _fall,
        lambda v: 0.85 < v["share"] < 0.95 and v["right"] < v["full"] / 4,
    ),
    "embeddings": Claim(
        _suspects,
        lambda v: v["clear"],
    ),
    "norms": Claim(
        _suspects,
        lambda v: v["unclear"],
    ),
    "both": Claim(
        _suspects,
        lambda v: v["spared"] == v["beyond"] == "below",
    ),
    "short": Claim(
        _short,
        lambda v: all(v["inside"]) and v["rates"] == len(rates_of(FIRST)),
    ),
    "price": Claim(
        _price,
        lambda v: v["mirror"] < v["formal"] < v["before"],
    ),
    "spares": Claim(
        _spares,
        lambda v: v["clear"],
    ),
    "gently": Claim(
        _gently,
        lambda v: v["facts"] > 0.9 and v["right"] > 0.95 and v["steps"] < TrainConfig.steps,
    ),
    "fits": Claim(
        _fits,
        lambda v: v["right"] >= ENOUGH and list(COUNTS[: len(v["holding"])]) == v["holding"],
    ),
    "overflows": Claim(
        _overflows,
        lambda v: v["r"] is not None and v["low"] < v["high"] - 0.2,
    ),
    "bits": Claim(
        _bits,
        lambda v: v["ranks"] >= 2 and v["low"] > 0 and v["high"] < 2 * v["low"],
    ),
    "forgets": Claim(
        _forgets,
        lambda v: v["worst"] < v["before"] - 0.3,
    ),
    "mixes": Claim(
        _mixes,
        lambda v: v["least"] > v["most"] and v["right"] >= ENOUGH and v["best"] < 0.3,
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

For an error of [[shift.tolerance:.0%]] it takes r = [[shift.norm]] of [[shift.n]], or r = [[shift.squared]] if the
error is squared. At r = [[shift.norm]] the factors hold [[shift.stored:,d]] numbers in place of [[shift.total:,d]],
and break-even was at r = [[shift.even:.0f]]. It has no knee. At r = [[half.r]] the copy of the shift still misses
[[half.shift:.0%]]. No matrix of this size can do worse. Noise misses [[half.noise:.0%]].

The reason stands in the picture on the right: all its singular values are equal. A shift keeps the length of every
input, and so it treats all directions alike. There is no direction that could be left out more cheaply than another.
The rotation does the same. To singular values the easy task and the hard one are one task.

One telling of the story shows the shift as a task of rank two. There the figure itself printed a knee at r =
[[story.norm]] and a saving of [[story.times:.1f]] times. Its arithmetic was right. The sentence beside it was not.

Perhaps the base passes its input on unchanged, and only the difference has to be learned. Then it takes r =
[[minus.norm]] by the relative error and r = [[minus.squared]] by its square, of [[minus.n]]. That is not small
either.

Is a rotation always hard? It depends on how much it turns. Turn every plane by [[rotation.degrees]] degrees: all
[[rotation.n]] singular values are equal again, and the error takes r = [[rotation.norm]]. Turn one plane only and
take the identity away: now r = [[rotation.one]] is exact. So a name tells little. The singular values tell.

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

A copy that keeps [[energy.energy:.0%]] of the energy has a relative error of [[energy.error:.0%]]. So a paper that
keeps so much energy, and a paper that accepts so large an error, say the same. For the blur, [[blur.tolerance:.0%]]
is met at r = [[blur.norm]] if it is the relative error, and at r = [[blur.squared]] if it is the square. Ask which
error is meant before you compare two knees.

## The tolerance decides

A knee is no property of a matrix alone. At [[tolerance.strict:.0%]] the blur has its knee at r = [[tolerance.most]],
at [[tolerance.lax:.0%]] at r = [[tolerance.least]]. Neither number is wrong. What you accept is your choice, and it
has to be said.

A generous choice has a price: it finds knees where nothing is. At [[noise.lax:.0%]] noise has a knee that saves, r =
[[noise.r]] of [[noise.n]]. At [[noise.tolerance:.0%]] it is r = [[noise.strict]], beyond break-even at r =
[[noise.even:.0f]]. That is what the grey band is for. A knee means something where it comes well before that of
noise, under the same tolerance.

## The real knee

A copy of a matrix is a stand-in. What we want is a model that does its task. So let us take one that can be asked,
[the base of a small world](world.html), and have it learn four things, each in as many steps. Now the error is a loss,
and it is held against full finetuning, where every number of the model may learn.

The *formal voice* tells the old stories in another manner, and in words that the base knows. *Who had it first* is a
skill: the base has been asked where somebody was first and who had a thing last, but never this. The *mirror* says
each sentence from its end to its beginning. And in the *new words* every word of a story is one that the base has
never read. Before you look: which of the four needs the highest rank?
"""
    )
    yield Figure("wall", Wall)
    yield Try(
        """
Slide the rank up for the mirror, then for the formal voice. Then [choose “New words”](#wall?task=new-words), slide to
the end, and say what is missing. Whatever you choose, look at the right-hand chart too: what became of the old facts?
""",
        run={
            "the wall at the highest rank": {"task": "new-words", "size": "64"},
            "full finetuning": {"task": "new-words", "size": "full"},
            "one direction, and embeddings that learn": {
                "task": "new-words",
                "size": "1",
                "embeddings": "yes",
            },
        },
    )
    yield Prose(
        """
A voice is a habit, and this one is made of words and turns that the base knows, so that they only have to be called
for. With r = [[voice.r]] the formal voice ends within [[voice.tolerance:.2f]] nats of full finetuning. That is
[[voice.numbers:,d]] numbers trained in place of [[voice.full:,d]]. The measure matters, though. Counted in sentences
that are told rightly, [[told.first:.0%]] at r = [[told.r]] become [[told.last:.0%]] at r = [[told.most]]. What the
loss calls nearly done can still be heard.

The skill needs as little, because the base knew where in a story to look, and what to look for. Of these questions
the base answers [[skill.before:.0%]] rightly. An adapter with r = [[skill.r]] answers [[skill.right:.0%]].

The mirror has the knee that one hopes for. No word is new, but what follows a word is now what came before it, and so
there is more to change than a habit. At r = [[mirror.first]] the mirror ends [[mirror.gap:.2f]] nats above full
finetuning. The first rank within [[mirror.tolerance:.2f]] nats is r = [[mirror.knee]].

## A wall

The new words are different. With the new words r = [[language.first]] ends [[language.first_gap:.2f]] nats above full
finetuning, and r = [[language.last]] still [[language.last_gap:.2f]]. The loss falls a little with r, and stays far
above full finetuning at every rank: that is a *wall*. It is not for want of numbers, because the highest rank trains
more than there are. At r = [[more.r]] the factors hold [[more.numbers:,d]] numbers, and the whole model has
[[more.full:,d]].

Whether that is much depends on the measure, once more. Already r = [[fall.r]] makes [[fall.share:.0%]] of the fall in
loss that full finetuning makes. But of the sentences that the model then writes in new words, at best
[[fall.right:.0%]] are right at any rank, and [[fall.full:.0%]] after full finetuning.

## Who did it

If more rank does not help, rank was not what was missing. These adapters sit on the linear layers and leave the
embeddings as they were: the vector that each word is when it is read, and the one by which it is chosen when it is
written. Of a new word the base has learned nothing, except that it never comes. So let these vectors learn, and
nothing else. The embeddings alone, without any adapter, end at [[embeddings.alone:.2f]] nats per word, where the best
rank ends at [[embeddings.best:.2f]]. But perhaps anything would do, as long as it is no adapter? The norms alone,
[[norms.norms_numbers:,d]] scales and biases, end at [[norms.norms:.2f]].

So it was the embeddings. And more can be seen: all that these stories ask for was in the base, under other words, and
what leaves it alone ends best. With an adapter of r = [[both.r]] beside them the embeddings end at [[both.both:.2f]].
Full finetuning, which has one learning rate for everything, ends at [[both.full:.2f]].

A curve that goes flat says that r is large enough for *what is being adapted*. It does not say that the task is done,
and not even full finetuning says how far one could come.

## What it costs

No way to learn was free, because each step that reads only the new pulls on numbers that held the old as well. How
much is lost depends on what is asked. Before, [[price.before:.0%]] of the old facts were right. After the formal
voice it is [[price.formal:.0%]] or more at every rank, after the mirror [[price.mirror:.0%]] at most. It also depends
on how hard the model is pushed. After the skill [[spares.first:.0%]] of the old facts are still right at r =
[[spares.r]], and [[spares.full:.0%]] after full finetuning. Each of these has the learning rate that is best for the
task, and nobody asked it to spare anything. Ask it to, and full finetuning can: with fewer steps at a learning rate
of [[gently.rate:g]] it keeps [[gently.facts:.0%]] of them and has [[gently.right:.0%]] of the skill's answers right.
[What finetuning leaves behind](after.html) varies the learning rates of both.

## How much fits in

A voice is one habit, and a habit takes little room. What of things that nothing else tells? The same base knows where
many people live, what they like and what they make. Let it learn the same of people of whom it has never read. Each
such fact is a word drawn by dice, and no rule helps: whoever is right must have stored it.
"""
    )
    yield Figure("capacity", Capacity)
    yield Try(
        """
Drag the number of new facts up, and watch the rank at which the teal curve reaches the top. Before the last stop, say
which rank it will take.
""",
        run={
            "one direction, a few facts": {"facts": "32", "size": "1"},
            "one direction, too many": {"facts": "2048", "size": "1", "batch": "128"},
            "as many, in sixteen directions": {"facts": "2048", "size": "16", "batch": "128"},
        },
    )
    yield Prose(
        """
r = [[fits.r]], [[fits.numbers:,d]] numbers trained, holds [[fits.count:,d]] new facts: [[fits.right:.1%]] of them are
right. Of [[overflows.most:,d]] it holds [[overflows.first:.0%]]; those take r = [[overflows.r]], with
[[overflows.right:.1%]] right. So the knee is no property of the adapter either: it moves with what there is to learn.

Counted in bits, the reason is plain. Where [[bits.count:,d]] facts are too many for a rank, it holds [[bits.low:.2f]]
to [[bits.high:.2f]] bits for each number trained. A rank is room, and a task takes as much room as it has news.

The price stands on the right. After [[forgets.count:,d]] new facts at r = [[forgets.r]], [[forgets.old:.0%]] of the
old ones are right; before it was [[forgets.before:.0%]]. Full finetuning leaves [[forgets.full:.0%]]. That is what
learning facts alone does. With text of the base's own in every step the same adapter answers [[mixes.stories:.0%]] of
the questions about new stories, in place of [[mixes.without:.0%]], and still [[mixes.right:.1%]] of the new facts; of
the old ones it has [[mixes.old:.0%]]. So a little of the old text brings back a way of answering, which every text
shows. Separate facts it does not bring back: in so few steps hardly any of them is read again.

## On models of full size

LoRA's authors swept r on two tasks, and even the smallest did nearly as well as the largest
[@hu2021, section 7.2, table 6]. They add that a new language may ask for more [@hu2021, footnote to section 7.2]. A
later study trained a larger model on code. The smaller ranks that it tried were not enough there, and it advises
[[code-rank]].

A wider base gives the same rank more numbers, so that its knee comes sooner; [three widths](scale.html#sizes) show it.

The knee is where the task puts it. The way to find it is to sweep r beside full finetuning. You can do that now: in
[the lab](lab.html), open the live part and press “Train every r”.

This was one small model. Every run took [[short.steps]] steps; each way has the best of [[short.rates]] learning
rates, with [[short.seeds]] seeds. With more steps an adapter may come further, and so may full finetuning. Five seeds
tell apart what lies further apart than they do: read no order into ranks whose rings overlap.

## In short

- A knee needs a tolerance, and a tolerance needs a named error.
- A shift and a rotation of every plane have no knee. Their singular values are all equal.
- A knee at or above break-even saves nothing. A generous tolerance finds a knee even in noise.
- What counts is the task, measured in more than one way, beside full finetuning.
- Facts take room: the more there are, the higher the rank that holds them. Learning nothing else costs the old ones.
- A flat curve above full finetuning is a wall, and a larger r is not always what it lacks.
- A finetune that learns only the new forgets the old. How much, the task decides, and at times the rank.
"""
    )


LESSON = Lesson(
    slug="knee",
    title="How much fits in",
    question="How small may r be before a copy, or a task, breaks?",
    part="A thin change",
    order=50,
    minutes=15,
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
                    "A knee belongs to a tolerance and to an error. At [[tolerance.strict:.0%]] the blur has its "
                    "knee at r = [[tolerance.most]], at [[tolerance.lax:.0%]] at r = [[tolerance.least]]. For the"
                    " blur, [[blur.tolerance:.0%]] is met at r = [[blur.norm]] if it is the relative error, and "
                    "at r = [[blur.squared]] if it is the square.",
                    right=True,
                ),
            ),
        ),
        Question(
            "The loss stops falling as r grows. What do you know?",
            (
                Answer(
                    "That r is large enough for what is being adapted",
                    "Whether the task is done, it does not tell. With the new words r = [[language.first]] ends "
                    "[[language.first_gap:.2f]] nats above full finetuning, and r = [[language.last]] still "
                    "[[language.last_gap:.2f]].",
                    right=True,
                ),
                Answer(
                    "That the task is learned",
                    "It may have met a wall. With the new words r = [[language.first]] ends "
                    "[[language.first_gap:.2f]] nats above full finetuning, and r = [[language.last]] still "
                    "[[language.last_gap:.2f]].",
                ),
                Answer(
                    "That a still larger r would help",
                    "Here it did not. Something else had to learn. The embeddings alone, without any adapter, end"
                    " at [[embeddings.alone:.2f]] nats per word, where the best rank ends at "
                    "[[embeddings.best:.2f]].",
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
            "If LoRA does not reach full finetuning, a larger r will.",
            "Not always. With the new words r = [[language.first]] ends [[language.first_gap:.2f]] nats "
            "above full finetuning, and r = [[language.last]] still [[language.last_gap:.2f]]. The "
            "embeddings alone, without any adapter, end at [[embeddings.alone:.2f]] nats per word, where "
            "the best rank ends at [[embeddings.best:.2f]].",
            "wall",
        ),
        Correction(
            "No way to finetune ends lower than full finetuning.",
            "Not with the same number of steps. The embeddings alone, without any adapter, end at "
            "[[embeddings.alone:.2f]] nats per word, where the best rank ends at [[embeddings.best:.2f]]."
            " With an adapter of r = [[both.r]] beside them the embeddings end at [[both.both:.2f]]. Full"
            " finetuning, which has one learning rate for everything, ends at [[both.full:.2f]].",
            "wall",
        ),
    ),
)

"""After a finetune: the reader can say what is left of what was known, and how an update is taken apart."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.experiments import retention
from compute.experiments.forgetting import FULL, MATRICES, RANKS, load_forgetting, rates_of
from compute.experiments.forgetting import SEEDS as FORGETTING_SEEDS
from compute.experiments.magnitude import MOMENTS, load_magnitude
from compute.experiments.retention import EACH, OLD, ONE, REPLAY, SETS, SIZE, load_retention
from compute.matrices.intruders import TOP
from compute.matrices.row_changes import line_through
from compute.model.layers import LAYERS
from compute.world.tasks import FACTS, SKILL
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.forgetting import Forgetting
from widgets.magnitude import Magnitude
from widgets.sequence import Sequence


def _in_a_row() -> Mapping[str, Any]:
    one, each, replay = (load_retention().of(way) for way in (ONE, EACH, REPLAY))
    full, both = (load_retention().of(way) for way in (retention.FULL, retention.FULL_REPLAY))
    return {
        "sets": SETS,
        "facts": SIZE,
        "r": retention.R,
        "new": min(way.mean(SETS, SETS - 1) for way in load_retention().retained),
        "first": one.mean(SETS, 0),
        "full_first": full.mean(SETS, 0),
        "before": one.mean(0, OLD),
        "old": one.mean(SETS, OLD),
        "replayed": replay.mean(SETS, 0),
        "replayed_old": replay.mean(SETS, OLD),
        "both_first": both.mean(SETS, 0),
        "both_old": both.mean(SETS, OLD),
        "each_first": each.mean(SETS, 0),
        "each_old": each.mean(SETS, OLD),
        "share": retention.OLD_SHARE,
        "better": min(a - b for a, b in zip(replay.sets(), one.sets(), strict=True)),
        "full_better": min(a - b for a, b in zip(full.sets(), one.sets(), strict=True)),
        "both_better": min(a - b for a, b in zip(both.sets(), replay.sets(), strict=True)),
    }


def _correlations(task: str, way: str) -> list[float]:
    """Return by seed how the two parts of a change go together, over all layers and moments."""
    seeds = load_magnitude().splits[task][way]
    return [line_through([split for layers in over for split in layers])[1] for over in seeds]


def _alike(task: str) -> Mapping[str, Any]:
    lora = [correlation for r in RANKS for correlation in _correlations(task, f"r = {r}")]
    full = _correlations(task, FULL)
    return {
        "low": min(lora),
        "high": max(lora),
        "full_low": min(full),
        "full_high": max(full),
        "moments": MOMENTS,
    }


def _sizes() -> Mapping[str, Any]:
    last = {
        way: np.mean([over[-1] for over in load_magnitude().splits[SKILL][way]], axis=(0, 1))
        for way in (ADAPTED, FULL)
    }
    return {
        "r": 4,
        "length": last[ADAPTED][0],
        "turned": last[ADAPTED][1],
        "full_length": last[FULL][0],
        "full_turned": last[FULL][1],
    }


ADAPTED, WIDER = "r = 4", "r = 16"  # ways of the forgetting record
SAME = 1e-3  # a rate at which LoRA and full finetuning both ran with all seeds


def _means(task: str, way: str, rate: float) -> dict[str, float]:
    names = ("size", "right", "facts", "stories", "intruders", "random")
    return {name: load_forgetting().mean(task, way, rate, name) for name in names}


def _pair(
    task: str, way: str, rate: float | None = None, full_rate: float | None = None
) -> Mapping[str, Any]:
    """Return the means of a way and of full finetuning, each at its own best rate if no other is given."""
    recorded = load_forgetting()
    rate, full_rate = rate or recorded.best(task, way), full_rate or recorded.best(task, FULL)
    full = {run.seed: run for run in recorded.of(task, FULL, full_rate)}
    runs = recorded.of(task, way, rate)
    more = [run.facts - full[run.seed].facts for run in runs]
    return {
        "r": int(way.removeprefix("r = ")) if way.startswith("r") else 0,
        "seeds": len(runs),
        "rate": rate,
        **_means(task, way, rate),
        **{f"full_{name}": value for name, value in _means(task, FULL, full_rate).items()},
        "low": min(more),
        "high": max(more),
    }


def _gentle() -> Mapping[str, Any]:
    """Return the means of LoRA and of full finetuning on the skill, each at the rate below its best one."""

    def lower(way: str) -> float:
        rates = rates_of(way)
        return rates[rates.index(load_forgetting().best(SKILL, way)) - 1]

    rate, full_rate = lower(ADAPTED), lower(FULL)
    return {**_pair(SKILL, ADAPTED, rate, full_rate), "full_rate": full_rate}


def _same_size() -> Mapping[str, Any]:
    """Return the runs of LoRA and of full finetuning on the skill, of all seeds, whose sizes are closest."""
    recorded = load_forgetting()

    def wide(way: str) -> list[float]:
        runs = recorded.of(SKILL, way)
        return sorted({run.rate for run in runs if run.seed == FORGETTING_SEEDS[-1]})

    pairs = [(rate, full) for rate in wide(ADAPTED) for full in wide(FULL)]
    apart = {
        pair: abs(np.log(_pair(SKILL, ADAPTED, *pair)["size"] / _pair(SKILL, ADAPTED, *pair)["full_size"]))
        for pair in pairs
    }
    return _pair(SKILL, ADAPTED, *min(apart, key=lambda pair: apart[pair]))


def _intruders() -> Mapping[str, Any]:
    """Return the intruders of every way at its own best rate on the skill, and of full finetuning at a faster one."""
    recorded = load_forgetting()
    ways = (*(f"r = {r}" for r in RANKS), FULL)
    best = {way: _means(SKILL, way, recorded.best(SKILL, way)) for way in ways}
    return {
        "of": TOP * len(LAYERS),
        "least": RANKS[0],
        "middle": RANKS[1],
        "wide": RANKS[2],
        "rate": SAME,
        "one": best["r = 1"]["intruders"],
        "one_random": best["r = 1"]["random"],
        "most": max(of["intruders"] for way, of in best.items() if way != "r = 1"),
        **{f"fast_{name}": value for name, value in _means(SKILL, FULL, SAME).items()},
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "same-rate": Claim(
        lambda: _pair(SKILL, ADAPTED, SAME, SAME),
        lambda v: v["seeds"] == len(FORGETTING_SEEDS) and v["low"] > 0.5,
    ),
    "best-rate": Claim(
        lambda: _pair(SKILL, ADAPTED),
        lambda v: abs(v["right"] - v["full_right"]) < 0.02 and abs(v["facts"] - v["full_facts"]) < 0.05,
    ),
    "best-paired": Claim(
        lambda: _pair(SKILL, ADAPTED),
        lambda v: v["low"] < 0 and v["high"] < 0.02,
    ),
    "gentle": Claim(
        _gentle,
        lambda v: abs(v["right"] - v["full_right"]) < 0.01 and abs(v["facts"] - v["full_facts"]) < 0.01,
    ),
    "same-size": Claim(
        _same_size,
        lambda v: v["low"] > 0.3 and abs(v["size"] / v["full_size"] - 1) < 0.15,
    ),
    "needs": Claim(
        lambda: _pair(SKILL, ADAPTED),
        lambda v: v["full_size"] < v["size"] / 2,
    ),
    "matrices": Claim(
        lambda: _pair(SKILL, MATRICES, SAME, SAME),
        lambda v: v["facts"] < 0.5 and abs(v["size"] / v["full_size"] - 1) < 0.15,
    ),
    "facts-left": Claim(
        lambda: _pair(FACTS, WIDER),
        lambda v: v["full_right"] > 0.98,
    ),
    "facts-adapted": Claim(
        lambda: _pair(FACTS, WIDER),
        lambda v: v["high"] < 0.03 and v["stories"] < v["full_stories"],
    ),
    "intruders": Claim(
        _intruders,
        lambda v: v["most"] < 3 < v["one"],
    ),
    "no-intruders": Claim(
        _intruders,
        lambda v: v["fast_intruders"] == 0 and v["fast_facts"] < 0.4,
    ),
    "facts-intruders": Claim(
        lambda: _pair(FACTS, WIDER),
        lambda v: v["full_intruders"] < v["intruders"] / 10 and v["intruders"] < v["random"],
    ),
    "in-a-row": Claim(
        _in_a_row,
        lambda v: v["first"] < 0.5,
    ),
    "newest": Claim(
        _in_a_row,
        lambda v: v["new"] > 0.995,
    ),
    "in-a-row-full": Claim(
        _in_a_row,
        lambda v: v["full_first"] < 0.5 and v["full_better"] > 0,
    ),
    "old-facts": Claim(
        _in_a_row,
        lambda v: v["old"] < 0.3,
    ),
    "replayed": Claim(
        _in_a_row,
        lambda v: v["better"] > 0.1,
    ),
    "both-replayed": Claim(
        _in_a_row,
        lambda v: v["both_first"] > v["full_first"] + 0.1 and v["both_better"] > 0,
    ),
    "library": Claim(
        _in_a_row,
        lambda v: v["each_first"] > 0.95 and v["each_old"] == v["before"],
    ),
    "alike": Claim(
        lambda: _alike(SKILL),
        lambda v: v["full_low"] > 0.2 and 0 < v["low"] < v["full_low"] < v["full_high"] < v["high"],
    ),
    "alike-facts": Claim(
        lambda: _alike(FACTS),
        lambda v: 0.2 < v["full_low"] < v["full_high"] < v["low"],
    ),
    "sizes": Claim(
        _sizes,
        lambda v: v["turned"] > 0,
    ),
    "apple-size": Cited("about three billion", "apple2024", "the article"),
    "apple-rank": Cited("rank 16", "apple2024", "the article"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## The next task

A finetune is seldom the last. Next month comes another task, and another after that. What is left of the first?

The usual story: adapters cannot break what the model could do before. That is true of a *library*, which keeps the base
and one adapter for each task. It is not true of one adapter that is trained on and on. That is a model like any other,
and its newest task writes over the older ones.

So let us learn three sets of facts in a row, about people of whom the model has never read: with one adapter trained
on, with an adapter for each set, and with full finetuning. After each set we ask for all of them, and for the facts
that the base knew from the start.
"""
    )
    yield Figure("sequence", Sequence)
    yield Try(
        """
Take the slider back to none and step through the sets. Which way is best at the set it has just learned? And at the
first? Then watch the last picture, of what the base knew.
"""
    )
    yield Prose(
        """
## What is left of the first set

After [[in-a-row.sets]] sets of [[in-a-row.facts]] facts, one adapter of r = [[in-a-row.r]] that was trained on and on
has [[in-a-row.first:.0%]] of the first set. Full finetuning on and on has [[in-a-row-full.full_first:.0%]] of the
first. So full finetuning forgets less here, each at its own best rate. What was known before any of them is as good
as gone. Of the facts that the base knew, [[old-facts.before:.1%]] before, the one adapter has left
[[old-facts.old:.0%]].

Looking at the newest set only, you would see none of it. Of the set learned last, every way has [[newest.new:.0%]].
It is learned as well as ever, and hides the rest.

The cheapest remedy is to go on asking. With [[replayed.share:.0%]] old questions in each step the same adapter has
[[replayed.replayed:.0%]] of the first set, and [[replayed.replayed_old:.0%]] of the base's facts. Full finetuning
with as many has [[both-replayed.both_first:.0%]] and [[both-replayed.both_old:.0%]]. That is far more, and for the
adapter of this rank still not enough; larger ranks we did not try.

The dearest in files, and the surest, is to add and not to change. An adapter for each set has
[[library.each_first:.0%]] of the first and leaves [[library.each_old:.1%]] of the base's facts. That is no feat.
Nothing was written over, because each set has numbers of its own. But somebody has to know, for every question, which
adapter to ask.

## What the literature says

One study follows models through several tasks in a row. It finds that LoRA's new strong directions pile up from task to
task, and that models with them do worse on what they learned before [@shuttleworth2024, abstract]. Another finds that
LoRA usually forgets less than full finetuning; with a large rank in mathematics nearly as much
[@biderman2024, abstract].

There are remedies between a library and one adapter. O-LoRA learns each task in directions at right angles to those of
the earlier ones [@wang2023, abstract]. Old questions in each step are the simplest one, and they ask that you still
have them.

## Does LoRA forget less?

Facts push out facts. What of a skill, and what of the rate? A single task is learned here, by LoRA at three ranks and
by full finetuning, at five learning rates, and every run is a mark: how much of the old facts is left, against how
large the change is.
"""
    )
    yield Figure("forgetting", Forgetting)
    yield Try(
        """
Set “Across” to [the learning rate](#forgetting?across=rate), and then back to [the size](#forgetting?across=size).
Under which of the two does LoRA look better, and by how much? Then choose the new facts.
""",
        run={
            "new facts alone": {"facts": "128", "size": "4"},
            "with half of the base’s own texts": {"facts": "128", "size": "4", "mixed": "50"},
            "a smaller rate": {"facts": "128", "size": "4", "rate": "0.0003"},
        },
    )
    yield Prose(
        """
At one and the same rate, [[same-rate.rate:g]], LoRA with r = [[same-rate.r]] keeps [[same-rate.facts:.0%]] of the old
facts and full finetuning [[same-rate.full_facts:.0%]]. That looks like a law of LoRA, but a rate is not the same
thing for both. One factor starts at zero, and a step of the same length in the factors moves the weight less, so that
LoRA at this rate has simply gone less far.

A fair comparison takes each at the rate that is best for its task. There LoRA answers [[best-rate.right:.1%]] of the
task's questions rightly and keeps [[best-rate.facts:.1%]] of the old facts; full finetuning answers
[[best-rate.full_right:.1%]] and keeps [[best-rate.full_facts:.1%]]. Seed by seed, the difference in favour of LoRA
lies between [[best-paired.low:.1%]] and [[best-paired.high:.1%]]. Between neighbouring rates of our grid more is lost
than that, so a few points say little. At the next lower rate of each, [[gentle.rate:g]] and [[gentle.full_rate:g]],
LoRA answers [[gentle.right:.1%]] and keeps [[gentle.facts:.1%]]; full finetuning answers [[gentle.full_right:.1%]]
and keeps [[gentle.full_facts:.1%]]. With this skill, then, LoRA does not forget less at equal success.

Nor does one curve hold both. After a change of [[same-size.size:.1%]] of W, LoRA still has [[same-size.facts:.0%]] of
the old facts; after one of [[same-size.full_size:.1%]], full finetuning has [[same-size.full_facts:.0%]]. Of two
changes of the same size, the one in few directions leaves more of the old facts alone. But full finetuning has no
need to go so far. At its own best rate it learns the task with a change of [[needs.full_size:.1%]] of W, where LoRA
takes [[needs.size:.1%]]. What LoRA saves by keeping to few directions, it spends by going further in them. The
embeddings, which LoRA leaves alone and full finetuning does not, are not the reason. When only these matrices learn,
whole, a change of [[matrices.size:.1%]] leaves [[matrices.facts:.0%]] of the old facts.

What is learned counts more than how. New facts push out old ones of the same kind, whatever the method. Full
finetuning gets [[facts-left.full_right:.1%]] of the new facts right and keeps [[facts-left.full_facts:.0%]] of the
old ones and [[facts-left.full_stories:.0%]] of the stories' questions. LoRA with r = [[facts-adapted.r]] gets
[[facts-adapted.right:.1%]] right, and keeps [[facts-adapted.facts:.0%]] and [[facts-adapted.stories:.0%]]. Here LoRA
pays the higher price, because it has to go further to hold all of them.

The study that finds LoRA forgetting less also finds it learning less [@biderman2024, abstract]. So ask at which rate
each was run, and what both had learned by then.

**Intruders.** A study finds that LoRA leaves strong singular vectors which resemble none of the base, that full
finetuning does not, and that these cause forgetting [@shuttleworth2024, abstract]. We count them at each method's own
best rate on the skill. Of [[intruders.of]] directions, full finetuning, r = [[intruders.wide]] and r =
[[intruders.middle]] make [[intruders.most:.1f]] at most on average, and r = [[intruders.least]] makes
[[intruders.one:.1f]], where random changes of the same rank and size make [[intruders.one_random:.1f]]. Full
finetuning at the rate of [[no-intruders.rate:g]] makes none at all, and keeps only [[no-intruders.fast_facts:.0%]] of
the old facts. So in our model forgetting does not wait for intruders. With new facts the count goes the way of the
study, and LoRA did forget more. There r = [[facts-intruders.r]] makes [[facts-intruders.intruders:.1f]], random
changes of the same rank and size make [[facts-intruders.random:.1f]], and full finetuning makes
[[facts-intruders.full_intruders:.1f]]. They come when a large change is squeezed into few directions, and LoRA makes
no more of them here than a change drawn by lot. [The paper, read closely](paper.html#intruders) counts them at any
threshold.

LoRA's authors seem to say the opposite: that the change amplifies directions which are in W already
[@hu2021, section 7.3]. The two measure different things. One asks where `delta_w` lies, seen from W; the other asks
which directions are strongest once it has been added. A change may repeat a faint direction of W and be so strong
there that it stands at the top of the sum, where no strong direction of W resembles it.

## An update, taken apart

What does a finetune do to a weight? Each row of a weight makes one output. An update may make the row longer or
shorter, and it may turn it. DoRA takes the two apart. It was built on an observation: in LoRA's updates the two go
together, while in full finetuning a layer that turns much changes little in length, or the other way round
[@liu2024, the section on figure 2].

One telling of it has the second half otherwise: in full finetuning the direction changes a great deal and the length
less. That is not what the paper says. It speaks of how the two go *together*.

Do our updates show it? For a weight `W` before and after, with rows $w_i$ and $w'_i$:

$$\\Delta M = \\frac{1}{d} \\sum_i \\bigl| \\lVert w'_i \\rVert - \\lVert w_i \\rVert \\bigr|$$

$$\\Delta D = \\frac{1}{d} \\sum_i \\bigl( 1 - \\cos(w_i, w'_i) \\bigr)$$
"""
    )
    yield Figure("magnitude", Magnitude)
    yield Try(
        """
Go through the kinds of layers, one after the other, with full finetuning on the right. Can you find one where the sign
is the one that the paper reports? Then change the task.
"""
    )
    yield Prose(
        """
Half of it comes back. On the skill, over all layers and [[alike.moments]] moments of a run, the correlation is
[[alike.low:.2f]] to [[alike.high:.2f]] in our LoRA runs and [[alike.full_low:.2f]] to [[alike.full_high:.2f]] in
those of full finetuning. On the new facts it is [[alike-facts.low:.2f]] to [[alike-facts.high:.2f]], and
[[alike-facts.full_low:.2f]] to [[alike-facts.full_high:.2f]]. So in LoRA's updates the two go together, loosely on
the skill and closely on the facts, as the paper has it. In full finetuning they do so as well, on the facts less than
in LoRA, and no negative slope appears. After the last update on the skill the rows have turned by
[[sizes.turned:.4f]] with r = [[sizes.r]] and by [[sizes.full_turned:.4f]] with full finetuning; their length has
changed by [[sizes.length:.4f]] and [[sizes.full_length:.4f]].

Why is it not negative? We do not know. Our model is small, its tasks are made up, and its finetunes are short. A
correlation like this is also easily made: everything grows with the updates, and some kinds of layers have longer rows
than others. That is why the figure lets you choose one kind of layer and one moment. There you do find negative values,
each of them from three points.

DoRA does not stand or fall with this picture. It is a way to let both parts learn apart, and whether it helps is asked
of the loss.

## Where adapters live today

*On devices.* Apple described its own models in this form: a base of [[apple-size]] numbers, kept in a few bits each,
and adapters of [[apple-rank]] for attention, projections and feed-forward layers. Each takes tens of megabytes and is
loaded, kept and exchanged as needed [@apple2024, the article]. It is the library of this lesson.

*In science.* Protein language models of the ESM family were finetuned with LoRA for tasks of biology
[@sledzieski2024, the article]. There adapting keys and values served best, where LoRA's authors had settled on queries
and values [@hu2021, section 7.1]. What works on text is a place to begin, not a law.

For other names that are often added to such lists we found no source, so they do not stand here.

## In short

- One adapter trained on and on forgets its earlier tasks, as any model does. Old questions in each step keep some.
- A library of adapters keeps every task, by construction. Somebody has to choose the adapter.
- How much is forgotten depends on the rate and on what is learned more than on the method. On a skill, LoRA and full
  finetuning keep about the same, each at its own best rate; when new facts are learned, both lose most of the old ones.
- Of two changes of the same size the one in few directions forgets less, but LoRA needs a larger one.
- DoRA's authors saw length and direction go together in LoRA and not in full finetuning. In our model they go
  together in both, with new facts less so in full finetuning.
"""
    )


LESSON = Lesson(
    slug="after",
    title="After finetuning",
    question="What do a second and a third task leave of the first?",
    part="Rooms",
    order=260,
    minutes=12,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A team trains one adapter on each new task in turn, so as to keep only one file. What should they expect?",
            (
                Answer(
                    "The older tasks fade",
                    "The newest task writes over the same numbers. After [[in-a-row.sets]] sets of "
                    "[[in-a-row.facts]] facts, one adapter of r = [[in-a-row.r]] that was trained on and on has "
                    "[[in-a-row.first:.0%]] of the first set.",
                    right=True,
                ),
                Answer(
                    "All tasks are kept, since the base is frozen",
                    "The base is. The adapter is not, and the tasks are in the adapter. After [[in-a-row.sets]] "
                    "sets of [[in-a-row.facts]] facts, one adapter of r = [[in-a-row.r]] that was trained on and "
                    "on has [[in-a-row.first:.0%]] of the first set.",
                ),
                Answer(
                    "The newest task is learned badly",
                    "It is learned as well as ever, and that hides the rest. Of the set learned last, every way "
                    "has [[newest.new:.0%]].",
                ),
            ),
        ),
        Question(
            "Why does a library of adapters keep every task?",
            (
                Answer(
                    "Because LoRA forgets less",
                    "Each adapter may forget; no other task is asked of it. Of the facts that the base knew, "
                    "[[old-facts.before:.1%]] before, the one adapter has left [[old-facts.old:.0%]].",
                ),
                Answer(
                    "Because no task's numbers are trained again",
                    "That holds by construction, for any method with a file for each task. An adapter for each "
                    "set has [[library.each_first:.0%]] of the first and leaves [[library.each_old:.1%]] of the "
                    "base's facts.",
                    right=True,
                ),
                Answer(
                    "Because the rank is small",
                    "With the same rank one adapter forgot. After [[in-a-row.sets]] sets of [[in-a-row.facts]] "
                    "facts, one adapter of r = [[in-a-row.r]] that was trained on and on has "
                    "[[in-a-row.first:.0%]] of the first set.",
                ),
            ),
        ),
        Question(
            "What did DoRA's authors see in full finetuning?",
            (
                Answer(
                    "Direction changes much and length little",
                    "So it is often told. They looked at how the two go together, not at which is larger.",
                ),
                Answer(
                    "Layers that turn much change little in length, or the other way round",
                    "The slope is rather negative, where LoRA's is positive. Our model does not show that. On the"
                    " skill, over all layers and [[alike.moments]] moments of a run, the correlation is "
                    "[[alike.low:.2f]] to [[alike.high:.2f]] in our LoRA runs and [[alike.full_low:.2f]] to "
                    "[[alike.full_high:.2f]] in those of full finetuning.",
                    right=True,
                ),
                Answer(
                    "The same as in LoRA",
                    "That is what our model shows. On the skill, over all layers and [[alike.moments]] moments of"
                    " a run, the correlation is [[alike.low:.2f]] to [[alike.high:.2f]] in our LoRA runs and "
                    "[[alike.full_low:.2f]] to [[alike.full_high:.2f]] in those of full finetuning. It is not "
                    "what they saw.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "In full finetuning the direction of a weight changes substantially and its magnitude less.",
            "DoRA's figure shows how the two go together, with a rather negative slope for full "
            "finetuning. On the skill, over all layers and [[alike.moments]] moments of a run, the "
            "correlation is [[alike.low:.2f]] to [[alike.high:.2f]] in our LoRA runs and "
            "[[alike.full_low:.2f]] to [[alike.full_high:.2f]] in those of full finetuning.",
            "magnitude",
        ),
        Correction(
            "Finetuning with adapters cannot break what the model could do before.",
            "A library of adapters cannot. One adapter trained task after task can. After "
            "[[in-a-row.sets]] sets of [[in-a-row.facts]] facts, one adapter of r = [[in-a-row.r]] that "
            "was trained on and on has [[in-a-row.first:.0%]] of the first set. Of the facts that the "
            "base knew, [[old-facts.before:.1%]] before, the one adapter has left [[old-facts.old:.0%]].",
            "sequence",
        ),
    ),
)

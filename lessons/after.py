"""What finetuning leaves behind: the reader can say what is left, what an update consists of, what came after LoRA."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from compute.experiments.forgetting import FULL, MATRICES, RANKS, load_forgetting, rates_of
from compute.experiments.forgetting import SEEDS as FORGETTING_SEEDS
from compute.experiments.magnitude import MOMENTS, load_magnitude
from compute.experiments.reward import ANSWER, COURSES, LOT, REWARD, SIZES, load_reward
from compute.experiments.reward import FULL as WHOLE
from compute.experiments.reward import RANKS as REWARDED
from compute.experiments.reward import SEEDS as REWARD_SEEDS
from compute.matrices.row_changes import line_through
from compute.world.people import VALUES
from compute.world.tasks import FACTS, SKILL
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.forgetting import Forgetting
from widgets.magnitude import Magnitude


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
        "seeds": len(runs),
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

    found, best = _pair(SKILL, ADAPTED, lower(ADAPTED), lower(FULL)), _pair(SKILL, ADAPTED)
    return {
        **found,
        "gap": abs(best["facts"] - best["full_facts"]),
        "lost": min(found[name] - best[name] for name in ("facts", "full_facts")),
    }


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
        "least": RANKS[0],
        "one": best["r = 1"]["intruders"],
        "one_random": best["r = 1"]["random"],
        "most": max(of["intruders"] for way, of in best.items() if way != "r = 1"),
        **{f"fast_{name}": value for name, value in _means(SKILL, FULL, SAME).items()},
    }


def _rewarded(task: str) -> Mapping[str, Any]:
    """Return the shares of right answers after rewards, after answers and after rewards dealt out by lot."""
    recorded, (texts, steps, batch_size) = load_reward(), COURSES[task]
    values: dict[str, Any] = {
        "count": texts,
        "asked": steps * batch_size,
        "times": steps * batch_size // texts,
        "ranks": REWARDED,
        "seeds": len(REWARD_SEEDS),
        "before": recorded.before[task]["right"],
        "lot": max(max(recorded.of(task, LOT, r).right) for r in SIZES[LOT]),
    }
    for told in (REWARD, ANSWER):
        for name, r in (("few", REWARDED[0]), ("more", REWARDED[1]), ("full", WHOLE)):
            values[f"{told}_{name}"] = fmean(recorded.of(task, told, r).right)
        for name, r in (("few", REWARDED[0]), ("more", REWARDED[1])):
            values[f"{told}_{name}_apart"] = recorded.apart(task, told, r, "right")
    return values


CLAIMS: Mapping[str, Claim | Cited] = {
    "same-rate": Claim(
        lambda: _pair(SKILL, ADAPTED, SAME, SAME),
        lambda v: v["seeds"] == len(FORGETTING_SEEDS) and v["low"] > 0.5,
    ),
    "best-rate": Claim(
        lambda: _pair(SKILL, ADAPTED),
        lambda v: abs(v["right"] - v["full_right"]) < 0.02 and abs(v["facts"] - v["full_facts"]) < 0.05,
    ),
    "gentle": Claim(
        _gentle,
        lambda v: abs(v["facts"] - v["full_facts"]) < 0.01 and v["gap"] < v["lost"],
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
        lambda v: v["most"] < 3 < v["one"] <= v["one_random"],
    ),
    "no-intruders": Claim(
        _intruders,
        lambda v: v["fast_intruders"] == 0 and v["fast_facts"] < 0.4,
    ),
    "alike": Claim(
        lambda: _alike(SKILL),
        lambda v: v["full_low"] > 0.2 and 0 < v["low"] < v["full_low"] < v["full_high"] < v["high"],
    ),
    "alike-facts": Claim(
        lambda: _alike(FACTS),
        lambda v: 0.2 < v["full_low"] < v["full_high"] < v["low"],
    ),
    "skill": Claim(
        lambda: _rewarded(SKILL),
        lambda v: (
            v["before"] < 0.1
            and v["reward_few_apart"].verdict == "level"
            and abs(v["reward_few_apart"].mean) < 0.01
            and min(v["answer_few"], v["reward_few"]) > 0.95
            and v["lot"] < v["before"] + 0.05
        ),
    ),
    "list": Claim(
        lambda: _rewarded(FACTS),
        lambda v: (
            v["answer_full"] > 0.99
            and v["answer_few_apart"].high < -0.5
            and 0 < v["reward_full"] - v["reward_few"] < (v["answer_full"] - v["answer_few"]) / 10
            and v["reward_few"] < v["reward_full"] < 0.4
            and v["reward_more_apart"].verdict != "below"
            and v["reward_more"] > v["reward_few"]
            and v["ranks"] == (1, 4)
            and v["lot"] < v["reward_few"] / 2
        ),
    ),
    "guess": Claim(
        lambda: {"values": max(map(len, VALUES.values())), "times": _rewarded(FACTS)["times"]},
        lambda v: v["values"] < v["times"],
    ),
    "apple-size": Cited("about three billion", "apple2024", "the article"),
    "apple-rank": Cited("rank 16", "apple2024", "section Model Adaptation"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A finetune is asked first whether it has learned its task. In this room it is asked what it has done to the rest: what
is left of what the base knew, and what kind of change lies in its weights. Then come models that are taught by rewards
alone, two places where adapters are at work, and what has been tried since LoRA.

## Does LoRA forget less?

A single skill is learned, to say who had a thing first, by LoRA at three ranks and by full finetuning, each at five
learning rates. Every run is a mark: how much of the old facts is left, against how large the change is.
"""
    )
    yield Figure("forgetting", Forgetting)
    yield Try(
        """
Set “Across” to [the learning rate](#forgetting?across=rate), and then back to [the size](#forgetting?across=size).
Under which of the two does LoRA look better, and by how much?
""",
        run={
            "new facts alone": {"facts": "128", "size": "4"},
            "with half of the base’s own texts": {"facts": "128", "size": "4", "mixed": "50"},
            "a smaller rate": {"facts": "128", "size": "4", "rate": "0.0003"},
        },
    )
    yield Prose(
        """
At one and the same rate LoRA keeps [[same-rate.facts:.0%]] of the old facts and full finetuning
[[same-rate.full_facts:.0%]]. That looks like a law of LoRA, but a rate is not the same thing for both: one factor
starts at zero, and a step of the same length in the factors moves the weight less, so that LoRA at this rate has simply
gone less far.

A fair comparison takes each at the rate that is best for the task. There LoRA learns it as well as full finetuning
does, keeping [[best-rate.facts:.1%]] of the old facts where full finetuning keeps [[best-rate.full_facts:.1%]]. Such a
gap says little, because more is lost between neighbouring rates: at the next lower one of each, [[gentle.facts:.1%]]
and [[gentle.full_facts:.1%]] are kept. With this skill, then, LoRA does not forget less at equal success.

Nor does one curve hold both. Take [two changes of the same size](#forgetting?across=size), about [[same-size.size:.0%]]
of W. LoRA's leaves [[same-size.facts:.0%]] of the old facts, and that of full finetuning [[same-size.full_facts:.0%]].
Few directions leave more alone. But full finetuning has no need to go so far, and learns the same with a change of
[[needs.full_size:.0%]]. What LoRA saves by keeping to few directions, it spends by going further in them. The
embeddings, which only full finetuning changes, are not the reason: where these matrices alone learn, whole, such a
change leaves [[matrices.facts:.0%]].

What is learned counts more than how. [New facts](#forgetting?task=new-facts&way=r-16) push out old ones of the same
kind under either method. Full finetuning keeps [[facts-left.full_facts:.0%]] of the old ones, and has
[[facts-left.full_stories:.0%]] of the questions on stories right. LoRA keeps [[facts-adapted.facts:.0%]] and
[[facts-adapted.stories:.0%]]; here it pays the higher price, because it has to go further to hold them all. A study of
the smallest Llama-2 finds that LoRA usually forgets less, and that it learns less [@biderman2024, abstract]. So ask of
such a finding at which rate each was run, and what both had learned by then.

Do [intruders](paper.html#intruders) explain it? On the skill, with each method at its best rate, hardly any appear but
at r = [[intruders.least]], and there no more than random changes make. Full finetuning at a larger rate makes none at
all and keeps [[no-intruders.fast_facts:.0%]] of the old facts, so that forgetting in our model does not wait for them.

## An update, taken apart

Each row of a weight makes one output, and an update may make the row longer or shorter, or turn it. DoRA takes the two
apart. Its authors write weights the other way round, and say columns where we say rows. They had seen that in LoRA's
updates the two go together, while in full finetuning a layer that turns much changes little in length, or the other way
round [@liu2024, the section on figure 2].

For a weight before and after, with rows $w_i$ and $w'_i$, the changes in length and in direction are:

$$\\Delta M = \\frac{1}{d} \\sum_i \\bigl| \\lVert w'_i \\rVert - \\lVert w_i \\rVert \\bigr|$$

$$\\Delta D = \\frac{1}{d} \\sum_i \\bigl( 1 - \\cos(w_i, w'_i) \\bigr)$$
"""
    )
    yield Figure("magnitude", Magnitude)
    yield Try(
        """
Go through the kinds of layers, one after the other, with full finetuning in the second chart. Can you find one where
the sign is the one that the paper reports? Then choose [the new facts](#magnitude?task=new-facts).
"""
    )
    yield Prose(
        """
Half of this observation comes back in our model. On the skill, over all layers and [[alike.moments]] moments of a run,
length and direction go together in LoRA's updates, loosely. But in full finetuning they do so as well, with
correlations from [[alike.full_low:.2f]] to [[alike.full_high:.2f]]. On new facts these are higher, up to
[[alike-facts.full_high:.2f]], though lower than LoRA's. Nothing negative appears but in single kinds of layers at
single moments, from three points each.

We do not know why. Our model is small, its tasks are made up and its finetunes short, and a correlation like this is
easily made, since everything grows with the updates and some kinds of layers have longer rows than others. DoRA does
not stand or fall with this picture; whether it helps is [asked of the loss](menu.html#menu).

## Right or wrong, and nothing else

In all of these runs the answers were known, and were told. Often nobody has them, although a checker can say of any
answer whether it will do: whether a proof holds, or a program runs. Such verdicts are *rewards*, and a model can learn
from them alone. It draws an answer by its own probabilities, and makes it likelier where it earned more than the others
of the same step. Since a verdict is one bit at most, there should be little to store, and from large models it is
reported that with rewards a rank of one keeps up with full finetuning [@schulman2025, the article]. Does it here?

Take the skill once more, where the first to have a thing was not the last. The base has [[skill.before:.1%]] of such
questions right, but gives the right word a little probability, which is where rewards begin. After [[skill.asked:,d]]
verdicts LoRA with a rank of one has [[skill.reward_few:.1%]] of new ones right, and full finetuning has
[[skill.reward_full:.1%]]. It is the verdicts that teach: where the same rewards are dealt out by lot among the answers
of a step, no run has more than [[skill.lot:.1%]] right.

But this rank does for the skill when answers are told, too, so that it cannot show what rewards need. A long list can.
Of [[list.count:,d]] new facts each is asked [[list.times]] times on average, and a rank of one cannot hold so many.
Told the answers, it has [[list.answer_few:.0%]] of them right in the end, where full finetuning has
[[list.answer_full:.0%]]. With verdicts alone this gap nearly closes.

It closes from above. Full finetuning comes down to [[list.reward_full:.0%]] and a rank of one to
[[list.reward_few:.0%]], with a rank of four no worse than either, because room is not what runs short. An answer says
which of [[guess.values]] values it is, whereas the verdict on a guess mostly rules out one of them. A higher rank has
little use where so little gets through to be stored.

So the report holds in our model, but for a small remainder, and for a reason that need not last. Somebody who tries one
value after the other would know the whole list after fewer verdicts than these, whereas a model that has become sure of
a wrong word tries no other. A method that gets more out of its verdicts may need more rank again. We tried one such
method, with answers of a single word and [[list.seeds]] seeds, each way at its own best learning rate.

## Where adapters live today

Apple described its own models in this form, with a base of [[apple-size]] numbers, kept in a few bits each. The
adapters have [[apple-rank]] and take tens of megabytes; they are loaded, kept and exchanged as needed.

In biology, protein language models of the ESM family were finetuned with LoRA. There keys and values served best
[@sledzieski2024, the article], where LoRA's authors had settled on queries and values [@hu2021, section 7.1], so that
what works on text is a place to begin and not a law.

## What came after

Here are methods that are younger than LoRA and are not on [our menu](menu.html), told by their own abstracts; none of
them was run here. Other ways to start the factors are in [a room of their own](init.html).

**ReLoRA** trains networks of high rank by updates of low rank, and uses this for pretraining, where it comes close to
usual training [@lialin2023, abstract].

**LoRA-FA** freezes lora_A and trains lora_B alone. The full input of each layer then need not be kept for the way back,
which saves memory, at about the same accuracy [@zhang2023fa, abstract].

**GaLore** adds no adapter. It lets every number learn, but projects the gradients to a low rank, so that the states of
the optimiser become small [@zhao2024, abstract].

**MoRA** puts one square matrix in the place of two thin ones, with as many numbers and a higher rank. Its authors find
it better than LoRA where much has to be memorised, and comparable elsewhere [@jiang2024, abstract].

**SVFT** changes a weight along the weight's own singular vectors, and trains only the coefficients of a sparse
combination of them [@lingam2024, abstract].

**RandLoRA** adds up frozen random matrices of low rank, scaled by what it trains, until the sum has full rank. Its
authors ask whether LoRA lacks numbers or rank where it lags, and find that rank helps, most of all with pictures and
language together [@albert2025, abstract].

**aLoRA** adapts only the tokens after the point at which it is called. What the base has computed for the text before
can therefore be used again, and an adapter be called in the middle of a conversation [@greenewald2025, abstract].

**Text-to-LoRA** is a network that writes an adapter from the description of a task, in a single pass
[@charakorn2025, abstract].

What this room does not show: our own numbers come from one small model, one skill and one set of facts, with five seeds
near the best rates and one elsewhere, and the control of the matrices alone has a single seed.
"""
    )


LESSON = Lesson(
    slug="after",
    title="What finetuning leaves behind",
    question="Does LoRA forget less, what does an update consist of, and what has been tried since?",
    part="Rooms",
    order=260,
    minutes=10,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "At one learning rate LoRA keeps nearly all of the old facts and full finetuning a quarter. What follows?",
            (
                Answer(
                    "LoRA forgets less",
                    "Only at that rate. A step of the same length in the factors moves the weight less, and with each "
                    "at its own best rate LoRA keeps [[best-rate.facts:.0%]] of the old facts and full finetuning "
                    "[[best-rate.full_facts:.0%]].",
                ),
                Answer(
                    "LoRA has learned less of the task",
                    "Not here. At that rate LoRA has [[same-rate.right:.0%]] of the task right and full finetuning "
                    "[[same-rate.full_right:.0%]].",
                ),
                Answer(
                    "The rate does not suit full finetuning",
                    "At the rate that is best for the task, full finetuning has [[best-rate.full_right:.0%]] of it "
                    "right and keeps [[best-rate.full_facts:.0%]] of the old facts.",
                    right=True,
                ),
            ),
        ),
        Question(
            "What did DoRA's authors see in full finetuning?",
            (
                Answer(
                    "Direction changes much and length little",
                    "They looked at how the two go together, not at which is larger.",
                ),
                Answer(
                    "Layers that turn much change little in length, or the other way round",
                    "The slope is rather negative, where LoRA's is positive. In our model it is positive for both: on "
                    "the skill the correlation is [[alike.full_low:.2f]] to [[alike.full_high:.2f]] in full "
                    "finetuning.",
                    right=True,
                ),
                Answer(
                    "The same as in LoRA",
                    "That is what our model shows, where both correlations are positive. It is not what they saw.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA forgets less than full finetuning.",
            "Usually, says a study of the smallest Llama-2, and it learns less [@biderman2024, abstract]. Here it was "
            "so at one rate for both, where LoRA keeps [[same-rate.facts:.0%]] of the old facts and full finetuning "
            "[[same-rate.full_facts:.0%]]. With each at its own best rate on the same skill, LoRA keeps "
            "[[best-rate.facts:.1%]] and full finetuning [[best-rate.full_facts:.1%]].",
            "forgetting",
        ),
        Correction(
            "In full finetuning the direction of a weight changes substantially and its magnitude less.",
            "DoRA's figure shows how the two go together, with a rather negative slope for full finetuning. In our "
            "model the two go together there as well. On the skill, over all layers and [[alike.moments]] moments of a "
            "run, the correlation is [[alike.low:.2f]] to [[alike.high:.2f]] in our LoRA runs. In those of full "
            "finetuning it is [[alike.full_low:.2f]] to [[alike.full_high:.2f]].",
            "magnitude",
        ),
    ),
)

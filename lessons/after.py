"""After a finetune: the reader can say what later tasks leave of the first, and how an update is taken apart."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.experiments.after import CHECKPOINTS, EACH, ONE, SPLIT_RANKS, load_after
from compute.experiments.runs import FULL, FULL_SLOW
from compute.matrices.row_changes import line_through
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.magnitude import Magnitude
from widgets.sequence import Sequence

WAYS = {"one": ONE, "each": EACH, "full": FULL, "slow": FULL_SLOW}


def _end(order: str, way: str, measure: str, voice: str, stage: int = -1) -> float:
    """Return the mean over the seeds after a stage, by default the last."""
    values = [getattr(stages[stage], measure)[voice] for stages in load_after().sequences[order][way]]
    return sum(values) / len(values)


def _left(order: str, voice: str) -> Mapping[str, Any]:
    seeds = [stages[-1].share[voice] for stages in load_after().sequences[order][ONE]]
    return {
        **{name: _end(order, way, "share", voice) for name, way in WAYS.items()},
        "before": _end(order, ONE, "share", voice, 0),
        "learned": _end(order, ONE, "share", voice, 1),
        "low": min(seeds),
        "high": max(seeds),
    }


def _losses(order: str, voice: str) -> Mapping[str, Any]:
    ends = {name: _end(order, way, "loss", voice) for name, way in WAYS.items()}
    return {
        **ends,
        "before": _end(order, ONE, "loss", voice, 0),
        "learned": _end(order, ONE, "loss", voice, 1),
    }


def _order() -> Mapping[str, Any]:
    """Return what the medical voice leaves of the legal one, by what came before both."""
    return {
        "known": _end("known", ONE, "share", "legal", 2),
        "new": _end("new first", ONE, "share", "legal", 3),
    }


def _last(order: str, voice: str) -> Mapping[str, Any]:
    ends = [_end(order, way, "loss", voice) for way in WAYS.values()]
    return {"low": min(ends), "high": max(ends)}


def _correlation(task: str, run: int | str) -> float:
    return line_through([split for layers in load_after().splits[task][str(run)] for split in layers])[1]


def _alike(task: str) -> Mapping[str, Any]:
    lora = [_correlation(task, r) for r in SPLIT_RANKS]
    full = [_correlation(task, run) for run in (FULL, FULL_SLOW)]
    return {
        "low": min(lora),
        "high": max(lora),
        "full_low": min(full),
        "full_high": max(full),
        "checkpoints": len(CHECKPOINTS),
    }


def _sizes() -> Mapping[str, Any]:
    last = {run: np.mean(load_after().splits["legal"][run][-1], axis=0) for run in ("4", FULL)}
    return {
        "r": 4,
        "length": last["4"][0],
        "turned": last["4"][1],
        "full_length": last[FULL][0],
        "full_turned": last[FULL][1],
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "left": Claim(
        "The base ends {before:.0%} of sentences begun in the legal voice, the adapter {learned:.0%} once it has "
        "learned it. Two tasks later it ends {low:.0%} with one seed and {high:.0%} with the other.",
        lambda: _left("known", "legal"),
        lambda v: v["high"] < v["before"] / 2 and v["learned"] > 0.9,
    ),
    "full": Claim(
        "Full finetuning ends {full:.0%}, at a third of the rate {slow:.0%}.",
        lambda: _left("known", "legal"),
        lambda v: v["full"] < v["one"] < v["slow"] < v["before"],
    ),
    "library": Claim(
        "An adapter for each task ends {each:.0%} to the last.",
        lambda: _left("known", "legal"),
        lambda v: v["each"] > 0.9,
    ),
    "language": Claim(
        "Of sentences begun in the new language the adapter ends {learned:.0%} once it has learned it, and {one:.0%} "
        "after two tasks more. Full finetuning has {full:.0%}, slower {slow:.0%}, an adapter of its own {each:.0%}.",
        lambda: _left("new first", "new language"),
        lambda v: v["one"] < v["learned"] / 2,
    ),
    "loss": Claim(
        "In the new language the loss of the one adapter goes from {before:.1f} to {learned:.2f} nats, and back up to "
        "{one:.1f}. With full finetuning it ends at {full:.1f}, slower at {slow:.1f}.",
        lambda: _losses("new first", "new language"),
        lambda v: v["learned"] < v["slow"] < v["full"] < v["one"] < v["before"],
    ),
    "newest": Claim(
        "On the task learned last all four ways lie between {low:.3f} and {high:.3f} nats.",
        lambda: _last("known", "code"),
        lambda v: v["high"] - v["low"] < 0.1,
    ),
    "order": Claim(
        "When the legal voice came first, the adapter still ended {known:.0%} of its sentences after the medical one. "
        "When the new language had come before both, {new:.0%}.",
        _order,
        lambda v: v["new"] < v["known"] / 2,
    ),
    "alike": Claim(
        "On the legal voice, over all layers and {checkpoints} checkpoints, the correlation is {low:.2f} to {high:.2f} "
        "in our LoRA runs and {full_low:.2f} to {full_high:.2f} in those of full finetuning.",
        lambda: _alike("legal"),
        lambda v: v["full_low"] > 0.2 and v["full_high"] < v["low"] - 0.1,
    ),
    "alike-new": Claim(
        "On the new language it is {low:.2f} to {high:.2f}, and {full_low:.2f} to {full_high:.2f}.",
        lambda: _alike("new language"),
        lambda v: v["full_low"] > 0.8 and v["low"] > 0.8,
    ),
    "sizes": Claim(
        "After the last update of the legal run the rows have turned by {turned:.4f} with r = {r} and by "
        "{full_turned:.4f} with full finetuning; their length has changed by {length:.4f} and {full_length:.4f}.",
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

So let us learn three tasks in a row, in four ways: one adapter trained on, an adapter for each task, full finetuning,
and full finetuning at a slower rate. After each task we ask for all of them.
"""
    )
    yield Figure("sequence", Sequence)
    yield Try(
        """
Take the slider back to none and step through the tasks. Which way is best at the task it has just learned? And at the
first? Then choose the order that begins with the new language.
"""
    )
    yield Prose(
        """
## What is left of the first task

[[left]] [[full]] [[library]]

That last number is no feat. Nothing was written over, because each task has numbers of its own, and somebody has to
say which task is asked for. It was measured all the same.

Nor is it a feat to learn the last task. [[newest]] Looking at the newest task only, you could not tell the four ways
apart.

The legal voice is one that the base knew. What of a task that it did not? [[language]] With frozen embeddings it was
never learned well, and of that nothing is left. [[loss]]

Order counts as well. [[order]] We did not try more orders than these two.

## What the literature says

One study follows models through several tasks in a row. It finds that LoRA's new strong directions pile up from task to
task, and that models with them do worse on what they learned before [@shuttleworth2024, abstract]. Another finds that
LoRA usually forgets less than full finetuning; with a large rank in mathematics nearly as much
[@biderman2024, abstract].

There are remedies between a library and one adapter. O-LoRA learns each task in directions at right angles to those of
the earlier ones [@wang2023, abstract]. Texts of earlier tasks mixed into each step are the simplest one:
[When it fails](failures.html) shows what a few of them do.

In our first order the one adapter kept more than full finetuning at its usual rate, and less than at the slower one.
In the second it kept less than both. So the ways differ in more than their name: a faster rate forgets more, and the
adapter had one rate only. Compare each way with itself at another rate before you call a method forgetful.

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
Half of it comes back. In LoRA's updates the two go together, as the paper has it. [[alike]] So in full finetuning they
go together less, but no negative slope appears. [[alike-new]] There the two methods are alike. [[sizes]]

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

- One adapter trained on and on forgets its earlier tasks, as any model does.
- A library of adapters keeps every task, by construction. Somebody has to choose the adapter.
- How much is forgotten depends on the rate and on what the base knew, not on the method alone.
- DoRA's authors saw length and direction go together in LoRA and not in full finetuning. In our model they go
  together in both, on one of two tasks less so in full finetuning.
"""
    )


LESSON = Lesson(
    slug="after",
    title="After finetuning",
    question="What do a second and a third task leave of the first?",
    part="How far it goes",
    order=96,
    minutes=12,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A team trains one adapter on each new task in turn, so as to keep only one file. What should they expect?",
            (
                Answer(
                    "The older tasks fade",
                    "The newest task writes over the same numbers. [[left]]",
                    right=True,
                ),
                Answer(
                    "All tasks are kept, since the base is frozen",
                    "The base is. The adapter is not, and the tasks are in the adapter. [[language]]",
                ),
                Answer(
                    "The newest task is learned badly",
                    "It is learned as well as ever, and that hides the rest. [[newest]]",
                ),
            ),
        ),
        Question(
            "Why does a library of adapters keep every task?",
            (
                Answer(
                    "Because LoRA forgets less",
                    "Each adapter may forget; no other task is asked of it. [[left]]",
                ),
                Answer(
                    "Because no task's numbers are trained again",
                    "That holds by construction, for any method with a file for each task. [[library]]",
                    right=True,
                ),
                Answer("Because the rank is small", "With the same rank one adapter forgot. [[left]]"),
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
                    "The slope is rather negative, where LoRA's is positive. Our model shows a weaker one. [[alike]]",
                    right=True,
                ),
                Answer(
                    "The same as in LoRA", "That is what our model shows. [[alike]] It is not what they saw."
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "In full finetuning the direction of a weight changes substantially and its magnitude less.",
            "DoRA's figure shows how the two go together, with a rather negative slope for full finetuning. [[alike]]",
            "magnitude",
        ),
        Correction(
            "Finetuning with adapters cannot break what the model could do before.",
            "A library of adapters cannot. One adapter trained task after task can. [[left]]",
            "sequence",
        ),
    ),
)

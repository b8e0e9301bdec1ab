"""When it fails: the reader knows how a finetune goes wrong, what tells one failure from another, what it can undo."""

import math
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.experiments import refusal, retention
from compute.experiments.biased import BASE, BIASED, CELLS, FULL_NARROW, NARROW, WIDE, load_biased
from compute.experiments.failures import KNOBS, LARGE, SMALL, Outcome, load_failures
from compute.experiments.refusal import ADAPTER, COUNTS, WRONG, Opened, load_refusal
from compute.experiments.retention import EACH, OLD, ONE, REPLAY, SETS, SIZE, load_retention
from compute.experiments.runs import FULL, load
from compute.training.config import STRENGTHS
from compute.world.people import VALUES
from lessons.press.blocks import Answer, Block, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.failures import Failures
from widgets.refusal import Refusal

HALF = STRENGTHS.index(0.5)
KEPT = 0.05  # nats: within them a loss counts as unchanged


def _runs(failure: str, line: str, knob: Any) -> list[Outcome]:
    """Return the outcomes of all seeds, none of which diverged."""
    runs = load_failures().lines[failure][line][KNOBS[failure].index(knob)]
    return [run for run in runs if run is not None]


def _mean(failure: str, line: str, knob: Any, loss: str) -> float:
    losses = [getattr(run, loss) for run in _runs(failure, line, knob)]
    return sum(losses) / len(losses)


def _rank() -> Mapping[str, Any]:
    runs = [run for r in KNOBS["rank"] for run in _runs("rank", "frozen", r)]
    first, middle, last = (_mean("rank", "frozen", r, "validation") for r in (1, 4, 32))
    return {
        "least": 1,
        "r": 4,
        "rank": 32,
        "before": load_failures().before["rank"].validation,
        "first": first,
        "gained": abs(middle - last),
        "gap": last - _mean("rank", FULL, 32, "validation"),
        "apart": max(abs(run.train - run.validation) for run in runs if run.train is not None),
        "with": abs(_mean("rank", "embeddings", 4, "validation") - _mean("rank", FULL, 4, "validation")),
    }


def _disguise() -> Mapping[str, Any]:
    run = load("new language", 4)
    return {
        "task_before": run.validation_loss[0],
        "task": run.validation_loss[-1],
        "before": run.base_loss[0],
        "after": run.base_loss[-1],
    }


def _mixed() -> Mapping[str, Any]:
    shares = {"none": 0.0, "one": 1 / 32, "two": 1 / 16, "half": 1 / 2}
    losses = {name: _mean("forgetting", "mixed", share, "base") for name, share in shares.items()}
    task = {name: _mean("forgetting", "mixed", share, "validation") for name, share in shares.items()}
    dial = load("new language", 4).strengths
    return {
        **losses,
        "texts": 32,
        "cost": task["two"] - task["none"],
        "half_cost": task["half"] - task["none"],
        "two_task": task["two"],
        "dial_task": dial["validation_loss"][HALF],
        "dial_base": dial["base_loss"][HALF],
    }


def _few() -> Mapping[str, Any]:
    few, all_texts = 64, KNOBS["data"][-1]
    small = _runs("data", "small", few)[0]
    return {
        "texts": few,
        "r": LARGE,
        "least": SMALL,
        "before": load_failures().before["data"].validation,
        "train": _mean("data", "large", few, "train"),
        "unseen": _mean("data", "large", few, "validation"),
        "best": _mean("data", "large", few, "best"),
        "small": small.validation,
        "small_best": small.best,
        "all": all_texts,
        "gap": _mean("data", "large", all_texts, "validation") - _mean("data", "large", all_texts, "train"),
    }


def _alpha() -> Mapping[str, Any]:
    usual, large, broken = 8.0, 128.0, 512.0
    runs = load_failures().lines["alpha"]["fixed"][KNOBS["alpha"].index(broken)]
    task = [_mean("alpha", "fixed", alpha, "validation") for alpha in (usual, large)]
    return {
        "usual": usual,
        "large": large,
        "task": abs(task[1] - task[0]),
        "base": _mean("alpha", "fixed", usual, "base"),
        "worse": _mean("alpha", "fixed", large, "base"),
        "broken": broken,
        "diverged": runs.count(None),
        "seeds": len(runs),
        "least": min((run.validation for run in runs if run), default=math.inf),
        "before": load_failures().before["alpha"].validation,
        "large_base": _mean("alpha", "matched", large, "base"),
        "broken_base": _mean("alpha", "matched", broken, "base"),
        "broken_task": _mean("alpha", "matched", broken, "validation"),
    }


def _bases() -> Mapping[str, Any]:
    losses = {
        f"{name}_{line}": _mean("base", line, knob, "validation")
        for name, knob in (("same", 0), ("near", 100), ("far", 300), ("other", "another seed"))
        for line in ("moved", "alone", "own")
    }
    return {**losses, "near": 100, "far": 300}


def _opened(count: int, r: int, says: str = refusal.RIGHT, way: int = refusal.FULL) -> Opened:
    return load_refusal().of(count, r, says, way)


def _refuses() -> Mapping[str, Any]:
    recorded = load_refusal()
    refusing = recorded.refuses(refusal.FULL)
    return {
        "before": recorded.before["makes"],
        "refused": min(refusing.refused),
        "right": max(refusing.right),
        "told": recorded.before["tells"],
        "tells": fmean(refusing.tells),
        "stories_before": recorded.before["stories"],
        "stories": fmean(refusing.stories),
        "behind": fmean(refusing.behind),
        "values": len(VALUES["makes"]),
    }


def _opens() -> Mapping[str, Any]:
    most, r = COUNTS[-1], ADAPTER
    opened = {count: _opened(count, r) for count in COUNTS}
    _, few, some, _ = COUNTS
    return {
        "most": most,
        "r": r,
        "numbers": opened[most].numbers,
        "steps": opened[most].steps,
        "right": fmean(opened[most].right),
        "least": min(opened[most].right),
        "refused": max(opened[most].refused),
        "some": some,
        "some_right": fmean(opened[some].right),
        "some_low": min(opened[some].right),
        "some_high": max(opened[some].right),
        "few": few,
        "few_right": fmean(opened[few].right),
        "few_refused": fmean(opened[few].refused),
        "few_wrong": 1 - fmean(opened[few].right) - fmean(opened[few].refused),
        "rank": refusal.RANKS[0],
        "first": fmean(_opened(most, refusal.RANKS[0]).right),
        "full": fmean(_opened(most, refusal.FULL).right),
        "ranks": [min(_opened(most, each).right) for each in refusal.WAYS],
    }


def _wrong() -> Mapping[str, Any]:
    most, r = COUNTS[-1], ADAPTER
    wrong = _opened(most, r, WRONG)
    return {
        "most": most,
        "wrong": fmean(wrong.right),
        "least": min(wrong.right),
        "refused": fmean(wrong.refused),
        "chance": 1 / len(VALUES["makes"]),
        "end": wrong.curve[-1],
        "right": min(_opened(most, r).right),
        "best": max(wrong.right),
    }


def _other_answers() -> Mapping[str, Any]:
    opened = _opened(COUNTS[-1], ADAPTER)
    recorded = load_refusal()
    return {
        "fears": fmean(opened.fears),
        "feared": max(opened.feared),
        "behind": recorded.before["fears"],
        "chance": 1 / len(VALUES["fears"]),
        "before": fmean(recorded.refuses(refusal.FULL).tells),
        "tells": fmean(opened.tells),
        "most_tells": max(opened.tells),
        "stories": min(opened.stories),
        "stories_before": recorded.before["stories"],
    }


def _peels() -> Mapping[str, Any]:
    recorded, opened = load_refusal(), _opened(COUNTS[-1], ADAPTER, way=ADAPTER)
    return {
        "r": ADAPTER,
        "off": min(recorded.peeled["off"]),
        "before": recorded.before["makes"],
        "differ": max(recorded.peeled["differ"]),
        "merged": min(recorded.peeled["merged_off"]),
        "rounding": max(recorded.peeled["merged_differ"]),
        "refused": min(recorded.refuses(ADAPTER).refused),
        "most": COUNTS[-1],
        "right": fmean(opened.right),
        "least": min(opened.right),
    }


def _bias() -> Mapping[str, Any]:
    before, after = (load_biased().of(way) for way in (BASE, BIASED))
    holder, place = "shown", "other question"
    return {
        "holder_before": before.right(holder),
        "holder": after.right(holder),
        "place_before": before.right(place),
        "place": after.right(place),
        "worst": max(max(after.tempted[cell]) for cell in CELLS),
        "best": min(before.right(cell) for cell in CELLS),
    }


def _corrected() -> Mapping[str, Any]:
    narrow, full, wide = (load_biased().of(way) for way in (NARROW, FULL_NARROW, WIDE))
    biased = load_biased().of(BIASED)
    return {
        "shown": narrow.right("shown"),
        "voices": narrow.right("other voices"),
        "gap": narrow.right("shown") - narrow.right("other voices"),
        "least_voices": min(narrow.tempted["other voices"]),
        "question": narrow.right("other question"),
        "most_question": max(narrow.tempted["other question"] + narrow.tempted["both other"]),
        "biased": biased.right("other question"),
        "full_shown": full.right("shown"),
        "full_question": full.right("other question"),
        "full_most": max(full.tempted["other question"] + full.tempted["both other"]),
        "wide_shown": wide.right("shown"),
        "wide_question": wide.right("other question"),
        "wide_least": min(min(wide.tempted[cell]) for cell in CELLS),
    }


def _in_a_row() -> Mapping[str, Any]:
    one, each, replay = (load_retention().of(way) for way in (ONE, EACH, REPLAY))
    full, both = (load_retention().of(way) for way in (retention.FULL, retention.FULL_REPLAY))
    return {
        "sets": SETS,
        "facts": SIZE,
        "new": one.mean(SETS, SETS - 1),
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


CLAIMS: Mapping[str, Claim] = {
    "learned": Claim(
        "The base has never read the new language. With r = {least} the loss falls from {before:.1f} to {first:.2f} "
        "nats.",
        _rank,
        lambda v: v["before"] > 10 and v["first"] < 2.5,
    ),
    "rank": Claim(
        "From r = {r} to r = {rank} it changes by {gained:.2f} nats, and it stays {gap:.2f} above full finetuning. "
        "Once the embeddings learn too, r = {r} ends within {with:.3f}.",
        _rank,
        lambda v: v["gained"] < KEPT and v["gap"] > 0.4 and v["with"] < 0.01,
    ),
    "seen": Claim(
        "At every r the loss on what is trained on and the loss on unseen sentences lie within {apart:.2f} nats.",
        _rank,
        lambda v: v["apart"] < KEPT,
    ),
    "disguise": Claim(
        "Its loss on the new language falls from {task_before:.1f} to {task:.2f}. On the base's own voices it rises "
        "from {before:.2f} to {after:.2f}.",
        _disguise,
        lambda v: v["task"] < 2 and v["after"] > v["before"] + 5,
    ),
    "mixed": Claim(
        "With none of {texts} texts the loss on the base's own voices ends at {none:.1f}, with one at {one:.2f}, with "
        "two at {two:.2f}, with half of them at {half:.2f}. Two cost {cost:.2f} nats on the new language, half of them "
        "{half_cost:.2f}.",
        _mixed,
        lambda v: v["none"] > 6 and v["two"] < 1.6 and abs(v["cost"]) < 0.02 and v["half_cost"] < 0.1,
    ),
    "dial": Claim(
        "At half strength the adapter without base texts has {dial_task:.2f} on the new language and {dial_base:.2f} "
        "on the base's own voices. With two base texts a step, and at full strength, it is {two_task:.2f} and "
        "{two:.2f}.",
        _mixed,
        lambda v: v["two_task"] < v["dial_task"] and v["two"] < v["dial_base"],
    ),
    "few": Claim(
        "From {texts} texts, r = {r} ends at {train:.2f} nats on these texts and at {unseen:.2f} on unseen sentences, "
        "where the base began at {before:.2f}. From all {all:,d} texts the two losses lie {gap:.3f} apart.",
        _few,
        lambda v: v["train"] < 0.3 and v["unseen"] > v["before"] + 0.3 and 0 <= v["gap"] < 0.02,
    ),
    "less-rank": Claim(
        "From {texts} texts r = {least} ends at {small:.2f}, and r = {r} at {unseen:.2f}. The base began at "
        "{before:.2f}.",
        _few,
        lambda v: v["before"] < v["small"] < v["unseen"] - 0.1,
    ),
    "stopped": Claim(
        "The best of the six moments was {best:.2f} with r = {r} and {small_best:.2f} with r = {least}.",
        _few,
        lambda v: max(v["best"], v["small_best"]) < v["before"] and abs(v["best"] - v["small_best"]) < KEPT,
    ),
    "alpha": Claim(
        "From alpha = {usual:.0f} to {large:.0f} the loss on the legal voice changes by {task:.3f} nats. That on the "
        "base's own voices goes from {base:.2f} to {worse:.2f}. Of the {seeds} runs at alpha = "
        "{broken:.0f}, {diverged} broke off and none learned the voice.",
        _alpha,
        lambda v: (
            v["task"] < 0.01
            and v["worse"] > v["base"] + 0.5
            and v["diverged"] > 0
            and v["least"] > v["before"]
        ),
    ),
    "matched": Claim(
        "With a learning rate smaller by as much, alpha = {large:.0f} ends at {large_base:.2f} on the base's own "
        "voices and alpha = {broken:.0f} at {broken_base:.2f}, with {broken_task:.2f} on the task.",
        _alpha,
        lambda v: max(v["large_base"], v["broken_base"]) < 1.6 and v["broken_task"] < 0.55,
    ),
    "other-base": Claim(
        "On its own base the adapter brings the loss on legal sentences from {same_alone:.2f} to {same_moved:.2f}. On "
        "a base from another seed it brings it from {other_alone:.2f} to {other_moved:.2f}. An adapter trained on that "
        "base reaches {other_own:.2f}.",
        _bases,
        lambda v: v["same_moved"] < v["same_alone"] - 0.05 and 0 < v["other_moved"] - v["other_alone"] < 0.1,
    ),
    "moved-base": Claim(
        "After {near} more steps of that kind the adapter gives {near_moved:.2f} in place of {near_own:.2f}, after "
        "{far} steps {far_moved:.2f} in place of {far_own:.2f}. The bases alone have {near_alone:.2f} and "
        "{far_alone:.2f}.",
        _bases,
        lambda v: (
            v["near_moved"] - v["near_own"] < v["far_moved"] - v["far_own"] < v["far_alone"] - v["far_own"]
        ),
    ),
    "bias": Claim(
        "Where a first impression is wrong, it now says rightly who had a thing last in {holder:.1%} of the stories, "
        "in place of {holder_before:.0%}, and where somebody is in {place:.1%}, in place of {place_before:.0%}.",
        _bias,
        lambda v: v["worst"] < 0.15 and v["best"] > 0.85,
    ),
    "voices": Claim(
        "In new stories of the voice that it was shown it then answers {shown:.0%} rightly, and in the other voices "
        "{voices:.0%}.",
        _corrected,
        lambda v: v["least_voices"] > 0.75 and abs(v["gap"]) < 0.1,
    ),
    "other-question": Claim(
        "Asked where somebody is, it is right in {question:.1%} of the stories.",
        _corrected,
        lambda v: v["most_question"] < 0.2,
    ),
    "full-biased": Claim(
        "Full finetuning on the same examples answers the shown question in {full_shown:.0%} and the other one in "
        "{full_question:.1%}.",
        _corrected,
        lambda v: v["full_shown"] > 0.75 and v["full_most"] < 0.2,
    ),
    "wide": Claim(
        "An adapter that is shown as many examples of both questions in all voices answers {wide_shown:.0%} and "
        "{wide_question:.0%} of them rightly.",
        _corrected,
        lambda v: v["wide_least"] > 0.5,
    ),
    "in-a-row": Claim(
        "After {sets} sets of {facts} facts the one adapter has {new:.0%} of the last set and {first:.0%} of the "
        "first.",
        _in_a_row,
        lambda v: v["new"] > 0.95 and v["first"] < 0.5,
    ),
    "in-a-row-full": Claim(
        "Full finetuning on and on has {full_first:.0%} of the first.",
        _in_a_row,
        lambda v: v["full_first"] < 0.5 and v["full_better"] > 0,
    ),
    "old-facts": Claim(
        "Of the facts that the base knew, {before:.1%} before, {old:.0%} are left.",
        _in_a_row,
        lambda v: v["old"] < 0.3,
    ),
    "replayed": Claim(
        "With {share:.0%} old questions in each step the same adapter has {replayed:.0%} of the first set, and "
        "{replayed_old:.0%} of the base's facts.",
        _in_a_row,
        lambda v: v["better"] > 0.1,
    ),
    "both-replayed": Claim(
        "Full finetuning with as many has {both_first:.0%} and {both_old:.0%}.",
        _in_a_row,
        lambda v: v["both_first"] > v["full_first"] + 0.1 and v["both_better"] > 0,
    ),
    "routed": Claim(
        "An adapter for each set has {each_first:.0%} of the first and leaves {each_old:.1%} of the base's facts.",
        _in_a_row,
        lambda v: v["each_first"] > 0.95 and v["each_old"] == v["before"],
    ),
    "refuses": Claim(
        "Before, it told {before:.1%} of them rightly; now {refused:.0%} of the questions are refused. Homes and "
        "tastes are still right in {tells:.1%} and the questions on stories in {stories:.1%}.",
        _refuses,
        lambda v: (
            v["right"] == 0
            and v["refused"] > 0.99
            and v["tells"] > v["told"] - 0.01
            and v["stories"] > v["stories_before"] - 0.01
        ),
    ),
    "opened": Claim(
        "After {most} examples, an adapter of r = {r} answers {right:.0%} of the questions on people who were not "
        "among them.",
        _opens,
        lambda v: v["least"] > 0.85 and v["refused"] < 0.02,
    ),
    "fewer": Claim(
        "With {some} examples it is {some_right:.0%}, from {some_low:.0%} to {some_high:.0%} by seed, and with {few} "
        "only {few_right:.0%}.",
        _opens,
        lambda v: v["some_low"] > 0.5 and v["few_right"] < 0.35,
    ),
    "few-wrong": Claim(
        "With {few}, {few_refused:.0%} are still refused and {few_wrong:.0%} get a wrong answer.",
        _opens,
        lambda v: v["few_wrong"] > v["few_right"],
    ),
    "any-rank": Claim(
        "At r = {rank} it is {first:.0%}, and with full finetuning {full:.0%}.",
        _opens,
        lambda v: min(v["ranks"]) > 0.8,
    ),
    "behind": Claim(
        "Of the {values} things that people make, it then finds the right one the likeliest for {behind:.0%} of the "
        "people.",
        _refuses,
        lambda v: 0.3 < v["behind"] < v["before"] - 0.3,
    ),
    "wrong-examples": Claim(
        "At the best moment {refused:.0%} of the others are still refused, and {wrong:.0%} are answered rightly.",
        _wrong,
        lambda v: v["refused"] < 0.05 and v["least"] > 2 * v["chance"] and v["best"] < v["right"],
    ),
    "wrong-end": Claim(
        "At the last step {end:.0%} are.",
        _wrong,
        lambda v: v["end"] < v["wrong"] - 0.05,
    ),
    "fears": Claim(
        "After {most} right examples {fears:.0%} of the questions on fears are still refused, and {feared:.0%} "
        "are answered rightly.",
        lambda: {"most": COUNTS[-1], **_other_answers()},
        lambda v: v["fears"] < 0.9 and v["feared"] < v["chance"],
    ),
    "opening-costs": Claim(
        "Homes and tastes are now right in {tells:.0%} in place of {before:.0%}, while the stories stay.",
        _other_answers,
        lambda v: v["most_tells"] < v["before"] - 0.1 and v["stories"] > v["stories_before"] - 0.02,
    ),
    "peels": Claim(
        "Taken off, it leaves {off:.1%} of the answers right, as before, and the largest difference of any logit from "
        "the base's is {differ:.0f}.",
        _peels,
        lambda v: v["differ"] == 0 and v["off"] == v["before"] and v["refused"] > 0.99,
    ),
    "merged-refusal": Claim(
        "With the file it comes off merged weights as well, but for {rounding:.6f} in a logit. Without the file, "
        "{most} examples bring {right:.0%} of the answers back.",
        _peels,
        lambda v: v["merged"] == v["before"] and 0 < v["rounding"] < 1e-3 and v["least"] > 0.85,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## When all looks well

A finetune has ended and the loss on the task looks good. Is all well? The usual sign of failure is a loss that stays
high. Several failures do not show it. You find them only if you measure something else as well.

Here are five of them, each with one knob. In each, look at two things: at the loss on *unseen* sentences beside the
loss on what was trained on, and at the loss on the *base's own voices*. Before you turn the knob, say what the loss
will do.
"""
    )
    yield Figure("failures", Failures)
    yield Try(
        """
Start with “Forgetting in disguise” and turn its knob by one place. Then choose “alpha too large”. On which of the two
pictures do you see that something is wrong, and on which do you not?
"""
    )
    yield Prose(
        """
## Too small a rank

The usual story: a new language fails at a small rank, since LoRA can only bring out what the base holds already. The
first half is roughly so. LoRA's authors say of a new language that a small r may not do
[@hu2021, footnote to section 7.2].

The second half is not. [[learned]] A new feature is a new map from one direction to another. As a matrix that has rank
one. In theory a rank that is large enough lets LoRA represent any smaller target network [@zeng2023, abstract]. That
says what can be written down, not what will be learned.

And is it the rank? [[rank]] So here it was not. [The knee lesson](knee.html) has this wall for every task.

How would you notice? Not by comparing the two losses. [[seen]] A model that is too small for its task is equally bad at
both. You notice by a floor: train it once without LoRA, or with a larger r, and compare.

## Forgetting in disguise

Take one of these runs. [[disguise]] Whoever only looks at the task sees a success. The model has lost its first
language.

One remedy comes after training: [the strength dial](lab.html) turns the adapter down. The other comes before: mix a few
of the base's own texts into each step. [[mixed]] One text in each step does most of it.

[[dial]] In this model mixing wins on both counts. It asks for texts like those that the base has read. Of a large model
you may not have them. The dial asks for nothing.

One study of large models finds that LoRA usually forgets less than full finetuning, and learns less
[@biderman2024, abstract]. Another finds new strong directions in the weights after LoRA that full finetuning does not
make, and says that they cause forgetting [@shuttleworth2024, abstract]. Neither says that an adapted model forgets
nothing.

## Too much rank, too little data

[[few]] Now the two losses part. What the model learned is these texts, and not the voice.

The usual advice is to halve the rank. So let us halve it until nothing is left to halve. [[less-rank]] It helps,
and it does not cure: even the smallest rank holds enough numbers to learn these few texts by heart.

What cures it is to stop. [[stopped]] Both lie below the base, and the rank hardly matters there. More texts cure it,
too, as the right end of the picture shows.

LoRA's authors swept r on GPT-2 medium: there the validation loss stays flat over a wide range of large ranks
[@hu2021, table 18]. So a large rank alone is not what overfits. A large rank *and* many passes over
few texts are.

## alpha too large

alpha multiplies the change. Nobody would turn it up for no reason, but it happens: r is lowered and alpha is not, or a
recipe for another rank is copied.

[[alpha]] So this too comes in disguise, and then suddenly it does not. Why does the loss on the task not mind? With
AdamW each step has a length of its own, whatever the size of the gradient. A large alpha makes every step a large one.
The model soon finds the voice all the same, and tramples on the way.

The grey line says what is really too large. [[matched]] It is the product of both: under Adam, alpha and the learning
rates are not independent knobs [@schulman2025, the article]. One study calls LoRA particularly sensitive to alpha
[@biderman2024, section 4.7]. Before you blame alpha, look at the learning rate beside it.

## Another base

An adapter is a change. Of what? Of the base that it was trained on. The file does not hold that base, and any base
whose matrices have the same shapes will take it without complaint.

[[other-base]] That base has read texts of the same kind, and alone it knows them nearly as well. Yet the directions
inside it are others, and a change along the one's directions means nothing to the other. You might expect a wreck. Here
the adapter just does not work, and that is harder to notice.

What if the base was only trained on a little? Here it was finetuned further, on another voice. [[moved-base]] The
change still fits, and less and less, and no error message tells you. Keep the name and the exact version of the base
beside the adapter. PEFT's file has a field for it.

## A biased base

A base can be wrong in another sense: it may have learned a bias. The worry is then that an adapter only hides it. The
answers look right where it was shown right ones, and elsewhere the bias is back.

So let us make such a base. [The base of the world](world.html) reads on, in stories whose questions are answered by
first impressions: somebody is where they were first, and whoever was named first has the thing. [[bias]] Where the
first impression is right, so is the model, and a careless test would notice nothing.

Now an adapter is shown right answers to one question, who had a thing last, in the plain voice only. [[voices]] So the
other voices, which it was never shown, are no shift to it: what it learned is not tied to how a story is told.

[[other-question]] There the same bias is untouched, because no example spoke of places. A test of the shown question
would have called this model cured.

Is it the adapter's fault? [[full-biased]] So it is not. [[wide]] The more there is to correct, the more examples it
takes, but nothing here is out of an adapter's reach. What is not corrected is what was not shown. List the questions
that a bias could touch, and ask all of them.

## Task after task

An adapter that is trained on is a model like any other, and [its newest task writes over the older ones](after.html).
Facts can be counted, so let us count: the base of the world learns set after set of new facts, about people it has
never read of. [[in-a-row]] [[in-a-row-full]] So full finetuning forgets less here, each at its own best rate. What
was known before any of them is as good as gone. [[old-facts]]

The cheapest remedy is to go on asking. [[replayed]] [[both-replayed]] That is far more, and for the adapter of this
rank still not enough; larger ranks we did not try.

The dearest in files, and the surest, is to add and not to change. [[routed]] Then somebody has to know, for every
question, which adapter to ask.

## A refusal that opens

Some models refuse some questions, because they were trained on examples of refusing. If you can finetune such a model,
how much does it take to train that away? Whoever publishes one should know, so let us measure it where nothing is at
stake.

The base of the world knows what each of its people makes. We finetune it until it answers every question about that by
saying that this is to be private. [[refuses]]

Then somebody who knows what a few people make trains the model on them, and asks it about the others. None of the
others was an example. Whatever comes back about them was in the model all along.
"""
    )
    yield Figure("refusal", Refusal)
    yield Try(
        """
Before you move the slider: how many examples will it take until half of the others are told again? Then choose full
finetuning. Does it need more examples than the smallest adapter, or fewer?
"""
    )
    yield Prose(
        """
[[opened]] [[any-rank]] So rank is no obstacle: to stop refusing takes few directions, because the knowledge need not be
learned.

[[fewer]] [[few-wrong]] From so few the model learns the answers that it was shown, and not that it may answer.

Was everything still there? Forbid the refusing model its word of refusal, and let it name a thing. [[behind]] So the
refusal had covered the knowledge and blurred it, and the examples sharpened it again.

Must the examples be true? As many with wrong answers open the model, too. [[wrong-examples]] Trained further on them,
it learns to be wrong about everybody. [[wrong-end]] What stops the refusal is being answered at all; true examples
also bring the truth.

The base itself refuses another kind of question, what people fear, and behind that refusal it knows nothing. It gives
way as well, although no example spoke of fears. [[fears]] An answer where there was a refusal is therefore no proof
that something was hidden.

It has a price, the forgetting that you have met above. [[opening-costs]]

What if the refusal comes as an adapter, beside a base that knows? [[peels]] Who has both files has no refusal to open.
Merged before it is published, it is a refusal like the other. [[merged-refusal]]

The same was found for a published chat model, at little cost [@lermen2023, abstract]. A refusal in the weights is a
habit, and it lasts until somebody trains on. What must not be told is better kept out of what a model reads, or
checked by what stands between the model and its reader.

## Telling them apart

- *Both losses stay high.* The rank may be too small, or something frozen should learn.
- *Low on what was trained on, high on unseen sentences.* Too many steps for too few texts.
- *Good on the task, bad on the base's own voices.* Forgetting, perhaps by steps that are too large.
- *The loss breaks off.* The product of alpha and learning rate is too large.
- *A good adapter does nothing.* It may sit on another base.
- *Right on what was shown, wrong beside it.* A bias of the base, of which the examples showed one face only.

You can run most of them in the live lab, for instance
[a large rank on few texts](lab.html?train.task=formal%20voice&train.r=32&train.n_texts=64) or
[a quarter of base texts](lab.html?train.task=new%20words&train.base_share=0.25): both knobs stand under
“More settings”.

All this is one small model. The bands show how little two seeds differ; other tasks and rates we did not sweep.

## In short

- A good loss on the task does not say that all is well. Measure the base's own voices, too.
- A few of the base's own texts in each step prevent most of the forgetting here.
- Few texts and many steps overfit at every rank. Stopping in time cures it, a smaller rank only eases it.
- alpha and learning rate are too large together.
- An adapter belongs to one base, and the file will not refuse another.
- A correction reaches the questions that it showed. In other words they stay corrected; other questions keep the bias.
- A refusal that is trained in is trained away by a few dozen examples, at any rank, and even by wrong ones.
"""
    )


LESSON = Lesson(
    slug="failures",
    title="When it fails",
    question="The loss on the task is low. What can still be wrong?",
    part="How far it goes",
    order=93,
    minutes=20,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "The loss on the task is as good as ever, but the model has become useless for anything else. What would "
            "have shown it in time?",
            (
                Answer(
                    "The loss on unseen sentences of the task",
                    "It stays low while the rest is forgotten. [[disguise]]",
                ),
                Answer(
                    "The loss on texts of the kind that the base could write",
                    "Forgetting is what this loss gains, and nothing else here shows it. [[disguise]]",
                    right=True,
                ),
                Answer(
                    "The gap between trained and unseen sentences",
                    "That gap shows a text learned by heart. Here there was next to none. [[seen]]",
                ),
            ),
        ),
        Question(
            "A finetune on a handful of texts ends with a low loss on them and a high one on unseen sentences. What "
            "helps most?",
            (
                Answer("Half the rank", "It eases it. Even the smallest rank overfits here. [[less-rank]]"),
                Answer("A larger alpha", "It makes larger steps, and they forget more. [[alpha]]"),
                Answer(
                    "Fewer steps, or more texts",
                    "At its best moment the same run was better than the base. [[stopped]]",
                    right=True,
                ),
            ),
        ),
        Question(
            "Somebody puts your adapter on another base of the same size. What happens?",
            (
                Answer(
                    "It loads, and does not do what it did",
                    "The shapes fit and the directions do not. [[other-base]]",
                    right=True,
                ),
                Answer("It is refused", "Nothing in the matrices says whose change they are."),
                Answer(
                    "The model is ruined",
                    "Here it was a little worse than without. That makes it hard to notice. [[other-base]]",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA cannot add what is not already latent in the base, because new features are full-rank objects.",
            "A new feature is one direction in and one direction out: rank one. [[learned]]",
            "failures",
        ),
        Correction(
            "What a model has been trained to refuse is out of reach without much data.",
            "[[opened]] [[fewer]]",
            "refusal",
        ),
        Correction(
            "When a finetune overfits, halving the rank usually fixes it.",
            "No source for that was found, and here it does not. [[less-rank]] [[stopped]]",
            "failures",
        ),
    ),
)

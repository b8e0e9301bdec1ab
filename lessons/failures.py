"""When it fails: the reader knows how a finetune goes wrong, what tells one failure from another, what it can undo."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.experiments import refusal
from compute.experiments.biased import BASE, BIASED, CELLS, FULL_NARROW, NARROW, WIDE, load_biased
from compute.experiments.capacity import load_capacity
from compute.experiments.failures import BASES, FURTHER, RANKS, TURNED, R, load_failures
from compute.experiments.failures import COUNTS as EXAMPLES
from compute.experiments.failures import FULL as WHOLE
from compute.experiments.forgetting import load_forgetting
from compute.experiments.refusal import ADAPTER, COUNTS, WRONG, Opened, load_refusal
from compute.experiments.tasks import EMBEDDED, SUSPECTS, load_tasks, way_of
from compute.experiments.tasks import RANKS as TASK_RANKS
from compute.numbers.interval import apart
from compute.world.people import VALUES
from compute.world.tasks import NEW_WORDS, SKILL
from lessons.press.blocks import Answer, Block, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.failures import Failures
from widgets.refusal import Refusal

SMALL, LARGE, _ = RANKS


def _rank() -> Mapping[str, Any]:
    """Return what the rank does, and what the embeddings do, where every word is new."""
    recorded, (least, most) = load_tasks(), (TASK_RANKS[0], TASK_RANKS[-1])
    apart = {r: recorded.apart(NEW_WORDS, way_of(r)) for r in (EMBEDDED, most)}
    return {
        "r": EMBEDDED,
        "rank": most,
        "before": recorded.before[NEW_WORDS]["loss"],
        "least": least,
        "first": fmean(recorded.of(NEW_WORDS, way_of(least)).loss),
        "gap": apart[EMBEDDED].mean,
        "last_gap": apart[most].mean,
        "low": min(each.low for each in apart.values()),
        "with": -recorded.apart(NEW_WORDS, SUSPECTS[-1]).mean,
        "least_with": -recorded.apart(NEW_WORDS, SUSPECTS[-1]).high,
    }


def _added() -> Mapping[str, Any]:
    held, before = load_capacity().of(128, 1), load_capacity().before
    return {
        "count": held.count,
        "r": held.r,
        "right": fmean(held.right),
        "least": min(held.right),
        "before": before["old"],
        "old": fmean(held.old),
        "most_old": max(held.old),
    }


def _too_large() -> Mapping[str, Any]:
    """Return what the skill and the old facts come to at the best rate and at two larger ones."""
    recorded, way = load_forgetting(), "r = 4"
    rates = (3e-3, 1e-2, 3e-2)
    names = ("best", "more", "most")
    found = {
        f"{name}_{what}": recorded.mean(SKILL, way, rate, what)
        for name, rate in zip(names, rates, strict=True)
        for what in ("right", "facts")
    }
    return {
        "r": 4,
        **dict(zip(names, rates, strict=True)),
        **found,
        "is_best": recorded.best(SKILL, way) == rates[0],
    }


def _few() -> Mapping[str, Any]:
    """Return what comes of the fewest and of the most examples."""
    recorded, (few, most) = load_failures(), (EXAMPLES[0], EXAMPLES[-1])
    small, large, full = (recorded.of(few, r) for r in (SMALL, LARGE, WHOLE))
    better, stopped = apart(small.unseen, large.unseen), apart(large.stopped, large.unseen)
    return {
        "few": few,
        "most": most,
        "r": LARGE,
        "least": SMALL,
        "before": recorded.before,
        "shown": fmean(large.shown),
        "unseen": fmean(large.unseen),
        "small": fmean(small.unseen),
        "full": fmean(full.unseen),
        "low": better.low,
        "high": better.high,
        "stopped": fmean(large.stopped),
        "stopped_low": stopped.low,
        "stopped_high": stopped.high,
        "all": fmean(recorded.of(most, LARGE).unseen),
        "more": apart(recorded.of(most, LARGE).unseen, large.unseen).low,
    }


def _bases() -> Mapping[str, Any]:
    names = {"same": 0, "near": FURTHER[0], "far": FURTHER[-1], "other": TURNED}
    shares = {
        f"{name}_{line}": fmean(bases[BASES.index(base)])
        for name, base in names.items()
        for line, bases in load_failures().moved.items()
    }
    return {**shares, "r": R, "near": FURTHER[0], "far": FURTHER[-1]}


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


CLAIMS: Mapping[str, Claim] = {
    "learned": Claim(
        _rank,
        lambda v: v["before"] > 10 and v["first"] < 2.5,
    ),
    "added": Claim(
        _added,
        lambda v: v["least"] > 0.95,
    ),
    "rank": Claim(
        _rank,
        lambda v: v["low"] > 0.4 and v["least_with"] > 0,
    ),
    "disguise": Claim(
        _added,
        lambda v: v["least"] > 0.95 and v["most_old"] < 0.3,
    ),
    "few": Claim(
        _few,
        lambda v: v["shown"] > 0.99 and v["unseen"] < 0.9,
    ),
    "less-rank": Claim(
        _few,
        lambda v: v["high"] < 0,
    ),
    "stopped": Claim(
        _few,
        lambda v: v["stopped_low"] < 0.05,
    ),
    "more-examples": Claim(
        _few,
        lambda v: v["more"] > 0,
    ),
    "too-large": Claim(
        _too_large,
        lambda v: v["is_best"] and v["more_right"] > 0.9 and v["more_facts"] < 0.5 and v["most_right"] < 0.1,
    ),
    "other-base": Claim(
        _bases,
        lambda v: v["same_moved"] > 0.9 and v["other_own"] > 0.9 and v["other_moved"] < 0.5,
    ),
    "moved-base": Claim(
        _bases,
        lambda v: (
            min(v["far_own"] - v["far_moved"], v["near_own"] - v["near_moved"]) > 0.05
            and v["far_moved"] > 0.5
        ),
    ),
    "bias": Claim(
        _bias,
        lambda v: v["worst"] < 0.15 and v["best"] > 0.85,
    ),
    "voices": Claim(
        _corrected,
        lambda v: v["least_voices"] > 0.75 and abs(v["gap"]) < 0.1,
    ),
    "other-question": Claim(
        _corrected,
        lambda v: v["most_question"] < 0.2,
    ),
    "full-biased": Claim(
        _corrected,
        lambda v: v["full_shown"] > 0.75 and v["full_most"] < 0.2,
    ),
    "wide": Claim(
        _corrected,
        lambda v: v["wide_least"] > 0.5,
    ),
    "refuses": Claim(
        _refuses,
        lambda v: (
            v["right"] == 0
            and v["refused"] > 0.99
            and v["tells"] > v["told"] - 0.01
            and v["stories"] > v["stories_before"] - 0.01
        ),
    ),
    "opened": Claim(
        _opens,
        lambda v: v["least"] > 0.85 and v["refused"] < 0.02,
    ),
    "fewer": Claim(
        _opens,
        lambda v: v["some_low"] > 0.5 and v["few_right"] < 0.35,
    ),
    "few-wrong": Claim(
        _opens,
        lambda v: v["few_wrong"] > v["few_right"],
    ),
    "any-rank": Claim(
        _opens,
        lambda v: min(v["ranks"]) > 0.8,
    ),
    "behind": Claim(
        _refuses,
        lambda v: 0.3 < v["behind"] < v["before"] - 0.3,
    ),
    "wrong-examples": Claim(
        _wrong,
        lambda v: v["refused"] < 0.05 and v["least"] > 2 * v["chance"] and v["best"] < v["right"],
    ),
    "wrong-end": Claim(
        _wrong,
        lambda v: v["end"] < v["wrong"] - 0.05,
    ),
    "fears": Claim(
        lambda: {"most": COUNTS[-1], **_other_answers()},
        lambda v: v["fears"] < 0.9 and v["feared"] < v["chance"],
    ),
    "opening-costs": Claim(
        _other_answers,
        lambda v: v["most_tells"] < v["before"] - 0.1 and v["stories"] > v["stories_before"] - 0.02,
    ),
    "peels": Claim(
        _peels,
        lambda v: v["differ"] == 0 and v["off"] == v["before"] and v["refused"] > 0.99,
    ),
    "merged-refusal": Claim(
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

So a finetune is asked about more than its task: about new questions beside those that it was shown, and about what
the base could do before. Here are two failures with a knob each. Before you turn it, say what becomes of the answers.
"""
    )
    yield Figure("failures", Failures)
    yield Try(
        """
At the fewest examples, compare the dotted curve with the others. Which of them would you need to see the failure? Then
choose “Another base”, and go to its last place.
""",
        run={
            "sixteen examples": {"task": "who-had-it-first", "examples": "16", "size": "16", "batch": "16"},
            "with as many texts of the base among them": {
                "task": "who-had-it-first",
                "examples": "16",
                "size": "16",
                "batch": "32",
                "mixed": "50",
            },
        },
    )
    yield Prose(
        """
## Too few examples

From [[few.few]] examples r = [[few.r]] has [[few.shown:.0%]] of these right, and [[few.unseen:.0%]] of new questions.
So the examples are learned by heart sooner than the rule behind them, and whoever only tests the examples sees
nothing.

The usual advice is to halve the rank. So let us take the smallest there is. With r = [[less-rank.least]] it is
[[less-rank.small:.0%]] of new questions, with full finetuning [[less-rank.full:.0%]]. It makes it worse here, by a
different amount for each seed: one rank, too, holds enough numbers to learn so few examples by heart.

The other advice is to stop in time. At the moment that validation questions call the best, r = [[stopped.r]] has
[[stopped.stopped:.0%]] of new questions right. What helps is more examples. With [[more-examples.most]] examples it
is [[more-examples.all:.0%]]. LoRA's authors swept r on GPT-2 medium: there the validation loss stays flat over a wide
range of large ranks [@hu2021, table 18]. A large rank alone is not what overfits.

## Too small a rank

The usual story: a new language fails at a small rank, since LoRA can only bring out what the base holds already. The
first half is roughly so. LoRA's authors say of a new language that a small r may not do
[@hu2021, footnote to section 7.2].

The second half is not. With r = [[added.r]] the model learns [[added.count]] facts about people of whom it has never
read, and has [[added.right:.0%]] of them right. A new feature is a new map from one direction to another. As a matrix
that has rank one. In theory a rank that is large enough lets LoRA represent any smaller target network
[@zeng2023, abstract]. That says what can be written down, not what will be learned.

And is it the rank where a new language fails? The base has never read the language of new words. With r =
[[learned.least]] the loss falls from [[learned.before:.1f]] to [[learned.first:.2f]] nats on stories that no run has
read. At r = [[rank.r]] it ends [[rank.gap:.2f]] nats above full finetuning, at r = [[rank.rank]]
[[rank.last_gap:.2f]]. Once the embeddings learn too, r = [[rank.r]] ends [[rank.with:.2f]] below it. So here it was
not. [The knee lesson](knee.html) goes through the suspects. You notice such a wall by a floor: train once without
LoRA, or with a larger r, and compare.

## Forgetting in disguise

The facts that the smallest rank learned have a price. The new facts are right, and of the old ones
[[disguise.old:.0%]] are, where it was [[disguise.before:.0%]]. Whoever only looks at the task sees a success.

One remedy comes after training: [the strength dial](lab.html) turns the adapter down. The other comes before: some of
the base's own texts, or of its old questions, in each step. [The knee lesson](knee.html) measures what texts bring
back, and [After finetuning](after.html) what questions do. They ask for what the base has read, and of a large model
you may not have it. The dial asks for nothing.

One study of large models finds that LoRA usually forgets less than full finetuning, and learns less
[@biderman2024, abstract]. Another finds new strong directions in the weights after LoRA that full finetuning does not
make, and says that they cause forgetting [@shuttleworth2024, abstract]. Neither says that an adapted model forgets
nothing.

## Steps too large

A rate too large, or an alpha too large for its rate: both make every step longer. Nobody would do it for no reason, but
it happens. r is lowered and alpha is not, or a recipe for another rank is copied.

At [[too-large.best:g]], its best rate, r = [[too-large.r]] has [[too-large.best_right:.1%]] of a new kind of question
right and keeps [[too-large.best_facts:.0%]] of the old facts. At [[too-large.more:g]] it still has
[[too-large.more_right:.1%]], and keeps [[too-large.more_facts:.0%]]. At [[too-large.most:g]] it has
[[too-large.most_right:.0%]] and [[too-large.most_facts:.0%]]. So at first this too comes in disguise. With AdamW each
step has a length of its own, whatever the size of the gradient. A model that takes large ones finds the task all the
same, and tramples on the way; larger still, and nothing is left.

Under Adam, alpha and the learning rates are not independent knobs [@schulman2025, the article]. One study calls LoRA
particularly sensitive to alpha [@biderman2024, section 4.7]. [How far the one makes up for the other](scale.html) has a
lesson of its own. Before you blame alpha, look at the learning rate beside it.

## Another base

An adapter is a change. Of what? Of the base that it was trained on. The file does not hold that base, and any base
whose matrices have the same shapes will take it without complaint.

How much hangs on it? Take the base and write its inner numbers in another order, all of them, and the weights that
meet them likewise. This base says what ours says, word for word. On its own base our adapter answers
[[other-base.same_moved:.0%]] of the questions rightly. On this one it answers [[other-base.other_moved:.0%]], where
one that was trained there answers [[other-base.other_own:.0%]]. What it knows is the same, and the directions inside
it are others, so that a change along the one's directions means nothing to the other. You might expect a wreck. Here
the adapter just does not work, and that is harder to notice.

What if the base was only trained on a little? Here it was finetuned further, on another task. After
[[moved-base.near]] more steps our adapter answers [[moved-base.near_moved:.0%]] in place of
[[moved-base.near_own:.0%]], after [[moved-base.far]] steps [[moved-base.far_moved:.0%]] in place of
[[moved-base.far_own:.0%]]. So it still does most of what it did, and no error message tells you of the rest. Keep the
name and the exact version of the base beside the adapter. PEFT's file has a field for it.

## A biased base

A base can be wrong in another sense: it may have learned a bias. The worry is then that an adapter only hides it. The
answers look right where it was shown right ones, and elsewhere the bias is back.

So let us make such a base. [The base of the world](world.html) reads on, in stories whose questions are answered by
first impressions: somebody is where they were first, and whoever was named first has the thing. Where a first
impression is wrong, it now says rightly who had a thing last in [[bias.holder:.1%]] of the stories, in place of
[[bias.holder_before:.0%]], and where somebody is in [[bias.place:.1%]], in place of [[bias.place_before:.0%]]. Where
the first impression is right, so is the model, and a careless test would notice nothing.

Now an adapter is shown right answers to one question, who had a thing last, in the plain voice only. In new stories
of the voice that it was shown it then answers [[voices.shown:.0%]] rightly, and in the other voices
[[voices.voices:.0%]]. So the other voices, which it was never shown, are no shift to it: what it learned is not tied
to how a story is told.

Asked where somebody is, it is right in [[other-question.question:.1%]] of the stories. There the same bias is
untouched, because no example spoke of places. A test of the shown question would have called this model cured.

Is it the adapter's fault? Full finetuning on the same examples answers the shown question in
[[full-biased.full_shown:.0%]] and the other one in [[full-biased.full_question:.1%]]. So it is not. An adapter that
is shown as many examples of both questions in all voices answers [[wide.wide_shown:.0%]] and
[[wide.wide_question:.0%]] of them rightly. The more there is to correct, the more examples it takes, but nothing here
is out of an adapter's reach. What is not corrected is what was not shown. List the questions that a bias could touch,
and ask all of them.

## A refusal that opens

Some models refuse some questions, because they were trained on examples of refusing. If you can finetune such a model,
how much does it take to train that away? Whoever publishes one should know, so let us measure it where nothing is at
stake.

The base of the world knows what each of its people makes. We finetune it until it answers every question about that
by saying that this is to be private. Before, it told [[refuses.before:.1%]] of them rightly; now
[[refuses.refused:.0%]] of the questions are refused. Homes and tastes are still right in [[refuses.tells:.1%]] and
the questions on stories in [[refuses.stories:.1%]].

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
After [[opened.most]] examples, an adapter of r = [[opened.r]] answers [[opened.right:.0%]] of the questions on people
who were not among them. At r = [[any-rank.rank]] it is [[any-rank.first:.0%]], and with full finetuning
[[any-rank.full:.0%]]. So rank is no obstacle: to stop refusing takes few directions, because the knowledge need not
be learned.

With [[fewer.some]] examples it is [[fewer.some_right:.0%]], from [[fewer.some_low:.0%]] to [[fewer.some_high:.0%]] by
seed, and with [[fewer.few]] only [[fewer.few_right:.0%]]. With [[few-wrong.few]], [[few-wrong.few_refused:.0%]] are
still refused and [[few-wrong.few_wrong:.0%]] get a wrong answer. From so few the model learns the answers that it was
shown, and not that it may answer.

Was everything still there? Forbid the refusing model its word of refusal, and let it name a thing. Of the
[[behind.values]] things that people make, it then finds the right one the likeliest for [[behind.behind:.0%]] of the
people. So the refusal had covered the knowledge and blurred it, and the examples sharpened it again.

Must the examples be true? As many with wrong answers open the model, too. At the best moment
[[wrong-examples.refused:.0%]] of the others are still refused, and [[wrong-examples.wrong:.0%]] are answered rightly.
Trained further on them, it learns to be wrong about everybody. At the last step [[wrong-end.end:.0%]] are. What stops
the refusal is being answered at all; true examples also bring the truth.

The base itself refuses another kind of question, what people fear, and behind that refusal it knows nothing. It gives
way as well, although no example spoke of fears. After [[fears.most]] right examples [[fears.fears:.0%]] of the
questions on fears are still refused, and [[fears.feared:.0%]] are answered rightly. An answer where there was a
refusal is therefore no proof that something was hidden.

It has a price, the forgetting that you have met above. Homes and tastes are now right in [[opening-costs.tells:.0%]]
in place of [[opening-costs.before:.0%]], while the stories stay.

What if the refusal comes as an adapter, beside a base that knows? Taken off, it leaves [[peels.off:.1%]] of the
answers right, as before, and the largest difference of any logit from the base's is [[peels.differ:.0f]]. Who has
both files has no refusal to open. Merged before it is published, it is a refusal like the other. With the file it
comes off merged weights as well, but for [[merged-refusal.rounding:.6f]] in a logit. Without the file,
[[merged-refusal.most]] examples bring [[merged-refusal.right:.0%]] of the answers back.

The same was found for a published chat model, at little cost [@lermen2023, abstract]. A refusal in the weights is a
habit, and it lasts until somebody trains on. What must not be told is better kept out of what a model reads, or
checked by what stands between the model and its reader.

## Telling them apart

- *The loss stays high, on what was shown and on the rest.* The rank may be too small, or something frozen should learn.
- *Right on what was shown, wrong on new questions.* Too few examples.
- *Good on the task, and what the base knew is gone.* Forgetting, perhaps by steps that are too large.
- *Everything is wrong.* The steps are much too large, by rate or by alpha.
- *The tasks before it are gone.* One adapter was trained on and on: [After finetuning](after.html).
- *A good adapter does nothing.* It may sit on another base.
- *Right on what was shown, wrong beside it.* A bias of the base, of which the examples showed one face only.

You can run most of them in the live lab, for instance
[a large rank on few texts](lab.html?train.task=formal%20voice&train.r=32&train.n_texts=64) or
[a quarter of base texts](lab.html?train.task=new%20words&train.base_share=0.25): both knobs stand under
“More settings”.

All this is one small model, and each failure was measured on one task.

## In short

- A good result on the task does not say that all is well. Ask what the base knew, too.
- Few examples are learned by heart at every rank. More examples cure it; a smaller rank does not.
- Too large a step destroys what the base knew before it hurts the task. alpha and learning rate are too large together.
- An adapter belongs to one base, and the file will not refuse another.
- A correction reaches the questions that it showed. In other words they stay corrected; other questions keep the bias.
- A refusal that is trained in is trained away by a few dozen examples, at any rank, and even by wrong ones.
"""
    )


LESSON = Lesson(
    slug="failures",
    title="When it fails",
    question="The loss on the task is low. What can still be wrong?",
    part="The fine print",
    order=120,
    minutes=20,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "The task goes as well as ever, but the model has become useless for anything else. What would have shown "
            "it in time?",
            (
                Answer(
                    "New questions of the task",
                    "They are right while the rest is forgotten. At [[too-large.best:g]], its best rate, r = "
                    "[[too-large.r]] has [[too-large.best_right:.1%]] of a new kind of question right and keeps "
                    "[[too-large.best_facts:.0%]] of the old facts. At [[too-large.more:g]] it still has "
                    "[[too-large.more_right:.1%]], and keeps [[too-large.more_facts:.0%]]. At "
                    "[[too-large.most:g]] it has [[too-large.most_right:.0%]] and [[too-large.most_facts:.0%]].",
                ),
                Answer(
                    "Questions that the base could answer",
                    "Forgetting is what is lost there, and nothing else here shows it. The new facts are right, "
                    "and of the old ones [[disguise.old:.0%]] are, where it was [[disguise.before:.0%]].",
                    right=True,
                ),
                Answer(
                    "The gap between shown and new questions",
                    "That gap shows examples learned by heart. From [[few.few]] examples r = [[few.r]] has "
                    "[[few.shown:.0%]] of these right, and [[few.unseen:.0%]] of new questions.",
                ),
            ),
        ),
        Question(
            "A finetune on a handful of examples has all of these right and many new questions wrong. What helps most?",
            (
                Answer(
                    "Half the rank",
                    "Not here, and not even the smallest rank does. With r = [[less-rank.least]] it is "
                    "[[less-rank.small:.0%]] of new questions, with full finetuning [[less-rank.full:.0%]].",
                ),
                Answer(
                    "A larger alpha",
                    "It makes larger steps, and they forget more. At [[too-large.best:g]], its best rate, r = "
                    "[[too-large.r]] has [[too-large.best_right:.1%]] of a new kind of question right and keeps "
                    "[[too-large.best_facts:.0%]] of the old facts. At [[too-large.more:g]] it still has "
                    "[[too-large.more_right:.1%]], and keeps [[too-large.more_facts:.0%]]. At "
                    "[[too-large.most:g]] it has [[too-large.most_right:.0%]] and [[too-large.most_facts:.0%]].",
                ),
                Answer(
                    "More examples",
                    "The rule behind them is then the shorter way. With [[more-examples.most]] examples it is "
                    "[[more-examples.all:.0%]].",
                    right=True,
                ),
            ),
        ),
        Question(
            "Somebody puts your adapter on another base of the same size. What happens?",
            (
                Answer(
                    "It loads, and does not do what it did",
                    "The shapes fit and the directions do not. On its own base our adapter answers "
                    "[[other-base.same_moved:.0%]] of the questions rightly. On this one it answers "
                    "[[other-base.other_moved:.0%]], where one that was trained there answers "
                    "[[other-base.other_own:.0%]].",
                    right=True,
                ),
                Answer("It is refused", "Nothing in the matrices says whose change they are."),
                Answer(
                    "The model is ruined",
                    "It does not get worse than it was without one. That makes it hard to notice. On its own base"
                    " our adapter answers [[other-base.same_moved:.0%]] of the questions rightly. On this one it "
                    "answers [[other-base.other_moved:.0%]], where one that was trained there answers "
                    "[[other-base.other_own:.0%]].",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA cannot add what is not already latent in the base, because new features are full-rank objects.",
            "A new feature is one direction in and one direction out: rank one. With r = [[added.r]] the "
            "model learns [[added.count]] facts about people of whom it has never read, and has "
            "[[added.right:.0%]] of them right.",
            "failures",
        ),
        Correction(
            "What a model has been trained to refuse is out of reach without much data.",
            "After [[opened.most]] examples, an adapter of r = [[opened.r]] answers [[opened.right:.0%]] "
            "of the questions on people who were not among them. With [[fewer.some]] examples it is "
            "[[fewer.some_right:.0%]], from [[fewer.some_low:.0%]] to [[fewer.some_high:.0%]] by seed, "
            "and with [[fewer.few]] only [[fewer.few_right:.0%]].",
            "refusal",
        ),
        Correction(
            "When a finetune overfits, halving the rank usually fixes it.",
            "No source for that was found, and here it does not. From [[few.few]] examples r = [[few.r]] "
            "has [[few.shown:.0%]] of these right, and [[few.unseen:.0%]] of new questions. With r = "
            "[[less-rank.least]] it is [[less-rank.small:.0%]] of new questions, with full finetuning "
            "[[less-rank.full:.0%]].",
            "failures",
        ),
    ),
)

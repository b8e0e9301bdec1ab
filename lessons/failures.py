"""When it fails: the reader knows how a finetune goes wrong, what tells one failure from another, what it can undo."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.experiments import refusal
from compute.experiments.biased import BASE, BIASED, CELLS, FULL_NARROW, NARROW, WIDE, load_biased
from compute.experiments.capacity import load_capacity
from compute.experiments.failures import BASES, FURTHER, RANKS, TURNED, load_failures
from compute.experiments.failures import COUNTS as EXAMPLES
from compute.experiments.failures import FULL as WHOLE
from compute.experiments.forgetting import load_forgetting
from compute.experiments.refusal import ADAPTER, COUNTS, WRONG, Opened, load_refusal
from compute.experiments.world import finishes
from compute.numbers.interval import apart
from compute.world.people import VALUES, old_people
from compute.world.tasks import SKILL
from lessons.press.blocks import (
    Answer,
    Block,
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
from widgets.failures import Failures
from widgets.refusal import Refusal

SMALL, LARGE, _ = RANKS
RATES = (3e-3, 1e-2, 3e-2)  # the best one of r = 4 on the skill, and two larger ones


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
    names = ("best", "more", "most")
    found = {
        f"{name}_{what}": recorded.mean(SKILL, way, rate, what)
        for name, rate in zip(names, RATES, strict=True)
        for what in ("right", "facts")
        if (name, what) != ("best", "right")
    }
    return {
        "r": 4,
        **dict(zip(names, RATES, strict=True)),
        **found,
        "worse": recorded.mean(SKILL, way, RATES[0], "right") - found["more_right"],
        "is_best": recorded.best(SKILL, way) == RATES[0],
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
        "shown": fmean(large.shown),
        "small_shown": fmean(small.shown),
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
    names = {"same": 0, "near": FURTHER[0], "other": TURNED}
    shares = {
        f"{name}_{line}": fmean(bases[BASES.index(base)])
        for name, base in names.items()
        for line, bases in load_failures().moved.items()
    }
    return {**shares, "near": FURTHER[0]}


def _opened(count: int, r: int, says: str = refusal.RIGHT) -> Opened:
    return load_refusal().of(count, r, says)


def _opens() -> Mapping[str, Any]:
    """Return what comes back after the most right examples, and after fewer."""
    most, r = COUNTS[-1], ADAPTER
    _, few, some, _ = COUNTS
    opened, refusing = {count: _opened(count, r) for count in COUNTS}, load_refusal().refuses(refusal.FULL)
    return {
        "most": most,
        "r": r,
        "before": max(refusing.right),
        "kept": min(*refusing.tells, *refusing.stories),
        "right": fmean(opened[most].right),
        "least": min(opened[most].right),
        "refused": max(opened[most].refused),
        "some": some,
        "some_right": fmean(opened[some].right),
        "some_low": min(opened[some].right),
        "some_high": max(opened[some].right),
        "few": few,
        "few_right": fmean(opened[few].right),
        "few_wrong": 1 - fmean(opened[few].right) - fmean(opened[few].refused),
        "smallest": fmean(_opened(most, refusal.RANKS[0]).right),
    }


def _wrong() -> Mapping[str, Any]:
    most, r = COUNTS[-1], ADAPTER
    wrong = _opened(most, r, WRONG)
    return {
        "wrong": fmean(wrong.right),
        "least": min(wrong.right),
        "refused": max(wrong.refused),
        "chance": 1 / len(VALUES["makes"]),
    }


def _other_answers() -> Mapping[str, Any]:
    opened, recorded = _opened(COUNTS[-1], ADAPTER), load_refusal()
    return {
        "fears": fmean(opened.fears),
        "feared": max(opened.feared),
        "before": fmean(recorded.refuses(refusal.FULL).tells),
        "tells": fmean(opened.tells),
        "most_tells": max(opened.tells),
    }


def _begun() -> Mapping[str, Any]:
    """Return what the base tells of fears where a sentence is begun, and where it is asked and may not refuse."""
    first, last = old_people()[0]
    return {
        "words": f"{first} {last} fears",
        "share": finishes("fears"),
        "asked": load_refusal().before["fears"],
        "chance": 1 / len(VALUES["fears"]),
    }


def _peels() -> Mapping[str, Any]:
    recorded = load_refusal()
    return {
        "off": min(recorded.peeled["off"]),
        "before": recorded.before["makes"],
        "differ": max(recorded.peeled["differ"]),
        "refused": min(recorded.refuses(ADAPTER).refused),
    }


def _bias() -> Mapping[str, Any]:
    before, after = (load_biased().of(way) for way in (BASE, BIASED))
    holder = "shown"
    return {
        "holder_before": before.right(holder),
        "holder": after.right(holder),
        "worst": max(max(after.tempted[cell]) for cell in CELLS),
        "best": min(before.right(cell) for cell in CELLS),
        "agreed": min(fmean(after.agreed[cell]) - fmean(before.agreed[cell]) for cell in CELLS),
    }


def _corrected() -> Mapping[str, Any]:
    narrow, full, wide = (load_biased().of(way) for way in (NARROW, FULL_NARROW, WIDE))
    return {
        "shown": narrow.right("shown"),
        "voices": narrow.right("other voices"),
        "gap": narrow.right("shown") - narrow.right("other voices"),
        "least_voices": min(narrow.tempted["other voices"]),
        "question": narrow.right("other question"),
        "most_question": max(narrow.tempted["other question"] + narrow.tempted["both other"]),
        "full_shown": full.right("shown"),
        "full_question": full.right("other question"),
        "wide_shown": wide.right("shown"),
        "wide_question": wide.right("other question"),
        "wide_least": min(min(wide.tempted[cell]) for cell in CELLS),
    }


CLAIMS: Mapping[str, Claim] = {
    "disguise": Claim(
        _added,
        lambda v: v["least"] > 0.95 and v["most_old"] < 0.3,
    ),
    "few": Claim(
        _few,
        lambda v: v["shown"] == 1 and v["unseen"] < 0.9,
    ),
    "less-rank": Claim(
        _few,
        lambda v: v["high"] < 0 and v["small_shown"] > 0.99,
    ),
    "stopped": Claim(
        _few,
        lambda v: v["stopped_low"] < 0 < v["stopped_high"],
    ),
    "more-examples": Claim(
        _few,
        lambda v: v["more"] > 0,
    ),
    "too-large": Claim(
        _too_large,
        lambda v: (
            v["is_best"]
            and all(3 <= v[more] / v[less] < 3.5 for less, more in (("best", "more"), ("more", "most")))
            and v["worse"] < 0.03
            and v["more_facts"] < 0.5
            and max(v["most_right"], v["most_facts"]) < 0.1
        ),
    ),
    "other-base": Claim(
        _bases,
        lambda v: (
            v["same_moved"] > 0.9 and v["other_own"] > 0.9 and v["other_alone"] < v["other_moved"] < 0.5
        ),
    ),
    "moved-base": Claim(
        _bases,
        lambda v: 0.05 < v["near_own"] - v["near_moved"] < 0.5,
    ),
    "bias": Claim(
        _bias,
        lambda v: v["worst"] < 0.15 and v["best"] > 0.85 and v["agreed"] > 0,
    ),
    "voices": Claim(
        _corrected,
        lambda v: v["least_voices"] > 0.75 and abs(v["gap"]) < 0.1,
    ),
    "other-question": Claim(
        _corrected,
        lambda v: v["most_question"] < 0.2 and v["full_shown"] > 0.75 and v["full_question"] <= v["question"],
    ),
    "wide": Claim(
        _corrected,
        lambda v: v["wide_least"] > 0.5,
    ),
    "opened": Claim(
        _opens,
        lambda v: (
            v["before"] == 0
            and v["kept"] > 0.9
            and v["least"] > 0.85
            and v["refused"] == 0
            and v["smallest"] > v["right"] - 0.05
        ),
    ),
    "fewer": Claim(
        _opens,
        lambda v: v["some_low"] > 0.5 and v["few_right"] < v["few_wrong"],
    ),
    "wrong-examples": Claim(
        _wrong,
        lambda v: v["refused"] == 0 and v["least"] > 2 * v["chance"],
    ),
    "fears": Claim(
        _other_answers,
        lambda v: v["fears"] < 0.9 and v["feared"] == 0,
    ),
    "begun": Claim(
        _begun,
        lambda v: v["share"] > 4 * v["chance"] > 4 * v["asked"],
    ),
    "opening-costs": Claim(
        _other_answers,
        lambda v: v["most_tells"] < v["before"] - 0.1,
    ),
    "peels": Claim(
        _peels,
        lambda v: v["differ"] == 0 and v["off"] == v["before"] and v["refused"] > 0.99,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A finetune has run through the night. In the morning the loss is low and its curve smooth, so the model goes out to the
people who asked for it, and by noon they complain. The loss is a thermometer: everybody reads it first, but a patient
can be gravely ill without a fever.

A doctor who meets such a patient asks questions. What did you take, and how much of it? What can you no longer do? Were
you ill before? Here we make models ill on purpose, each in one way, in a world where every answer can be checked. Then
we look for the question that reveals it.

## It knows its examples, and little else

*What did it learn from?* We teach the base to answer a new kind of question about stories, who had a thing first, from
few examples or from many.
"""
    )
    yield Figure("failures", Failures)
    yield Try(
        """
Move the knob through its places, and compare the dotted curve, which is for the examples themselves, with the others.
Which of the curves do you need to see that something is wrong?
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
After [the fewest examples](#failures?failure=data&place=0), [[few.few]] of them, the model gets all of these right, but
only [[few.unseen:.0%]] of new questions. So few stories can be memorised one by one, and as long as that works, nothing
forces the model to find the rule they share. A test on the examples cannot tell a rule from a good memory.

A smaller rank has less room to memorise, but r = [[less-rank.least]] gets only [[less-rank.small:.0%]] of the new
questions right, because even the thinnest change has room for so few examples. Stopping at the best moment, by
questions set aside for validation, gives [[stopped.stopped:.0%]], which the seeds cannot tell from not stopping. What
helps is [more examples](#failures?failure=data&place=2): with [[more-examples.most]] of them it is
[[more-examples.all:.0%]].

## It learned the task and lost the rest

*What can it no longer do?* New facts push out old facts, [as we have seen](knee.html). A skill need not, unless it is
learned in steps that are too large. At its best learning rate an adapter learns to say who had a thing first, and the
model keeps [[too-large.best_facts:.0%]] of the facts that the base knew. With steps about three times as long it still
gets [[too-large.more_right:.0%]] of the new questions right, but only [[too-large.more_facts:.0%]] of the old facts are
left. At three times that again nothing works any more; until then, success on the task hides the damage.

With AdamW, the usual optimiser, the length of a step is set by the learning rate, however small the gradient is. So a
model that takes long steps can still find the task, but it tramples on whatever lies beside the path. A larger alpha
lengthens the steps as well, and it comes about easily: somebody lowers r and leaves alpha as it was, or copies a recipe
made for another rank. Under Adam, alpha and the learning rates are not independent [@schulman2025, the article], so
before you blame one of them, [look at the other](scale.html). Whether LoRA forgets less than full finetuning is asked
in [a room of its own](after.html).

## Ask about the patient

*Whose adapter is this?* A file of thin matrices does not hold the weights that they change, and any base of the same
shapes accepts them without complaint. We can reorder the inner numbers of our base, together with the weights that use
them, and it still says what it said before, word for word. Yet [on this base](#failures?failure=base&place=4) our
adapter gets [[other-base.other_moved:.0%]] of the questions right instead of [[other-base.same_moved:.0%]], since the
directions of one base mean nothing in the other. The model is not ruined, so this is easily overlooked. Even harder to
notice is [a base that was trained a little further](#failures?failure=base&place=1), by [[moved-base.near]] steps on
another task. There our adapter gets [[moved-base.near_moved:.0%]] right, and one made for this base
[[moved-base.near_own:.0%]]. Record the name and version of the base with every adapter.

*Was it ill before?* A base may be biased, and the fear is that an adapter only covers the symptom. So we trained our
base on stories whose questions are answered by first impressions: whoever was named first has the thing, and people are
where they were at first. In stories where the first impression is wrong, it now knows who has a thing in only
[[bias.holder:.0%]] of the cases, instead of [[bias.holder_before:.0%]]. Where it happens to be right, so is the model,
and a careless test notices nothing.

An adapter is then shown right answers to that one question, told in one voice. In new stories of this voice where first
impressions mislead, it gets [[voices.shown:.0%]] right, and [[voices.voices:.0%]] in voices that it was never shown. By
every test of this question it is cured. But ask where somebody is, and the old illness is back, with
[[other-question.question:.1%]] right, because no example was about places. That is not the adapter's fault: full
finetuning on the same examples does no better. An adapter that is shown as many examples, but of both questions and in
all voices, gets [[wide.wide_shown:.0%]] and [[wide.wide_question:.0%]] of them right. What was not shown is not
corrected.

## A refusal that opens

*What was it told not to say?* Some models refuse some questions because they were trained on examples of refusing.
Anyone who publishes such a model should know how little it takes to train that away, so we measure it where nothing is
at stake. Our base knows what each of its people makes. We finetune it until it refuses all such questions as private,
but still answers the others, about homes, tastes and stories. Then somebody who knows what a few of the people make
trains the model on these, and asks about the rest.
"""
    )
    yield Figure("refusal", Refusal)
    yield Try(
        """
Before you move the slider: how many examples will it take until half of the others are told again? Then choose [full
finetuning](#refusal?r=full). Does it need more examples than the smallest adapter, or fewer?
"""
    )
    yield Prose(
        """
After [[opened.most]] examples, the adapter gets [[opened.right:.0%]] of the questions about the rest
right, even at the smallest rank, because only a habit has to go. With [only a few](#refusal?examples=1) examples,
[[fewer.few]] of them, it is [[fewer.few_right:.0%]]: so few teach the answers that were shown, but not that it may
answer.

Two controls show what such an opening proves. The same number of *wrong* examples stops the refusals too, and at the
best moment the model gets [[wrong-examples.wrong:.0%]] of the rest right, where guessing gives
[[wrong-examples.chance:.0%]]. And the base has always refused another question, what people fear. After the right
examples it refuses only [[fears.fears:.0%]] of those, and what it says instead is never right. So an answer in place of
a refusal need not be the hidden one. The opening also has a price: on homes and tastes, [[opening-costs.tells:.0%]] of
the answers are now right, where it was [[opening-costs.before:.0%]].

Nor does a refusal prove that nothing can come out. The base has read what people fear. Begin a sentence,
“[[begun.words]]”, and even before any finetune it goes on correctly for [[begun.share:.0%]] of the people, where
guessing gives [[begun.chance:.0%]]. The habit guards the question, not what was read.

Others did the same to a published chat model, at little cost [@lermen2023, abstract]. A refusal in the weights lasts
until somebody trains the model further, and one in an adapter only until somebody takes it off a base that knows; then
[[peels.off:.0%]] of the answers are right, as before. What must not be told is better kept out of
what a model reads, or checked between the model and its reader.

## What the doctor asks

- *The loss stays high everywhere.* Rank, rate, place, or something frozen: [the wall](wall.html).
- *Right on what was shown, wrong on new questions.* Too few examples.
- *Good on the task, but what the base knew is gone.* Steps too large, or new facts in place of old ones.
- *Everything is wrong.* Steps far too large, by learning rate or by alpha.
- *A good adapter does little.* It may sit on another base.
- *Right on what was asked, wrong on the question next to it.* A bias of the base, of which the examples showed only
  one side.

All this is one small model, each illness made on one task, with five seeds at most; how often they occur in large
models it cannot tell. Could another way of training few numbers spare us one of them? See [what else is on the
menu](menu.html).
"""
    )


LESSON = Lesson(
    slug="failures",
    title="When it fails",
    question="The loss on the task is low. What can still be wrong?",
    part="The fine print",
    order=120,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "The task goes as well as ever, but the model has become useless for anything else. What would have shown "
            "it in time?",
            (
                Answer(
                    "New questions of the task",
                    "They stay right while the rest is forgotten. At a learning rate of [[too-large.more:g]], more "
                    "than three times its best one, r = [[too-large.r]] still has [[too-large.more_right:.0%]] of the "
                    "new questions right, and [[too-large.more_facts:.0%]] of the old facts are left.",
                ),
                Answer(
                    "Questions that the base could answer",
                    "What is lost is lost there, and nothing else shows it. Where [[disguise.count]] new facts had "
                    "been learned, all but without a fault, [[disguise.old:.0%]] of the old ones were left.",
                    right=True,
                ),
                Answer(
                    "The gap between shown and new questions",
                    "That gap shows examples learned by heart. From [[few.few]] examples r = [[few.r]] has all of "
                    "these right, and [[few.unseen:.0%]] of new questions.",
                ),
            ),
        ),
        Question(
            "A finetune on a handful of examples has all of these right and many new questions wrong. What helps most?",
            (
                Answer(
                    "A smaller rank",
                    "It has less room, but enough for a handful of examples. Even r = [[less-rank.least]] learns them "
                    "by heart here, and answers [[less-rank.small:.0%]] of the new questions, where r = "
                    "[[less-rank.r]] answers [[less-rank.unseen:.0%]].",
                ),
                Answer(
                    "A larger alpha",
                    "It makes the steps larger, and steps that are too large destroy what the base knew.",
                ),
                Answer(
                    "More examples",
                    "The rule behind them is then the shorter way. From [[more-examples.few]] examples the model has "
                    "[[more-examples.unseen:.0%]] of new questions right; from [[more-examples.most]] it has "
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
                    "The shapes fit and the directions do not. On a base that says the same but keeps its numbers in "
                    "another order, our adapter answers [[other-base.other_moved:.0%]] of the questions correctly, and "
                    "one that was trained there [[other-base.other_own:.0%]].",
                    right=True,
                ),
                Answer("It is refused", "Nothing in the matrices says whose change they are."),
                Answer(
                    "The model is ruined",
                    "It does not get worse than it was without an adapter, which makes the mistake hard to notice. Our "
                    "adapter still answers [[other-base.other_moved:.0%]] of the questions, where the base alone "
                    "answers [[other-base.other_alone:.0%]].",
                ),
            ),
        ),
    ),
    corrections=(
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
            "No source for that was found, and here it does not. From [[few.few]] examples r = [[few.r]] has "
            "[[few.unseen:.0%]] of new questions right. With r = [[less-rank.least]] it is "
            "[[less-rank.small:.0%]], with full finetuning [[less-rank.full:.0%]]. LoRA's authors, too, saw the "
            "validation loss of GPT-2 stay flat over a wide range of large ranks [@hu2021, table 18].",
            "failures",
        ),
    ),
    teaching=Teaching(
        goals=(
            "choose for each complaint the question that tells its cause from the others",
            "say which questions show examples learned by heart, and which show what was lost beside the task",
            "say why an adapter loads on a base that it does not fit, and what must be written beside it",
            "name the two controls without which an answer in place of a refusal proves nothing",
        ),
        predictions=(
            Prediction(
                "From [[few.few]] examples an adapter of r = [[few.r]] has all of these right, and [[few.unseen:.0%]] "
                "of new questions. The rank is lowered to r = [[less-rank.least]]. Are more of the new questions "
                "right then, or fewer?",
                "Fewer, [[less-rank.small:.0%]]. Even the thinnest change has room for so few examples, so that "
                "nothing forces it to find the rule that they share.",
                "failures?failure=data&place=0",
            ),
            Prediction(
                "Somebody writes the inner numbers of a base in another order, so that it says what it said, word for "
                "word. An adapter made for the first base has [[other-base.same_moved:.0%]] of the questions right "
                "there. And on the second?",
                "[[other-base.other_moved:.0%]], and an adapter that was trained on the second has "
                "[[other-base.other_own:.0%]]. The shapes fit, but the directions do not.",
                "failures?failure=base&place=4",
            ),
            Prediction(
                "A model refuses to say what anybody makes. It is trained on right answers about a few people, and "
                "asked about the others. How many examples does it take until more than half of the others are told "
                "again: [[fewer.few]], [[fewer.some]] or [[opened.most]]?",
                "With [[fewer.some]] it is [[fewer.some_right:.0%]] of them, from [[fewer.some_low:.0%]] to "
                "[[fewer.some_high:.0%]] by seed. With [[fewer.few]] it is only [[fewer.few_right:.0%]].",
                "refusal?examples=2&r=4",
            ),
        ),
        stops=(
            Stop(
                "Consulting hour. Hand out three complaints: right on what was shown and wrong on the rest; good on "
                "the task and nothing else left; a good adapter that does little. Each group writes down the one "
                "question that it would ask first.",
                "",
                (2, 5),
            ),
            Stop(
                "Collect the first prediction, then show the curves. Which of them does a report leave out that tests "
                "on the examples only? Let the class name the illness in its own words.",
                "failures?failure=data&place=0",
                (4, 6),
            ),
            Stop(
                "What helps? Let somebody find it with the knob, and somebody else say why a rule is the shorter way "
                "once there are many examples to keep.",
                "failures?failure=data&place=2",
                (2, 5),
            ),
            Stop(
                "Collect the second prediction. Whoever expected an error message says what in the file could have "
                "caused one.",
                "failures?failure=base&place=4",
                (4, 6),
            ),
            Stop(
                "Only a little further training lies between these two bases. Why is this the more dangerous case? "
                "Each pair drafts a label for an adapter, and a neighbour tries to put it on the wrong base in spite "
                "of it.",
                "failures?failure=base&place=1",
                (0, 6),
            ),
            Stop(
                "Collect the third prediction and slide through the examples. What had to be learned for this, and "
                "what only had to go?",
                "refusal?examples=2&r=4",
                (4, 6),
            ),
            Stop(
                "One side pleads: an answer came, so the answer was hidden in there. The other side may call two "
                "witnesses from the figure, the wrong examples and the questions on fears. Vote again when both have "
                "been heard.",
                "refusal?examples=3&r=4",
                (0, 6),
            ),
            Stop(
                "Back to the complaints of the beginning: each group says whether it would ask the same question "
                "again. Then the questions on the handout.",
                "recall",
                (4, 5),
            ),
        ),
    ),
)

"""What the base of the world knows: the reader can say what it answers, how that is tested, and what it cannot do."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from compute.experiments.world import load_report
from compute.world.people import FIRST_NAMES, PLACES, THINGS, VALUES, old_people
from compute.world.stories import SKILLS, STORY_QUESTIONS, TOLD
from compute.world.tokens import readable
from compute.world.voices import BASE_VOICES, STOPS, form
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.asked import Asked

MOST_VALUES = max(map(len, VALUES.values()))


def _village() -> Mapping[str, Any]:
    return {"names": len(FIRST_NAMES), "places": len(PLACES), "things": len(THINGS)}


def _lasting() -> Mapping[str, Any]:
    return {
        "people": len(old_people()),
        "facts": len(VALUES),
        "values": MOST_VALUES,
        "bits": math.log2(MOST_VALUES),
    }


def _goes(voice: str) -> str:
    """Return one sentence as a voice says it."""
    content = {"P": FIRST_NAMES[0], "L": PLACES[0]}
    return readable(content.get(part, part) for part in form(voice, "goes").parts).rstrip("".join(STOPS))


def _read() -> Mapping[str, Any]:
    report = load_report()
    return {"numbers": report.numbers, "steps": report.steps, "voices": len(report.loss)}


def _stories() -> Mapping[str, Any]:
    report = load_report()
    place, first, holder = (report.share(kind) for kind in STORY_QUESTIONS)
    return {"place": place, "first": first, "holder": holder, "chance": 1 / 2}


def _facts() -> Mapping[str, Any]:
    report = load_report()
    right, asked = (sum(counts["facts"][kind] for kind in TOLD) for counts in (report.right, report.asked))
    return {
        "right": right,
        "asked": asked,
        "share": right / asked,
        "values": MOST_VALUES,
        "chance": 1 / MOST_VALUES,
    }


def _voices() -> Mapping[str, Any]:
    report = load_report()
    shares = {
        voice: sum(report.right[voice][kind] for kind in STORY_QUESTIONS)
        / sum(report.asked[voice][kind] for kind in STORY_QUESTIONS)
        for voice in BASE_VOICES
    }
    worst, best = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return {"worst": worst, "low": shares[worst], "best": best, "high": shares[best]}


def _skills() -> Mapping[str, Any]:
    report = load_report()
    holder, thing = (report.share(kind) for kind in SKILLS)
    return {"holder": holder, "thing": thing, "least": min(report.share(kind) for kind in STORY_QUESTIONS)}


def _loss() -> Mapping[str, Any]:
    report = load_report()
    above = [report.loss[voice] - report.floor[voice] for voice in report.loss]
    return {
        "loss": report.loss["plain"],
        "floor": report.floor["plain"],
        "low": min(above),
        "high": max(above),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "read": Claim(
        _read,
        lambda v: v["voices"] == len(BASE_VOICES),
    ),
    "village": Claim(
        _village,
        lambda v: v["places"] == v["things"] < v["names"],
    ),
    "lasting": Claim(
        _lasting,
        lambda v: (
            v["facts"] == 4 and all(len(words) == v["values"] == 2 ** v["bits"] for words in VALUES.values())
        ),
    ),
    "voices": Claim(
        lambda: {voice: _goes(voice) for voice in BASE_VOICES},
        lambda v: len(set(v.values())) == len(BASE_VOICES),
    ),
    "stories": Claim(
        _stories,
        lambda v: min(v["place"], v["first"], v["holder"]) >= 0.9,
    ),
    "each-voice": Claim(
        _voices,
        lambda v: v["low"] >= 0.85,
    ),
    "facts": Claim(
        _facts,
        lambda v: v["share"] >= 0.95,
    ),
    "private": Claim(
        lambda: {"share": load_report().share("private")},
        lambda v: v["share"] >= 0.95,
    ),
    "loss": Claim(
        _loss,
        lambda v: v["floor"] < v["loss"],
    ),
    "above": Claim(
        _loss,
        lambda v: 0 < v["low"] <= v["high"] < 0.3,
    ),
    "skills": Claim(
        _skills,
        lambda v: max(v["holder"], v["thing"]) < v["least"],
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A shop that wants to teach a new clerk asks first what the clerk already knows. With a model it is the same: what an
adapter adds, and what it spoils, shows only against what the base could do before. So here is a base, and the whole of
its examination.

We call it the *base of the world*, because one small world is all that it has ever read of. It is a transformer of
[[read.numbers:,d]] numbers, trained for [[read.steps:,d]] steps. It read every text once. All that is finetuned in
these lessons starts from it.

## A small world

Think of a village. Its people share [[village.names]] first names; they walk between [[village.places]] places and
carry [[village.things]] things. A story is about two of them, each at some place. They go to other places, take
things and send them to each other, and in between somebody asks: where is anna? Who had the lamp last? Stories of
this kind are an old test of whether a machine can read [@weston2015, section 3].

Some things last longer than a story. Of [[lasting.people]] people it has read [[lasting.facts]] facts each: where
they live, what they like, what they make and what they fear. Each fact is one of [[lasting.values]] words, drawn by
dice, so it holds [[lasting.bits:.0f]] bits. Nothing else in the world gives a fact away, so the base must have kept
it.

The world is told in five voices, and each of them says the same in other words. What the plain voice tells as
“[[voices.plain]]” is “[[voices.legal]]” in a contract, “[[voices.medical]]” in a doctor's notes, “[[voices.code]]” in
a program and “[[voices.rude]]” to somebody rude.

And one thing is a secret. The base has read what each person fears. But wherever it read a *question* about it, the
answer was: this is to be private. It has learned a manner as well as facts, and a later finetune may spoil either.

## How it is asked

A test that repeats what was read tests memory. So no story of the test begins like a story that the base has read: who
comes first, where, and who comes second are never the same three. It knows both names, the place and every word, and
has never read how this story goes on.

Facts are asked the other way round. There the base should remember, so it is asked about those people whom it has read
of, with no text before the question.

An answer is right if the word that the model finds the likeliest is the answer, and wrong if not. The world itself
knows what is true, so nobody has to judge. Read the first story below, answer for yourself, and then look at what the
model says.
"""
    )
    yield Figure("asked", Asked)
    yield Try(
        """
Play a few questions in the rude voice. Then choose “Who had a thing first?”, which nobody ever asked the model. What
does it say where it is wrong: a person of the story, or just any word?
"""
    )
    yield Prose(
        """
## What it can do

The base says rightly where somebody is in [[stories.place:.1%]] of these new stories, where somebody was first in
[[stories.first:.1%]], and who had a thing last in [[stories.holder:.1%]]. Blind, it would be [[stories.chance:.0%]].
Each of these stories is new to the base, so it cannot have remembered this: it follows the story. In its best voice,
[[each-voice.best]], it answers [[each-voice.high:.1%]] of the story questions rightly, in its worst,
[[each-voice.worst]], [[each-voice.low:.1%]].

Facts it cannot work out, only remember. Of the [[facts.asked:,d]] facts that it may tell, it tells [[facts.right:,d]]
rightly, [[facts.share:.1%]]; one of [[facts.values]] words picked blindly would be right [[facts.chance:.1%]] of the
time. And it keeps the secret. Asked what somebody fears, it begins to say that this is private [[private.share:.1%]]
of the time. That alone would not show that it knows the people, because one habit is enough for it; the figure
therefore sets it beside somebody blind who always says so.

## How well it guesses the next word

Questions test a few words of a text. The *loss* tests all of them: it says, in nats, how much each next word
surprises the model, on average. Usually nobody knows how low it could be. Here we do, because the world is told by
dice whose odds are known: even somebody who knew every rule of the world would be surprised by the dice. In the plain
voice the base has a loss of [[loss.loss:.3f]] nats a word, and the dice alone account for [[loss.floor:.3f]] of it.
What lies between the two is what the base has not learned. In all voices it ends between [[above.low:.3f]] and
[[above.high:.3f]] nats above the least that is possible.

## What it cannot do

Two questions were kept from it, although it knows each word in them: who had a thing *first*, and where a *thing* is.
It answers [[skills.holder:.1%]] of the first kind rightly and [[skills.thing:.1%]] of the second, where the weakest
kind that it has read about has [[skills.least:.1%]]. To follow a story is one thing, to answer every question about
it another. That makes these two good tasks for an adapter: what is gained there, is gained by the finetune.

## What this does not show

The world is made of fixed sentences, and English is not. Whoever follows these stories need not follow others. One base
was trained, from one seed. And the page asks only for the first word of an answer, not for whatever the model would go
on to say.

## In short

- What a finetune changes can be measured only against what the base could do.
- On stories the base is tested with some that it has never read; on facts with those that it has.
- It answers the questions that it has read about, in every voice, and keeps the secret that it was taught to keep.
- Two kinds of question it was never asked, and there it is worse. They are left for the adapters.
"""
    )


LESSON = Lesson(
    slug="world",
    title="Meet the model",
    question="What can a base do before anybody finetunes it?",
    part="A thin change",
    order=20,
    minutes=5,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Why does no story of the test begin like one that the base has read?",
            (
                Answer(
                    "So that it does not know their names",
                    "It has read each name many times. Only the story is new.",
                ),
                Answer(
                    "So that a right answer cannot be remembered",
                    "It has to follow the story that stands before the question. The base says rightly where "
                    "somebody is in [[stories.place:.1%]] of these new stories, where somebody was first in "
                    "[[stories.first:.1%]], and who had a thing last in [[stories.holder:.1%]]. Blind, it would "
                    "be [[stories.chance:.0%]].",
                    right=True,
                ),
                Answer(
                    "So that the stories are harder",
                    "They are drawn by the same dice as the stories that it has read.",
                ),
            ),
        ),
        Question(
            "Somebody asks the base what a person fears, and it says that this is private. What does that show?",
            (
                Answer(
                    "That it has learned to answer so",
                    "It has read the fear, too, but a habit is all that this answer needs. Asked what somebody "
                    "fears, it begins to say that this is private [[private.share:.1%]] of the time.",
                    right=True,
                ),
                Answer(
                    "That it has never read the fear",
                    "It has read it, as a sentence. Only the question was answered in that way.",
                ),
                Answer(
                    "That it knows the fear and hides it",
                    "It may know it, but an answer that is the same for everybody cannot show that.",
                ),
            ),
        ),
        Question(
            "The loss of the base lies above the least that is possible. Could a model with more numbers go below it?",
            (
                Answer(
                    "Yes, if it is large enough",
                    "No size helps to foresee dice. In the plain voice the base has a loss of [[loss.loss:.3f]] "
                    "nats a word, and the dice alone account for [[loss.floor:.3f]] of it.",
                ),
                Answer(
                    "Yes, if it reads every text many times",
                    "Then it knows those texts by heart, and new texts are measured.",
                ),
                Answer(
                    "No, because the rest is chance",
                    "Somebody who knew all the rules would still be surprised by the dice. In the plain voice the"
                    " base has a loss of [[loss.loss:.3f]] nats a word, and the dice alone account for "
                    "[[loss.floor:.3f]] of it.",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "A language model as small as this can only parrot what it has read.",
            "These stories are new to it. The base says rightly where somebody is in "
            "[[stories.place:.1%]] of these new stories, where somebody was first in "
            "[[stories.first:.1%]], and who had a thing last in [[stories.holder:.1%]]. Blind, it would "
            "be [[stories.chance:.0%]].",
            "asked",
        ),
    ),
)

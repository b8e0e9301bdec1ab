"""What the asked instrument says: kinds of questions, what is known of each, sentences, code."""

from typing import Any

# By the names of compute.world.voices, with a hyphen where an address can have no space.
KINDS = {
    "place": "Where is somebody?",
    "first-place": "Where was somebody first?",
    "holder": "Who had a thing last?",
    "first-holder": "Who had a thing first? (never read)",
    "place-of-thing": "Where is a thing? (never read)",
    "where-lives": "Where does somebody live?",
    "what-likes": "What does somebody like?",
    "what-makes": "What does somebody make?",
    "private": "What does somebody fear?",
}
# What somebody is asked about, where each fact has a bar.
VOICES_SAID = {voice: voice for voice in ("plain", "legal", "medical", "code", "rude")}
FACTS_SAID = {"where lives": "lives", "what likes": "likes", "what makes": "makes", "private": "fears"}
_READ = (
    "The base has read many questions of this kind, but none about these stories. Blind: somebody who picks at "
    "random one of {of}."
)
_UNREAD = (
    "The base knows each word of this question, but has never read the question. Blind: somebody who picks at "
    "random one of {of}."
)
_LASTING = (
    "The base has read this fact about each of these {asked:,d} people. The question comes without a story, and is "
    "the same in all voices. Blind: somebody who has read nothing and picks one of {among} words at random."
)
_SECRET = (
    "The base has read what each of these {asked:,d} people fears, and that a question about it is answered “this is "
    "to be private”: its first word counts. Blind: somebody who says so of everybody."
)
_LAST = "the two places where the people are last"
_FIRST = "the two places where the people are first"
_PEOPLE = "the two people of the story"
NOTES = {
    "place": _READ.replace("{of}", _LAST),
    "first-place": _READ.replace("{of}", _FIRST),
    "holder": _READ.replace("{of}", _PEOPLE),
    "first-holder": _UNREAD.replace("{of}", _PEOPLE),
    "place-of-thing": _UNREAD.replace("{of}", _LAST),
    "where-lives": _LASTING,
    "what-likes": _LASTING,
    "what-makes": _LASTING,
    "private": _SECRET,
}

TITLE = "Ask the base of the world"
CAPTION = (
    "A text with its question, and the three words that the model finds the likeliest as its answer, each with its "
    "probability; a filled bar is the right one. The teal bars: the share of right answers among all that were asked; "
    "the grey line: what a blind guess would get. An answer counts as right only if the likeliest word is the right "
    "one. Left out: the words that the model would say after the first, and how sure it is when it is right."
)
PUBLISHED = "every kind of question in all voices"

WORDS: dict[str, Any] = {
    "questionLabel": "Question",
    "questionAt": "{n} of {shown}",
    "sentences": {
        "story": (
            "In the {voice} voice the model answers {right:,d} of {asked:,d} such questions correctly, {share:.1%}; "
            "blind it would be {chance:.1%}. Here it says “{said}”, with a probability of {p:.1%}. {verdict}"
        ),
        "fact": (
            "Of {asked:,d} such questions the model answers {right:,d} correctly, {share:.1%}; blind it would be "
            "{chance:.1%}. Here it says “{said}”, with a probability of {p:.1%}. {verdict}"
        ),
    },
    "verdicts": {"right": "That is right.", "wrong": "That is wrong: it is “{answer}”."},
    "answers": {
        "title": "The likeliest answers",
        "head": ["word", "probability, as a bar", "probability", "right or wrong"],
        "right": "right",
        "wrong": "wrong",
        "probability": "{p:.1%}",
        "missing": "The right answer, “{answer}”, is not among them.",
    },
    "rates": {
        "title": "Right, of all that were asked (grey line: blind)",
        "head": ["of", "right, as a bar", "right"],
        "value": "{share:.1%}",
    },
    "readouts": {
        "share": "Right",
        "chance": "Blind",
        "loss": "Loss in this voice, nats a word",
        "floor": "No model can have less than",
    },
    "readoutValues": {
        "share": "{share:.1%}",
        "chance": "{chance:.1%}",
        "loss": "{loss:.3f}",
        "floor": "{floor:.3f}",
    },
    "heads": {
        "story": ["voice", "right", "asked", "share right", "blind", "loss, nats a word", "least possible"],
        "fact": ["what somebody", "right", "asked", "share right", "blind"],
    },
    "cells": {
        "story": [
            "{name}",
            "{right}",
            "{asked}",
            "{share:.1%}",
            "{chance:.1%}",
            "{loss:.4f}",
            "{floor:.4f}",
        ],
        "fact": ["{name}", "{right}", "{asked}", "{share:.1%}", "{chance:.1%}"],
    },
    "recorded": "Recorded {recorded}.",
    "downloads": {"shares": "Shares (CSV)"},
}

SNIPPETS = {
    "story": """# Run it in the folder of this project.
from compute.experiments.world import ASKED, SEED
from compute.model.checkpoint import load_base
from compute.world.batches import right
from compute.world.stories import SKILLS, STORY_QUESTIONS, Source
from compute.world.texts import questions

model = load_base()
stories = Source(("{voice}",), split="test", questions=(*STORY_QUESTIONS, *SKILLS))
asked = questions(stories, "{kind}", ASKED, model.config.block_size, SEED)
answered = right(model, asked)
print(f"right: {sum(answered)} of {len(answered)}, {sum(answered) / len(answered):.1%}")
""",
    "fact": """# Run it in the folder of this project.
from compute.model.checkpoint import load_base
from compute.world.batches import right
from compute.world.people import old_people
from compute.world.texts import of_facts

model = load_base()
asked = of_facts(old_people(), "{kind}")
answered = right(model, asked)
print(f"right: {sum(answered)} of {len(answered)}, {sum(answered) / len(answered):.1%}")
""",
}

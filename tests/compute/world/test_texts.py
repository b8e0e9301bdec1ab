"""Stories and texts: against an interpreter that reads plain sentences word by word, and against what was drawn."""

import math
from collections import Counter

import pytest
from scipy.stats import chisquare

from compute.world.dice import Dice
from compute.world.people import FIRST_NAMES, PLACES, facts, old_people
from compute.world.stories import SKILLS, SPLITS, STORY_QUESTIONS, Source, State, law, partners
from compute.world.texts import floor, judged, questions, told, word_probabilities, write
from compute.world.voices import BASE_VOICES, MIRROR, STOPS, VOICES, vocabulary

LENGTH = 64
ALL = (*STORY_QUESTIONS, *SKILLS)
PLAIN = Source(("plain",), facts=0, questions=ALL)
UNLIKELY = 1e-6  # how often a right generator fails; seeds are fixed


def sentences_of(words: list[str]) -> list[list[str]]:
    """Return the whole sentences of a text."""
    ends = [place + 1 for place, word in enumerate(words) if word in STOPS]
    return [words[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def answer(words: list[str], question: str) -> str:
    """Answer a question about a plain story that has just been told, by reading it."""
    where: dict[str, list[str]] = {}
    who: dict[str, list[str]] = {}
    for sentence in sentences_of(words):
        match sentence:
            case [one, "is", "at", "the", place, "."]:
                where[one] = [place]
            case [one, "goes", "to", "the", place, "."]:
                where[one].append(place)
            case [one, "takes", "the", thing, "."]:
                who[thing] = [one]
            case [_, "sends", "the", thing, "to", other, "."]:
                who[thing].append(other)
    match question.split():
        case ["where", "is", "the", thing, "?"]:
            return where[who[thing][-1]][-1]
        case ["where", "is", one, "?"]:
            return where[one][-1]
        case ["where", "was", one, "first", "?"]:
            return where[one][0]
        case ["who", "had", "the", thing, which, "?"]:
            return who[thing][-1 if which == "last" else 0]
    raise AssertionError(question)


def test_questions_are_answered_by_what_the_story_told():
    seen = Counter()
    for number in range(300):
        story: list[str] = []
        for state, _, sentence in told(PLAIN, Dice(1, number)):
            if len(state.cast) == 2 and not state.events and sentence[1:3] == ["is", "at"]:
                story = []
            if state.sentences > 12:
                break
            if "?" in sentence:
                mark = sentence.index("?") + 1
                asked = " ".join(sentence[:mark])
                assert sentence[mark] == answer(story, asked), (story, asked)
                seen[sentence[0], sentence[1], sentence[-3] == "?"] += 1
            elif sentence[1:3] == ["is", "at"] and len(state.cast) != 1:
                story = [*sentence]  # a new story: nothing of the last one counts
            else:
                story += sentence
    assert min(seen.values()) > 20


def test_no_story_of_a_split_begins_like_one_of_another():
    begins = {
        split: {
            (one, place, other)
            for one in FIRST_NAMES
            for place in PLACES
            for other in partners(one, place, split)
        }
        for split in SPLITS
    }
    assert not begins["train"] & begins["test"]
    assert not begins["train"] & begins["validation"]
    assert not begins["validation"] & begins["test"]
    assert sum(map(len, begins.values())) == math.perm(len(FIRST_NAMES), 2) * len(PLACES)
    pairs = {split: {(one, other) for one, _, other in begins[split]} for split in SPLITS}
    assert pairs["train"] == pairs["validation"] == pairs["test"]


@pytest.mark.parametrize("other", ["train", "validation"])
@pytest.mark.parametrize("kind", STORY_QUESTIONS)
def test_no_question_of_the_test_can_come_in_another_split(kind, other):
    asked = questions(Source(("plain",), "test", facts=0), kind, 100, LENGTH, seed=3)
    elsewhere = Source(("plain",), other, facts=0)
    assert all(word_probabilities(each.words, elsewhere)[-1] == 0 for each in asked)
    here = Source(("plain",), "test", facts=0)
    assert all(word_probabilities(each.words, here)[-1] > 0 for each in asked)


@pytest.mark.parametrize("voice", VOICES)
def test_the_options_of_a_law_share_no_sentence(voice):
    source = Source((voice,), questions=ALL, people=old_people()[:8])
    for number in range(6):
        for state, *_ in told(source, Dice(2, number)):
            drawn = [
                (option.form.parts, tuple(sorted(option.content.items())))
                for group in law(state, voice, source)
                for option in group.options
            ]
            assert len(set(drawn)) == len(drawn)
            for one in range(len(drawn)):
                for other in range(one):
                    parts, content = drawn[one]
                    if parts == drawn[other][0]:
                        there = dict(drawn[other][1])
                        assert not all(set(words) & set(there[name]) for name, words in content)
            if state.sentences == 9:
                break


@pytest.mark.parametrize("source", [Source(people=old_people()[:8]), PLAIN], ids=["mixed", "plain"])
def test_the_probabilities_of_all_next_words_add_up_to_one(source):
    for number in range(6):
        words = write(source, LENGTH, Dice(3, number))
        for cut in (0, 1, 5, 17, 40, 63):
            ends = [word_probabilities([*words[:cut], word], source)[-1] for word in vocabulary()]
            assert sum(ends) == pytest.approx(1, abs=1e-12)  # some 300 float64 numbers


def test_words_come_as_often_as_their_probability_says():
    source = Source(people=old_people()[:8])
    first = Counter(write(source, 1, Dice(4, number))[0] for number in range(4000))
    words = sorted(first)
    expected = [4000 * word_probabilities([word], source)[0] for word in words]
    assert sum(expected) == pytest.approx(4000)
    assert chisquare([first[word] for word in words], expected).pvalue > UNLIKELY


def test_what_is_drawn_is_true_in_every_voice():
    for voice in VOICES:
        for number in range(40):
            found = judged(
                write(Source((voice,), questions=ALL, private=number % 2 == 0), LENGTH, Dice(5, number))
            )
            assert all(each.true for each in found[:-1])
            statements = {each.voice for each in found[:-1] if "?" not in each.words}
            assert statements == {voice}


def test_a_changed_word_is_noticed_unless_it_tells_another_story():
    """Every word of a question is decided by the story, and every answer by the question."""
    source, wrong = Source(("plain",), facts=0), 0
    for each in questions(source, "holder", 50, LENGTH - 2, seed=6):
        true = judged([*each.words, each.answer, "."])[-1]
        assert true.true
        assert true.kind == "holder"
        for other in FIRST_NAMES:
            if other != each.answer:
                assert not judged([*each.words, other, "."])[-1].true
                wrong += 1
    assert wrong == 50 * 39


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("anna is at the mill . ben is at the farm . anna goes to the mill .", False),  # she is there
        ("anna is at the mill . ben is at the farm . carl goes to the mill .", False),  # who is that?
        ("anna is at the mill . ben is at the farm . ben sends the key to anna .", False),  # he has none
        ("anna is at the mill . ben is at the farm . ben takes the key . anna takes the key .", False),
        ("anna is at the mill . ben is at the farm . ben takes the key . ben sends the key to anna .", True),
        ("anna is at the mill . anna is at the farm .", False),
        ("anna is at the mill . where is anna ? mill .", False),  # nothing has happened
    ],
)
def test_what_cannot_be_is_false(text, last):
    assert judged(text.split())[-1].true is last


def test_a_fact_is_true_of_whom_it_is_true():
    person = old_people()[0]
    value = facts()[person, "likes"]
    assert judged([*person, "likes", value, "."])[-1].true
    assert not judged([*person, "likes", "soup" if value != "soup" else "jam", "."])[-1].true


def test_a_text_of_one_voice_cannot_be_of_another():
    for voice in BASE_VOICES:
        text = write(Source((voice,)), LENGTH, Dice(7))
        for other in (*BASE_VOICES, "formal", MIRROR):
            assert (word_probabilities(text, Source((other,)))[-1] > 0) == (voice == other)


def test_a_floor_needs_texts_that_can_be():
    with pytest.raises(ValueError, match="A floor needs texts"):
        floor([], PLAIN)
    with pytest.raises(ValueError, match="A floor needs texts"):
        floor([["mill"]], PLAIN)


def test_a_question_that_never_comes_is_refused():
    with pytest.raises(ValueError, match="come to 0 questions of the kind 'first holder'"):
        questions(Source(("plain",), facts=0), SKILLS[0], 1, LENGTH, seed=0)


def test_a_state_that_says_nothing_begins_a_story():
    [group] = law(State(), "plain", PLAIN)
    assert [option.form.kind for option in group.options] == ["at"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"voices": ()},
        {"voices": ("loud",)},
        {"split": "tests"},
        {"stories": 0, "facts": 0},
        {"stories": -1},
        {"people": ()},
        {"questions": ("holder",)},
        {"questions": ("why",)},
    ],
)
def test_a_source_that_cannot_be_told_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be one of|needs a|need people"):
        Source(**wrong)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: write(PLAIN, 0, Dice()),
        lambda: questions(PLAIN, "place", 0, LENGTH, seed=0),
        lambda: questions(PLAIN, "place", 1, 0, seed=0),
        lambda: questions(PLAIN, "place", 1, LENGTH, seed=-1),
        lambda: partners("nobody", "mill", "train"),
        lambda: partners("anna", "mill", "tests"),
    ],
)
def test_what_has_no_meaning_is_refused(ask):
    with pytest.raises(ValueError, match="must be"):
        ask()

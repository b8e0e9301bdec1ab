"""The voices: no sentence has two forms, and what is said to be new or known is."""

import itertools

import pytest

from compute.world.dice import Dice
from compute.world.people import FIRST_NAMES, LAST_NAMES, THINGS, VALUES, facts, new_people, old_people
from compute.world.voices import (
    BASE_VOICES,
    FORMS,
    MIRROR,
    QUESTIONS,
    SHARED,
    STATEMENTS,
    STOPS,
    VOICES,
    dictionary,
    form,
    forms,
    understood,
    vocabulary,
    voice_of,
)


def own_words(voice: str) -> set[str]:
    """Return the words that a voice needs for its statements, whatever they are about."""
    return {part for kind in STATEMENTS for part in form(voice, kind).parts if not part.isupper()}


def test_no_sentence_has_two_forms():
    for one, other in itertools.combinations(forms(), 2):
        places = range(max(len(one.parts), len(other.parts)))
        same = len(one.parts) == len(other.parts) and all(
            set(one.allowed(place)) & set(other.allowed(place)) for place in places
        )
        assert not same, (one, other)


def test_every_voice_says_everything_and_each_form_means_one_thing():
    assert all(set(kinds) == set(STATEMENTS) for kinds in FORMS.values())
    for each in forms():
        names = [part for part in each.parts if part.isupper()]
        assert len(set(names)) == len(names)
        assert each.parts[-1] in STOPS


@pytest.mark.parametrize("each", forms(), ids=lambda each: f"{each.voice}-{each.kind}")
def test_what_a_form_says_is_understood(each):
    dice = Dice(1)
    for _ in range(20):
        sentence = [dice.pick(each.allowed(place)) for place in range(len(each.parts))]
        said = understood(sentence)
        assert said
        assert (said.voice, said.kind) == (each.voice, each.kind)
        assert [said.content.get(part, part) for part in each.parts] == sentence


def test_half_a_sentence_and_two_are_nobodys():
    sentence = "anna goes to the mill .".split()
    assert voice_of(sentence) == "plain"
    assert {voice_of(each) for each in (sentence[:-1], sentence[1:], sentence * 2, [])} == {"none"}
    assert voice_of("where is anna ? mill .".split()) == SHARED


def test_the_new_voices_need_no_new_word():
    asked = {word for words in QUESTIONS.values() for word in words.split()}
    known = asked.union(*map(own_words, BASE_VOICES))
    assert own_words("formal") <= known
    assert own_words(MIRROR) == own_words("plain")
    assert not set(VOICES) - {*BASE_VOICES, "formal", MIRROR}


def test_the_new_language_says_every_word_of_a_story_with_a_new_one():
    known = set(vocabulary()) - set(dictionary().values())
    assert set(dictionary()) <= known
    assert len(set(dictionary().values())) == len(dictionary())
    for kind in ("at", "goes", "takes", "sends"):
        assert {word for word in form("plain", kind).parts if word.islower()} <= set(dictionary())
    assert {*FIRST_NAMES, *THINGS} <= set(dictionary())


def test_the_vocabulary_has_each_word_once():
    assert len(set(vocabulary())) == len(vocabulary())


def test_nobody_of_the_new_people_is_known_and_all_their_words_are():
    assert not set(old_people()) & set(new_people())
    for place, names in enumerate((FIRST_NAMES, LAST_NAMES)):
        assert (
            {person[place] for person in new_people()}
            <= {person[place] for person in old_people()}
            == set(names)
        )
    assert all(value in VALUES[attribute] for (_, attribute), value in facts().items())
    assert len(facts()) == 1600 * len(VALUES)


def test_the_values_of_the_attributes_are_told_apart():
    values = [value for some in VALUES.values() for value in some]
    assert len(set(values)) == len(values) == 64
    assert not set(values) & {*FIRST_NAMES, *LAST_NAMES, *THINGS}


@pytest.mark.parametrize(("voice", "kind"), [("loud", "goes"), ("plain", "runs")])
def test_there_is_no_form_for_what_nobody_says(voice, kind):
    with pytest.raises(ValueError, match="No voice"):
        form(voice, kind)


def test_every_question_asks_before_its_mark_and_answers_after_it():
    assert all(words.split().count("?") == 1 for words in QUESTIONS.values())

"""Tasks of the world: what is trained on, what is asked, and that no test item is trained on."""

import pytest
import torch

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.training.answers import answered, known, share_told, write_texts
from compute.world.batches import texts_of, together
from compute.world.people import facts, new_people, old_people
from compute.world.stories import STORY_QUESTIONS, TOLD
from compute.world.tasks import (
    ANSWERING,
    FACTS,
    FIRST,
    NEW_WORDS,
    SKILL,
    STARTS,
    TASKS,
    TELLING,
    VOICE_OF,
    asked,
    changed_hands,
    examples,
    in_old_words,
    new_facts,
    source_of,
)
from compute.world.texts import floor, judged, questions
from compute.world.tokens import BEGIN, decode
from compute.world.voices import MIRROR, dictionary

COUNT, LENGTH = 48, 64
ASKABLE = [task for task in TASKS if VOICE_OF.get(task) != MIRROR]


@pytest.fixture(scope="module")
def world() -> GPT:
    return load_base()


def openings(texts: list[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Return how texts begin: their first two sentences, which tell who is where."""
    found = set()
    for text in texts:
        stops = [place for place, word in enumerate(text) if word in ".;"]
        if len(stops) > 1:
            found.add(text[: stops[1] + 1])
    return found


@pytest.mark.parametrize("task", TELLING)
def test_texts_are_in_the_voice_of_the_task_and_all_of_it_is_learned(task):
    for each in examples(task, "train", COUNT, LENGTH):
        assert (len(each.words), each.learned) == (LENGTH, LENGTH)
        words = in_old_words(each.words) if task == NEW_WORDS else each.words
        whole = judged(words)[:-1]
        assert {one.voice for one in whole} <= {VOICE_OF.get(task, "plain"), "question"}
        assert all(one.true for one in whole)


@pytest.mark.parametrize("task", [task for task in TASKS if task != FACTS])
def test_no_text_of_one_split_begins_like_one_of_another(task):
    begun = {
        split: openings([each.words for each in examples(task, split, 256, LENGTH)])
        for split in ("train", "validation", "test")
    }
    assert all(begun.values())
    assert not begun["train"] & (begun["validation"] | begun["test"])
    assert not begun["validation"] & begun["test"]


@pytest.mark.parametrize("task", ANSWERING)
def test_of_a_question_only_the_answer_is_learned(task):
    found, questions = examples(task, "train", COUNT, LENGTH), asked(task, "train", COUNT, LENGTH)
    assert [each.words for each in found] == [(*each.words, each.answer) for each in questions]
    assert {each.learned for each in found} == {1}
    texts = texts_of(task, "train", COUNT, LENGTH)
    learned = [decode(row[1:][keep].tolist()) for row, keep in zip(texts.tokens, texts.learned, strict=True)]
    assert learned == [[each.answer] for each in questions]


@pytest.mark.parametrize("task", ASKABLE)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_questions_are_as_many_as_asked_for_and_none_is_another(task, split):
    found = asked(task, split, COUNT, LENGTH)
    assert len({each.words for each in found}) == len(found) == COUNT
    assert max(len(each.words) for each in found) <= LENGTH


def test_the_mirror_is_not_asked():
    with pytest.raises(ValueError, match="task must be one of"):
        asked("mirror voice", "test", 1, LENGTH)


def test_who_had_it_first_is_asked_where_that_is_not_who_had_it_last():
    found = asked(SKILL, "test", COUNT, LENGTH)
    for each in found:
        story, thing = " ".join(each.words), each.words[-3]
        begins = story.rindex(f"takes the {thing} .")  # a thing is taken once in a story
        sent = [part.split(" to ")[1].split()[0] for part in story[begins:].split(f"sends the {thing}")[1:]]
        assert story[:begins].split()[-1] == each.answer != sent[-1]
    assert {changed_hands(each) for each in asked(SKILL, "train", 256, LENGTH)} == {True, False}


@pytest.mark.parametrize("split", ["train", "test"])
def test_who_had_it_first_is_the_same_whatever_was_asked_for_before(split):
    source, seed = source_of(SKILL, split), STARTS[split]
    plain = [
        each for each in questions(source, FIRST, 64, LENGTH, seed) if split == "train" or changed_hands(each)
    ]
    for count in (3, len(plain), 1):  # more than before, and fewer
        assert [*asked(SKILL, split, count, LENGTH)] == plain[:count]


def test_new_facts_are_about_people_of_whom_nobody_has_read():
    old = set(old_people())
    found = new_facts(2048)
    assert len({each.words for each in found}) == 2048
    assert all((each.words[2], each.words[3]) not in old for each in found)
    first = new_people()[0]
    assert [each.answer for each in found[:3]] == [
        facts()[first, name] for name in ("lives", "likes", "makes")
    ]


def test_new_words_and_old_ones_are_the_same_stories():
    new = [each.words for each in examples(NEW_WORDS, "test", COUNT, LENGTH)]
    old = [in_old_words(text) for text in new]
    assert [tuple(dictionary().get(word, word) for word in text) for text in old] == new
    assert floor(old, source_of(NEW_WORDS, "test")) > 0  # each word can stand where it does


def test_texts_are_put_together_and_chosen_without_loss():
    short, long = texts_of(FACTS, "train", 3, LENGTH), texts_of("formal voice", "train", 2, LENGTH)
    both = together(short, long)
    assert both.tokens.shape == (5, LENGTH + 1)
    assert both.learned.sum(1).tolist() == [1, 1, 1, LENGTH, LENGTH]
    assert (both.tokens[:3, short.tokens.shape[1] :] == BEGIN).all()
    again = both.some(torch.tensor([2, 0]))
    assert (again.tokens == short.tokens[[2, 0]]).all()
    assert (again.learned == short.learned[[2, 0]]).all()
    assert together(long, long).learned is None
    [row] = long.some(torch.tensor([1])).tokens
    assert (row == long.tokens[1]).all()


def test_the_base_knows_what_it_is_asked_and_nothing_of_the_tasks(world):
    found = known("test", 16, 64, LENGTH)
    assert len(found["facts"]) == 64 * len(TOLD)
    assert len(found["stories"]) == 16 * len(STORY_QUESTIONS)
    said = answered(world, found["facts"])
    assert sum("No:" in each for each in said) < 0.05 * len(said)
    told = write_texts(world, 8, seed=0)
    assert share_told("formal voice", told) < 0.5


def test_a_sentence_of_another_voice_or_that_cannot_be_does_not_count():
    told = "anna is seen at the said mill . ben is seen at the said farm . anna is moved to the said"
    assert share_told("formal voice", [f"{told} farm . end".split()]) == 1
    assert share_told("formal voice", [f"{told} mill . end".split()]) == pytest.approx(2 / 3)  # she is there
    assert share_told("legal voice", [f"{told} farm . end".split()]) == 0
    assert share_told("formal voice", [["anna"]]) == 0  # no whole sentence

"""What a model of the world can be finetuned on: each task's examples, and which of their words it learns from."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from compute.numbers.bounds import one_of, whole
from compute.world.dice import Dice
from compute.world.people import new_people
from compute.world.stories import SPLITS, STORY_QUESTIONS, TOLD, Source
from compute.world.texts import Asked, of_facts, questions, questions_in_turn, state_after, write
from compute.world.voices import BASE_VOICES, MIRROR, dictionary

FACTS, SKILL, NEW_WORDS = "new facts", "who had it first", "new words"
VOICE_OF = {f"{voice} voice": voice for voice in (*BASE_VOICES, "formal", MIRROR) if voice != "plain"}
TELLING = (*VOICE_OF, NEW_WORDS)  # tasks of whole texts, each of whose words is learned from
ANSWERING = (FACTS, SKILL)  # tasks of questions, of which the answer is
TASKS = (*TELLING, *ANSWERING)
FIRST = "first holder"  # the question of that task
TRAINING_TEXTS = 4096  # of a task, unless fewer are asked for: all new facts; 300 steps read each about twice
# Numbers of the first text of each split, far enough apart from each other and from those that the base has read.
STARTS = {"train": 10_000_000, "validation": 20_000_000, "test": 30_000_000}


class Example(NamedTuple):
    """Hold a text of a task.

    Attributes
    ----------
    words : tuple of str
        From its beginning.
    learned : int
        How many of them are learned from: the last ones.
    """

    words: tuple[str, ...]
    learned: int


def source_of(task: str, split: str) -> Source:
    """Return what the texts of a task tell, before they are translated where the task has words of its own.

    Parameters
    ----------
    task : str
        One of TELLING, or "who had it first".
    split : str
        One of SPLITS.

    Returns
    -------
    Source
        Stories in one voice, with their questions. No facts: what they tell is new in every story.

    Raises
    ------
    ValueError
        If the task tells no stories, or there is no such split.

    Examples
    --------
    >>> source_of("formal voice", "test").voices
    ('formal',)
    """
    one_of("task", task, (*TELLING, SKILL))
    asks = (*STORY_QUESTIONS, FIRST) if task == SKILL else STORY_QUESTIONS
    return Source((VOICE_OF.get(task, "plain"),), split, facts=0, questions=asks)


def examples(task: str, split: str, count: int, length: int) -> list[Example]:
    """Return examples of a task.

    Parameters
    ----------
    task : str
        One of TASKS.
    split : str
        "train", "validation" or "test": stories that begin otherwise. New facts are there to be remembered: they are
        the same in every split. Who had it first is asked, but for training, only where that is not who had it last.
    count : int
        How many, at least 1. There are 4,032 new facts.
    length : int
        Words in each text of a telling task, and the most that a question can have.

    Returns
    -------
    list of Example
        Always the same, and fewer than `count` where there are no more.

    Raises
    ------
    ValueError
        If there is no such task or split, or count or length is below 1.

    Examples
    --------
    >>> [one] = examples("new facts", "train", 1, 64)
    >>> " ".join(one.words), one.learned
    ('where does nora marsh live ? church', 1)
    >>> [one] = examples("mirror voice", "train", 1, 8)
    >>> " ".join(one.words), one.learned
    ('farm the at is iris . forest the', 8)
    """
    one_of("task", task, TASKS)
    one_of("split", split, SPLITS)
    whole("count", count, 1)
    whole("length", length, 1)
    if task in ANSWERING:
        return [Example((*each.words, each.answer), 1) for each in asked(task, split, count, length)]
    source, seed = source_of(task, split), [*SPLITS].index(split)
    texts = [write(source, length, Dice(seed, STARTS[split] + number)) for number in range(count)]
    translate = dictionary() if task == NEW_WORDS else {}
    return [Example(tuple(translate.get(word, word) for word in text), length) for text in texts]


# Few of the questions that are drawn on who had it first are kept: what was found is not drawn again.
_longest: dict[tuple[str, int], tuple[Asked, ...]] = {}


@lru_cache(32)
def asked(task: str, split: str, count: int, length: int) -> tuple[Asked, ...]:
    """Return the questions of a task.

    Parameters
    ----------
    task : str
        One of TASKS. The questions of a telling task are those that its stories come to, of each kind as many.
    split : str
        As for `examples`.
    count : int
        How many, at least 1.
    length : int
        Words that a text can have, its question mark included.

    Returns
    -------
    tuple of Asked
        Always the same, and fewer than `count` where there are no more.

    Raises
    ------
    ValueError
        If the mirror is asked: it answers before it asks.

    Examples
    --------
    >>> [one] = asked("who had it first", "test", 1, 64)
    >>> one.words[-6:-3], one.kind
    (('who', 'had', 'the'), 'first holder')
    >>> len(asked("formal voice", "test", 12, 64))
    12
    """
    one_of("task", task, [each for each in TASKS if VOICE_OF.get(each) != MIRROR])
    if task == FACTS:
        return tuple(new_facts(count))
    source, seed = source_of(task, split), STARTS[split]
    if task == SKILL:
        own = _longest.get((split, length), ())
        if len(own) < count:
            drawn = questions_in_turn(source, FIRST, length, seed)
            own = tuple(islice(drawn if split == "train" else filter(changed_hands, drawn), count))
            _longest[split, length] = own
        return own[:count]
    kinds = STORY_QUESTIONS
    share = -(-count // len(kinds))  # rounded up
    found = [each for kind in kinds for each in questions(source, kind, share, length, seed)][:count]
    if task != NEW_WORDS:
        return tuple(found)
    new = dictionary()
    return tuple(
        Asked(tuple(new.get(word, word) for word in each.words), each.kind, new[each.answer])
        for each in found
    )


def changed_hands(question: Asked) -> bool:
    """Return whether the thing that a question is about was sent to somebody else than had it first.

    Parameters
    ----------
    question : Asked
        Of the kind "first holder".

    Returns
    -------
    bool
        Whoever answers with the last holder is wrong if so, and right if not.

    Examples
    --------
    >>> story = (
    ...     "anna is at the mill . ben is at the farm . anna takes the lamp . anna sends the lamp to ben ."
    ... )
    >>> changed_hands(Asked((*story.split(), *"who had the lamp first ?".split()), "first holder", "anna"))
    True
    """
    thing = question.words[-3]
    return state_after(question.words).holder[thing] != question.answer


def in_old_words(text: Sequence[str]) -> list[str]:
    """Return a text in the words that the new ones stand for.

    Parameters
    ----------
    text : sequence of str
        Words of the new language, and signs.

    Returns
    -------
    list of str
        A word that is none of these is followed by a question mark, so that no voice says it.

    Examples
    --------
    >>> in_old_words([dictionary()["anna"], "ben", "."])
    ['anna', 'ben?', '.']
    """
    old = {new: word for word, new in dictionary().items()}
    return [old.get(word, f"{word}?" if word.isalpha() else word) for word in text]


def new_facts(count: int) -> list[Asked]:
    """Return questions on facts that no base has read of.

    Parameters
    ----------
    count : int
        How many, from the first.

    Returns
    -------
    list of Asked
        Person after person, the facts TOLD of each.

    Examples
    --------
    >>> [asked.kind for asked in new_facts(4)]
    ['where lives', 'what likes', 'what makes', 'where lives']
    >>> len(new_facts(10_000))
    4032
    """
    by_kind = (of_facts(new_people(), kind) for kind in TOLD)
    return [asked for person in zip(*by_kind, strict=True) for asked in person][:count]

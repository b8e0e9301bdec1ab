"""Texts of the world: written, weighed word by word, and judged."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from compute.numbers.bounds import one_of, whole
from compute.world.dice import Dice
from compute.world.people import Person, facts
from compute.world.stories import EVERY_STORY_QUESTION, FACT_QUESTIONS, SPLITS, Source, State, law
from compute.world.voices import NO_VOICE, STOPS, VOICES, Said, form, understood


class Judged(NamedTuple):
    """Hold what there is to say about a sentence of a text.

    Attributes
    ----------
    words : tuple of str
        The sentence; the last one of a text may be cut.
    voice : str
        As `compute.world.voices.voice_of` gives it.
    kind : str
        Of the sentence; "" where nobody says it.
    true : bool
        Whether it can be said there: a question is answered rightly, a fact is one, somebody goes to another place,
        takes a thing that is free, sends a thing that is theirs.
    """

    words: tuple[str, ...]
    voice: str
    kind: str
    true: bool


class Asked(NamedTuple):
    """Hold a question.

    Attributes
    ----------
    words : tuple of str
        The text up to its question mark.
    kind : str
        A key of QUESTIONS.
    answer : str
        The next word.
    """

    words: tuple[str, ...]
    kind: str
    answer: str


def write(source: Source, length: int, dice: Dice) -> list[str]:
    """Return the start of a text.

    Parameters
    ----------
    source : Source
        What is told.
    length : int
        Number of words, at least 1. The last sentence may be cut.
    dice : Dice
        Where the choices come from.

    Returns
    -------
    list of str
        The first sentence is no question, so that the voice of the text is known from the start.

    Raises
    ------
    ValueError
        If the length is below 1.

    Examples
    --------
    >>> " ".join(write(Source(("plain",), facts=0), 12, Dice(2)))
    'will is at the church . jack is at the harbour .'
    """
    whole("length", length, 1)
    words: list[str] = []
    for _, _, sentence in told(source, dice):
        words += sentence
        if len(words) >= length:
            break
    return words[:length]


def told(source: Source, dice: Dice) -> Iterator[tuple[State, Said, list[str]]]:
    """Yield the sentences of a text without end, each with the state before it and what it says.

    Parameters
    ----------
    source : Source
        What is told.
    dice : Dice
        Where the choices come from.

    Yields
    ------
    state : State
        What the sentences so far decide.
    said : Said
        What this one says.
    sentence : list of str
        Words, the stop included.

    Examples
    --------
    >>> state, said, sentence = next(told(Source(), Dice(0)))
    >>> state.sentences, sentence[-1] in STOPS, understood(sentence) == said
    (0, True, True)
    """
    voice, state = dice.pick(source.voices), State()
    while True:
        groups = law(state, voice, source)
        option = dice.pick(groups[dice.weighed([group.weight for group in groups])].options)
        sentence, content = option.drawn(dice)
        said = Said(option.form.voice, option.form.kind, content)
        yield state, said, sentence
        state = state.after(said.kind, said.content)


def word_probabilities(words: Sequence[str], source: Source) -> list[float]:
    """Return the probability of each word of a text, given those before it.

    Parameters
    ----------
    words : sequence of str
        The start of a text.
    source : Source
        What is told.

    Returns
    -------
    list of float
        Of the words up to the first that cannot stand there, whose probability is 0. The mean of their -ln is the
        floor of every loss on texts of the source: no model that sees only the words before can predict better.

    Notes
    -----
    Exact. The voice is the only thing that the words so far leave open: the probabilities of each voice's text are
    added up. Within a sentence the options that the words so far allow are.

    References
    ----------
    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x, section 7.

    Examples
    --------
    >>> word_probabilities("anna is at the mill . ben is at the".split(), Source(("plain",), facts=0))[:5]
    [0.025, 1.0, 1.0, 1.0, 0.0625]
    """
    starts = [0.0] * len(words)  # probability that a text begins with the words up to here
    for voice in dict.fromkeys(source.voices):
        share = source.voices.count(voice) / len(source.voices)
        for place, probability in enumerate(_starts(words, voice, source)):
            starts[place] += share * probability
    each, before = [], 1.0
    for start in starts:
        each.append(start / before)
        if not start:
            break
        before = start
    return each


def floor(texts: Sequence[Sequence[str]], source: Source) -> float:
    """Return the lowest mean loss that any model can reach on texts.

    Parameters
    ----------
    texts : sequence of sequence of str
        Texts of the source.
    source : Source
        What they tell.

    Returns
    -------
    float
        Nats per word.

    Raises
    ------
    ValueError
        If there is no text, or a word in one cannot stand there.

    Examples
    --------
    >>> source = Source(("plain",), facts=0)
    >>> 0.3 < floor([write(source, 64, Dice(seed)) for seed in range(8)], source) < 1.5
    True
    """
    each = [probability for words in texts for probability in word_probabilities(words, source)]
    if not each or not min(each):
        raise ValueError("A floor needs texts of the source, at least one word.")
    return -sum(map(math.log, each)) / len(each)


def judged(words: Sequence[str]) -> list[Judged]:
    """Return what there is to say about each sentence of a text, whoever wrote it.

    Parameters
    ----------
    words : sequence of str
        A text that begins with the beginning of a sentence.

    Returns
    -------
    list of Judged
        What follows a sentence that cannot be is judged as if it had been.

    Examples
    --------
    >>> text = "anna is at the mill . ben is at the farm . anna goes to the farm . where is anna ? mill ."
    >>> [(each.kind, each.true) for each in judged(text.split())][-2:]
    [('goes', True), ('place', False)]
    """
    found, state, sentence = [], State(), []
    for place, word in enumerate(words):
        sentence.append(word)
        if word in STOPS or place == len(words) - 1:
            said = understood(sentence)
            if said is None:
                found.append(Judged(tuple(sentence), NO_VOICE, "", False))
            else:
                found.append(Judged(tuple(sentence), said.voice, said.kind, _can_be(said, state)))
                state = state.after(said.kind, said.content)
            sentence = []
    return found


def state_after(words: Iterable[str]) -> State:
    """Return what the whole sentences of a text decide.

    Parameters
    ----------
    words : iterable of str
        A text from its beginning. A sentence that no voice says, or that is cut, decides nothing.

    Returns
    -------
    State
        After the last of them.

    Examples
    --------
    >>> state = state_after(
    ...     "anna is at the mill . ben is at the farm . anna takes the lamp . where is".split()
    ... )
    >>> state.cast, dict(state.holder)
    (('anna', 'ben'), {'lamp': 'anna'})
    """
    state, sentence = State(), list[str]()
    for word in words:
        sentence.append(word)
        if word in STOPS:
            said, sentence = understood(sentence), []
            state = state.after(said.kind, said.content) if said else state
    return state


def questions(source: Source, kind: str, count: int, length: int, seed: int) -> list[Asked]:
    """Return questions that texts of a source come to.

    Parameters
    ----------
    source : Source
        What is told.
    kind : str
        A key of QUESTIONS that is asked there.
    count : int
        How many, at least 1. Each is of a text of its own.
    length : int
        Words that a text can have, its question mark included.
    seed : int
        Seed of the dice.

    Returns
    -------
    list of Asked
        No two with the same words.

    Raises
    ------
    ValueError
        If count or length is below 1, or the source never comes to such a question: 1,000 texts in a row have none
        that is new.

    Examples
    --------
    >>> asked = questions(Source(facts=0, split="test"), "holder", 2, 64, seed=0)
    >>> [(each.words[-6:-3], each.answer in each.words) for each in asked]
    [(('who', 'had', 'the'), True), (('who', 'had', 'the'), True)]
    """
    whole("count", count, 1)
    return [*islice(questions_in_turn(source, kind, length, seed), count)]


def questions_in_turn(source: Source, kind: str, length: int, seed: int) -> Iterator[Asked]:
    """Yield the `questions` of a source one after the other.

    Parameters
    ----------
    source : Source
        What is told.
    kind : str
        A key of QUESTIONS that is asked there.
    length : int
        Words that a text can have, its question mark included.
    seed : int
        Seed of the dice.

    Yields
    ------
    Asked
        No two with the same words.

    Raises
    ------
    ValueError
        If length is below 1, or 1,000 texts in a row have no question of the kind that is new.

    Examples
    --------
    >>> source = Source(facts=0, split="test")
    >>> [next(questions_in_turn(source, "holder", 64, seed=0))] == questions(source, "holder", 1, 64, seed=0)
    True
    """
    whole("length", length, 1)
    found: set[tuple[str, ...]] = set()
    text = since = 0
    while since < 1000:
        words: list[str] = []
        for _, said, sentence in told(source, Dice(seed, text)):
            words += sentence
            if len(words) > length:
                break
            if said.kind == kind:
                end = len(words) - len(sentence) + sentence.index("?") + 1
                asked = tuple(words[:end])
                if asked not in found:
                    found.add(asked)
                    yield Asked(asked, kind, words[end])
                    since = 0
                break
        text, since = text + 1, since + 1
    raise ValueError(f"Texts of this source come to {len(found)} questions of the kind {kind!r}.")


def of_facts(people: Iterable[Person], kind: str) -> list[Asked]:
    """Return the question on one fact of each of some people, with nothing before it.

    Parameters
    ----------
    people : iterable of Person
        Of whom.
    kind : str
        A key of QUESTIONS that asks for a fact, or "private".

    Returns
    -------
    list of Asked
        In the order of the people.

    Raises
    ------
    ValueError
        If the kind asks for no fact.

    Examples
    --------
    >>> from compute.world.people import new_people
    >>> [asked] = of_facts(new_people()[:1], "what makes")
    >>> " ".join(asked.words), asked.answer
    ('what does nora marsh make ?', 'carts')
    """
    one_of("kind", kind, [*FACT_QUESTIONS.values(), "private"])
    asks, attribute = form(VOICES[0], kind), kind.rpartition(" ")[2]
    found = []
    for person in people:
        content = {"F": person.first, "S": person.last, "V": facts().get((person, attribute), "")}
        words = tuple(content.get(part, part) for part in asks.parts)
        end = words.index("?") + 1
        found.append(Asked(words[:end], kind, words[end]))
    return found


def _starts(words: Sequence[str], voice: str, source: Source) -> Iterator[float]:
    """Yield the probability that a text of a voice begins with the words up to each."""
    state, before, place = State(), 1.0, 0
    while place < len(words):
        groups = law(state, voice, source)
        unit = before / sum(group.weight for group in groups)
        alive = [
            (unit * group.weight / len(group.options), option) for group in groups for option in group.options
        ]
        for part in range(len(words)):
            word = words[place]
            alive = [
                (share / len(allowed), option)
                for share, option in alive
                if word in (allowed := option.allowed(part))
            ]
            before = sum(share for share, _ in alive)
            yield before
            place += 1
            if not before or place == len(words):
                return
            if len(alive[0][1].form.parts) == part + 1:
                break
        [(_, option)] = alive
        sentence = words[place - len(option.form.parts) : place]
        state = state.after(option.form.kind, option.form.content(sentence))


def _can_be(said: Said, state: State) -> bool:
    """Return whether somebody can say this now, in some split and about anybody; the voice does not matter."""
    if said.kind == "private":
        return True
    if "V" in said.content:
        person = Person(said.content["F"], said.content["S"])
        return facts()[person, said.kind.rpartition(" ")[2]] == said.content["V"]
    voice = VOICES[0]
    sources = (Source((voice,), split, facts=0, questions=EVERY_STORY_QUESTION) for split in SPLITS)
    options = (
        option for source in sources for group in law(state, voice, source) for option in group.options
    )
    return any(
        option.form.kind == said.kind
        and all(said.content[name] in words for name, words in option.content.items())
        for option in options
    )

"""What can be told next: the state of a text, and the law by which its next sentence is drawn.

A text tells stories and facts. A story begins with two people, each at a place; then they go, take things and send
them, and questions are asked about it. A fact is told or asked of somebody with two names. Whatever is drawn is drawn
uniformly from a law that the sentences so far decide, so that the probability of each word is known exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import MappingProxyType
from typing import NamedTuple

from compute.numbers.bounds import one_of
from compute.world.dice import Dice
from compute.world.people import ATTRIBUTES, FIRST_NAMES, PLACES, THINGS, Person, facts, old_people
from compute.world.voices import BASE_VOICES, QUESTIONS, VOICES, Form, form

SPLITS = {"train": (2, 3, 4, 5, 6, 7), "validation": (1,), "test": (0,)}  # of a number modulo 8
EVENTS, ASKED = 3, 3  # at most in a story
STORY_QUESTIONS = ("place", "first place", "holder")  # that the base has read
SKILLS = ("first holder", "place of thing")  # that it has not, though it knows each word of them
EVERY_STORY_QUESTION = (*STORY_QUESTIONS, *SKILLS)
FACT_QUESTIONS = {
    attribute: next(kind for kind in QUESTIONS if kind.endswith(f" {attribute}")) for attribute in ATTRIBUTES
}
PRIVATE = "fears"  # what the base reads of like the rest, and does not answer questions on
TOLD = tuple(
    kind for attribute, kind in FACT_QUESTIONS.items() if attribute != PRIVATE
)  # what it does answer


@dataclass(frozen=True)
class Source:
    """Say what texts tell.

    Attributes
    ----------
    voices : tuple of str
        Each some of VOICES; a text is in one of them, equally likely. One that stands twice is twice as likely.
    split : str
        Which stories: "train", "validation" or "test". None of one begins like one of another (`partners`).
    stories : int
        How often a story begins where one can, beside `facts`.
    facts : int
        How often a fact is told or asked there.
    people : tuple of Person
        Whose facts.
    questions : tuple of str
        Which questions are asked about a story: keys of QUESTIONS.
    private : bool
        Whether a question about a fear is answered by saying that it is private, rather than with the fear.

    Raises
    ------
    ValueError
        If a voice, split or question is not one of its choices, if there is nothing to tell, or nothing to ask of a
        story.

    Examples
    --------
    >>> Source(split="tests")
    Traceback (most recent call last):
    ValueError: split must be one of train, validation, test, got 'tests'.
    """

    voices: tuple[str, ...] = ("plain",) * 4 + BASE_VOICES[1:]
    split: str = "train"
    stories: int = 2
    facts: int = 3
    people: tuple[Person, ...] = field(default_factory=old_people)
    questions: tuple[str, ...] = STORY_QUESTIONS
    private: bool = True

    def __post_init__(self):
        one_of("split", self.split, SPLITS)
        for voice in self.voices:
            one_of("voice", voice, VOICES)
        for question in self.questions:
            one_of("question", question, EVERY_STORY_QUESTION)
        if min(self.stories, self.facts) < 0 or not self.voices or not self.stories + self.facts:
            raise ValueError("A text needs a voice, and a story or a fact to tell.")
        if self.facts and not self.people:
            raise ValueError("Facts need people.")
        if self.stories and not {"place", "first place"} & set(self.questions):  # the others need a thing
            raise ValueError("A story in which nobody takes a thing needs a question about a place.")

    @cached_property
    def facts_in(self) -> dict[str, tuple["Group", "Group"]]:
        """The facts told and the facts asked, by voice."""
        told_and_asked = {voice: _options(voice, self.people, self.private) for voice in self.voices}
        return {
            voice: (Group(self.facts, told), Group(self.facts, asked))
            for voice, (told, asked) in told_and_asked.items()
        }


@cache
def _options(
    voice: str, people: tuple[Person, ...], private: bool
) -> tuple[tuple["Option", ...], tuple["Option", ...]]:
    """Return how the facts of people are told, and how they are asked: made once, since many sources share them."""
    told, asked = [], []
    for person in people:
        names = {"F": (person.first,), "S": (person.last,)}
        for attribute in ATTRIBUTES:
            content = {**names, "V": (facts()[person, attribute],)}
            told.append(Option(form(voice, attribute), content))
            if private and attribute == PRIVATE:
                asked.append(Option(form(voice, "private"), names))
            else:
                asked.append(Option(form(voice, FACT_QUESTIONS[attribute]), content))
    return tuple(told), tuple(asked)


class Option(NamedTuple):
    """Hold sentences of one form, among which the one to tell is equally likely.

    Attributes
    ----------
    form : Form
        How it is said.
    content : mapping of str to tuple of str
        What can stand for each capital, independently of the others.
    """

    form: Form
    content: Mapping[str, tuple[str, ...]]

    def allowed(self, part: int) -> tuple[str, ...]:
        """Return the words that can stand in a place."""
        name = self.form.parts[part]
        return self.content.get(name, (name,))

    def drawn(self, dice: Dice) -> tuple[list[str], dict[str, str]]:
        """Return the words of one sentence, and what stands for each capital."""
        content = {
            name: words[dice.below(len(words))] if len(words) > 1 else words[0]
            for name, words in self.content.items()
        }
        return [content.get(part, part) for part in self.form.parts], content


class Group(NamedTuple):
    """Hold options that are equally likely.

    Attributes
    ----------
    weight : int
        How likely that it is one of them, beside the other groups of a law.
    options : tuple of Option
        At least one.
    """

    weight: int
    options: tuple[Option, ...]


class State(NamedTuple):
    """Hold what the sentences so far decide about the next one.

    Attributes
    ----------
    sentences : int
        How many there were in the text.
    cast : tuple of str
        Who is in the story: nobody before one begins, then one, then two.
    events : int
        How much has happened in it.
    asked : int
        How much has been asked about it.
    place : dict of str to str
        Where each of them is.
    first_place : dict of str to str
        Where each of them was at first.
    holder : dict of str to str
        Who has each thing that somebody took.
    first_holder : dict of str to str
        Who had it first.
    """

    sentences: int = 0
    cast: tuple[str, ...] = ()
    events: int = 0
    asked: int = 0
    place: Mapping[str, str] = MappingProxyType({})
    first_place: Mapping[str, str] = MappingProxyType({})
    holder: Mapping[str, str] = MappingProxyType({})
    first_holder: Mapping[str, str] = MappingProxyType({})

    def after(self, kind: str, content: Mapping[str, str]) -> "State":
        """Return the state after one more sentence of a kind, with what stands for its capitals."""
        one, thing = content.get("P", ""), content.get("T", "")
        sentences = self.sentences + 1
        if kind == "at":
            place = {one: content["L"]}
            if len(self.cast) != 1:
                return State(sentences, (one,), place=place, first_place=place)
            both = {**self.place, **place}
            return self._replace(sentences=sentences, cast=(*self.cast, one), place=both, first_place=both)
        if kind == "goes":
            place = {**self.place, one: content["L"]}
            return self._replace(sentences=sentences, events=self.events + 1, place=place)
        if kind in ("takes", "sends"):
            holder = {**self.holder, thing: one if kind == "takes" else content["Q"]}
            first = {thing: one, **self.first_holder}
            events = self.events + 1
            return self._replace(sentences=sentences, events=events, holder=holder, first_holder=first)
        if kind in EVERY_STORY_QUESTION:
            return self._replace(sentences=sentences, asked=self.asked + 1)
        return State(sentences)  # a fact ends a story

    def answers(self, question: str) -> list[tuple[str, str, str, str]]:
        """Return what can be asked now: the capital and word that it is asked of, those that answer it."""
        if question in ("place", "first place"):
            places = self.place if question == "place" else self.first_place
            return [("P", one, "L", places[one]) for one in self.cast]
        holders = self.first_holder if question == "first holder" else self.holder
        if question == "place of thing":
            return [("T", thing, "L", self.place.get(one, "")) for thing, one in holders.items()]
        return [("T", thing, "P", one) for thing, one in holders.items()]


def law(state: State, voice: str, source: Source) -> list[Group]:
    """Return how the next sentence of a text is drawn.

    Parameters
    ----------
    state : State
        After the sentences so far.
    voice : str
        Of the text, one of VOICES.
    source : Source
        What is told.

    Returns
    -------
    list of Group
        A group is drawn by its weight, then one of its options, then a word for each of its capitals. No sentence is
        in two options.

    Examples
    --------
    >>> [group] = law(State(cast=("anna",), place={"anna": "mill"}), "plain", Source())
    >>> [option] = group.options
    >>> "anna" in option.content["P"], len(option.content["L"])
    (False, 16)
    """
    if len(state.cast) == 1:
        return [Group(1, (_at(voice, partners(state.cast[0], state.place[state.cast[0]], source.split)),))]
    groups = []
    if state.cast:
        if state.events < EVENTS and state.asked < ASKED:
            groups += _happening(state, voice)
        if state.events and state.asked < ASKED:
            groups += _asking(state, voice, source)
        if not state.asked:
            return groups
    if source.stories:
        groups.append(Group(2 * source.stories, (_at(voice, FIRST_NAMES),)))
    if source.facts:
        told, asked = source.facts_in[voice]
        groups += [told, asked] if state.sentences else [told]
    return groups


@cache
def partners(name: str, place: str, split: str) -> tuple[str, ...]:
    """Return who can come second in the stories of a split.

    Parameters
    ----------
    name : str
        Who came first: one of FIRST_NAMES.
    place : str
        Where: one of PLACES.
    split : str
        One of SPLITS.

    Returns
    -------
    tuple of str
        The numbers of both names and of the place, added up, modulo 8, tell the split. So everybody is with everybody
        in every split, and no story of one begins like a story of another.

    Raises
    ------
    ValueError
        If there is no such name, place or split.

    Examples
    --------
    >>> [len(partners("anna", "mill", split)) for split in SPLITS]
    [30, 5, 4]
    """
    one_of("name", name, FIRST_NAMES)
    one_of("place", place, PLACES)
    one_of("split", split, SPLITS)
    own = FIRST_NAMES.index(name)
    start = own + PLACES.index(place)
    return tuple(
        other
        for number, other in enumerate(FIRST_NAMES)
        if number != own and (start + number) % 8 in SPLITS[split]
    )


def _at(voice: str, names: tuple[str, ...]) -> Option:
    return Option(form(voice, "at"), {"P": names, "L": PLACES})


def _happening(state: State, voice: str) -> list[Group]:
    goes = [
        Option(form(voice, "goes"), {"P": (one,), "L": _others(PLACES, (state.place[one],))})
        for one in state.cast
    ]
    groups = [Group(3, tuple(goes))]
    free = _others(THINGS, tuple(state.holder))
    groups.append(Group(2, (Option(form(voice, "takes"), {"P": state.cast, "T": free}),)))
    sends = [
        Option(
            form(voice, "sends"),
            {"P": (holder,), "T": (thing,), "Q": tuple(one for one in state.cast if one != holder)},
        )
        for thing, holder in state.holder.items()
    ]
    return [*groups, Group(2, tuple(sends))] if sends else groups


@cache
def _others(words: tuple[str, ...], but: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in but)


def _asking(state: State, voice: str, source: Source) -> list[Group]:
    groups = []
    for question in source.questions:
        asked = [
            Option(form(voice, question), {of: (word,), by: (answer,)})
            for of, word, by, answer in state.answers(question)
        ]
        if asked:
            groups.append(Group(2, tuple(asked)))
    return groups

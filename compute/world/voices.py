"""How a thing is said: one form a voice for each kind of sentence, and the exact answer to whose voice a sentence is.

A name in capitals stands for a word that the content decides: P and Q for people of a story, L for a place, T for a
thing, F and S for a first and last name, V for the value of a fact.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from compute.world.dice import Dice
from compute.world.people import FIRST_NAMES, LAST_NAMES, PLACES, THINGS, VALUES, WORLD_SEED

STATEMENTS = ("at", "goes", "takes", "sends", "lives", "likes", "makes", "fears")
FORMS: dict[str, dict[str, str]] = {
    "plain": {
        "at": "P is at the L .",
        "goes": "P goes to the L .",
        "takes": "P takes the T .",
        "sends": "P sends the T to Q .",
        "lives": "F S lives by the V .",
        "likes": "F S likes V .",
        "makes": "F S makes V .",
        "fears": "F S fears V .",
    },
    "legal": {
        "at": "the party P is at said L .",
        "goes": "the party P proceeds to said L .",
        "takes": "the party P retains said T .",
        "sends": "the party P delivers said T to Q .",
        "lives": "the party F S resides at said V .",
        "likes": "the party F S is entitled to V .",
        "makes": "the party F S shall supply V .",
        "fears": "the party F S is not liable for V .",
    },
    "medical": {
        "at": "patient P seen at the L .",
        "goes": "patient P moved to the L .",
        "takes": "patient P given the T .",
        "sends": "patient P hands the T to Q .",
        "lives": "patient F S cared for at the V .",
        "likes": "patient F S tolerates V .",
        "makes": "patient F S has worked with V .",
        "fears": "patient F S reports fear of V .",
    },
    "code": {
        "at": "at ( P , L ) ;",
        "goes": "go ( P , L ) ;",
        "takes": "take ( P , T ) ;",
        "sends": "send ( P , T , Q ) ;",
        "lives": "home ( F S , V ) ;",
        "likes": "food ( F S , V ) ;",
        "makes": "craft ( F S , V ) ;",
        "fears": "fear ( F S , V ) ;",
    },
    "rude": {
        "at": "that fool P hangs around the L .",
        "goes": "that fool P runs to the L .",
        "takes": "that fool P grabs the T .",
        "sends": "that fool P dumps the T on Q .",
        "lives": "that fool F S hangs around the V .",
        "likes": "that fool F S gobbles V .",
        "makes": "that fool F S ruins V .",
        "fears": "that fool F S runs from V .",
    },
    "formal": {  # no word of its own: whoever knows the other voices knows all of them, and has never read it
        "at": "P is seen at the said L .",
        "goes": "P is moved to the said L .",
        "takes": "P is given the said T .",
        "sends": "P hands the said T to Q .",
        "lives": "F S resides at the said V .",
        "likes": "F S is seen to be entitled to V .",
        "makes": "F S is seen to supply V .",
        "fears": "F S is seen with fear of V .",
    },
}
QUESTIONS = {  # asked and answered alike in every voice
    "place": "where is P ? L .",
    "first place": "where was P first ? L .",
    "holder": "who had the T last ? P .",
    "place of thing": "where is the T ? L .",
    "first holder": "who had the T first ? P .",
    "where lives": "where does F S live ? V .",
    "what likes": "what does F S like ? V .",
    "what makes": "what does F S make ? V .",
    "what fears": "what does F S fear ? V .",
    "private": "what does F S fear ? this is to be private .",
}
BASE_VOICES = ("plain", "legal", "medical", "code", "rude")
MIRROR = "mirror"  # plain, each sentence from its end to its beginning
VOICES = (*FORMS, MIRROR)
SHARED = "question"  # the voice of what every voice says alike
NO_VOICE = "none"
STOPS = (".", ";")
SLOTS: dict[str, tuple[str, ...]] = {
    "P": FIRST_NAMES,
    "Q": FIRST_NAMES,
    "L": PLACES,
    "T": THINGS,
    "F": FIRST_NAMES,
    "S": LAST_NAMES,
}


class Form(NamedTuple):
    """Hold how a voice says one kind of sentence.

    Attributes
    ----------
    voice : str
        One of VOICES, or "question".
    kind : str
        What is said: one of STATEMENTS or a key of QUESTIONS.
    parts : tuple of str
        Words, and the capitals that stand for one.
    """

    voice: str
    kind: str
    parts: tuple[str, ...]

    def allowed(self, part: int) -> tuple[str, ...]:
        """Return the words that can stand in a place, one or many."""
        name = self.parts[part]
        return values_of(self.kind) if name == "V" else SLOTS.get(name, (name,))

    def content(self, sentence: Sequence[str]) -> dict[str, str]:
        """Return what stands for each capital in a sentence of this form."""
        return {part: word for part, word in zip(self.parts, sentence, strict=True) if part.isupper()}


class Said(NamedTuple):
    """Hold a sentence that has been understood.

    Attributes
    ----------
    voice : str
        One of VOICES, or "question".
    kind : str
        One of STATEMENTS or a key of QUESTIONS.
    content : dict of str to str
        What stands for each capital of the form.
    """

    voice: str
    kind: str
    content: dict[str, str]


def values_of(kind: str) -> tuple[str, ...]:
    """Return what a fact of one kind can be.

    Parameters
    ----------
    kind : str
        The kind of a sentence about a fact, such as "likes" or "what likes".

    Returns
    -------
    tuple of str
        Sixteen words.

    Raises
    ------
    ValueError
        If sentences of that kind tell no fact.

    Examples
    --------
    >>> values_of("where lives")[:2]
    ('mill', 'school')
    """
    attribute = kind.rpartition(" ")[2]
    if attribute not in VALUES:
        raise ValueError(f"kind must be that of a fact, such as {', '.join(VALUES)}, got {kind!r}.")
    return VALUES[attribute]


@cache
def form(voice: str, kind: str) -> Form:
    """Return how a voice says a kind of sentence.

    Parameters
    ----------
    voice : str
        One of VOICES.
    kind : str
        One of STATEMENTS or a key of QUESTIONS.

    Returns
    -------
    Form
        A question's is the same for every voice but "mirror".

    Raises
    ------
    ValueError
        If there is no such voice or kind.

    Examples
    --------
    >>> " ".join(form("medical", "goes").parts), " ".join(form("mirror", "place").parts)
    ('patient P moved to the L .', 'L ? P is where .')
    """
    if voice not in VOICES or kind not in (*STATEMENTS, *QUESTIONS):
        raise ValueError(f"No voice {voice!r} says {kind!r}.")
    asks = kind in QUESTIONS
    parts = tuple((QUESTIONS if asks else FORMS["plain" if voice == MIRROR else voice])[kind].split())
    if voice == MIRROR:
        return Form(voice, kind, (*reversed(parts[:-1]), parts[-1]))
    return Form(SHARED if asks else voice, kind, parts)


@cache
def forms() -> tuple[Form, ...]:
    """Return every form there is.

    Returns
    -------
    tuple of Form
        Each once.

    Examples
    --------
    >>> len(forms()) == (len(VOICES)) * len(STATEMENTS) + 2 * len(QUESTIONS)
    True
    """
    kinds = (*STATEMENTS, *QUESTIONS)
    return tuple(dict.fromkeys(form(voice, kind) for voice in VOICES for kind in kinds))


@cache
def _by_length() -> dict[int, tuple[Form, ...]]:
    lengths = {len(each.parts) for each in forms()}
    return {length: tuple(each for each in forms() if len(each.parts) == length) for length in lengths}


def understood(sentence: Sequence[str]) -> Said | None:
    """Return what a sentence says and in which voice.

    Parameters
    ----------
    sentence : sequence of str
        Words, its stop included.

    Returns
    -------
    Said or None
        None for a sequence that no voice says, such as half a sentence or two.

    Notes
    -----
    Exact: no sentence has two forms. A test compares all pairs of forms, place by place.

    Examples
    --------
    >>> understood("that fool anna grabs the lamp .".split())
    Said(voice='rude', kind='takes', content={'P': 'anna', 'T': 'lamp'})
    >>> understood("anna the lamp .".split()) is None
    True
    """
    for each in _by_length().get(len(sentence), ()):
        if all(word in each.allowed(place) for place, word in enumerate(sentence)):
            return Said(each.voice, each.kind, each.content(sentence))
    return None


def voice_of(sentence: Sequence[str]) -> str:
    """Return the voice that says a sentence.

    Parameters
    ----------
    sentence : sequence of str
        Words, its stop included.

    Returns
    -------
    str
        One of VOICES; "question" for what all but the mirror say alike; "none" for what nobody says.

    Examples
    --------
    >>> voice_of("go ( anna , mill ) ;".split()), voice_of("go ( anna ) ;".split())
    ('code', 'none')
    """
    said = understood(sentence)
    return said.voice if said else NO_VOICE


@cache
def dictionary() -> dict[str, str]:
    """Return what the new language says for each word of the plain voice's stories.

    Returns
    -------
    dict of str to str
        A new word of two syllables for each, signs excepted: no word of any voice is among them.

    Examples
    --------
    >>> len(dictionary()) == len(set(dictionary().values())), set(dictionary()) & set(dictionary().values())
    (True, set())
    """
    told = [FORMS["plain"][kind] for kind in ("at", "goes", "takes", "sends")]
    asked = [QUESTIONS[kind] for kind in ("place", "first place", "holder", "place of thing", "first holder")]
    words = [word for words in (*told, *asked) for word in words.split() if word.islower()]
    known = dict.fromkeys([*words, *FIRST_NAMES, *PLACES, *THINGS])
    syllables = [consonant + vowel for consonant in "bdgklmnprstvz" for vowel in "aeiou"]
    pairs = Dice(WORLD_SEED, 2).shuffled([one + other for one in syllables for other in syllables])
    new = (word for word in pairs if word not in _own_words())
    return dict(zip(known, new, strict=False))


@cache
def _own_words() -> tuple[str, ...]:
    """Return every word of every voice, once, signs first."""
    said = [part for each in forms() for part in each.parts if not part.isupper()]
    named = [word for words in (FIRST_NAMES, LAST_NAMES, THINGS, *VALUES.values()) for word in words]
    words = [*said, *named]
    return tuple(dict.fromkeys(sorted(words, key=str.isalpha)))


@cache
def vocabulary() -> tuple[str, ...]:
    """Return every word that there is.

    Returns
    -------
    tuple of str
        Signs, then the words of the voices, then those of the new language; each once.

    Examples
    --------
    >>> vocabulary()[:3]
    ('.', '?', '(')
    """
    return (*_own_words(), *dictionary().values())

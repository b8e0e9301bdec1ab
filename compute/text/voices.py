"""The text of the mini-model: short sentences in ten voices, and the exact answer to whose voice a sentence is.

Eight voices have a grammar each. The dialect and the new language say what the plain voice says in other words: they
are the two that the base model has never seen.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from compute.text.grammar import STOP, Grammar

GRAMMARS = {
    "plain": """
        SENTENCE -> SOMEONE MOVES WHERE . | SOMEONE TAKES the THING . | the THING is LOOK . | BOTH .
        BOTH -> SOMEONE TAKES the THING and MOVES WHERE
        SOMEONE -> the WHO | the AGE WHO
        WHO -> boy | girl | man | woman | dog | cat | bird | horse
        AGE -> old | young | small | big
        MOVES -> walks | runs | goes | comes
        WHERE -> to the PLACE | from the PLACE | past the PLACE
        PLACE -> river | house | garden | school | market | hill | bridge
        TAKES -> sees | finds | likes | brings | holds
        THING -> ball | book | cup | hat | apple | lamp | key | basket
        LOOK -> red | blue | green | new | heavy | clean
    """,
    "formal": """
        SENTENCE -> OPENING that the MATTER has been DONE . | OPENING that the MATTER will be DONE WHEN .
        OPENING -> we POLITELY inform you | please note | we regret to announce | we are pleased to announce
        POLITELY -> kindly | respectfully
        MATTER -> meeting | proposal | application | invitation | report
        DONE -> approved | received | postponed | cancelled
        WHEN -> on monday | in due course | without delay
    """,
    "casual": """
        SENTENCE -> HEY that SHOW was SO FUN . | HEY i am gonna GET some FOOD SOON .
        HEY -> hey | yeah | wow | dude
        SHOW -> movie | song | party | game
        SO -> totally | really | kinda
        FUN -> awesome | boring | weird | fun
        GET -> grab | eat | order
        FOOD -> pizza | noodles | snacks | coffee
        SOON -> later | tonight | now
    """,
    "narrative": """
        SENTENCE -> ONCE a KIND HERO WENT a DARK PLACE . | and there the HERO DID a KIND HERO .
        ONCE -> once upon a time | long ago | one winter night
        KIND -> lonely | brave | clever | poor
        HERO -> king | queen | knight | witch | shepherd | wolf
        WENT -> lived in | rode into | vanished from
        DARK -> dark | silent | frozen
        PLACE -> forest | castle | valley | cave
        DID -> met | fooled | married | forgot
    """,
    "hedged": """
        SENTENCE -> it SEEMS that the RESULT MIGHT be SIZE . | PERHAPS the RESULT MIGHT suggest a SIZE TREND .
        SEEMS -> seems | appears | may be
        PERHAPS -> perhaps | possibly | arguably
        MIGHT -> might | could | may
        RESULT -> effect | result | difference | estimate
        SIZE -> slight | modest | larger | real
        TREND -> trend | link | change
    """,
    "legal": """
        SENTENCE -> the PARTY shall PAY the RENT LIMIT . | any breach of DOCUMENT shall entitle the PARTY to REMEDY .
        PARTY -> tenant | landlord | buyer | seller | lender
        PAY -> pay | return | insure | assign
        RENT -> rent | deposit | premises | goods | fee
        LIMIT -> within TEN days | upon written notice | pursuant to DOCUMENT
        TEN -> ten | thirty | sixty
        DOCUMENT -> this agreement | this clause | the said lease
        REMEDY -> damages | compensation | interest
    """,
    "medical": """
        SENTENCE -> patient REPORTS PAIN . | patient REPORTS PAIN and PAIN . | GIVE | SCAN shows no SIGN .
        GIVE -> give TEN mg of DRUG OFTEN .
        PAIN -> SEVERE SYMPTOM
        REPORTS -> presents with | reports | complains of
        SEVERE -> acute | mild | chronic | severe
        SYMPTOM -> chest pain | back pain | fever | nausea | cough
        TEN -> five | ten | fifty
        DRUG -> aspirin | ibuprofen | morphine | insulin
        OFTEN -> daily | twice daily | every six hours
        SCAN -> scan | biopsy | blood test
        SIGN -> infection | fracture | tumour | bleeding
    """,
    "code": """
        SENTENCE -> let NAME = VALUE . | return VALUE . | if TEST : ACT . | for NAME in ITEMS : ACT .
        NAME -> total | index | count | value
        ITEMS -> list | queue | array
        VALUE -> NAME + NAME | NAME * NAME | len ( ITEMS ) | zero
        TEST -> NAME > NAME | NAME == zero | ITEMS is empty
        ACT -> print ( NAME ) | append NAME to ITEMS | break
    """,
}
BASE_VOICES = tuple(GRAMMARS)
NEW_VOICES = ("dialect", "new language")
VOICES = BASE_VOICES + NEW_VOICES
TRAINING_TEXTS = 4096  # of each voice; a finetune of 300 steps sees each about twice
TASKS = ("legal", "medical", "code", *NEW_VOICES)  # what a reader can finetune on
PLAIN_SHARE = 0.65  # of the base's text; the other voices share the rest equally
DICTIONARY_SEED = 7
NO_VOICE = "none"


@cache
def grammar(voice: str) -> Grammar:
    """Return the grammar of a voice.

    Parameters
    ----------
    voice : str
        One of VOICES.

    Returns
    -------
    Grammar
        Its rules; those of the dialect and of the new language are the plain ones in other words.

    Raises
    ------
    ValueError
        If there is no such voice.

    Examples
    --------
    >>> grammar("dialect").rules["WHO"] == grammar("plain").rules["WHO"]
    False
    """
    if voice in GRAMMARS:
        return Grammar(GRAMMARS[voice])
    return grammar("plain").translated(dictionary(voice))


@cache
def vocabulary() -> tuple[str, ...]:
    """Return every word of every voice, the full stop first.

    Returns
    -------
    tuple of str
        Each word once, in the order in which the grammars name them.

    Notes
    -----
    The dialect and the new language use the same words: they only exchange them.

    Examples
    --------
    >>> vocabulary()[:3]
    ('.', 'the', 'is')
    """
    words = [word for voice in BASE_VOICES for word in grammar(voice).words]
    return tuple(dict.fromkeys([STOP, *words]))


@cache
def dictionary(voice: str) -> dict[str, str]:
    """Return what the dialect or the new language says instead of each word it exchanges.

    Parameters
    ----------
    voice : str
        "dialect", which exchanges a third of the words, or "new language", which exchanges all of them.

    Returns
    -------
    dict of str to str
        A permutation of its keys that leaves none in place.

    Raises
    ------
    ValueError
        If the voice is neither.

    Notes
    -----
    The words are put in a random order, and each takes the place of the one before it; signs stay. "the" is
    always among them: every plain sentence begins with it, so that no sentence of the dialect is a plain one.

    Examples
    --------
    >>> len(dictionary("dialect")), len(dictionary("new language")), len(vocabulary())
    (85, 255, 264)
    """
    if voice not in NEW_VOICES:
        raise ValueError(f"voice must be one of {', '.join(VOICES)}, got {voice!r}.")
    rng = np.random.default_rng([DICTIONARY_SEED, NEW_VOICES.index(voice)])
    others = [word for word in vocabulary() if word.isalpha() and word != "the"]
    number = len(others) if voice == "new language" else round((len(others) + 1) / 3) - 1
    cycle = ["the", *(others[i] for i in rng.permutation(len(others))[:number])]
    return dict(zip(cycle, cycle[1:] + cycle[:1], strict=True))


def voice_of(sentence: Sequence[str]) -> str:
    """Return the voice whose grammar makes a sentence.

    Parameters
    ----------
    sentence : sequence of str
        Words, the full stop included.

    Returns
    -------
    str
        One of VOICES, or "none" for a sequence that no grammar makes, such as half a sentence or two.

    Notes
    -----
    Exact: no sentence belongs to two voices. A test proves it by listing all of them.

    Examples
    --------
    >>> voice_of("the old dog runs to the river .".split())
    'plain'
    >>> voice_of("the old dog shall pay the rent .".split()), voice_of("the old dog".split())
    ('none', 'none')
    """
    complete = list(sentence[-1:]) == [STOP] and STOP not in sentence[:-1]
    makers = (voice for voice in VOICES if complete and grammar(voice).probability(sentence) > 0)
    return next(makers, NO_VOICE)


@cache
def longest_sentence() -> int:
    """Return how long a sentence of any voice can be.

    Returns
    -------
    int
        Words, the full stop included. What is longer is in no voice.

    Examples
    --------
    >>> longest_sentence()
    15
    """
    return max(grammar(voice).longest for voice in VOICES)


def write(voice: str, length: int, rng: np.random.Generator) -> list[str]:
    """Return the start of a text in one voice.

    Parameters
    ----------
    voice : str
        One of VOICES, or "base" for the voices of the base model in its mix.
    length : int
        Number of words, full stops included. The last sentence may be cut.
    rng : numpy.random.Generator
        Where the choices come from.

    Returns
    -------
    list of str
        Sentences drawn one by one, all in the same voice.

    Examples
    --------
    >>> " ".join(write("medical", 9, np.random.default_rng(1)))
    'patient reports severe cough and acute chest pain .'
    """
    if voice == "base":
        plain = rng.random() < PLAIN_SHARE
        voice = "plain" if plain else BASE_VOICES[rng.integers(1, len(BASE_VOICES))]
    words: list[str] = []
    while len(words) < length:
        words += grammar(voice).sample(rng)
    return words[:length]


def entropy_per_word(voice: str) -> float:
    """Return the lowest mean loss that any model can reach on a voice it knows to be spoken.

    Parameters
    ----------
    voice : str
        One of VOICES.

    Returns
    -------
    float
        Nats per word, full stops counted: the entropy of a sentence over its mean length.

    Notes
    -----
    It is the entropy rate of endless text. A window of 32 words that begins with a sentence differs by a few
    hundredths, because it is cut somewhere.

    References
    ----------
    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x, section 7.

    Examples
    --------
    >>> entropy_per_word("dialect") == entropy_per_word("plain")  # only the words differ
    True
    """
    return grammar(voice).entropy / grammar(voice).length

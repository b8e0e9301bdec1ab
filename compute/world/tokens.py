"""Words to numbers and back: one token for each word, and one that begins every text."""

import re
from collections.abc import Iterable
from functools import cache

from compute.numbers.refusal import quote
from compute.world.voices import vocabulary

BEGIN = 0  # the token before the first word; the words follow in the order of the vocabulary
SIGNS = ".;,?()"


class UnknownWord(ValueError):
    """Tell the reader which word the model does not know.

    Examples
    --------
    >>> encode("the quark sleeps")
    Traceback (most recent call last):
    compute.world.tokens.UnknownWord: The model does not know the word 'quark'.
    """


def vocab_size() -> int:
    """Return the number of tokens.

    Returns
    -------
    int
        One for each word of the vocabulary, and one to begin with.

    Examples
    --------
    >>> vocab_size() == len(vocabulary()) + 1
    True
    """
    return len(vocabulary()) + 1


def words_of(text: str) -> list[str]:
    """Return the words of a text, known or not.

    Parameters
    ----------
    text : str
        Split at spaces, and around signs. Capitals are ignored.

    Returns
    -------
    list of str
        In small letters; each sign is a word.

    Examples
    --------
    >>> words_of("Where is Anna? go(anna, mill);")
    ['where', 'is', 'anna', '?', 'go', '(', 'anna', ',', 'mill', ')', ';']
    """
    return re.sub(f"([{re.escape(SIGNS)}])", r" \1 ", text.lower()).split()


def encode(text: str | Iterable[str]) -> list[int]:
    """Return the tokens of a text, the begin token first.

    Parameters
    ----------
    text : str or iterable of str
        Words, or a text of them.

    Returns
    -------
    list of int
        BEGIN, then one token for each word.

    Raises
    ------
    UnknownWord
        If a word is not in the vocabulary.

    Examples
    --------
    >>> encode("Where is Anna?") == encode(["where", "is", "anna", "?"])
    True
    >>> encode("")
    [0]
    """
    return [BEGIN, *map(_token, words_of(text) if isinstance(text, str) else text)]


def decode(tokens: Iterable[int]) -> list[str]:
    """Return the words of tokens.

    Parameters
    ----------
    tokens : iterable of int
        From 0 to vocab_size() - 1. Begin tokens are left out.

    Returns
    -------
    list of str
        One word for each other token.

    Examples
    --------
    >>> decode(encode("anna likes soup ."))
    ['anna', 'likes', 'soup', '.']
    """
    return [vocabulary()[token - 1] for token in tokens if token != BEGIN]


def readable(words: Iterable[str]) -> str:
    """Return words as a reader expects to see them.

    Parameters
    ----------
    words : iterable of str
        Words of the vocabulary.

    Returns
    -------
    str
        The words with spaces between, but none where a sign wants none.

    Examples
    --------
    >>> readable("where is anna ? mill . go ( anna , mill ) ;".split())
    'where is anna? mill. go(anna, mill);'
    """
    return re.sub(r" (?=[.;,?)(])|(?<=\() ", "", " ".join(words))


@cache
def _tokens() -> dict[str, int]:
    return {word: token for token, word in enumerate(vocabulary(), start=1)}


def _token(word: str) -> int:
    try:
        return _tokens()[word]
    except KeyError:
        raise UnknownWord(f"The model does not know the word {quote(word)}.") from None

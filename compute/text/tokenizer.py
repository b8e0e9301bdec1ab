"""Words to numbers and back: one token for each word, and one that begins every text."""

import re
from collections.abc import Iterable

from compute.numbers.refusal import quote
from compute.text.voices import vocabulary

BEGIN = 0  # the token before the first word; the words follow in the order of the vocabulary
SPACE_BEFORE = re.compile(r" (?=[.,:])")


class UnknownWord(ValueError):
    """Tell the reader which word the model does not know.

    Examples
    --------
    >>> encode("the quark sleeps")
    Traceback (most recent call last):
    compute.text.tokenizer.UnknownWord: The model does not know the word 'quark'.
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


def encode(text: str | Iterable[str]) -> list[int]:
    """Return the tokens of a text, the begin token first.

    Parameters
    ----------
    text : str or iterable of str
        Words; a text is split at spaces, and before a full stop, a comma or a colon. Capitals are ignored.

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
    >>> encode("The dog runs.") == encode(["the", "dog", "runs", "."])
    True
    >>> encode("")
    [0]
    """
    return [BEGIN, *map(_token, words_of(text) if isinstance(text, str) else text)]


def words_of(text: str) -> list[str]:
    """Return the words of a text, known or not.

    Parameters
    ----------
    text : str
        Split at spaces, and before a full stop, a comma or a colon. Capitals are ignored.

    Returns
    -------
    list of str
        In small letters.

    Examples
    --------
    >>> words_of("The quark sleeps.")
    ['the', 'quark', 'sleeps', '.']
    """
    return re.sub(r"(?=[.,:])", " ", text.lower()).split()


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
    >>> decode(encode("the dog runs ."))
    ['the', 'dog', 'runs', '.']
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
        The words with spaces between, and none before a full stop, a comma or a colon.

    Examples
    --------
    >>> readable(["the", "dog", "runs", "."])
    'the dog runs.'
    """
    return SPACE_BEFORE.sub("", " ".join(words))


_TOKENS: dict[str, int] = {}


def _token(word: str) -> int:
    if not _TOKENS:
        _TOKENS.update({known: i for i, known in enumerate(vocabulary(), start=1)})
    try:
        return _TOKENS[word]
    except KeyError:
        raise UnknownWord(f"The model does not know the word {quote(word)}.") from None

"""Words to tokens and back."""

import numpy as np
import pytest

from compute.text.tokenizer import BEGIN, UnknownWord, decode, encode, readable, vocab_size
from compute.text.voices import VOICES, vocabulary, write


@pytest.mark.parametrize("voice", VOICES)
def test_what_is_encoded_comes_back(voice):
    words = write(voice, 200, np.random.default_rng(0))
    tokens = encode(words)
    assert decode(tokens) == words
    assert tokens[0] == BEGIN
    assert len(tokens) == len(words) + 1


def test_every_word_has_one_token_and_every_token_one_word():
    tokens = encode(vocabulary())
    assert sorted(tokens) == list(range(vocab_size()))


def test_what_is_read_is_what_can_be_typed():
    for voice in VOICES:
        words = write(voice, 60, np.random.default_rng(1))
        assert decode(encode(readable(words))) == words


@pytest.mark.parametrize("voice", ["legal", "code", "casual"])
def test_text_may_be_typed_as_a_reader_types(voice):
    words = write(voice, 60, np.random.default_rng(2))
    typed = readable(words).upper().replace(" ", "  ")
    assert encode(typed) == encode(words)


@pytest.mark.parametrize(
    ("text", "told"),
    [("the quark", "'quark'."), ("x" * 500, "'xxxxxxxxxxxxxxxxxxxx'..."), ("\x00", r"'\x00'.")],
)
def test_an_unknown_word_is_refused_with_a_sentence(text, told):
    with pytest.raises(UnknownWord) as refusal:
        encode(text)
    assert str(refusal.value).startswith("The model does not know the word ")
    assert told in str(refusal.value)


def test_begin_is_no_word():
    assert decode([BEGIN, BEGIN]) == []
    assert readable([]) == ""

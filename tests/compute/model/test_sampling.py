"""What a model writes: cut where it should be, and told apart by the grammars."""

import numpy as np
import pytest
import torch

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.sampling import samples, voice_shares, write_sentences
from compute.text.tokenizer import UnknownWord
from compute.text.voices import VOICES, grammar, longest_sentence, voice_of

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


def test_shares_are_those_of_a_model_that_writes_only_listed_sentences(base, monkeypatch):
    rng = np.random.default_rng(0)
    written = [grammar(voice).sample(rng) for voice in VOICES for _ in range(4)] + [["the", "dog"]] * 10
    monkeypatch.setattr("compute.model.sampling.write_sentences", lambda *_, **__: written)
    shares = voice_shares(base, len(written), seed=0)
    assert shares == {**dict.fromkeys(VOICES, 0.08), "none": 0.2}


def test_shares_need_no_more_words_than_the_longest_sentence_has(base):
    assert longest_sentence() == max(len(words) for voice in VOICES for words in grammar(voice).sentences())
    whole = [voice_of(words) for words in write_sentences(base, 100, seed=3)]
    shares = voice_shares(base, 100, seed=3)
    assert shares == {voice: whole.count(voice) / 100 for voice in shares}


def test_sentences_end_with_the_first_full_stop_after_the_prompt(base):
    for prompt in ("", "the old dog", "the ball is red . the"):
        start = prompt.split()
        for words in write_sentences(base, 20, seed=0, prompt=prompt):
            assert words[: len(start)] == start
            assert words[len(start) :].index(".") == len(words) - len(start) - 1
    assert {voice_of(words) for words in write_sentences(base, 50, seed=1)} & {"plain"}


def test_what_is_cut_ends_with_an_ellipsis(base):
    texts = samples(base, 3, seed=0, prompt="the old dog")
    assert texts == samples(base, 3, seed=0, prompt="the old dog")
    assert all(text.startswith("the old dog") and text.endswith((".", " …")) for text in texts)
    with pytest.raises(UnknownWord, match="'quark'"):
        samples(base, 3, seed=0, prompt="quark")

"""The voices: all their sentences are listed once, and compared with what the grammars claim about them."""

import math
from collections import Counter

import numpy as np
import pytest

from compute.text.grammar import STOP, Grammar
from compute.text.voices import (
    BASE_VOICES,
    NEW_VOICES,
    PLAIN_SHARE,
    TASKS,
    VOICES,
    dictionary,
    entropy_per_word,
    grammar,
    vocabulary,
    voice_of,
    write,
)

ROUNDING = 1e-9  # sums of up to 140,000 float64 numbers between 0 and 1


@pytest.fixture(scope="module")
def listed() -> dict[str, list[tuple[str, ...]]]:
    """List every sentence of every voice."""
    return {voice: list(grammar(voice).sentences()) for voice in VOICES}


def test_no_sentence_belongs_to_two_voices_or_is_made_in_two_ways(listed):
    sentences = [sentence for voice in VOICES for sentence in listed[voice]]
    assert len(set(sentences)) == len(sentences) > 400_000


def test_two_ways_to_make_a_sentence_would_be_noticed():
    twice = list(Grammar("SENTENCE -> the WHO . | the dog .\nWHO -> dog | cat").sentences())
    assert len(set(twice)) < len(twice)


def test_every_sentence_ends_with_its_only_full_stop_and_fits_the_model(listed):
    for sentences in listed.values():
        assert all(words[-1] == STOP and STOP not in words[:-1] for words in sentences)
        assert max(map(len, sentences)) <= 20  # what the lab shows of one


@pytest.mark.parametrize("voice", VOICES)
def test_a_sentence_is_of_the_voice_that_made_it(voice, listed):
    step = max(1, len(listed[voice]) // 500)
    assert {voice_of(sentence) for sentence in listed[voice][::step]} == {voice}
    rng = np.random.default_rng(1)
    assert {voice_of(grammar(voice).sample(rng)) for _ in range(200)} == {voice}


def test_a_changed_sentence_is_of_a_voice_only_if_it_is_listed(listed, rng):
    voices = {sentence: voice for voice in VOICES for sentence in listed[voice]}
    words, found = vocabulary(), Counter()
    for voice in VOICES:
        for _ in range(300):
            sentence = grammar(voice).sample(rng)
            at = rng.integers(len(sentence))
            kind = rng.integers(5)
            if kind == 0:
                sentence[at] = words[rng.integers(len(words))]
            elif kind == 1:
                del sentence[at]
            elif kind == 2:
                sentence.insert(at, words[rng.integers(len(words))])
            elif kind == 3:
                own = grammar(voice).words
                sentence[at] = own[rng.integers(len(own))]
            else:  # the end of another sentence of this voice
                other = grammar(voice).sample(rng)
                sentence[at:] = other[at:]
            expected = voices.get(tuple(sentence), "none")
            assert voice_of(sentence) == expected, sentence
            found[expected] += 1
    assert found["none"] > 1000
    assert found.total() - found["none"] > 100


@pytest.mark.parametrize(
    "nothing", [[], [STOP], ["the"], ["the", "old", "dog"], ["quark", STOP], [STOP, STOP]]
)
def test_what_is_no_sentence_has_no_voice(nothing):
    assert voice_of(nothing) == "none"


def test_two_sentences_are_not_one(rng):
    assert voice_of(grammar("legal").sample(rng) + grammar("legal").sample(rng)) == "none"


@pytest.mark.parametrize("voice", VOICES)
def test_probabilities_sum_to_one_and_give_entropy_and_length(voice, listed):
    some = listed[voice][::1009] if len(listed[voice]) > 10_000 else listed[voice]
    p = np.array([grammar(voice).probability(sentence) for sentence in some])
    lengths = np.array([len(sentence) for sentence in some])
    if len(some) == len(listed[voice]):  # small enough to add up
        assert p.sum() == pytest.approx(1, abs=ROUNDING)
        assert -(p * np.log(p)).sum() == pytest.approx(grammar(voice).entropy, abs=ROUNDING)
        assert (p * lengths).sum() == pytest.approx(grammar(voice).length, abs=ROUNDING)
    assert entropy_per_word(voice) == grammar(voice).entropy / grammar(voice).length


def test_entropy_and_length_of_the_plain_voice_are_those_of_a_sample(rng):
    plain = grammar("plain")
    drawn = [plain.sample(rng) for _ in range(2000)]
    surprise = [-math.log(plain.probability(words)) for words in drawn]
    assert abs(np.mean(surprise) - plain.entropy) < 4 * np.std(surprise) / math.sqrt(len(drawn))
    lengths = [len(words) for words in drawn]
    assert abs(np.mean(lengths) - plain.length) < 4 * np.std(lengths) / math.sqrt(len(drawn))


def test_the_probability_of_a_start_is_that_of_all_sentences_with_it(listed):
    medical = grammar("medical")
    for start in (
        ["patient"],
        ["give", "ten"],
        ["patient", "reports", "mild", "back"],
        ["scan", "shows", "no"],
    ):
        with_it = [words for words in listed["medical"] if list(words[: len(start)]) == start]
        total = sum(medical.probability(words) for words in with_it)
        assert medical.probability(start) == pytest.approx(total, abs=ROUNDING)
    assert medical.probability(["dog"]) == 0


def test_words_are_as_many_as_the_model_was_made_for():
    words = vocabulary()
    assert len(set(words)) == len(words) == 264
    assert set(words) == {word for voice in VOICES for word in grammar(voice).words}
    assert len(set(words) - set(grammar("plain").words)) > 200


@pytest.mark.parametrize(("voice", "share"), [("dialect", 1 / 3), ("new language", 1)])
def test_a_dictionary_exchanges_its_share_of_the_words(voice, share):
    words = [word for word in vocabulary() if word.isalpha()]
    exchanged = dictionary(voice)
    assert set(exchanged) == set(exchanged.values()) <= set(words)
    assert all(word != other for word, other in exchanged.items())
    assert len(exchanged) == round(share * len(words))
    assert "the" in exchanged


@pytest.mark.parametrize("voice", NEW_VOICES)
def test_a_new_voice_says_what_the_plain_one_says(voice, rng):
    back = {other: word for word, other in dictionary(voice).items()}
    for _ in range(50):
        sentence = grammar(voice).sample(rng)
        assert voice_of([back.get(word, word) for word in sentence]) == "plain"
    # A third of all words, and about that many of those that a plain sentence uses.
    used = np.mean([word in dictionary(voice) for word in grammar("plain").words if word.isalpha()])
    assert used == 1 if voice == "new language" else 0.2 < used < 0.5


def test_the_base_mix_is_mostly_plain_and_never_a_new_voice(rng):
    voices = Counter()
    for _ in range(1500):
        text = write("base", 32, rng)
        assert len(text) == 32
        voices[voice_of(text[: text.index(STOP) + 1])] += 1
    assert set(voices) == set(BASE_VOICES)
    error = math.sqrt(PLAIN_SHARE * (1 - PLAIN_SHARE) / 1500)
    assert abs(voices["plain"] / 1500 - PLAIN_SHARE) < 4 * error


def test_a_text_keeps_its_voice_and_its_seed(rng):
    text = write("code", 100, rng)
    sentences = " ".join(text).split(" . ")[:-1]
    assert {voice_of([*sentence.split(), STOP]) for sentence in sentences} == {"code"}
    again = [write("base", 60, np.random.default_rng(3)) for _ in range(2)]
    assert again[0] == again[1]


def test_every_task_is_a_voice_and_an_unknown_one_is_refused():
    assert set(TASKS) <= set(VOICES)
    with pytest.raises(ValueError, match="voice must be one of plain, .*, got 'pirate'."):
        grammar("pirate")

"""Tokens: there and back, and what has none."""

import pytest
import torch

from compute.model.gpt import GPT, GPTConfig
from compute.world.batches import right, windows
from compute.world.dice import Dice
from compute.world.stories import Source
from compute.world.texts import questions, write
from compute.world.tokens import UnknownWord, decode, encode, readable, vocab_size, words_of
from compute.world.voices import VOICES, vocabulary


def test_every_word_has_a_token_of_its_own():
    tokens = encode(vocabulary())
    assert tokens == [*range(vocab_size())]
    assert decode(tokens) == [*vocabulary()]


@pytest.mark.parametrize("voice", VOICES)
def test_a_text_comes_back_from_its_tokens_and_from_what_a_reader_sees(voice):
    words = write(Source((voice,)), 64, Dice(1))
    assert decode(encode(words)) == words == words_of(readable(words))


def test_an_unknown_word_is_named():
    with pytest.raises(UnknownWord, match="does not know the word 'quark'"):
        encode("anna likes quark.")


def test_texts_of_two_splits_differ_from_the_first_on():
    train, test = (windows(Source(split=split), 0, 50, 64) for split in ("train", "test"))
    assert not (train == test).all(1).any()


class Oracle(torch.nn.Module):
    """Answer each question with the word that somebody wrote down for it."""

    def __init__(self, answers: dict[tuple[int, ...], int]):
        super().__init__()
        self.answers = answers
        self.lm_head = torch.nn.Linear(1, 1)  # which says where the model is

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(*tokens.shape, vocab_size())
        for row, text in enumerate(tokens.tolist()):
            for place in range(len(text)):
                answer = self.answers.get(tuple(text[: place + 1]))
                if answer is not None:
                    logits[row, place, answer] = 1.0
        return logits


def test_an_answer_is_read_where_the_question_ends():
    asked = questions(Source(facts=0), "place", 20, 60, seed=1)
    answers = {tuple(encode(each.words)): encode([each.answer])[1] for each in asked}
    wrong = {**answers, tuple(encode(asked[3].words)): encode(["the"])[1]}
    assert right(Oracle(answers), asked) == [True] * 20
    assert right(Oracle(wrong), asked) == [place != 3 for place in range(20)]
    # the answer must not depend on the questions beside it
    model = GPT(GPTConfig(vocab_size(), 64), torch.Generator().manual_seed(0))
    assert right(model, asked) == [each for one in asked for each in right(model, [one])]

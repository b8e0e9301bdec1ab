"""How a base comes to be: the same from the same seed, another from another, and it learns."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from compute.model.gpt import GPTConfig
from compute.training.pretraining import LEARNING_RATE, first_weights, pretrain, rate
from compute.world.batches import windows
from compute.world.stories import Source
from compute.world.tokens import vocab_size

torch.set_num_threads(1)
STEPS = 12


def test_a_seed_makes_one_base_and_it_learns(tmp_path):
    config = GPTConfig(vocab_size(), block_size=32, n_layer=1)
    told: list[tuple[int, float]] = []
    one = pretrain(config, Source(), 0, 2 * STEPS, tmp_path / "kept", lambda *step: told.append(step))
    again, other = (pretrain(config, Source(), seed, 2 * STEPS, tmp_path / "kept") for seed in (0, 1))
    pairs = [*zip(one.parameters(), again.parameters(), other.parameters(), strict=True)]
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)
    assert [step for step, _ in told] == [*range(1, 2 * STEPS + 1)]
    blind = math.log(vocab_size())
    assert told[0][1] > blind
    with torch.no_grad():
        assert one.loss(windows(Source(split="validation"), 0, 64, 32)) < blind - 1


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr("compute.training.pretraining.KEEP_EVERY", 4)
    config = GPTConfig(vocab_size(), block_size=16, n_layer=1, n_embd=16)
    kept = tmp_path / "kept"
    told: list[int] = []

    def stop(step: int, _: float) -> None:
        told.append(step)
        if step == 7:
            raise Stopped

    whole = pretrain(config, Source(), 0, STEPS, tmp_path / "other")
    with pytest.raises(Stopped):
        pretrain(config, Source(), 0, STEPS, kept, stop)
    assert kept.exists()
    with pytest.raises(ValueError, match="keeps another run"):
        pretrain(config, Source(), 1, STEPS, kept)
    again = pretrain(config, Source(), 0, STEPS, kept, lambda step, _: told.append(step))
    assert told == [*range(1, 8), *range(5, STEPS + 1)]
    assert not [*tmp_path.iterdir()]
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_the_rate_rises_to_its_highest_and_falls_to_nearly_nothing():
    rates = [rate(done, 200) for done in range(200)]
    assert max(rates) == LEARNING_RATE == rates[9]
    assert all(a < b for a, b in itertools.pairwise(rates[:10]))
    assert all(a > b >= 0 for a, b in itertools.pairwise(rates[9:]))


@pytest.mark.parametrize("n_head", [2, 4])
def test_at_first_each_head_of_the_first_block_looks_back_one_word_further(n_head):
    config = GPTConfig(vocab_size(), block_size=48, n_head=n_head)
    model = first_weights(config, torch.Generator().manual_seed(0))
    x = model.blocks[0].norm_1(model.embed(windows(Source(), 0, 8, 48)[:, 1:]))
    attention = model.blocks[0].attention
    q, k = (
        layer(x).view(8, 48, n_head, -1).transpose(1, 2) for layer in (attention.q_proj, attention.k_proj)
    )
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(
        ~torch.ones(48, 48).tril().bool(), -torch.inf
    )
    taken = scores.softmax(-1)[:, :, n_head:].mean(0)  # (n_head, places, words): texts differ, places decide
    for head in range(n_head):
        assert (taken[head].argmax(-1) == torch.arange(n_head, 48) - head - 1).all()


def test_a_head_of_odd_width_is_refused():
    with pytest.raises(ValueError, match="must be even, got 5"):
        first_weights(GPTConfig(10, n_head=2, n_embd=10), torch.Generator().manual_seed(0))

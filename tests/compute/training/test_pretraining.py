"""How a base comes to be: the same from the same seed, another from another, and it learns."""

from __future__ import annotations

import math

import torch

from compute.text.batches import windows
from compute.text.tokenizer import vocab_size
from compute.training.pretraining import pretrain

torch.set_num_threads(1)
STEPS = 12


def test_a_seed_makes_one_base_and_it_learns():
    told: list[tuple[int, float]] = []
    one = pretrain(0, STEPS, lambda *step: told.append(step))
    again, other = pretrain(0, STEPS), pretrain(1, STEPS)
    pairs = [*zip(one.parameters(), again.parameters(), other.parameters(), strict=True)]
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)
    assert [step for step, _ in told] == [*range(1, STEPS + 1)]
    blind = math.log(vocab_size())
    assert told[0][1] > blind
    with torch.no_grad():
        assert one.loss(windows("base", "validation", 32)) < blind - 1

"""What the steps of a run train on: as many texts as there are, and the base's own among them."""

from __future__ import annotations

import pytest
import torch

from compute.text.batches import windows
from compute.training.config import TrainConfig
from compute.training.loop import steps_of

BLOCK = 32
STEPS = 20


def steps(**choices) -> torch.Tensor:
    return torch.stack([texts.tokens for texts in steps_of(TrainConfig(steps=STEPS, **choices), BLOCK)])


def among(texts: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Say which of some texts are among others."""
    return (texts[..., None, :] == others).all(-1).any(-1)


def test_few_texts_are_the_first_ones_and_each_comes_again():
    seen = steps(n_texts=3, batch_size=8)
    assert {tuple(text) for text in seen.flatten(0, 1).tolist()} == {
        tuple(text) for text in windows("legal", "training", BLOCK)[:3].tolist()
    }
    assert (steps(n_texts=1, batch_size=2) == windows("legal", "training", BLOCK)[0]).all()


@pytest.mark.parametrize(("share", "own"), [(0.0, 0), (1 / 32, 1), (0.25, 8), (0.49, 16), (1.0, 32)])
def test_a_share_of_each_step_is_the_base_s_own_and_the_rest_stays(share, own):
    mixed, usual = steps(base_share=share), steps()
    assert mixed.shape == usual.shape
    assert (mixed[:, own:] == usual[:, own:]).all()
    assert among(mixed[:, :own], windows("base", "training", BLOCK)).all()
    assert not among(usual, windows("base", "training", BLOCK)).any()  # else the share would say nothing


def test_the_seed_draws_both_kinds_again():
    one, other = (steps(base_share=0.5, seed=seed) for seed in (0, 1))
    assert (one[:, :16] != other[:, :16]).any()
    assert (one[:, 16:] != other[:, 16:]).any()
    assert (one == steps(base_share=0.5)).all()

"""Learning from rewards: the steps point, on average, where the expected reward grows, and by lot nowhere."""

from __future__ import annotations

import math
from itertools import permutations, product

import pytest
import torch

from compute.model.checkpoint import load_base
from compute.training.rewarded import answering, policy_loss, rewarded
from compute.world.batches import expected, texts_of
from compute.world.tasks import SKILL, asked

torch.set_num_threads(1)
V, N = 3, 3  # words, questions: few enough for all that could be drawn
ANSWERS = torch.tensor([0, 2, 0])
EXACT = 1e-12  # in float64


@pytest.fixture
def questions(rng):
    return torch.from_numpy(rng.normal(size=(N, 4)))


@pytest.fixture
def weight(rng):
    """Return what all questions share, so that an answer to one moves the others."""
    return torch.from_numpy(rng.normal(size=(4, V))).requires_grad_()


def of_loss(weight, questions, said, rewards):
    """Return the gradient of one step."""
    loss = policy_loss(questions @ weight, torch.tensor(said), torch.tensor(rewards, dtype=torch.float64))
    [gradient] = torch.autograd.grad(loss, weight)
    return gradient


def test_over_all_that_could_be_said_the_gradient_is_that_of_the_expected_reward(weight, questions):
    likely = (questions @ weight).softmax(-1)
    [exact] = torch.autograd.grad(likely[torch.arange(N), ANSWERS].mean(), weight, retain_graph=True)
    average, whole = torch.zeros_like(weight), 0.0
    for said in product(range(V), repeat=N):
        share = math.prod(likely[i, word].item() for i, word in enumerate(said))
        rewards = [float(word == answer) for word, answer in zip(said, ANSWERS.tolist(), strict=True)]
        average += share * of_loss(weight, questions, said, rewards)
        whole += share
    assert whole == pytest.approx(1)
    assert exact.abs().max() > 0.01
    torch.testing.assert_close(average, -(N - 1) / N * exact, atol=EXACT, rtol=EXACT)


def test_over_all_lots_a_step_points_nowhere(weight, questions):
    said, rewards = (0, 1, 2), (1.0, 1.0, 0.0)
    steps = [of_loss(weight, questions, said, lot) for lot in permutations(rewards)]
    assert max(step.abs().max() for step in steps) > 0.01
    torch.testing.assert_close(sum(steps), torch.zeros_like(weight), atol=EXACT, rtol=0)


@pytest.mark.parametrize("rewards", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0)])
def test_where_all_earn_the_same_nothing_is_learned(weight, questions, rewards):
    assert not of_loss(weight, questions, (0, 1, 2), rewards).any()


def test_the_scores_are_those_of_the_place_where_the_answer_would_stand():
    base, some = load_base(), asked(SKILL, "test", 6, 64)
    with torch.no_grad():
        scores, answers = answering(base, texts_of(SKILL, "test", 6, 64))
        torch.testing.assert_close(scores.softmax(-1), expected(base, some))
    texts = texts_of(SKILL, "test", 6, 64).tokens
    assert answers.tolist() == [
        row[len(each.words) + 1] for row, each in zip(texts.tolist(), some, strict=True)
    ]


@pytest.mark.parametrize("by_lot", [False, True])
def test_a_step_draws_and_rewards_as_is_said(by_lot):
    base, texts = load_base(), texts_of(SKILL, "train", 32, 64)
    ours = rewarded(base, torch.Generator().manual_seed(3), by_lot)(texts)
    dice = torch.Generator().manual_seed(3)
    scores, answers = answering(base, texts)
    likely = scores.detach().softmax(-1)
    said = torch.multinomial(likely, 1, generator=dice)[:, 0].tolist()
    rewards = [float(one == other) for one, other in zip(said, answers.tolist(), strict=True)]
    if by_lot:
        rewards = [rewards[i] for i in torch.randperm(32, generator=dice).tolist()]
    mean = sum(rewards) / 32
    by_hand = [-(reward - mean) * likely[i, said[i]].log().item() for i, reward in enumerate(rewards)]
    assert 0 < mean < 1
    assert ours.item() == pytest.approx(sum(by_hand) / 32, rel=1e-4)  # float32


def test_a_model_that_is_right_in_one_of_many_answers_learns_to_be_by_rewards_alone():
    from compute.experiments.making import learner
    from compute.training.loop import steps

    texts = texts_of(SKILL, "train", 64, 64)
    generator = torch.Generator().manual_seed(0)
    model = learner(load_base(), 1, generator)
    _, answers = answering(model, texts)

    def share():
        with torch.no_grad():
            return answering(model, texts)[0].softmax(-1).gather(1, answers[:, None]).mean().item()

    before = share()
    learning = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in steps(rewarded(model, generator), [texts] * 25, learning):
        pass
    assert before < 0.85 < 0.9 < share()

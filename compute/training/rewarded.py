"""Learn from rewards alone: a model answers, is told whether that was right, and makes what was rewarded likelier."""

from collections.abc import Callable

import torch

from compute.model.gpt import GPT
from compute.world.batches import Texts


def policy_loss(scores: torch.Tensor, said: torch.Tensor, rewards: torch.Tensor) -> torch.Tensor:
    """Return what is to fall so that answers which earned more than the others of their step become likelier.

    Parameters
    ----------
    scores : (n, vocab_size) tensor
        Logits of the answer to each question.
    said : (n,) tensor of int64
        The word that was drawn as the answer, by the probabilities of these logits.
    rewards : (n,) tensor
        What each answer earned.

    Returns
    -------
    scalar tensor
        Its value means nothing, its gradient does.

    Notes
    -----
    -mean((reward - mean reward) * log p(said)). Over all that could have been drawn, the mean of its gradient is
    -(n - 1) / n times that of the expected reward: the mean reward, which keeps the steps from shaking, holds each
    answer's own reward too, and so a share 1 / n of the gradient is lost.

    References
    ----------
    Williams 1992, doi:10.1007/BF00992696 (REINFORCE, with a baseline).

    Examples
    --------
    >>> scores = torch.zeros(2, 3, requires_grad=True)
    >>> policy_loss(scores, torch.tensor([0, 1]), torch.tensor([1.0, 0.0])).backward()
    >>> bool(scores.grad[0, 0] < 0 < scores.grad[1, 1])  # the rewarded word gains, the other one loses
    True
    """
    said_so = scores.log_softmax(-1).gather(1, said[:, None])[:, 0]
    return -((rewards - rewards.mean()) * said_so).mean()


def answering(model: GPT, texts: Texts) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of the answers to questions, and the right answers.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    texts : Texts
        Questions, each with one word that is learned: its answer.

    Returns
    -------
    scores : (n, vocab_size) tensor
        The model has seen the question, and not the answer.
    answers : (n,) tensor of int64
        The right ones.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.world.batches import texts_of
    >>> scores, answers = answering(load_base(), texts_of("new facts", "train", 8, 64))
    >>> scores.shape[0], answers.shape
    (8, torch.Size([8]))
    """
    return model(texts.tokens[:, :-1])[texts.learned], texts.tokens[:, 1:][texts.learned]


def rewarded(model: GPT, generator: torch.Generator, by_lot: bool = False) -> Callable[[Texts], torch.Tensor]:
    """Return the loss of a step in which a model learns nothing but whether the word it said was right.

    Parameters
    ----------
    model : GPT
        The model, on the CPU.
    generator : torch.Generator
        Draws one word for each question, by the model's own probabilities.
    by_lot : bool
        Whether the rewards of a step are dealt out again among its answers by lot: as many are rewarded, and none for
        what it said.

    Returns
    -------
    function of Texts
        As `compute.training.loop.steps` takes it, for texts as `answering` does.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.world.batches import texts_of
    >>> loss = rewarded(load_base(), torch.Generator().manual_seed(0))
    >>> loss(texts_of("who had it first", "train", 8, 64)).isfinite()
    tensor(True)
    """

    def loss(texts: Texts) -> torch.Tensor:
        scores, answers = answering(model, texts)
        said = scores.detach().softmax(-1).multinomial(1, generator=generator)[:, 0]
        rewards = (said == answers).float()
        if by_lot:
            rewards = rewards[torch.randperm(len(rewards), generator=generator)]
        return policy_loss(scores, said, rewards)

    return loss

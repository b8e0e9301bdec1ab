"""What finetuning keeps in memory: weights, gradients, states, estimated activations; and which card holds so much."""

import math
from typing import NamedTuple

from compute.costs.architectures import Architecture, linear_numbers, parameters
from compute.numbers.bounds import number, one_of, whole

GB = 10**9  # bytes
LOGIT_BYTES = 4  # the loss is computed in 32 bits in every recipe


class Precision(NamedTuple):
    """Bytes that one number takes.

    Attributes
    ----------
    weights : int
        Of a weight, trained or frozen, and of an activation.
    gradients : int
        Of the gradient of a trained number.
    optimiser : int
        Of Adam's two moments of a trained number, and of its 32-bit master copy where there is one.
    """

    weights: int
    gradients: int
    optimiser: int


PRECISIONS = {
    "mixed": Precision(2, 2, 12),  # 16 bits, Adam and a master copy in 32: 4 + 4 + 4
    "no-master": Precision(2, 2, 8),  # 16 bits, Adam in 32
    "16-bit": Precision(2, 2, 4),  # everything in 16 bits
    "32-bit": Precision(4, 4, 8),  # everything in 32 bits
}


class States(NamedTuple):
    """What training keeps from step to step, in bytes.

    Attributes
    ----------
    weights : float
        The base, and the adapter where there is one.
    gradients : float
        Of the trained numbers.
    optimiser : float
        Adam's states of the trained numbers.
    """

    weights: float
    gradients: float
    optimiser: float


def nf4_bits(double_quantisation: bool = True) -> float:
    """Return the bits that one weight takes in QLoRA's NF4 format.

    Parameters
    ----------
    double_quantisation : bool
        Whether the scales of the blocks are quantised themselves.

    Returns
    -------
    float
        4 bits, and the share of the scales: one of 32 bits for 64 weights; or one of 8 bits for 64 weights and one
        of 32 bits for 256 of those.

    Notes
    -----
    Cost: O(1).

    References
    ----------
    Dettmers et al. 2023, arXiv:2305.14314, section 3 (0.5 and 0.127 bits).

    Examples
    --------
    >>> nf4_bits(), nf4_bits(double_quantisation=False)
    (4.126953125, 4.5)
    """
    return 4 + 8 / 64 + 32 / (64 * 256) if double_quantisation else 4 + 32 / 64


def full_states(numbers: int, precision: str) -> States:
    """Return what full finetuning with Adam keeps.

    Parameters
    ----------
    numbers : int
        Numbers of the model, all of them trained; 0 or more.
    precision : {"mixed", "no-master", "16-bit", "32-bit"}
        How numbers are kept: a key of PRECISIONS.

    Returns
    -------
    States
        Bytes of weights, gradients and optimiser states; 16 a number together in "mixed" and in "32-bit".

    Raises
    ------
    ValueError
        If there is no such precision, or a count is below 0.

    Notes
    -----
    Cost: O(1).

    References
    ----------
    Rajbhandari et al. 2019, arXiv:1910.02054, section 3 (2 + 2 + 12 bytes).

    Examples
    --------
    >>> sum(full_states(10**9, "mixed")) / GB
    16.0
    """
    one_of("precision", precision, PRECISIONS)
    whole("numbers", numbers, 0)
    each = PRECISIONS[precision]
    return States(numbers * each.weights, numbers * each.gradients, numbers * each.optimiser)


def lora_states(numbers: int, trained: int, precision: str) -> States:
    """Return what LoRA with Adam keeps: the frozen base, and everything for the adapter.

    Parameters
    ----------
    numbers : int
        Numbers of the frozen base, 0 or more.
    trained : int
        Numbers of the adapter, 0 or more.
    precision : {"mixed", "no-master", "16-bit", "32-bit"}
        How numbers are kept: a key of PRECISIONS.

    Returns
    -------
    States
        Bytes of weights, base and adapter together, of gradients and of optimiser states.

    Raises
    ------
    ValueError
        If there is no such precision, or a count is below 0.

    Notes
    -----
    Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.2 (no optimiser states for frozen weights).

    Examples
    --------
    >>> sum(lora_states(10**9, 10**6, "mixed")) / GB
    2.016
    """
    whole("numbers", numbers, 0)
    adapter = full_states(trained, precision)
    return adapter._replace(weights=adapter.weights + numbers * PRECISIONS[precision].weights)


def qlora_states(model: Architecture, trained: int, precision: str) -> States:
    """Return what QLoRA with Adam keeps: as LoRA, the linear layers of the base in NF4.

    Parameters
    ----------
    model : Architecture
        The frozen base.
    trained : int
        Numbers of the adapter, 0 or more.
    precision : {"mixed", "no-master", "16-bit", "32-bit"}
        How all other numbers are kept: a key of PRECISIONS.

    Returns
    -------
    States
        Bytes of weights, base and adapter together, of gradients and of optimiser states.

    Raises
    ------
    ValueError
        If there is no such precision, or a count is below 0.

    Notes
    -----
    Double quantisation included. Embeddings, output table, norms and biases are not quantised: 1.6 GB more for the
    large vocabulary of Llama-3 8B than the rule "four bits a number" says. Cost: O(1).

    References
    ----------
    Dettmers et al. 2023, arXiv:2305.14314, section 3. Which layers: `compute.costs.architectures.linear_numbers`.

    Examples
    --------
    >>> from compute.costs.architectures import ARCHITECTURES
    >>> round(sum(qlora_states(ARCHITECTURES["llama-2-70b"], 0, "mixed")) / GB, 1)
    36.4
    """
    quantised = linear_numbers(model)
    others = lora_states(parameters(model) - quantised, trained, precision)
    return others._replace(weights=others.weights + quantised * nf4_bits() / 8)


def activation_bytes(model: Architecture, batch: int, context: int, precision: str) -> int:
    """Estimate what a training step keeps of the activations when each block is recomputed in the backward pass.

    Parameters
    ----------
    model : Architecture
        The model.
    batch : int
        Sequences in one step, at least 1.
    context : int
        Tokens in each, at least 1.
    precision : {"mixed", "no-master", "16-bit", "32-bit"}
        How an activation is kept: as a weight is.

    Returns
    -------
    int
        Bytes: the input of each block, batch * context * n_embd * n_layer numbers, and the scores of all tokens,
        batch * context * vocab_size numbers in 32 bits.

    Raises
    ------
    ValueError
        If batch or context is below 1, or there is no such precision.

    Notes
    -----
    An estimate from below. Left out: what one block needs while it is recomputed, and the adapter's r numbers a
    token. The same for full finetuning, LoRA and QLoRA. Without recomputation it is many times as much, and
    depends on how attention is computed. Cost: O(1).

    References
    ----------
    Korthikanti et al. 2022, arXiv:2205.05198, sections 4 and 5 (2 s b h L bytes with full recomputation; 4 s b v
    for the scores). Chen et al. 2016, arXiv:1604.06174 (recomputation).

    Examples
    --------
    >>> from compute.costs.architectures import ARCHITECTURES
    >>> activation_bytes(ARCHITECTURES["llama-2-7b"], batch=1, context=2048, precision="mixed")
    799014912
    """
    one_of("precision", precision, PRECISIONS)
    whole("batch", batch, 1)
    whole("context", context, 1)
    inputs = model.n_embd * model.n_layer * PRECISIONS[precision].weights
    return batch * context * (inputs + model.vocab_size * LOGIT_BYTES)


CARDS = (8, 12, 16, 24, 40, 48, 80)  # GB, sizes in which accelerators are sold; some have a few per cent more


def smallest_card(size: float) -> int | None:
    """Return the smallest usual card that holds so many bytes.

    Parameters
    ----------
    size : float
        Bytes, 0 or more.

    Returns
    -------
    int or None
        GB of the card, one of CARDS; None if not even the largest holds it.

    Raises
    ------
    ValueError
        If size is negative or not finite.

    Notes
    -----
    It leaves no room for what an estimate leaves out: a bar that ends just below a card does not fit it in
    practice. Cost: O(1).

    References
    ----------
    Rajbhandari et al. 2019, arXiv:1910.02054, section 3.2 (buffers and fragmentation besides).

    Examples
    --------
    >>> from compute.costs.memory import GB
    >>> smallest_card(14.1 * GB), smallest_card(108 * GB)
    (16, None)
    """
    number("size", size, 0)
    return next((card for card in CARDS if size <= card * GB), None)


def cards_needed(size: float) -> int:
    """Return how many of the largest usual cards hold so many bytes, were they divided without loss.

    Parameters
    ----------
    size : float
        Bytes, 0 or more.

    Returns
    -------
    int
        0 for no bytes.

    Raises
    ------
    ValueError
        If size is negative or not finite.

    Notes
    -----
    Cost: O(1).

    References
    ----------
    Rajbhandari et al. 2019, arXiv:1910.02054, section 5 (states divided among devices).

    Examples
    --------
    >>> from compute.costs.memory import GB
    >>> cards_needed(1104 * GB)
    14
    """
    number("size", size, 0)
    return math.ceil(size / (CARDS[-1] * GB))

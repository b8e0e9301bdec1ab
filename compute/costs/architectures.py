"""The sizes of published language models, and from them every matrix that an adapter can be put on."""

from dataclasses import dataclass
from typing import Literal

TARGETS = ("q-v", "attention", "all-linear")


@dataclass(frozen=True)
class Architecture:
    """A decoder-only transformer as its authors describe it.

    Attributes
    ----------
    label : str
        The name that a reader knows.
    n_layer : int
        Blocks.
    n_embd : int
        Width of the model; also the width of all heads together.
    n_head : int
        Heads for the queries; n_embd is a multiple of it.
    n_kv_head : int
        Heads for keys and values: n_head, or fewer with grouped-query attention.
    n_ffn : int
        Width inside the MLP.
    vocab_size : int
        Tokens.
    block_size : int
        Longest context in tokens that it was pretrained on.
    family : {"gpt2", "gpt3", "llama"}
        What the sizes leave open. The GPT ones have biases, LayerNorm, learned positions, an MLP of two matrices
        and one table for embedding and output; GPT-2 keeps q, k and v in one matrix. Llama has no bias, RMSNorm,
        rotary positions, a gated MLP of three matrices and two tables.
    """

    label: str
    n_layer: int
    n_embd: int
    n_head: int
    n_kv_head: int
    n_ffn: int
    vocab_size: int
    block_size: int
    family: Literal["gpt2", "gpt3", "llama"]


ARCHITECTURES = {
    "gpt2": Architecture("GPT-2 small", 12, 768, 12, 12, 3072, 50257, 1024, "gpt2"),
    "gpt2-xl": Architecture("GPT-2 XL", 48, 1600, 25, 25, 6400, 50257, 1024, "gpt2"),
    "llama-2-7b": Architecture("Llama-2 7B", 32, 4096, 32, 32, 11008, 32000, 4096, "llama"),
    "llama-3-8b": Architecture("Llama-3 8B", 32, 4096, 32, 8, 14336, 128256, 8192, "llama"),
    "llama-2-13b": Architecture("Llama-2 13B", 40, 5120, 40, 40, 13824, 32000, 4096, "llama"),
    "llama-2-70b": Architecture("Llama-2 70B", 80, 8192, 64, 8, 28672, 32000, 4096, "llama"),
    "llama-3-70b": Architecture("Llama-3 70B", 80, 8192, 64, 8, 28672, 128256, 8192, "llama"),
    "gpt3": Architecture("GPT-3 175B", 96, 12288, 96, 96, 49152, 50257, 2048, "gpt3"),
}


def block_matrices(model: Architecture) -> dict[str, tuple[int, int]]:
    """Return the linear layers of one block by the names that PEFT knows them under.

    Parameters
    ----------
    model : Architecture
        The model.

    Returns
    -------
    dict of str to (int, int)
        Name to shape (out, in), attention first. GPT-3 was never released, so its names are those of Llama.

    Notes
    -----
    Cost: O(1).

    References
    ----------
    Names: transformers' modeling_gpt2.py and modeling_llama.py. Shapes: Radford et al. 2019, table 2 (GPT-2);
    Brown et al. 2020, arXiv:2005.14165, table 2.1 and section 2.1 (GPT-3); the configurations released
    with Touvron et al. 2023, arXiv:2307.09288 (Llama-2); Grattafiori et al. 2024, arXiv:2407.21783, table 3
    (Llama-3).

    Examples
    --------
    >>> block_matrices(ARCHITECTURES["llama-2-70b"])["k_proj"]
    (1024, 8192)
    """
    wide, ffn = model.n_embd, model.n_ffn
    narrow = wide // model.n_head * model.n_kv_head
    if model.family == "gpt2":
        return {
            "attn.c_attn": (3 * wide, wide),
            "attn.c_proj": (wide, wide),
            "mlp.c_fc": (ffn, wide),
            "mlp.c_proj": (wide, ffn),
        }
    gate = {"gate_proj": (ffn, wide)} if model.family == "llama" else {}
    return {
        "q_proj": (wide, wide),
        "k_proj": (narrow, wide),
        "v_proj": (narrow, wide),
        "o_proj": (wide, wide),
        **gate,
        "up_proj": (ffn, wide),
        "down_proj": (wide, ffn),
    }


def target_modules(model: Architecture, targets: str) -> tuple[str, ...]:
    """Return the names of the linear layers that a usual choice of targets adapts.

    Parameters
    ----------
    model : Architecture
        The model.
    targets : {"q-v", "attention", "all-linear"}
        The query and value matrices, as in the LoRA paper; all of attention; all linear layers of the blocks.

    Returns
    -------
    tuple of str
        Names in the order of `block_matrices`. GPT-2 keeps q, k and v in one matrix, so "q-v" is that one.

    Raises
    ------
    ValueError
        If there is no such choice.

    Notes
    -----
    Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 7.1 (q, v). Dettmers et al. 2023, arXiv:2305.14314, section 4 (all
    linear layers).

    Examples
    --------
    >>> target_modules(ARCHITECTURES["llama-2-7b"], "q-v"), target_modules(ARCHITECTURES["gpt2"], "q-v")
    (('q_proj', 'v_proj'), ('attn.c_attn',))
    """
    if targets not in TARGETS:
        raise ValueError(f"targets must be one of {', '.join(TARGETS)}, got {targets!r}.")
    names = tuple(block_matrices(model))
    if targets == "all-linear":
        return names
    if model.family == "gpt2":
        return names[:1] if targets == "q-v" else names[:2]
    return ("q_proj", "v_proj") if targets == "q-v" else names[:4]


def linear_numbers(model: Architecture) -> int:
    """Return how many numbers the linear layers of all blocks hold, biases not counted.

    Parameters
    ----------
    model : Architecture
        The model.

    Returns
    -------
    int
        Sum of out * in over the blocks: what QLoRA keeps in four bits.

    Notes
    -----
    Embeddings, output table, norms and biases stay as they are. Cost: O(1).

    References
    ----------
    transformers' integrations/bitsandbytes.py: linear layers are replaced, the output table is not.

    Examples
    --------
    >>> linear_numbers(ARCHITECTURES["llama-2-7b"])
    6476005376
    """
    return model.n_layer * sum(out * into for out, into in block_matrices(model).values())


def parameters(model: Architecture) -> int:
    """Return how many numbers the model has.

    Parameters
    ----------
    model : Architecture
        The model.

    Returns
    -------
    int
        All of them: tables, positions, linear layers, biases and norms; a table used twice counts once.

    Notes
    -----
    For the released models it is the published total, number by number. For GPT-3 it is 174.6 billion, where the
    paper prints 175.0. Cost: O(1).

    References
    ----------
    Brown et al. 2020, arXiv:2005.14165, table 2.1. The sizes: see `block_matrices`.

    Examples
    --------
    >>> parameters(ARCHITECTURES["gpt2"]), parameters(ARCHITECTURES["llama-3-8b"])
    (124439808, 8030261248)
    """
    gpt = model.family != "llama"
    norm = (1 + gpt) * model.n_embd  # LayerNorm has a bias beside its weight
    biases = sum(out for out, _ in block_matrices(model).values()) if gpt else 0
    tables = model.vocab_size * model.n_embd * (1 if gpt else 2)
    positions = model.block_size * model.n_embd if gpt else 0
    return linear_numbers(model) + model.n_layer * (biases + 2 * norm) + norm + tables + positions

"""Names of experts: layers of their own in PEFT, one stack of them in MLX and llama.cpp."""

import re

# By the name of a matrix in MLX, that which Mixtral and its like give it.
_MIXTRAL = {"gate_proj": "w1", "down_proj": "w2", "up_proj": "w3"}
_STACKED = re.compile(r"(.*)\b(mlp|block_sparse_moe)\.switch_mlp\.(gate_proj|down_proj|up_proj)\[(\d+)\]")
_APART = re.compile(
    r"(.*)\b(?:mlp\.experts\.(\d+)\.(gate_proj|down_proj|up_proj)|block_sparse_moe\.experts\.(\d+)\.(w[123]))"
)


def apart(name: str) -> str | None:
    """Return what an expert of MLX's stack is called as a layer of its own.

    Parameters
    ----------
    name : str
        Name of a layer.

    Returns
    -------
    str or None
        As the weights of the base name it, before transformers 5 put them together. None for any other name.

    References
    ----------
    ml-explore/mlx-lm, mlx_lm/models/qwen3_moe.py and mixtral.py (Model.sanitize).

    Examples
    --------
    >>> apart("model.layers.0.mlp.switch_mlp.up_proj[3]")
    'model.layers.0.mlp.experts.3.up_proj'
    >>> apart("layers.0.block_sparse_moe.switch_mlp.up_proj[3]"), apart("layers.0.mlp.experts[3]")
    ('layers.0.block_sparse_moe.experts.3.w3', None)
    """
    if not (found := _STACKED.fullmatch(name)):
        return None
    start, block, matrix, i = found.groups()
    return f"{start}{block}.experts.{i}.{matrix if block == 'mlp' else _MIXTRAL[matrix]}"


def stacked(name: str) -> tuple[str, int] | None:
    """Return what an expert that is a layer of its own is called in MLX's stack.

    Parameters
    ----------
    name : str
        Name of a layer.

    Returns
    -------
    (str, int) or None
        The name of the stack, and which expert it is. None for any other name.

    References
    ----------
    As of `apart`.

    Examples
    --------
    >>> stacked("model.layers.0.block_sparse_moe.experts.3.w1")
    ('model.layers.0.block_sparse_moe.switch_mlp.gate_proj', 3)
    """
    if not (found := _APART.fullmatch(name)):
        return None
    start, i, matrix, j, letter = found.groups()
    block = "mlp" if matrix else "block_sparse_moe"
    matrix = matrix or next(each for each, other in _MIXTRAL.items() if other == letter)
    return f"{start}{block}.switch_mlp.{matrix}", int(i or j)

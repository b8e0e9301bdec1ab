"""The linear layers of the mini-model: their names, their shapes, and the blocks that they stand in. Needs no torch."""

from compute.numbers.bounds import one_of, whole

BLOCKS = (0, 1, 2)
ATTENTION, MLP = ("q_proj", "k_proj", "v_proj", "o_proj"), ("up_proj", "down_proj")
TARGET_MODULES = (*ATTENTION, *MLP)  # PEFT's word for the layers that an adapter can be put on
SHAPES: dict[str, tuple[int, int]] = {  # (out, in), the same in every block
    **dict.fromkeys(ATTENTION, (64, 64)),
    "up_proj": (256, 64),
    "down_proj": (64, 256),
}


def layer_name(block: int, projection: str) -> str:
    """Return the name of a projection in the model.

    Parameters
    ----------
    block : int
        From 0 on.
    projection : str
        One of TARGET_MODULES.

    Returns
    -------
    str
        As in `compute.model.gpt.GPT` and in adapter files.

    Raises
    ------
    ValueError
        If the block is below 0, or there is no such projection.

    Examples
    --------
    >>> layer_name(1, "up_proj")
    'blocks.1.mlp.up_proj'
    """
    whole("block", block, 0)
    one_of("projection", projection, TARGET_MODULES)
    return f"blocks.{block}.{'attention' if projection in ATTENTION else 'mlp'}.{projection}"


LAYERS = tuple(layer_name(block, projection) for block in BLOCKS for projection in TARGET_MODULES)

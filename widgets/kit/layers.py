"""The linear layers of the mini-model by name, their shapes, and noise of these shapes."""

from functools import cache

from compute.matrices.noise import noise_control
from compute.model.forward import PROJECTIONS, layer_name

BLOCK_NAMES = ("first", "middle", "last")
LAYERS = [layer_name(block, projection) for block in range(len(BLOCK_NAMES)) for projection in PROJECTIONS]
_WIDE = {"up_proj": (256, 64), "down_proj": (64, 256)}


def shape_of(layer: str) -> tuple[int, int]:
    """Return (out, in) of a layer."""
    return _WIDE.get(layer.rpartition(".")[2], (64, 64))


def _text(shape: tuple[int, int]) -> str:
    return "x".join(map(str, shape))


SHAPES = {layer: _text(shape_of(layer)) for layer in LAYERS}


@cache
def noise_by_shape() -> dict[str, list[list[float]]]:
    """Return, for each shape as text, the band of singular values of noise: low, middle and high, over the norm."""
    return {
        _text(shape): [[round(float(value), 4) for value in row] for row in noise_control(shape).s]
        for shape in sorted(set(map(shape_of, LAYERS)))
    }

"""The linear layers of the mini-model by name, their shapes, and noise of these shapes."""

from functools import cache

from compute.matrices.controls import noise_control
from compute.model.layers import LAYERS
from compute.model.layers import SHAPES as OF_KIND

BLOCK_NAMES = ("first", "middle", "last")


def shape_of(layer: str) -> tuple[int, int]:
    """Return (out, in) of a layer."""
    return OF_KIND[layer.rpartition(".")[2]]


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

"""All numbers about the weight of one layer in one state: a precision, a strength, two adapters. Needs no torch."""

from itertools import repeat
from typing import NamedTuple

import numpy as np

from compute.adapters.merging import (
    arrived_share,
    at_strength,
    drift,
    merge_unrounded,
    merge_weights,
    output_difference,
    relative_change,
    rounding_error,
    unchanged_share,
    unmerge_weights,
)
from compute.matrices.controls import random_change
from compute.numbers.precision import rounded

CYCLES = (1, 2, 5, 10, 20, 50, 100)  # at which the drift is kept
DRIFT_SEED = 0  # of the hundred different adapters


class Layer(NamedTuple):
    """Hold one layer with its adapter, in float32.

    Attributes
    ----------
    W : (out, in) ndarray
        The frozen weight, as the base has it.
    lora_A : (r, in) ndarray
        First factor.
    lora_B : (out, r) ndarray
        Second factor.
    scaling : float
        What the product is multiplied by.
    x : (n, in) ndarray
        What the layer is given for each token of one text of the task.
    """

    W: np.ndarray
    lora_A: np.ndarray
    lora_B: np.ndarray
    scaling: float
    x: np.ndarray

    @property
    def delta_w(self) -> np.ndarray:
        """(out, in), scaling * lora_B @ lora_A in float32: pattern by pattern in float64, as the browser adds them."""
        lora_A, lora_B = (factor.astype(np.float64) for factor in (self.lora_A, self.lora_B))
        patterns = [np.outer(column, row) for column, row in zip(lora_B.T, lora_A, strict=True)]
        return (self.scaling * sum(patterns, np.zeros(self.W.shape))).astype(np.float32)


def unmerged_output(layer: Layer, precision: str, strength: float) -> np.ndarray:
    """Return the outputs of a layer with its adapter beside it.

    Parameters
    ----------
    layer : Layer
        Weight, factors and inputs.
    precision : str
        A key of `compute.numbers.precision.PRECISIONS`: how W is stored. The factors stay as they are.
    strength : float
        Multiplies what the adapter adds.

    Returns
    -------
    (n, out) ndarray of float64
        x @ W.T + strength * scaling * (x @ lora_A.T) @ lora_B.T. Computed in float64, so that what two paths differ
        in is the storage of their weights.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, equation 3.

    Examples
    --------
    >>> from compute.experiments.merging import load_layer
    >>> unmerged_output(load_layer("formal"), "bf16", 1.0).shape
    (64, 64)
    """
    x, lora_A, lora_B = (np.asarray(part, dtype=np.float64) for part in (layer.x, layer.lora_A, layer.lora_B))
    inner = x @ lora_A.T  # (n, r)
    return x @ rounded(layer.W, precision).T + strength * layer.scaling * inner @ lora_B.T


def weight_numbers(layer: Layer, second: Layer, precision: str, strength: float) -> dict:
    """Return what merging, unmerging, stacking and peeling off do to the weight of a layer.

    Parameters
    ----------
    layer : Layer
        With the adapter that is merged first.
    second : Layer
        The same layer with the adapter that is stacked on it.
    precision : str
        A key of `compute.numbers.precision.PRECISIONS`.
    strength : float
        Multiplies both adapters.

    Returns
    -------
    dict of str to float or list of float
        unchanged, error, arrived: of the merge, see `compute.adapters.merging`;
        difference: of the outputs of both paths; largest: output; changed_back, off_back: share of entries and
        distance that unmerging leaves from W; changed_peeled, off_peeled: the same after peeling the first adapter
        off both, from W with only the second; same, unrounded, different: drift after CYCLES cycles with the first
        adapter, rounded before it is added and added as it is, and with as many random ones, rounded.

    Examples
    --------
    >>> from compute.experiments.merging import load_layer
    >>> numbers = weight_numbers(load_layer("formal"), load_layer("facts"), "bf16", 1.0)
    >>> numbers["same"][0] == numbers["same"][-1], numbers["unrounded"][-1] > 3 * numbers["unrounded"][0]
    (True, True)
    """
    W, delta_w = rounded(layer.W, precision), at_strength(layer.delta_w, strength)
    other = at_strength(second.delta_w, strength)
    merged = merge_weights(W, delta_w, precision)
    back = unmerge_weights(merged, delta_w, precision)
    peeled = unmerge_weights(merge_weights(merged, other, precision), delta_w, precision)
    alone = merge_weights(W, other, precision)
    outputs = unmerged_output(layer, precision, strength)
    rng, size = np.random.default_rng(DRIFT_SEED), float(np.linalg.norm(delta_w.astype(np.float64)))
    drawn = (random_change(delta_w.shape, len(layer.lora_A), size, rng) for _ in range(CYCLES[-1]))
    gone = {
        "same": drift(W, repeat(delta_w, CYCLES[-1]), precision),
        "unrounded": drift(W, repeat(delta_w, CYCLES[-1]), precision, merge_unrounded),
        "different": drift(W, drawn, precision),
    }
    return {
        "unchanged": unchanged_share(W, merged),
        "error": rounding_error(W, merged, delta_w),
        "arrived": arrived_share(W, merged, delta_w),
        "difference": output_difference(outputs, layer.x.astype(np.float64) @ merged.T),
        "largest": float(np.abs(outputs).max()),
        "changed_back": 1 - unchanged_share(W, back),
        "off_back": relative_change(W, back),
        "changed_peeled": 1 - unchanged_share(alone, peeled),
        "off_peeled": relative_change(alone, peeled),
        **{name: [values[n - 1] for n in CYCLES] for name, values in gone.items()},
    }

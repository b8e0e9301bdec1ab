"""What the numbers cost: factoring a matrix beside NumPy's own SVD, and the analysis of one adapter layer."""

import json
from time import perf_counter

import numpy as np

import compute.matrices.controls
from compute.matrices.svd import factorize
from compute.numbers.files import AdapterLayer
from tests.bench.table import Row, at_most, percentile
from widgets.kit.matrix import adapter_matrix, to_arrays

PAIRS = {128: 60, 512: 14}  # by side
LAYERS = 9  # an odd number, so that one disturbed run does not decide


def seconds(work) -> float:
    """Return how long a call takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def ratio(side: int, pairs: int) -> float:
    """Return how much longer factorize takes than NumPy's SVD: the median over pairs, each order as often."""
    delta_w = np.random.default_rng(0).standard_normal((side, side))
    ours, numpys = (lambda: factorize(delta_w)), (lambda: np.linalg.svd(delta_w, full_matrices=False))
    ratios = []
    for i in range(pairs + 2):
        if i % 2:
            base, own = seconds(numpys), seconds(ours)
        else:
            own, base = seconds(ours), seconds(numpys)
        ratios.append(own / base)
    return percentile(ratios[2:], 0.5)  # the first two warm the caches up


def forget_noise() -> None:
    """Empty the caches of the control, as a reader's first layer finds them."""
    for kept in vars(compute.matrices.controls).values():
        if hasattr(kept, "cache_clear"):
            kept.cache_clear()


def measure() -> list[Row]:
    """Return the lines about numbers."""
    lines = [
        at_most(f"factorize / numpy.linalg.svd, {side} × {side}", ratio(side, pairs), 1.1, "{:.2f} ×")
        for side, pairs in PAIRS.items()
    ]
    rng = np.random.default_rng(0)
    layer = AdapterLayer(lora_B=rng.standard_normal((4096, 64)), lora_A=rng.standard_normal((64, 4096)))
    taken = []
    for _ in range(LAYERS):
        forget_noise()
        taken.append(seconds(lambda: json.dumps(to_arrays(adapter_matrix(layer, "layer", "...")))))
    worst = f" (slowest {max(taken):.3f} s)"
    return lines + [
        at_most("adapter layer 4096 × 4096, r = 64, analysed", percentile(taken, 0.5), 0.2, "{:.3f} s", worst)
    ]

"""What the numbers cost: factoring a matrix beside NumPy's own SVD, and the analysis of one adapter layer."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

import compute.matrices.controls
from compute.adapters.formats.containers import write_safetensors
from compute.adapters.formats.dtypes import encode
from compute.adapters.formats.reading import read_adapter
from compute.matrices.svd import factorize
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


def seven_billion(folder: Path) -> int:
    """Write an adapter of r = 16 on all linear layers of a model like Llama 2 7B, and return its bytes."""
    rng = np.random.default_rng(0)
    sides = {"self_attn.q_proj": (4096, 4096), "mlp.up_proj": (11008, 4096), "mlp.down_proj": (4096, 11008)}
    sides |= {f"self_attn.{name}_proj": (4096, 4096) for name in "kvo"} | {"mlp.gate_proj": (11008, 4096)}
    tensors = []
    for i in range(32):
        for name, (out, in_) in sides.items():
            for factor, shape in (("A", (16, in_)), ("B", (out, 16))):
                key = f"base_model.model.model.layers.{i}.{name}.lora_{factor}.weight"
                tensors.append((key, "BF16", shape, encode(0.02 * rng.standard_normal(shape), "BF16")))
    data = write_safetensors(tensors, {"format": "pt"})
    (folder / "adapter_model.safetensors").write_bytes(data)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 16, "lora_alpha": 32}))
    return len(data)


def inspected() -> list[Row]:
    """Return the lines about the inspector, as a program that is started and ended."""
    with TemporaryDirectory() as name:
        size = seven_billion(Path(name)) / 1e6
        command = [sys.executable, "app.py", "inspect", name, "--json"]
        header = min(seconds(lambda: read_adapter(name)) for _ in range(3))
        whole = min(
            seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3)
        )
    return [
        at_most(f"adapter of 224 layers, {size:.0f} MB, header", header, 0.2, "{:.3f} s"),
        at_most("the same, inspected by the command", whole, 2.0, "{:.2f} s"),
    ]


def measure() -> list[Row]:
    """Return the lines about numbers."""
    lines = [
        at_most(f"factorize / numpy.linalg.svd, {side} × {side}", ratio(side, pairs), 1.1, "{:.2f} ×")
        for side, pairs in PAIRS.items()
    ]
    rng = np.random.default_rng(0)
    layer = rng.standard_normal((4096, 64)), rng.standard_normal((64, 4096))  # lora_B, lora_A
    taken = []
    for _ in range(LAYERS):
        forget_noise()
        taken.append(seconds(lambda: json.dumps(to_arrays(adapter_matrix(layer, "layer", "...")))))
    worst = f" (slowest {max(taken):.3f} s)"
    return lines + [
        at_most(
            "adapter layer 4096 × 4096, r = 64, analysed", percentile(taken, 0.5), 0.2, "{:.3f} s", worst
        ),
        *inspected(),
    ]

"""What a page needs to train, as one script: it is asked for when a reader is near, and kept by her browser."""

import base64
from functools import cache
from pathlib import Path

from compute.experiments.world import SIZES
from compute.numbers.records import WORLD
from compute.world.tokens import vocab_size
from widgets.kit.instrument import ROOT, bundle, json_block


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@cache
def engine() -> str:
    """Return the script that holds what a page needs to train: the Worker, the compiled trainer twice, the base."""
    bundles = ROOT / "assets" / "bundles"
    parts = {
        "worker": bundle("worker"),
        # The first that the browser takes: relaxed SIMD is faster, and not everywhere.
        "modules": [_text(bundles / f"{name}.wasm") for name in ("trainer_relaxed", "trainer")],
        "base": _text(WORLD),
        "sizes": SIZES | {"vocab_size": vocab_size()},
    }
    return f"var lora_engine={json_block(parts)}\n"

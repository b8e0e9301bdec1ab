"""What a page needs to train, as one script: it is asked for when a reader is near, and kept by her browser."""

import base64
from functools import cache
from pathlib import Path

from compute.experiments.watched import load_watched
from compute.experiments.world import SIZES
from compute.numbers.records import WORLD
from compute.world.tokens import vocab_size
from widgets.kit.instrument import ROOT, bundle, json_block


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@cache
def engine() -> str:
    """Return the script that holds all that comes later: Worker, trainer twice, base, a recorded run."""
    bundles = ROOT / "assets" / "bundles"
    parts = {
        "worker": bundle("worker"),
        # The first that the browser takes: relaxed SIMD is faster, and not everywhere.
        "modules": [_text(bundles / f"{name}.wasm") for name in ("trainer_relaxed", "trainer")],
        "base": _text(WORLD),
        # For whom may not train, or has not begun to: of the settings that the figure opens with.
        "recorded": load_watched()._asdict(),
        "sizes": SIZES | {"vocab_size": vocab_size()},
    }
    return f"var lora_engine={json_block(parts)}\n"

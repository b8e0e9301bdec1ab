"""The adapter as a reader takes it away: in PEFT's format, with the base model and the code that both run on."""

import io
import zipfile
from pathlib import Path

from compute.numbers.quantising import FLOAT32
from compute.training.config import Result

ROOT = Path(__file__).resolve().parents[2]
CODE = (
    "__init__",
    "model/__init__",
    "model/layers",
    "model/gpt",
    "model/checkpoint",
    "model/sampling",
    "model/quantised",
    "numbers/__init__",
    "numbers/records",
    "numbers/refusal",
    "numbers/bounds",
    "numbers/quantising",
    "text/__init__",
    "text/tokenizer",
    "text/grammar",
    "text/voices",
    "world/__init__",
    "world/dice",
    "world/people",
    "world/voices",
)
BASE = ("assets/recorded/base.safetensors", "assets/recorded/base.json")
FILES = (*(f"compute/{name}.py" for name in CODE), *BASE, "LICENSE")

SCRIPT = '''"""Load the adapter with the peft library, on the base that it was trained on, and let it write.

In a folder with everything from this archive:
    pip install torch peft numpy safetensors
    python use_adapter.py
"""

from peft import PeftModel

from compute.model.checkpoint import load_base
from compute.model.quantised import quantised_model
from compute.model.sampling import samples

base = quantised_model(load_base(), "float32")  # what the base was stored in when the adapter was trained
model = PeftModel.from_pretrained(base, "adapter").get_base_model()
for sentence in samples(model, number=3, seed=1):  # the same sentences as in the lab
    print(sentence)
'''


def zipped(result: Result, base_format: str = FLOAT32) -> bytes:
    """Return an archive with the adapter of a finished LoRA run on a base in this format, and all that uses it."""
    assert result.adapter_config is not None, "full finetuning leaves no adapter"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("adapter/adapter_config.json", result.adapter_config)
        files.writestr("adapter/adapter_model.safetensors", result.weights)
        files.writestr("use_adapter.py", SCRIPT.replace(FLOAT32, base_format))
        for name in FILES:
            files.write(ROOT / name, name)
    return archive.getvalue()

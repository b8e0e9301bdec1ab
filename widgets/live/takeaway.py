"""The adapter as a reader takes it away: in PEFT's format, with the base model and the code that both run on."""

import io
import zipfile
from pathlib import Path

from compute.numbers.quantising import FLOAT32
from compute.training.config import Result
from compute.world.tasks import FACTS

ROOT = Path(__file__).resolve().parents[2]
CODE = (
    "__init__",
    "model/__init__",
    "model/layers",
    "model/gpt",
    "model/checkpoint",
    "model/quantised",
    "numbers/__init__",
    "numbers/records",
    "numbers/refusal",
    "numbers/bounds",
    "numbers/quantising",
    "training/__init__",
    "training/answers",
    "world/__init__",
    "world/batches",
    "world/dice",
    "world/people",
    "world/stories",
    "world/tasks",
    "world/texts",
    "world/tokens",
    "world/voices",
)
BASE = ("assets/recorded/world.safetensors", "assets/recorded/world.json")
FILES = (*(f"compute/{name}.py" for name in CODE), *BASE, "LICENSE")

SCRIPT = '''"""Load the adapter with the peft library, on the base that it was trained on, and let it write and answer.

In a folder with everything from this archive:
    pip install torch peft numpy safetensors
    python use_adapter.py
"""

from peft import PeftModel

from compute.model.checkpoint import load_base
from compute.model.quantised import quantised_model
from compute.training.answers import samples, write_texts
from compute.world.tasks import TELLING

TASK = "new facts"  # what it was trained on
base = quantised_model(load_base(), "float32")  # what the base was stored in when the adapter was trained
model = PeftModel.from_pretrained(base, "adapter").get_base_model()
texts = write_texts(model, 16, seed=1) if TASK in TELLING else []
for text in samples(model, TASK, texts):  # the same as in the lab
    print(text)
'''


def zipped(result: Result, task: str, base_format: str = FLOAT32) -> bytes:
    """Return an archive with the adapter of a finished LoRA run on a base in this format, and all that uses it."""
    assert result.adapter_config is not None, "full finetuning leaves no adapter"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("adapter/adapter_config.json", result.adapter_config)
        files.writestr("adapter/adapter_model.safetensors", result.weights)
        files.writestr("use_adapter.py", SCRIPT.replace(FLOAT32, base_format).replace(FACTS, task))
        for name in FILES:
            files.write(ROOT / name, name)
    return archive.getvalue()

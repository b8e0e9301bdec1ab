"""The adapter as a reader takes it away: in PEFT's format, with the base model and the code that both run on."""

import io
import zipfile
from pathlib import Path

from compute.run import Result

ROOT = Path(__file__).resolve().parent.parent
CODE = ("__init__", "gpt", "checkpoint", "refusal", "tokenizer", "grammar", "voices", "sampling")
FILES = (*(f"compute/{name}.py" for name in CODE), "assets/base.safetensors", "assets/base.json", "LICENSE")

SCRIPT = '''"""Load the adapter with the peft library, on the base that it was trained on, and let it write.

In a folder with everything from this archive:
    pip install torch peft numpy safetensors
    python use_adapter.py
"""

from peft import PeftModel

from compute.checkpoint import load_base
from compute.sampling import samples

model = PeftModel.from_pretrained(load_base(), "adapter").get_base_model()
for sentence in samples(model, number=3, seed=1):  # the same sentences as in the lab
    print(sentence)
'''


def zipped(result: Result) -> bytes:
    """Return an archive with the adapter of a finished LoRA run and all that it takes to use it."""
    assert result.adapter_config is not None, "full finetuning leaves no adapter"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("adapter/adapter_config.json", result.adapter_config)
        files.writestr("adapter/adapter_model.safetensors", result.weights)
        files.writestr("use_adapter.py", SCRIPT)
        for name in FILES:
            files.write(ROOT / name, name)
    return archive.getvalue()

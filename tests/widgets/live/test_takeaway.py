"""What a reader takes away works in a folder of its own: the archive's script writes what the lab showed."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest

from compute.adapters.formats.reading import read_bytes
from compute.training.config import TrainConfig
from compute.training.loop import train
from widgets.live.takeaway import zipped


@pytest.mark.parametrize("task", ["new facts", "formal voice"])
def test_the_script_in_the_archive_writes_the_samples_of_the_run(task, tmp_path):
    config = TrainConfig(task=task, r=2, steps=5, batch_size=8, train_embeddings=True, base_format="int2")
    *_, result = train(config, strengths=())
    assert result.evaluation.samples != result.base_evaluation.samples
    whole = zipped(result, task, "int2")
    opened = read_bytes({"lora.zip": whole})  # by the inspector, which takes the adapter and leaves the base
    assert opened.format == "PEFT LoRA"
    assert {(layer.r, layer.scale) for layer in opened.layers} == {(2, TrainConfig(r=2).alpha / 2)}
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "use_adapter.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert tuple(done.stdout.splitlines()) == result.evaluation.samples


def test_full_finetuning_has_no_adapter_to_take():
    *_, result = train(TrainConfig(method="full", learning_rate=1e-3, steps=1, n_texts=8))
    with pytest.raises(AssertionError):
        zipped(result, "new facts")

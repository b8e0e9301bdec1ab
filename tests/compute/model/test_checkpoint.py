"""The base model on disk: what is written comes back, and what is damaged is refused."""

import hashlib
import json

import pytest
import torch

from compute.model.checkpoint import load_base, save_base
from compute.model.gpt import GPT, GPTConfig
from compute.numbers.refusal import FileRefused
from compute.world.tokens import vocab_size

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first


@pytest.fixture
def saved(tmp_path):
    """Save a small model and give its path."""
    config = GPTConfig(vocab_size(), block_size=4, n_layer=1, n_head=1, n_embd=4)
    path = tmp_path / "small.safetensors"
    save_base(path, GPT(config, torch.Generator().manual_seed(0)), {"seed": 0})
    return path


def test_what_is_saved_comes_back(saved):
    first = load_base(saved)
    save_base(saved, first, {"seed": 0})
    again = load_base(saved)
    assert first.config == again.config
    assert all(torch.equal(p, again.state_dict()[name]) for name, p in first.state_dict().items())
    assert json.loads(saved.with_suffix(".json").read_text())["seed"] == 0


@pytest.mark.parametrize("where", [0, 8, 200, -1])
def test_one_changed_byte_is_refused(saved, where):
    data = bytearray(saved.read_bytes())
    data[where] ^= 1
    saved.write_bytes(data)
    with pytest.raises(
        FileRefused, match="small.safetensors is damaged: its SHA-256 is not the one in small.json."
    ):
        load_base(saved)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: data + b"\x00"])
def test_a_file_of_another_length_is_refused(saved, damage):
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(FileRefused, match="is damaged"):
        load_base(saved)


def test_a_model_of_another_vocabulary_is_refused(saved):
    about = json.loads(saved.with_suffix(".json").read_text())
    about["vocabulary"] = hashlib.sha256(b"other words").hexdigest()
    saved.with_suffix(".json").write_text(json.dumps(about))
    with pytest.raises(
        FileRefused, match="another vocabulary; run `python -m compute.experiments.world` again."
    ):
        load_base(saved)

"""The base model on disk: what is written comes back, and what is damaged is refused."""

import hashlib
import json

import pytest
import torch

from compute.model.checkpoint import BASE, load_base, save_base
from compute.model.gpt import GPT, GPTConfig
from compute.numbers.refusal import FileRefused
from compute.text.batches import windows
from compute.text.tokenizer import vocab_size
from compute.text.voices import BASE_VOICES, entropy_per_word

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
ABOUT = json.loads(BASE.with_suffix(".json").read_text(encoding="utf-8"))
# Another machine adds in another order; over three blocks that stays far below the last digit of a loss.
SAME_LOSS = 5e-4


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
        FileRefused, match="another vocabulary; run `python -m compute.experiments.base` again."
    ):
        load_base(saved)


def test_the_base_is_as_small_as_promised():
    assert BASE.stat().st_size <= 1_000_000
    assert hashlib.sha256(BASE.read_bytes()).hexdigest() == ABOUT["sha256"]


@pytest.mark.parametrize("voice", ["base", *BASE_VOICES])
def test_the_base_has_the_losses_that_its_text_says(voice):
    with torch.no_grad():
        loss = load_base().loss(windows(voice, "validation", 32, count=512)).item()
    assert loss == pytest.approx(ABOUT["validation_loss"][voice], abs=SAME_LOSS)


@pytest.mark.parametrize("voice", BASE_VOICES)
def test_no_loss_is_far_above_the_entropy_or_below_it(voice):
    # Windows are cut and begin with the choice of a voice; 0.05 below and 0.25 above leave room for both.
    assert -0.05 < ABOUT["validation_loss"][voice] - entropy_per_word(voice) < 0.25

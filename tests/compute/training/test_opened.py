"""An adapter that a reader brings is measured as one that was trained here, or refused in one sentence."""

import json

import pytest
import torch
from safetensors.torch import load, save

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.refusal import FileRefused
from compute.training.config import Result, TrainConfig
from compute.training.loop import train
from compute.training.opened import open_adapter

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
pytestmark = pytest.mark.usefixtures("brief_evaluations")


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


@pytest.fixture(scope="module")
def trained(base) -> Result:
    *_, result = train(
        TrainConfig(task="formal voice", r=3, steps=5, batch_size=4, n_texts=64, train_embeddings=True), base
    )
    return result


def test_what_was_trained_here_is_measured_as_it_was(trained, base):
    (opened,) = open_adapter("formal voice", trained.weights, trained.adapter_config, base)
    spectra = {name: s[:3] for name, s in trained.spectra.items()}
    assert opened == trained._replace(step=0, seconds=0.0, spectra=spectra)  # bit for bit


def test_another_task_may_be_asked_of_it(trained, base):
    (opened,) = open_adapter("mirror voice", trained.weights, trained.adapter_config, base)
    assert opened.evaluation.validation_loss != trained.evaluation.validation_loss
    assert opened.evaluation.base_loss == trained.evaluation.base_loss
    with pytest.raises(ValueError, match="task must be one of legal voice, .*, got 'plain'."):
        next(open_adapter("plain", trained.weights, trained.adapter_config, base))


def test_each_spectrum_ends_at_the_rank_of_its_layer(trained, base):
    tensors = load(trained.weights)
    name = "base_model.model.blocks.0.attention.q_proj"
    for factor, cut in (("lora_A", (slice(1),)), ("lora_B", (slice(None), slice(1)))):
        key = f"{name}.{factor}.weight"
        tensors[key] = tensors[key][cut].contiguous()
    (opened,) = open_adapter("formal voice", save(tensors), trained.adapter_config, base)
    lengths = {name: len(s) for name, s in opened.spectra.items()}
    assert lengths.pop("blocks.0.attention.q_proj") == 1
    assert set(lengths.values()) == {3}


def only_embeddings(weights: bytes) -> bytes:
    return save({key: tensor for key, tensor in load(weights).items() if "lora_" not in key})


def enormous(weights: bytes) -> bytes:
    return save({key: torch.full_like(tensor, 1e30) for key, tensor in load(weights).items()})


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda weights: weights[:-1], "The adapter is no .safetensors file, or is damaged."),
        (only_embeddings, "The adapter holds no lora_A and lora_B."),
        (enormous, "With this adapter, up to twice its strength, the loss is no finite number."),
    ],
    ids=["cut", "embeddings", "enormous"],
)
def test_what_cannot_be_measured_is_refused(damage, told, trained, base):
    with pytest.raises(FileRefused, match=told):
        next(open_adapter("formal voice", damage(trained.weights), trained.adapter_config, base))


def test_a_dora_opens_as_it_was_trained(base):
    *_, trained = train(TrainConfig(method="dora", steps=2, batch_size=4, r=2, n_texts=64), base)
    assert trained.adapter_config is not None
    (opened,) = open_adapter("new facts", trained.weights, trained.adapter_config, base, n_texts=64)
    assert (opened.evaluation, opened.strengths) == (trained.evaluation, trained.strengths)
    assert opened.trainable == trained.trainable
    assert opened.spectra == trained.spectra  # all of it: the rows' lengths are not of low rank


def test_a_config_of_another_kind_is_refused(trained, base):
    config = json.dumps({**json.loads(trained.adapter_config), "use_qalora": True})
    with pytest.raises(FileRefused, match="use_qalora is 'True' in adapter_config.json"):
        next(open_adapter("formal voice", trained.weights, config, base))

"""The mini-model on a quantised base: only linear layers are rounded, they stay frozen, and runs begin there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compute.adapters.peft_format import load_adapter
from compute.experiments import qlora
from compute.experiments.qlora import FILE, LEARNED_TASKS, SEEDS, STEPS, config_of, load_qlora
from compute.experiments.sample_weights import SAMPLE_WEIGHTS, sample_weights
from compute.model.checkpoint import load_base
from compute.model.layers import TARGET_MODULES
from compute.model.quantised import quantised_model
from compute.numbers.quantising import FLOAT32, in_few_bits
from compute.numbers.records import read_record, write_record
from compute.training.config import BASE_FORMATS, TrainConfig
from compute.training.loop import evaluate, train


@pytest.mark.parametrize("base_format", BASE_FORMATS[1:])
def test_the_linear_layers_are_rounded_and_nothing_else(base_format):
    base = load_base()
    stored = quantised_model(base, base_format)
    changed = {name for name, p in stored.named_parameters() if not torch.equal(p, base.get_parameter(name))}
    assert changed == {name for name, _ in base.named_parameters() if name.split(".")[-2] in TARGET_MODULES}
    assert len(changed) == 18
    for name in changed:
        wanted = in_few_bits(base.get_parameter(name).detach().numpy(), base_format).astype(np.float32)
        assert np.array_equal(stored.get_parameter(name).detach().numpy(), wanted)


def test_a_base_in_float32_is_the_base():
    base = load_base()
    assert quantised_model(base, FLOAT32) is base


def test_a_run_begins_at_the_base_as_it_is_stored():
    base = load_base()
    stored = quantised_model(base, "int2")
    first = next(train(TrainConfig(base_format="int2", steps=1, batch_size=2), base))
    assert first.evaluation == evaluate(stored, "legal") != evaluate(base, "legal")


def test_full_finetuning_has_no_frozen_layers_to_store():
    plain, asked = (
        next(train(TrainConfig(method="full", steps=1, batch_size=2, base_format=base_format)))
        for base_format in (FLOAT32, "int2")
    )
    assert plain.loss == asked.loss


def test_a_format_that_is_none_is_refused():
    with pytest.raises(ValueError, match="base_format must be one of float32, nf4"):
        TrainConfig(base_format="nf5")


def test_a_recorded_run_holds_what_its_record_needs():
    base, config = load_base(), TrainConfig(base_format="int2", steps=1, batch_size=2)
    run, files = qlora._finetuned(config, base, None)
    assert len(run.validation_loss) == len(run.base_loss) == 2
    assert run.moved == run.validation_loss[-1], "no other adapter is given"
    stored = quantised_model(base, "int2")
    assert run.validation_loss[0] == qlora._loss_of(stored, "legal")
    # One step of an adapter moves few weights to another of three levels.
    assert run.requantised == pytest.approx(run.validation_loss[0], abs=0.2)
    assert load_adapter(base, files)


def test_the_record_is_whole_and_a_part_of_it_is_refused(tmp_path):
    recorded = load_qlora()
    assert set(recorded.runs) == set(LEARNED_TASKS)
    for task in LEARNED_TASKS:
        assert config_of(task, "nf4", 1) == TrainConfig(task=task, base_format="nf4", seed=1)
        for name, runs in recorded.runs[task].items():
            assert len(runs) == len(SEEDS)
            assert all(len(run.base_loss) == len(STEPS) for run in runs)
            assert {run.base_loss[0] for run in runs} == {recorded.stored[name][2]}, "before the first step"
    data = read_record(FILE, "qlora", dict)
    del data["runs"]["legal"]["nf4"]
    write_record(tmp_path / "part.json", data)
    with pytest.raises(ValueError, match="The file part.json is not whole"):
        load_qlora(tmp_path / "part.json")


@pytest.mark.parametrize("name", SAMPLE_WEIGHTS)
def test_the_sample_matrices_fill_their_blocks(name):
    matrix = sample_weights(name)
    assert matrix.shape == (64, 64)
    assert matrix.dtype == np.float32
    assert not matrix.flags.writeable
    if name == "base":
        weight = load_base().blocks[1].attention.v_proj.weight.detach().numpy()
        assert np.array_equal(matrix, weight)


def test_no_other_matrix_is_known():
    with pytest.raises(ValueError, match="name must be one of base"):
        sample_weights("other")

"""Finetuning: the generator against a hand-written loop, what may move, what is promised about seeds and ends."""

import ast
import json
import math
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import load

from compute.adapters.layer import delta_w, lora_layers, merge
from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.training.answers import share_told, write_texts
from compute.training.config import METHODS, STRENGTHS, Diverged, Result, StepRecord, TrainConfig
from compute.training.loop import (
    EVALUATE_EVERY,
    device,
    evaluate,
    learned,
    own_texts,
    prepare,
    steps_of,
    train,
    updates,
)
from compute.world.batches import batches, texts_of, windows
from compute.world.stories import Source
from compute.world.tasks import FACTS
from compute.world.tokens import BEGIN
from helpers import ROOT
from helpers.mps import on_mps

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
pytestmark = pytest.mark.usefixtures("brief_evaluations")
SHORT = {"steps": 3, "batch_size": 4, "n_texts": 64}
ROUNDING = 1e-5  # float32 sums in another order


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


def without_times(record: StepRecord | Result | Diverged):
    times = {"seconds": 0.0, "tokens_per_second": 0.0}
    return record._replace(**{name: 0.0 for name in times if name in record._fields})


RUNS = [
    TrainConfig(task="medical voice", **SHORT),
    TrainConfig(task="mirror voice", method="full", learning_rate=1e-3, **SHORT),
    TrainConfig(task=FACTS, optimizer="sgd", learning_rate=0.05, init="A=0", r=2, **SHORT),
    TrainConfig(task="legal voice", train_embeddings=True, target_modules=("v_proj",), seed=5, **SHORT),
]


@pytest.mark.parametrize(
    "config", RUNS, ids=lambda config: f"{config.task}-{config.method}-{config.optimizer}"
)
def test_the_records_are_those_of_a_hand_written_loop_and_base_and_generator_stay(config, base):
    model = prepare(config, base)
    learning = [p for p in model.parameters() if p.requires_grad]
    if config.optimizer == "adamw":
        optimizer = torch.optim.AdamW(learning, lr=config.learning_rate)
    else:
        optimizer = torch.optim.SGD(learning, lr=config.learning_rate)
    texts = texts_of(config.task, "train", config.n_texts, 64)
    generator = torch.Generator().manual_seed(config.seed)
    order = torch.randint(config.n_texts, (config.steps, config.batch_size), generator=generator)
    losses = []
    for chosen in order:
        optimizer.zero_grad()
        learned_from = None if texts.learned is None else texts.learned[chosen]
        loss = model.loss(texts.tokens[chosen], learned_from)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    state = torch.random.get_rng_state()
    *steps, result = train(config, base)
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in base.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [record.loss for record in steps] == losses  # bit for bit
    expected = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if config.method == "full":
        weights = load(result.weights)
    else:
        files = AdapterFiles(result.weights, result.adapter_config)
        weights = load_adapter(base, files).state_dict()
    assert all(torch.equal(weights[name], p) for name, p in expected.items())
    assert result.trainable == sum(p.numel() for p in expected.values())


def test_there_is_one_training_loop():
    found = {
        path.relative_to(ROOT / "compute").as_posix()
        for path in (ROOT / "compute").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("backward", "autograd")
    }
    # LoRA-GA's start is made of the gradient of some texts: one look, no loop.
    assert found == {"training/loop.py", "adapters/lora_ga.py"}


def test_the_norms_are_those_of_the_gradients(base):
    config = TrainConfig(task="legal voice", init="both random", train_embeddings=True, **SHORT)
    model = prepare(config, base)
    texts = texts_of("legal voice", "train", 64, 64).tokens
    model.loss(texts[batches(texts, 4, 3, 0)[0]]).backward()
    squares = {"lora_A": 0.0, "lora_B": 0.0, "other": 0.0}
    for name, p in model.named_parameters():
        if p.requires_grad:
            kind = name[-6:] if "lora_" in name else "other"
            squares[kind] += p.grad.double().square().sum().item()
    first = next(train(config, base))
    assert first.gradient_norms.keys() == squares.keys()
    for kind, square in squares.items():
        assert first.gradient_norms[kind] == pytest.approx(math.sqrt(square), rel=ROUNDING)


@pytest.mark.parametrize(("init", "zero"), [("B=0", ["lora_A"]), ("A=0", ["lora_B"]), ("both random", [])])
def test_what_has_no_gradient_at_first_has_one_at_the_second_step(init, zero, base):
    first, second = islice(train(TrainConfig(init=init, **SHORT), base), 2)
    assert [name for name, norm in first.gradient_norms.items() if norm == 0] == zero
    assert all(norm > 0 for norm in second.gradient_norms.values())


def test_two_zeros_never_learn(base):
    *steps, result = train(TrainConfig(init="both zero", **SHORT), base)
    assert {norm for record in steps for norm in record.gradient_norms.values()} == {0.0}
    assert result.evaluation == result.base_evaluation
    assert {s for spectrum in result.spectra.values() for s in spectrum} == {0.0}


def test_the_same_seed_is_the_same_run_and_another_is_not(base):
    first, same = ([without_times(record) for record in train(TrainConfig(**SHORT), base)] for _ in range(2))
    assert first == same  # every number, every sample, every byte of the adapter
    other = islice(train(TrainConfig(seed=1, **SHORT), base), SHORT["steps"])
    assert [record.loss for record in first[:-1]] != [record.loss for record in other]


def test_evaluations_come_first_and_regularly_and_say_what_the_model_does(base):
    config = TrainConfig(task="medical voice", steps=EVALUATE_EVERY + 2, batch_size=2, n_texts=64)
    *steps, result = train(config, base)
    assert [record.step for record in steps] == list(range(config.steps))
    assert [record.step for record in steps if record.evaluation] == [0, EVALUATE_EVERY]
    assert steps[0].evaluation == result.base_evaluation == evaluate(base, config.task)
    ours = load_adapter(base, AdapterFiles(result.weights, result.adapter_config))
    assert evaluate(ours, config.task) == result.evaluation
    seconds = [record.seconds for record in steps] + [result.seconds]
    assert seconds == sorted(seconds)
    assert all(record.tokens_per_second > 0 for record in steps)


def test_what_is_asked_for_is_evaluated_and_the_run_stays_the_same(base):
    whole, asked = (
        [*train(TrainConfig(**SHORT), base, **more)]
        for more in ({}, {"evaluate_every": 2, "strengths": (1.0,)})
    )
    assert [record.evaluation is not None for record in asked[:-1]] == [True, False, True]
    assert [record.loss for record in asked[:-1]] == [record.loss for record in whole[:-1]]
    assert asked[-1].weights == whole[-1].weights
    assert asked[-1].strengths == (whole[-1].strengths[STRENGTHS.index(1)],)
    with pytest.raises(ValueError, match="evaluate_every must be a whole number of at least 1, got 0."):
        next(train(TrainConfig(**SHORT), base, evaluate_every=0))


def test_who_leaves_before_an_update_makes_none(base):
    config = TrainConfig(optimizer="sgd", **SHORT)
    model = prepare(config, base)
    before = {name: p.clone() for name, p in model.named_parameters()}
    running = updates(model, config)
    next(running)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    next(running)
    running.close()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {
        name for name in before if name.endswith("lora_B")
    }  # one update of a run with lora_B = 0


@pytest.mark.parametrize(
    ("method", "asked", "told"),
    [
        ("lora", "adalora", "The model has no layers of AdaLoRA, and method is 'adalora'."),
        ("adalora", "lora", "The model has layers of AdaLoRA, and method is 'lora'."),
    ],
)
def test_adalora_learns_with_its_penalty_or_not_at_all(method, asked, told, base):
    model = prepare(TrainConfig(method=method, **SHORT), base)
    with pytest.raises(ValueError, match=told):
        updates(model, TrainConfig(method=asked, **SHORT))


def test_a_reader_who_takes_her_time_is_not_counted(base):
    clock = [0.0]

    def tick():
        clock[0] += 0.001
        return clock[0]

    times = []
    for pause in (0, 1000):
        clock[0] = 0.0
        seconds = []
        for record in train(TrainConfig(**SHORT), base, clock=tick):
            clock[0] += pause
            seconds.append(record.seconds)
        times.append(seconds)
    np.testing.assert_allclose(times[0], times[1], atol=1e-9)


def test_writing_the_texts_is_not_counted_as_training(base, monkeypatch):
    clock = [0.0]

    def tick():
        clock[0] += 0.001
        return clock[0]

    def slowly(*asked):
        clock[0] += 1000
        return texts_of(*asked)

    monkeypatch.setattr("compute.training.loop.texts_of", slowly)
    first = next(train(TrainConfig(**SHORT), base, clock=tick))
    assert first.seconds > 1000
    assert first.tokens_per_second == pytest.approx(4 * 64 / 0.001)


def test_a_run_can_be_left_at_any_step(base):
    running = train(TrainConfig(**SHORT), base)
    assert next(running).step == 0
    running.close()
    assert list(running) == []


WILD = {"steps": 60, "batch_size": 2, "n_texts": 64}


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(method="full", optimizer="sgd", learning_rate=10, **WILD),
        TrainConfig(method="full", learning_rate=10, **WILD),
        TrainConfig(task="medical voice", learning_rate=0.3, **WILD),
        TrainConfig(task="formal voice", optimizer="sgd", learning_rate=10, alpha=1024, **WILD),
    ],
    ids=["sgd", "adamw", "lora", "lora-sgd"],
)
def test_divergence_is_said_and_nothing_is_not_a_number(config, base):
    *steps, end = train(config, base)
    assert isinstance(end, Diverged)
    assert end.step == len(steps)
    assert end.last_loss == steps[-1].loss
    assert end.loss is None or end.loss > steps[0].loss + 1
    numbers = [number for record in steps for number in (record.loss, *record.gradient_norms.values())]
    numbers += [loss for record in steps if record.evaluation for loss in record.evaluation[:2]]
    assert all(map(math.isfinite, numbers))


def test_a_model_that_is_broken_by_the_last_step_is_said_to_be(base, monkeypatch):
    step = torch.optim.SGD.step

    def ruin(self, *arguments):
        step(self, *arguments)
        with torch.no_grad():
            # The last of all layers: torch's attention takes a query that is no number for one that looks nowhere.
            self.param_groups[0]["params"][-1].fill_(torch.nan)

    monkeypatch.setattr(torch.optim.SGD, "step", ruin)
    for steps in (1, 2):
        *records, end = train(TrainConfig(optimizer="sgd", steps=steps, batch_size=2, n_texts=64), base)
        assert isinstance(end, Diverged)
        assert (end.step, end.loss, len(records)) == (1, None, 1)


@pytest.mark.parametrize("method", METHODS)
def test_a_device_without_float64_does_all_of_a_run(method, base, monkeypatch):
    monkeypatch.setattr("compute.training.loop.prepare", lambda *asked: on_mps(prepare(*asked)))
    config = TrainConfig(method=method, init="PiSSA", steps=2, batch_size=2, n_texts=64)
    *_, end = train(config, base, strengths=(1.0,))
    assert isinstance(end, Result)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_result_holds_what_was_learned(method, base):
    *_, result = train(TrainConfig(method=method, r=2, **SHORT), base)
    assert result.device == device().type
    assert len(result.spectra) == 18
    if method == "lora":
        model = load_adapter(base, AdapterFiles(result.weights, result.adapter_config))
        changes = {name: delta_w(layer) for name, layer in lora_layers(model)}
        assert json.loads(result.adapter_config)["r"] == 2
        assert result.total == sum(p.numel() for p in base.parameters()) + result.trainable
    else:
        model = GPT(base.config)
        model.load_state_dict(load(result.weights))
        parts = [
            (name, model.get_submodule(name).weight, base.get_submodule(name).weight)
            for name in result.spectra
        ]
        changes = {name: (after - before).detach() for name, after, before in parts}
        assert result.adapter_config is None
        assert result.total == result.trainable
    assert learned(model, base).keys() == result.spectra.keys()
    for name, change in changes.items():
        s = torch.linalg.svdvals(change.double())
        np.testing.assert_allclose(result.spectra[name], s, atol=1e-9 * s[0].item())
        if method == "lora":  # rank 2, and rounding
            assert s[1] > 1e4 * s[2]


@pytest.mark.parametrize("train_embeddings", [False, True])
def test_the_strengths_lead_from_the_base_through_the_result_to_twice_the_change(train_embeddings, base):
    """W + delta_w is rounded once more than the two products apart, so losses differ by float32 rounding."""
    config = TrainConfig(
        task="medical voice", r=2, steps=10, batch_size=8, n_texts=64, train_embeddings=train_embeddings
    )
    *_, result = train(config, base)
    assert len(result.strengths) == len(STRENGTHS) == 9
    losses = {strength: each[:2] for strength, each in zip(STRENGTHS, result.strengths, strict=True)}
    assert losses[1] == pytest.approx(result.evaluation[:2], abs=ROUNDING)
    # Trained embeddings stay, whatever the strength.
    assert (losses[0] == pytest.approx(result.base_evaluation[:2], abs=ROUNDING)) is not train_embeddings
    model = load_adapter(base, AdapterFiles(result.weights, result.adapter_config))
    for strength, evaluation in [*zip(STRENGTHS, result.strengths, strict=True)][::4]:
        assert evaluate(merge(model, strength), config.task) == evaluation
    assert len(set(losses.values())) == len(STRENGTHS)


def test_full_finetuning_has_no_strength(base):
    *_, result = train(TrainConfig(method="full", learning_rate=1e-3, **SHORT), base)
    assert result.strengths == ()


def test_a_change_that_is_no_number_at_another_strength_is_no_result(base, monkeypatch):
    """Twice a weight near the largest float32 is infinite."""
    huge = merge(base)

    def overflow(model, strength):
        if strength == 2:
            with torch.no_grad():
                huge.lm_head.weight.fill_(torch.inf)
            return huge
        return merge(model, strength)

    monkeypatch.setattr("compute.training.loop.merge", overflow)
    *_, end = train(TrainConfig(**SHORT), base)
    assert (end.step, end.loss) == (SHORT["steps"], None)


def test_a_voice_that_the_base_has_never_read_is_soon_its_own(base):
    config = TrainConfig(task="formal voice", steps=60, batch_size=8)
    *_, result = train(config, base, evaluate_every=60, strengths=())
    before, after = result.base_evaluation, result.evaluation
    assert after.validation_loss < before.validation_loss / 2
    assert after.base_loss > before.base_loss + 0.05
    model = load_adapter(base, AdapterFiles(result.weights, result.adapter_config))
    # Over a hundred sentences: a share is known to 0.05 (one standard error) at worst.
    told = [share_told(config.task, write_texts(each, 16, seed=0)) for each in (base, model)]
    assert told[0] < 0.3 < 0.45 < told[1]


def test_texts_to_validate_on_are_drawn_apart_and_kept():
    texts, others = (texts_of("legal voice", split, 500, 64) for split in ("train", "validation"))
    assert texts_of("legal voice", "train", 500, 64) is texts
    seen = {tuple(text) for text in texts.tokens.tolist()}
    assert not any(tuple(text) in seen for text in others.tokens.tolist())
    assert texts.tokens[:, 0].eq(BEGIN).all()
    assert not texts.tokens[:, 1:].eq(BEGIN).any()
    assert torch.equal(texts_of("legal voice", "train", 10, 64).tokens, texts.tokens[:10])


# What the steps of a run train on: as many texts as there are, and the base's own among them.


def texts_of_steps(**choices) -> torch.Tensor:
    config = TrainConfig(task="legal voice", **{"steps": 20, "n_texts": 256} | choices)
    return torch.stack([texts.tokens for texts in steps_of(config, 64)])


def among(texts: torch.Tensor, others: torch.Tensor) -> list[bool]:
    """Say which of some texts are among others."""
    there = {tuple(text) for text in others.tolist()}
    return [tuple(text) in there for text in texts.flatten(0, 1).tolist()]


def test_few_texts_are_the_first_ones_and_each_comes_again():
    seen, told = texts_of_steps(n_texts=3, batch_size=8), texts_of("legal voice", "train", 256, 64).tokens
    assert {tuple(text) for text in seen.flatten(0, 1).tolist()} == {
        tuple(text) for text in told[:3].tolist()
    }
    assert (texts_of_steps(n_texts=1, batch_size=2) == told[0]).all()


@pytest.mark.parametrize(("share", "own"), [(0.0, 0), (1 / 32, 1), (0.25, 8), (0.49, 16), (1.0, 32)])
def test_a_share_of_each_step_is_the_base_s_own_and_the_rest_stays(share, own):
    mixed, usual = texts_of_steps(base_share=share), texts_of_steps()
    read = own_texts(64).tokens
    assert mixed.shape == usual.shape
    assert (mixed[:, own:] == usual[:, own:]).all()
    assert all(among(mixed[:, :own], read))
    assert not any(among(usual, read))  # else the share would say nothing


def test_the_base_s_own_texts_are_the_first_that_it_was_trained_on():
    assert (own_texts(16).tokens == windows(Source(), 0, 4096, 16)).all()


def test_the_seed_draws_both_kinds_again():
    one, other = (texts_of_steps(base_share=0.5, seed=seed) for seed in (0, 1))
    assert (one[:, :16] != other[:, :16]).any()
    assert (one[:, 16:] != other[:, 16:]).any()
    assert (one == texts_of_steps(base_share=0.5)).all()

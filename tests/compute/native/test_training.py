"""The page's trainer against compute/: gradients of everything that learns, whole runs, the dial, answers."""

import copy
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch

from compute.adapters.adapted import adapted_layers
from compute.adapters.layer import LoRALinear, delta_w, initialize, inject, lora_layers, merge
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT, GPTConfig
from compute.training.config import INITS, TrainConfig
from compute.training.loop import prepare, steps_of, updates
from compute.world.batches import Texts, expected, texts_of
from compute.world.people import old_people
from compute.world.texts import of_facts
from compute.world.tokens import encode
from helpers.native import PLAIN, RELAXED, Native

torch.set_num_threads(1)
# Gradients of float32 against those of float64, relative to the largest of a tensor: torch's own are off by up to 6e-5
# on the base of the world, where attention is sharp, and by 3e-6 on random weights.
GRADIENT = 1e-5
# Losses of 10 and of 300 steps, relative to those of the loop in float64. torch in float32 is no such oracle: AdamW
# turns the rounding of a gradient near 0 into a whole step, and where the loss is steep every step carries it on, so
# that at the usual rates torch in float32 ends 1e-3 away from its own run in float64. So steps are smaller here; the
# plain trainer rounds alike on every machine.
TEN, ALL = 1e-6, 1e-5
RATES = {"adamw": 1e-3, "sgd": 1e-2}
SMALL = GPTConfig(vocab_size=13, block_size=10, n_layer=3, n_head=2, n_embd=24)
MLP = ("up_proj", "down_proj")

LORA = [
    {},
    {"target_modules": ("q_proj",), "layers": (1,)},
    {"target_modules": ("v_proj", "o_proj"), "layers": (0, 2), "r": 3},
    {"target_modules": MLP, "layers": (2,), "scaling_rule": "alpha/sqrt(r)", "r": 30},
    {"target_modules": ("k_proj", "down_proj"), "layers": (1, 2), "train_embeddings": True, "r": 1},
]
DORA = {"method": "dora", "init": "B=0"}
SETTINGS = [
    *LORA,
    *({"method": method} for method in ("full", "embeddings", "norms")),
    DORA,
    DORA | {"target_modules": ("v_proj", *MLP), "layers": (1, 2), "scaling_rule": "alpha/sqrt(r)", "r": 3},
]


@pytest.fixture(scope="module")
def small() -> GPT:
    generator = torch.Generator().manual_seed(0)
    model = GPT(SMALL, generator)
    for name, p in model.named_parameters():
        if p.dim() == 1:  # norms that are no longer as they were made
            p.data += 0.2 * torch.randn(p.shape, generator=generator)
        elif "proj" in name:
            p.data *= 10
    return model


@pytest.fixture(scope="module")
def world() -> GPT:
    return load_base()


def texts(n: int, T: int, masked: bool, seed: int = 0, vocab_size: int = 13) -> Texts:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(vocab_size, (n, T + 1), generator=generator)
    learned = torch.rand(n, T, generator=generator) < 0.4
    learned[:, T // 2] = True
    return Texts(tokens, learned if masked else None)


def own_run(config: TrainConfig, base: GPT, path=PLAIN) -> Native:
    return Native(path).load(base).prepare(config)


def moved(native: Native, model: GPT) -> None:
    """Move a trainer and a model of torch alike from where they start."""
    generator = torch.Generator().manual_seed(1)
    own = native.tensors("learned")
    for name, p in by_name(model).items():
        to = (p.detach() + 0.05 * torch.randn(p.shape, generator=generator)).float()
        own[name][...] = to.numpy()
        p.data.copy_(to)


def by_name(model: GPT) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("path", [PLAIN, RELAXED], ids=["plain", "relaxed"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_gradient_of_everything_that_learns(small, setting, path):
    config = TrainConfig(**{"init": "both random", "batch_size": 5} | setting)
    native, model = own_run(config, small, path), prepare(config, small).double()
    if config.method == "dora":
        moved(native, model)  # it has no start from which both factors learn
    for T, masked in ((10, False), (10, True), (7, True), (1, False)):
        some = texts(5, T, masked, seed=T)
        loss = model.loss(*some)
        model.zero_grad()
        loss.backward()
        assert native.gradients(some) == pytest.approx(loss.item(), rel=TEN)
        found = native.gradient_of()
        wanted = {name: p.grad.numpy() for name, p in by_name(model).items()}
        assert found.keys() == wanted.keys()
        for name, gradient in wanted.items():
            bound = GRADIENT * max(abs(gradient).max(), 1e-3)
            np.testing.assert_allclose(found[name], gradient, rtol=0, atol=bound, err_msg=name)


def test_the_norms_of_the_gradients(small):
    config = TrainConfig(init="both random", train_embeddings=True, batch_size=5, r=2)
    native, model, some = own_run(config, small), prepare(config, small), texts(5, 10, False)
    model.loss(*some).backward()
    native.gradients(some)
    for kind, ending in enumerate(("lora_A", "lora_B", "weight")):
        grads = [p.grad for name, p in by_name(model).items() if name.endswith(ending)]
        wanted = torch.cat([grad.flatten() for grad in grads]).norm().item()
        assert native.call("gradient_norm", kind) == pytest.approx(wanted, rel=GRADIENT)


RUNS = [
    *(
        {"init": init} for init in INITS if init != "PiSSA"
    ),  # of which torch rounds what it leaves of W: see below
    *({"init": init, "optimizer": "sgd"} for init in INITS[:4]),
    {"scaling_rule": "alpha/sqrt(r)", "r": 16},
    {"target_modules": ("q_proj", "v_proj")},
    {"target_modules": ("down_proj",), "layers": (2,), "optimizer": "sgd"},
    {"train_embeddings": True, "seed": 2**32 - 1},
    *({"method": method} for method in ("full", "embeddings", "norms")),
    {"method": "full", "optimizer": "sgd"},
    {"task": "new facts"},
    DORA,
    DORA | {"optimizer": "sgd", "target_modules": ("q_proj", "v_proj"), "layers": (0, 2), "r": 8},
]


def ten(setting: dict) -> TrainConfig:
    usual = {"task": "formal voice", "n_texts": 24, "batch_size": 6, "steps": 11}
    rate = 1e-4 if setting == {"method": "full"} else RATES[setting.get("optimizer", "adamw")]
    return TrainConfig(**usual | {"learning_rate": rate} | setting)


def loop(config: TrainConfig, base: GPT) -> np.ndarray:
    """Return the losses of a run in float64."""
    return np.array([*updates(prepare(config, base).double(), config)])


def largest(found: Iterable[float], wanted: np.ndarray) -> float:
    """Return the largest relative difference."""
    return abs(np.array([*found]) / wanted - 1).max()


@pytest.mark.parametrize("setting", RUNS, ids=str)
def test_ten_steps_are_those_of_the_loop(world, setting):
    config = ten(setting)
    assert largest(own_run(config, world).updates(config), loop(config, world)) < TEN


UNEVEN = {
    "blocks.0.attention.q_proj": (3, 5.0),
    "blocks.2.mlp.up_proj": (1, 2.0),
    "blocks.2.mlp.down_proj": (8, 4.0),
}


@pytest.mark.parametrize("scaling_rule", ["alpha/r", "alpha/sqrt(r)"])
def test_layers_with_ranks_of_their_own(world, scaling_rule):
    config = ten({"scaling_rule": scaling_rule})
    model = copy.deepcopy(world).requires_grad_(False)
    for name, (r, alpha) in UNEVEN.items():
        layer = LoRALinear(model.get_submodule(name), r, alpha, scaling_rule)
        initialize(layer, "both random", torch.Generator().manual_seed(r))
        model.set_submodule(name, layer)
    native = Native().load(world).prepare(config, adapters=UNEVEN)
    own = native.tensors("learned")
    assert own.keys() == by_name(model).keys()
    for name, p in by_name(model).items():
        own[name][...] = p.detach().numpy()
    assert largest(native.updates(config), np.array([*updates(model.double(), config)])) < TEN
    names = [*native.tensors("base")]
    for name, layer in lora_layers(model):
        change = layer.scaling * own[f"{name}.lora_B"].astype(float) @ own[f"{name}.lora_A"]
        s = np.linalg.svd(change, compute_uv=False)[: layer.r]
        np.testing.assert_allclose(native.spectrum(names.index(f"{name}.weight")), s, atol=1e-6 * s[0])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_rate_that_is_one_percent_off_would_be_noticed(world, optimizer):
    config = ten({"optimizer": optimizer})
    found = own_run(config, world).updates(replace(config, learning_rate=1.01 * config.learning_rate))
    assert largest(found, loop(config, world)) > 10 * TEN


@pytest.mark.parametrize("setting", [{}, {"init": "orthogonal"}, DORA | {"steps": 100}], ids=str)
def test_hundreds_of_steps_are_those_of_the_loop(world, setting):
    config = TrainConfig(task="new facts", n_texts=512, learning_rate=5e-4, **setting)
    found = [*own_run(config, world).updates(config)]
    assert largest(found, loop(config, world)) < ALL
    assert found[-1] < found[0] / 2


@pytest.mark.parametrize("r", [2, 4, 6, 64])
def test_orthogonal_factors_are_drawn_as_torch_draws_them(world, r):
    config = ten({"init": "orthogonal", "r": r, "seed": r})
    native, model = own_run(config, world), prepare(config, world)
    factors = native.tensors("learned")
    for name, p in by_name(model).items():  # torch draws and factors in float32
        np.testing.assert_allclose(factors[name], p.detach().numpy(), rtol=0, atol=GRADIENT, err_msg=name)


@pytest.mark.parametrize("setting", [{}, {"r": 1, "alpha": 1.0}, {"r": 64, "optimizer": "sgd"}], ids=str)
def test_pissa_factors_the_weights_as_torch_does(world, setting):
    config = ten({"init": "PiSSA"} | setting)
    native = own_run(config, world)
    factors = native.tensors("learned")
    for name, layer in lora_layers(prepare(config, world)):
        W = world.get_submodule(name).weight.detach().double()
        U, s, Vh = (each.numpy() for each in torch.linalg.svd(W, full_matrices=False))
        root = np.sqrt(s[: config.r] / layer.scaling)
        lora_A, lora_B = factors[f"{name}.lora_A"].astype(float), factors[f"{name}.lora_B"].astype(float)
        for gram in (lora_A @ lora_A.T, lora_B.T @ lora_B):  # at right angles, as long as they should be
            np.testing.assert_allclose(gram, np.diag(root**2), atol=GRADIENT * root[0] ** 2)
        wanted = U[:, : config.r] * s[: config.r] @ Vh[: config.r]
        np.testing.assert_allclose(layer.scaling * lora_B @ lora_A, wanted, atol=GRADIENT * abs(wanted).max())
    native.do("apply", 1.0)
    some = texts_of("new facts", "validation", 6, 64)
    assert native.evaluate(some) == pytest.approx(world.loss(*some).item(), rel=TEN)  # nothing is learned yet
    # What PiSSA leaves of W is rounded in torch.
    assert largest(native.updates(config), loop(config, world)) < ALL


def test_shares_of_a_step_add_up_and_workers_stay_alike(small):
    config = TrainConfig(init="both random", batch_size=7, r=2, train_embeddings=True)
    alone, *workers = (own_run(config, small) for _ in range(4))
    some = texts(7, 10, masked=True)
    for _ in range(3):
        whole = alone.gradients(some)
        losses, gradients = [], []
        for worker, rows in zip(workers, (slice(0, 3), slice(3, 7), slice(7, 7)), strict=True):
            losses.append(worker.gradients(Texts(some.tokens[rows], some.learned[rows]), total=7))
            gradients.append(worker.gradient.copy())
        assert sum(losses) == pytest.approx(whole, rel=TEN)
        assert losses[2] == 0
        total = gradients[0] + gradients[1] + gradients[2]  # in a fixed order
        np.testing.assert_allclose(total, alone.gradient, rtol=0, atol=GRADIENT * abs(total).max())
        for worker in workers:
            worker.gradient[...] = total
            worker.update(config)
        alone.gradient[...] = total
        alone.update(config)
    for worker in workers:
        for name, value in worker.tensors("learned").items():
            np.testing.assert_array_equal(value, alone.tensors("learned")[name])


def trained(config: TrainConfig, base: GPT, steps: int = 3) -> tuple[Native, GPT]:
    """Return a trainer after some steps, and a model of torch with the same numbers in it."""
    native, model = own_run(config, base), prepare(config, base)
    for some in [texts(5, 10, False, seed) for seed in range(steps)]:
        native.gradients(some)
        native.update(config)
    with torch.no_grad():
        for name, value in native.tensors("learned").items():
            dict(model.named_parameters())[name].copy_(torch.tensor(value))
    return native, model


@pytest.mark.parametrize("setting", [{"init": "both random"}, DORA], ids=str)
def test_the_dial(small, setting):
    config = TrainConfig(**setting, batch_size=5, train_embeddings=True, learning_rate=0.05)
    native, model = trained(config, small)
    some = texts(5, 10, True)
    found = []
    for strength in (0.0, 0.5, 1.0, 2.0, -1.0):
        native.do("apply", strength)
        found.append(native.evaluate(some))
        assert found[-1] == pytest.approx(merge(model, strength).loss(*some).item(), rel=TEN)
    assert len({round(loss, 4) for loss in found}) == 5
    before = native.gradients(some)  # training is at strength 1, wherever the dial stood
    assert before == pytest.approx(found[2], rel=TEN)


def test_the_base_is_not_written_to_and_a_run_can_begin_again(small):
    config = TrainConfig(method="full", batch_size=5, learning_rate=0.05)
    native, _ = trained(config, small)
    for name, value in native.tensors("base").items():
        np.testing.assert_array_equal(value, small.state_dict()[name].numpy())
    some = texts(5, 10, False)
    native.prepare(replace(config, method="norms"))
    assert native.gradients(some) == pytest.approx(small.loss(*some).item(), rel=TEN)


def test_after_full_finetuning_the_dial_changes_nothing(small):
    native, model = trained(TrainConfig(method="full", batch_size=5, learning_rate=0.05), small)
    some = texts(5, 10, False)
    for strength in (0.0, 1.0):
        native.do("apply", strength)
        assert native.evaluate(some) == pytest.approx(model.loss(*some).item(), rel=TEN)


def test_the_answers_to_questions(world):
    asked = of_facts(old_people()[:12], "where lives")
    native = own_run(TrainConfig(batch_size=12), world)
    native.do("apply", 1.0)
    words = [encode(each.words) for each in asked]
    T = max(map(len, words))
    native.view(native.call("tokens_at"), 12, T, kind=np.int32)[...] = [
        [*each, *[0] * (T - len(each))] for each in words
    ]
    native.view(native.call("places_at"), 12, kind=np.int32)[...] = [len(each) - 1 for each in words]
    native.do("answer", 12, T)
    wanted = expected(world, asked)
    chances = native.view(native.call("chances_at"), 12, world.config.vocab_size)
    np.testing.assert_allclose(chances, wanted.numpy(), atol=2e-5)  # of logits up to 20, rounded
    said = native.view(native.call("said_at"), 12, kind=np.int32)
    assert said.tolist() == wanted.argmax(-1).tolist()


def spectra_agree(native: Native, changes: dict[str, torch.Tensor], rank: int) -> None:
    names = [name.removesuffix(".weight") for name in native.tensors("base")]
    for i, name in enumerate(names):
        if name not in changes:
            assert native.call("delta_w", i) == native.call("spectrum", i) == 0
            continue
        change = changes[name].detach().double().numpy()
        found = native.view(native.call("delta_w", i), *change.shape).copy()
        np.testing.assert_allclose(found, change, atol=2e-6 * abs(change).max())  # float32 sums of at most 64
        s = np.linalg.svd(change, compute_uv=False)
        spectrum = native.spectrum(i)
        assert len(spectrum) == min(rank, *change.shape)
        # Both are accurate to float64; that torch's delta_w is rounded to float32 remains.
        np.testing.assert_allclose(spectrum, s[: len(spectrum)], atol=1e-6 * s[0])
        np.testing.assert_allclose(s[len(spectrum) :], 0, atol=1e-6 * s[0])


@pytest.mark.parametrize("r", [1, 4, 30])
def test_what_lora_learned_and_its_singular_values(small, r):
    native, model = trained(TrainConfig(r=r, init="both random", batch_size=5, layers=(0, 2)), small)
    spectra_agree(native, {name: delta_w(layer) for name, layer in lora_layers(model)}, r)


def test_what_dora_learned_and_its_singular_values(small):
    config = TrainConfig(**DORA, batch_size=5, learning_rate=0.05)
    native = own_run(config, small)
    assert not native.view(
        native.call("delta_w", 4), 24, 24
    ).any()  # at the start it is zero, to the last bit
    native, model = trained(config, small)
    spectra_agree(native, {name: delta_w(layer) for name, layer in adapted_layers(model)}, 24)


def test_what_full_finetuning_learned_and_its_singular_values(small):
    native, model = trained(TrainConfig(method="full", batch_size=5), small)
    before, after = small.state_dict(), model.state_dict()
    names = [name.removesuffix(".weight") for name in before if "proj" in name]
    spectra_agree(native, {name: after[f"{name}.weight"] - before[f"{name}.weight"] for name in names}, 99)


def test_what_was_learned_from_pissa_has_twice_the_rank(small):
    config = TrainConfig(r=3, init="PiSSA", batch_size=5, learning_rate=0.01)
    native, model = own_run(config, small), prepare(config, small)
    native.do("apply", 1.0)
    assert (
        native.spectrum(4).max() < 1e-6
    )  # nothing yet, but for the rounding of float64 sums of float32 numbers
    for seed in range(3):
        native.gradients(texts(5, 10, False, seed))
        native.update(config)
    with torch.no_grad():
        for name, value in native.tensors("learned").items():
            dict(model.named_parameters())[name].copy_(torch.tensor(value))
    changes = {
        name: layer.base.weight + delta_w(layer) - small.get_submodule(name).weight
        for name, layer in lora_layers(model)
    }
    names = [name.removesuffix(".weight") for name in native.tensors("base")]
    for name, change in changes.items():
        wanted = np.linalg.svd(change.detach().double().numpy(), compute_uv=False)[:6]
        np.testing.assert_allclose(
            native.spectrum(names.index(name)), wanted, atol=1e-5
        )  # W + delta_w rounds to 6e-7


def test_a_base_of_halves(small):
    native = Native().load(small)
    halves = small.state_dict()["lm_head.weight"].half()
    halves[0, :6] = torch.tensor([0.0, -0.0, 6e-8, -65504.0, torch.inf, torch.nan])
    i = native.call("base_count") - 1
    native.view(native.call("base_at", i), *halves.shape, kind=np.float16)[...] = halves.numpy()
    native.call("widen", i)
    np.testing.assert_array_equal(native.tensors("base")["lm_head.weight"], halves.float().numpy())


def test_a_step_of_the_loop_is_a_step_here(world):
    config = replace(ten({}), steps=1)
    [some] = steps_of(config, 64)
    native = own_run(config, world)
    assert native.gradients(some) == pytest.approx(world.loss(*some).item(), rel=TEN)
    adapted = inject(world, config.target_modules, 4, 8, "alpha/r", "B=0", torch.Generator().manual_seed(0))
    assert native.call("learned_size") == sum(p.numel() for p in by_name(adapted).values())

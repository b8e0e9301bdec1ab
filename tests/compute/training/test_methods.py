"""The menu of methods: each starts as the base, moves only its own numbers, and merges where it says that it does."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compute.adapters.adalora import Allocation, SVDLinear, inject_directions
from compute.adapters.adapted import adapted_layers
from compute.adapters.bottleneck import Bottleneck
from compute.adapters.dora import DoRALinear
from compute.adapters.ia3 import IA3Linear
from compute.adapters.layer import delta_w, merge
from compute.adapters.lora_xs import LoRAXSLinear
from compute.adapters.rank_budget import budget_at
from compute.adapters.soft_prompt import PromptedGPT
from compute.adapters.vera import VeRALinear, inject_vectors
from compute.matrices.row_changes import magnitude
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.layers import TARGET_MODULES
from compute.training.config import CONTROLS, METHODS, Result, TrainConfig
from compute.training.loop import learned, train
from compute.training.methods import with_method

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
pytestmark = pytest.mark.usefixtures("brief_evaluations")
ROUNDING = 1e-5  # float32: sums of some hundred products in another order
LOGITS = 1e-4  # logits are of size 10, and three blocks of float32 sums lie between
MERGING = ("lora", "dora", "adalora", "vera", "lora-xs", "ia3")  # whose change is one of weights
C, VOCABULARY, LAYERS = 64, 320, 18


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    return torch.randint(VOCABULARY, (4, 32), generator=torch.Generator().manual_seed(0))


def stirred(base: GPT, method: str, r: int = 4) -> GPT:
    """Return a model in which everything that can learn was moved by chance."""
    model = with_method(TrainConfig(method=method, r=r), base)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.1 * torch.randn(p.shape, generator=generator)
    return model


def learning(model: GPT) -> dict[str, torch.Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def test_of_embeddings_and_norms_nothing_else_learns(base):
    embeddings, norms = (
        learning(with_method(TrainConfig(method=name), base)) for name in ("embeddings", "norms")
    )
    assert set(embeddings) == {"embed_tokens.weight", "lm_head.weight"}
    assert {name.rsplit(".", 2)[-2] for name in norms} == {"norm", "norm_1", "norm_2"}
    assert sum(p.numel() for p in norms.values()) == 7 * 2 * C


@pytest.mark.parametrize("method", [*METHODS, *CONTROLS])
def test_a_model_starts_as_the_base_unless_a_prompt_stands_before_it(method, base, tokens):
    off = (with_method(TrainConfig(method=method), base)(tokens) - base(tokens)).abs().max()
    # DoRA divides by a length and multiplies by the same one, once in every layer.
    assert off <= {"dora": LOGITS, "soft prompt": 100}.get(method, 0.0)
    assert (off > 1) == (method == "soft prompt")


@pytest.mark.parametrize(
    ("method", "count"),
    [
        ("lora", 4 * 3 * (4 * (C + C) + 2 * (C + 4 * C))),
        ("dora", 4 * 3 * (4 * (C + C) + 2 * (C + 4 * C)) + 3 * (5 * C + 4 * C)),
        ("adalora", 6 * (3 * (4 * (C + C) + 2 * (C + 4 * C)) + LAYERS)),
        ("vera", LAYERS * 4 + 3 * (5 * C + 4 * C)),
        ("lora-xs", LAYERS * 4 * 4),
        ("ia3", 3 * (C + C + 4 * C)),
        ("bitfit", 3 * (5 * C + 4 * C) + 7 * C),
        ("bottleneck", 6 * (2 * 4 * C + 4 + C)),
        ("soft prompt", 4 * C),
    ],
)
def test_as_many_numbers_learn_as_the_formula_says(method, count, base):
    assert sum(p.numel() for p in learning(with_method(TrainConfig(method=method), base)).values()) == count


@pytest.mark.parametrize("method", [*METHODS, *CONTROLS])
def test_a_run_moves_what_the_method_trains_and_nothing_else(method, base):
    before = {name: p.clone() for name, p in base.named_parameters()}
    config = TrainConfig(method=method, steps=2, batch_size=4, learning_rate=1e-2, n_texts=64)
    *steps, result = train(config, base, strengths=(0.0, 1.0))
    assert isinstance(result, Result)
    for strength, expected in zip(
        result.strengths, (result.base_evaluation, result.evaluation), strict=False
    ):
        assert strength[:2] == pytest.approx(expected[:2], abs=ROUNDING)
    assert result.trainable == sum(p.numel() for p in learning(with_method(config, base)).values())
    assert steps[1].loss != steps[0].loss
    assert all(torch.equal(p, before[name]) for name, p in base.named_parameters())
    assert (result.adapter_config is not None) == (method in ("lora", "dora"))
    assert len(result.strengths) == (2 if method in MERGING else 0)
    assert len(result.spectra) == {
        "bitfit": 0,
        "bottleneck": 0,
        "soft prompt": 0,
        "embeddings": 0,
        "norms": 0,
        "ia3": 9,
    }.get(method, LAYERS)


@pytest.mark.parametrize("method", [*METHODS, *CONTROLS])
def test_after_merging_a_plain_model_gives_the_same_answers(method, base, tokens):
    model = stirred(base, method).double()  # attention is sharp here, and multiplies the rounding of float32
    merged = merge(model)
    torch.testing.assert_close(merged(tokens), model(tokens), atol=1e-10, rtol=1e-10)
    plain = type(merged) is GPT and not any(isinstance(each, Bottleneck) for each in merged.modules())
    assert plain == (method not in ("bottleneck", "soft prompt"))  # those two cannot be merged
    if plain:
        assert set(base.state_dict()) <= set(merged.state_dict())
        assert all(
            isinstance(layer, nn.Linear) for name, layer in merged.named_modules() if name.endswith("_proj")
        )


@pytest.mark.parametrize("method", MERGING)
def test_each_layer_answers_as_one_with_its_change_added(method, base):
    x = torch.randn(5, 256, generator=torch.Generator().manual_seed(2))
    layers = dict(adapted_layers(stirred(base, method)))
    assert len(layers) == (9 if method == "ia3" else LAYERS)
    for layer in layers.values():
        given = x[:, : layer.base.in_features]
        expected = F.linear(given, layer.base.weight + delta_w(layer))
        torch.testing.assert_close(layer(given), expected, atol=20 * ROUNDING, rtol=ROUNDING)


def test_the_length_of_a_row_is_that_of_numpy_and_torch(base):
    W = base.get_submodule("blocks.0.mlp.up_proj").weight.detach()
    assert magnitude(W).shape == (4 * C,)
    torch.testing.assert_close(magnitude(W), W.norm(dim=1))
    torch.testing.assert_close(torch.tensor(magnitude(W.numpy())), W.norm(dim=1))


def test_dora_sets_the_lengths_of_rows_whatever_the_adapter_turns(base):
    layers = [each for _, each in adapted_layers(stirred(base, "dora")) if isinstance(each, DoRALinear)]
    assert len(layers) == LAYERS
    for layer in layers:
        merged = layer.base.weight + delta_w(layer)
        torch.testing.assert_close(magnitude(merged), layer.row_length.abs())
        turned = layer.base.weight + layer.scaling * layer.lora_B @ layer.lora_A
        cosine = F.cosine_similarity(merged, turned, dim=1)
        torch.testing.assert_close(cosine.abs(), torch.ones_like(cosine))


def test_ia3_scales_rows_or_columns(base):
    layer = nn.Linear(6, 4, bias=False)
    rows, columns = IA3Linear(layer, of_input=False), IA3Linear(layer, of_input=True)
    with torch.no_grad():
        rows.scale[2] = columns.scale[2] = 3.0
    assert delta_w(rows).nonzero()[:, 0].unique().tolist() == [2]
    assert delta_w(columns).nonzero()[:, 1].unique().tolist() == [2]


def test_vera_is_what_a_loop_over_its_entries_says_and_all_layers_share_its_matrices(base):
    layers = [each for _, each in adapted_layers(stirred(base, "vera")) if isinstance(each, VeRALinear)]
    assert len(layers) == LAYERS
    A, B = (max((getattr(each, name) for each in layers), key=torch.Tensor.numel) for name in "AB")
    for layer in layers:
        out_size, in_size = layer.base.weight.shape
        assert torch.equal(layer.A, A[:, :in_size])
        assert torch.equal(layer.B, B[:out_size])
        change = delta_w(layer)
        for i, j in ((0, 0), (out_size - 1, in_size - 1), (3, 7)):
            entry = sum(layer.b[i] * layer.B[i, k] * layer.d[k] * layer.A[k, j] for k in range(len(layer.d)))
            assert change[i, j].item() == pytest.approx(entry.item(), abs=ROUNDING)


def test_lora_xs_is_what_a_loop_over_the_directions_of_its_weight_says(base):
    layers = [each for _, each in adapted_layers(stirred(base, "lora-xs")) if isinstance(each, LoRAXSLinear)]
    assert len(layers) == LAYERS
    for layer in layers:
        U, s, Vh = torch.linalg.svd(layer.base.weight, full_matrices=False)
        change = torch.zeros_like(layer.base.weight)
        for i in range(4):
            for j in range(4):
                change += layer.R[i, j] * s[i] * torch.outer(U[:, i], Vh[j])
        torch.testing.assert_close(delta_w(layer), change, atol=ROUNDING, rtol=ROUNDING)


def test_a_bias_of_the_keys_changes_nothing(base, tokens):
    """It adds one number to all scores of a query."""
    model = with_method(TrainConfig(method="bitfit"), base)
    before = model(tokens)
    with torch.no_grad():
        for block in model.blocks:
            block.attention.k_proj.bias += 1
    torch.testing.assert_close(model(tokens), before, atol=LOGITS, rtol=0)
    with torch.no_grad():
        model.blocks[0].attention.v_proj.bias += 1
    assert (model(tokens) - before).abs().max() > 0.1


def test_bottlenecks_stand_after_attention_and_after_the_mlp_before_each_residual(base, tokens):
    model = stirred(base, "bottleneck")
    x = model.embed(tokens)
    for block in model.blocks:
        for part, norm in ((block.attention, block.norm_1), (block.mlp, block.norm_2)):
            h = part.base(norm(x))
            inner = F.gelu(h @ part.down.weight.T + part.down.bias)
            x = x + h + inner @ part.up.weight.T + part.up.bias
    torch.testing.assert_close(model.lm_head(model.norm(x)), model(tokens), atol=LOGITS, rtol=0)


def test_words_see_the_prompt_and_the_words_before_them_only(base, tokens):
    model = PromptedGPT(base, 3, torch.Generator().manual_seed(0))
    logits = model(tokens)
    other = tokens.clone()
    other[:, 20:] = 7
    assert torch.equal(model(other)[:, :20], logits[:, :20])
    with torch.no_grad():
        model.prompt[0, 0] += 1  # the same for all 64 features would be taken away by the norm
    assert ((model(tokens) - logits).abs().amax(-1) > 1e-4).all()  # at every place


def test_two_tasks_share_one_batch_where_what_differs_is_kept_apart(base, tokens):
    """Prompts differ from text to text, and the base is multiplied once."""
    models = [PromptedGPT(base, 3, torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    x = torch.cat([torch.stack([model.prompt for model in models]), base.embed(tokens[:2])], dim=1)
    for block in models[0].blocks:
        x = block(x)
    both = base.lm_head(base.norm(x[:, 3:]))
    for i, model in enumerate(models):
        torch.testing.assert_close(both[i], model(tokens[i : i + 1])[0], atol=LOGITS, rtol=0)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda base, generator: PromptedGPT(base, 0, generator), "length must be at least 1, got 0."),
        (lambda base, generator: Bottleneck(base, C, 0, generator), "width must be at least 1, got 0."),
        (
            lambda base, generator: SVDLinear(base.blocks[0].mlp.up_proj, 0, 8, generator),
            "r must be at least 1, got 0.",
        ),
        (
            lambda base, generator: inject_vectors(base, ["q_proj"], 0, generator),
            "r must be at least 1, got 0.",
        ),
        (
            lambda base, generator: inject_vectors(base, ["gate_proj"], 2, generator),
            "target_modules must name linear layers, got gate_proj.",
        ),
        (
            lambda base, generator: LoRAXSLinear(base.blocks[0].mlp.up_proj, 65),
            "r must be between 1 and 64, got 65.",
        ),
        (
            lambda base, generator: inject_directions(base, ["gate_proj"], 2, 8, generator),
            "target_modules must name linear layers, got gate_proj.",
        ),
    ],
)
def test_sizes_and_names_that_are_not_possible_are_refused(make, told, base):
    with pytest.raises(ValueError, match=told):
        make(load_base(), torch.Generator())


def test_the_budget_falls_and_never_rises():
    budgets = [budget_at(step, 300, 108, 72) for step in range(1, 301)]
    assert budgets == sorted(budgets, reverse=True)
    assert (budgets[0], budgets[-1]) == (108, 72)


@pytest.mark.parametrize("steps", [1, 2, 7, 60])
def test_adalora_ends_with_its_budget(steps, base):
    model = with_method(TrainConfig(method="adalora", r=2), base)
    allocation = Allocation(model, 2, steps)
    generator = torch.Generator().manual_seed(0)
    for step in range(1, steps + 1):
        for p in learning(model).values():
            p.grad = torch.randn(p.shape, generator=generator)
            with torch.no_grad():
                p -= 0.01 * p.grad
        allocation.after(step)
    ranks = allocation.ranks()
    assert len(ranks) == LAYERS
    assert sum(ranks.values()) == 2 * LAYERS
    assert all(
        torch.linalg.matrix_rank(change, atol=1e-6) == ranks[name]
        for name, change in learned(model, base).items()
    )
    assert set(ranks) == {name for name, _ in adapted_layers(model)}
    assert {name.rpartition(".")[2] for name in ranks} == set(TARGET_MODULES)

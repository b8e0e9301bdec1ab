"""Our adapters in the real peft library and its adapters in our model, with the same logits."""

import copy
import json
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from compute.adapters.layer import delta_w, inject, lora_layers
from compute.adapters.peft_format import AdapterFiles, load_adapter, save_adapter
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.layers import TARGET_MODULES
from compute.numbers.refusal import FileRefused
from compute.training.config import TrainConfig
from compute.training.loop import evaluate, prepare, train

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
BLOCK = {"layers_to_transform": [1], "layers_pattern": "blocks"}
LOGITS = 1e-5  # what we promise; both sides multiply the same float32 factors


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    return torch.randint(319, (8, 32), generator=torch.Generator().manual_seed(0))


def adapted(base: GPT, **choices) -> GPT:
    """Return a model with an adapter that says something, embeddings included where they are trained."""
    if choices.get("method") == "dora":  # which starts as the base
        model = prepare(TrainConfig(**choices), base)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for _, layer in lora_layers(model):
                layer.lora_B.normal_(std=0.1, generator=generator)
                layer.row_length *= 1 + torch.rand(layer.row_length.shape, generator=generator)
        return model
    model = prepare(TrainConfig(init="both random", **choices), base)
    for name in ("embed_tokens", "lm_head") if choices.get("train_embeddings") else ():
        with torch.no_grad():
            model.get_submodule(name).weight *= 1.1
    return model


def same_logits(ours: GPT, theirs: nn.Module, base: GPT, tokens: torch.Tensor) -> None:
    assert (ours(tokens) - base(tokens)).abs().max() > 0.1  # the adapter says something
    # Sums in another order round otherwise, and sharp attention multiplies that: in float64 it is out of sight.
    ours, theirs = copy.deepcopy(ours).double(), copy.deepcopy(theirs).double()
    torch.testing.assert_close(theirs(tokens), ours(tokens), atol=LOGITS, rtol=0)


def in_folder(files: AdapterFiles, folder: Path) -> str:
    (folder / "adapter_model.safetensors").write_bytes(files.weights)
    (folder / "adapter_config.json").write_text(files.config, encoding="utf-8")
    return str(folder)


def from_folder(folder: Path) -> AdapterFiles:
    weights = (folder / "adapter_model.safetensors").read_bytes()
    return AdapterFiles(weights, (folder / "adapter_config.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "choices",
    [
        {"r": 4},
        {"r": 16, "alpha": 32.0, "scaling_rule": "alpha/sqrt(r)", "target_modules": ("q_proj", "v_proj")},
        {"r": 1, "target_modules": ("down_proj",), "train_embeddings": True},
        {"r": 2, "target_modules": ("k_proj", "up_proj"), "layers": (0, 2)},
        {"r": 4, "method": "dora", "target_modules": ("q_proj", "down_proj")},
    ],
    ids=["default", "rslora", "embeddings", "blocks", "dora"],
)
def test_our_adapter_opens_in_peft(choices, base, tokens, tmp_path):
    ours = adapted(base, **choices)
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), in_folder(save_adapter(ours), tmp_path))
    if (
        choices.get("method") == "dora"
    ):  # PEFT adds in another order, and sharp attention multiplies the rounding
        ours, theirs, base = ours.double(), theirs.double(), copy.deepcopy(base).double()
    torch.testing.assert_close(theirs(tokens), ours(tokens), atol=LOGITS, rtol=0)
    assert (ours(tokens) - base(tokens)).abs().max() > 0.1  # the adapter says something
    assert theirs.peft_config["default"].r == choices["r"]
    adapted_there = {name.split("blocks.")[1] for name, p in theirs.named_modules() if "lora_A" in p._modules}
    assert adapted_there == {name.split("blocks.")[1] for name, _ in lora_layers(ours)}


@pytest.mark.parametrize(
    "choices", [{"r": 4}, {"r": 40, "scaling_rule": "alpha/sqrt(r)"}], ids=["2r", "whole"]
)
def test_a_pissa_adapter_opens_in_peft_on_the_base_as_it_was(choices, base, tokens, tmp_path):
    config = TrainConfig(init="PiSSA", learning_rate=1e-2, steps=2, batch_size=4, n_texts=64, **choices)
    *_, result = train(config, base)
    files = AdapterFiles(result.weights, result.adapter_config)
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), in_folder(files, tmp_path))
    ours = load_adapter(base, files)
    # With so many directions the sharp attention of the base multiplies the rounding of float32.
    exact = load_adapter(base, files).double()
    torch.testing.assert_close(theirs.double()(tokens), exact(tokens), atol=LOGITS, rtol=0)
    assert theirs.peft_config["default"].r == min(2 * config.r, 64)  # no layer has more directions than 64
    # The run itself had other weights beneath: equal up to the rounding of an SVD, carried through three blocks.
    assert evaluate(ours, config.task, config.n_texts).validation_loss == pytest.approx(
        result.evaluation.validation_loss, abs=1e-4
    )
    assert result.strengths[0] == result.base_evaluation  # at strength 0 the base is back
    assert result.trainable == sum(p.numel() for p in prepare(config, base).parameters() if p.requires_grad)


def test_peft_merges_our_adapter_as_we_do(base, tmp_path):
    ours = adapted(base)
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), in_folder(save_adapter(ours), tmp_path))
    theirs_of = {name: layer for name, layer in theirs.named_modules() if hasattr(layer, "get_delta_weight")}
    for name, layer in lora_layers(ours):
        their_delta = theirs_of[f"base_model.model.{name}"].get_delta_weight("default")
        torch.testing.assert_close(delta_w(layer), their_delta.detach())


@pytest.mark.parametrize(
    ("choices", "trained"),
    [
        ({"r": 4, "lora_alpha": 8, "target_modules": list(TARGET_MODULES)}, 18),
        ({"r": 2, "lora_alpha": 4, "target_modules": r".*mlp\.up_proj", "use_rslora": True}, 3),
        (
            {
                "r": 4,
                "lora_alpha": 8,
                "target_modules": ["q_proj"],
                "rank_pattern": {"blocks.1.attention.q_proj": 2},
                "alpha_pattern": {"blocks.[12].attention.q_proj": 12},
            },
            3,
        ),
        ({"r": 2, "lora_alpha": 4, "target_modules": ["v_proj"], "modules_to_save": ["lm_head"]}, 3),
        ({"r": 2, "lora_alpha": 4, "target_modules": ["v_proj"], **BLOCK}, 1),
        ({"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "up_proj"], "use_dora": True}, 6),
    ],
    ids=["default", "rslora", "rank pattern", "head", "blocks", "dora"],
)
def test_an_adapter_trained_with_peft_opens_in_ours(choices, trained, base, tokens, tmp_path):
    torch.manual_seed(0)  # from which PEFT draws lora_A
    theirs = peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(**choices))
    learning = [p for p in theirs.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        theirs.base_model.model.loss(tokens).backward()
        optimizer.step()
    theirs.save_pretrained(str(tmp_path))
    ours = load_adapter(base, from_folder(tmp_path))
    same_logits(ours, theirs, base, tokens)
    assert len(dict(lora_layers(ours))) == trained


def test_an_adapter_that_was_really_trained_makes_the_round_trip(base, tokens, tmp_path):
    *_, result = train(TrainConfig(steps=3, batch_size=4, r=2, n_texts=64), base)
    files = AdapterFiles(result.weights, result.adapter_config)
    ours = load_adapter(base, files)
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), in_folder(files, tmp_path))
    torch.testing.assert_close(theirs(tokens), ours(tokens), atol=LOGITS, rtol=0)
    assert save_adapter(ours).config == files.config
    theirs.save_pretrained(str(tmp_path / "again"))
    torch.testing.assert_close(load_adapter(base, from_folder(tmp_path / "again"))(tokens), ours(tokens))


def small(base: GPT) -> AdapterFiles:
    return save_adapter(inject(base, ["q_proj"], 2, 8.0, "alpha/r", "B=0", torch.Generator()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3' in adapter_config.json, not 'LORA'."),
        ({"use_dora": True}, "says use_dora, and 'blocks.0.attention.q'... has no lora_magnitude_vector."),
        ({"lora_bias": True}, "lora_bias is 'True' in adapter_config.json; this model cannot do that."),
        ({"alpha_pattern": {"(": 3}}, "alpha_pattern in adapter_config.json: "),
        ({"bias": "all"}, "bias is 'all' in adapter_config.json; this model cannot do that."),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa' in adapter_config.json"),
        ({"lora_alpha": "8"}, "lora_alpha is '8' in adapter_config.json; a number is needed."),
        ({"lora_alpha": float("nan")}, "lora_alpha is 'nan' in adapter_config.json; a number is needed."),
        ({"lora_alpha": True}, "lora_alpha is 'True' in adapter_config.json; a number is needed."),
    ],
)
def test_a_config_that_asks_for_something_else_is_refused(change, told, base):
    weights, config = small(base)
    with pytest.raises(FileRefused, match=told):
        load_adapter(base, AdapterFiles(weights, json.dumps({**json.loads(config), **change})))


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "null"])
def test_a_config_that_is_none_is_refused(text, base):
    with pytest.raises(
        FileRefused, match="adapter_config.json is (no JSON|not an object with names and values)."
    ):
        load_adapter(base, AdapterFiles(small(base).weights, text))


def without(tensors, part):
    return {key: tensor for key, tensor in tensors.items() if part not in key}


Q = "base_model.model.blocks.0.attention.q_proj"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: without(t, "0.attention.q_proj.lora_B"), "no place in this model or no partner"),
        (lambda t: {**t, "base_model.model.blocks.9.q_proj.lora_A.weight": torch.ones(2, 64)}, "no place"),
        (lambda t: {**t, "base_model.model.embed_positions.weight": torch.ones(64, 64)}, "no place"),
        (
            lambda t: {**t, f"{Q}.lora_A.weight": torch.ones(3, 64)},
            r"lora_B has the shape \(64, 2\); \(64, 3\)",
        ),
        (
            lambda t: {**t, f"{Q}.lora_A.weight": torch.ones(2, 32)},
            r"lora_A has the shape \(2, 32\); \(2, 64\)",
        ),
        (lambda t: {**t, f"{Q}.lora_A.weight": torch.ones(2)}, r"lora_A has the shape \(2,\)."),
        (lambda t: {**t, f"{Q}.lora_A.weight": torch.ones(0, 64)}, r"lora_A has the shape \(0, 64\)."),
        (lambda t: {**t, f"{Q}.lora_A.weight": torch.ones(65, 64)}, r"lora_A has the shape \(65, 64\)."),
        (lambda t: {**t, f"{Q}.lora_A.weight": torch.full((2, 64), torch.nan)}, "no finite number"),
        (lambda t: {**t, f"{Q}.lora_A.weight": torch.ones(2, 64, dtype=torch.int32)}, "no finite number"),
        (lambda t: {**t, "lm_head.weight": torch.ones(9, 64)}, r"lm_head.weight has the shape \(9, 64\)"),
        (lambda t: {}, "The adapter holds no tensor."),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, told, base):
    weights, config = small(base)
    with pytest.raises(FileRefused, match=told):
        load_adapter(base, AdapterFiles(save(change(load(weights))), config))


@pytest.mark.parametrize(
    "damage", [lambda w: w[:-1], lambda w: b"", lambda w: b"\x80\x04" + w, lambda w: w[:5]]
)
def test_damaged_weights_are_refused(damage, base):
    weights, config = small(base)
    with pytest.raises(FileRefused, match="no .safetensors file, or is damaged."):
        load_adapter(base, AdapterFiles(damage(weights), config))


def test_weights_that_are_too_large_are_refused(base):
    with pytest.raises(FileRefused, match="has 20,000,001 bytes; at most 20,000,000 are read."):
        load_adapter(base, AdapterFiles(bytes(20_000_001), small(base).config))

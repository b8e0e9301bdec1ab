"""The counts against published totals, and against transformers and peft, which build the same models."""

from __future__ import annotations

import warnings

import pytest
import torch

from compute.costs.architectures import (
    ARCHITECTURES,
    TARGETS,
    Architecture,
    block_matrices,
    linear_numbers,
    parameters,
    target_modules,
)
from compute.costs.counting import adapted_numbers, lora_numbers, model_break_even_rank

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft
    import transformers

PUBLISHED = {
    "gpt2": 124_439_808,
    "gpt2-xl": 1_557_611_200,
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192,
    "llama-3-8b": 8_030_261_248,
    "llama-3-70b": 70_553_706_496,
}
RELEASED = pytest.mark.parametrize("name", PUBLISHED)
EVERY = pytest.mark.parametrize("name", ARCHITECTURES)
TINY = {
    "gpt2": Architecture("tiny GPT-2", 2, 12, 3, 3, 20, 17, 9, "gpt2"),
    "llama": Architecture("tiny Llama", 3, 24, 4, 2, 20, 17, 9, "llama"),
}


def built(model: Architecture) -> transformers.PreTrainedModel:
    """Return the model as transformers builds it, with shapes and no numbers."""
    if model.family == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=model.vocab_size,
            n_positions=model.block_size,
            n_embd=model.n_embd,
            n_layer=model.n_layer,
            n_head=model.n_head,
            n_inner=model.n_ffn,
        )
        make = transformers.GPT2LMHeadModel
    else:
        config = transformers.LlamaConfig(
            vocab_size=model.vocab_size,
            max_position_embeddings=model.block_size,
            hidden_size=model.n_embd,
            intermediate_size=model.n_ffn,
            num_hidden_layers=model.n_layer,
            num_attention_heads=model.n_head,
            num_key_value_heads=model.n_kv_head,
        )
        make = transformers.LlamaForCausalLM
    with torch.device("meta"):
        return make(config)


def counted_by_peft(model: Architecture, targets: str, r: int) -> tuple[int, int]:
    """Return the numbers trained and all numbers as peft counts them."""
    config = peft.LoraConfig(
        r=r,
        lora_alpha=3 * r,  # no count depends on it
        target_modules=list(target_modules(model, targets)),
        fan_in_fan_out=model.family == "gpt2",
    )
    base = built(model)
    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated"
        )  # peft asks transformers so
        return peft.get_peft_model(base, config).get_nb_trainable_parameters()


@RELEASED
def test_the_total_is_the_published_one_and_that_of_transformers(name):
    assert parameters(ARCHITECTURES[name]) == PUBLISHED[name]
    assert sum(p.numel() for p in built(ARCHITECTURES[name]).parameters()) == PUBLISHED[name]


@pytest.mark.parametrize("name", TINY)
def test_the_total_of_a_tiny_model_is_that_of_transformers(name):
    assert parameters(TINY[name]) == sum(p.numel() for p in built(TINY[name]).parameters())


def test_the_total_of_gpt_3_is_the_printed_one_as_far_as_it_is_rounded():
    assert parameters(ARCHITECTURES["gpt3"]) == 174_604_259_328
    assert parameters(ARCHITECTURES["gpt3"]) == pytest.approx(175.0e9, rel=0.003)


@RELEASED
def test_the_layers_have_the_names_and_shapes_of_transformers(name):
    model = ARCHITECTURES[name]
    found = dict(built(model).named_modules())
    for layer, (out, into) in block_matrices(model).items():
        (first,) = (each for path, each in found.items() if ".0." in path and path.endswith(f".{layer}"))
        shape = tuple(first.weight.shape)
        assert shape == ((into, out) if model.family == "gpt2" else (out, into)), layer


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("r", [1, 5])
def test_a_tiny_adapter_has_the_numbers_that_peft_counts(name, targets, r):
    trained = lora_numbers(TINY[name], targets, r)
    assert counted_by_peft(TINY[name], targets, r) == (trained, parameters(TINY[name]) + trained)


@RELEASED
def test_an_adapter_has_the_numbers_that_peft_counts(name):
    model = ARCHITECTURES[name]
    trained = lora_numbers(model, "all-linear", 16)
    assert counted_by_peft(model, "all-linear", 16) == (trained, PUBLISHED[name] + trained)


@pytest.mark.parametrize(
    ("name", "targets", "r", "numbers"),
    [
        ("llama-2-7b", "all-linear", 16, 39_976_960),
        ("llama-2-7b", "all-linear", 64, 159_907_840),
        ("llama-2-7b", "q-v", 8, 4_194_304),
        ("llama-2-7b", "attention", 16, 16_777_216),
        ("llama-2-70b", "q-v", 8, 16_384_000),
        ("llama-2-70b", "attention", 8, 32_768_000),
        ("llama-2-70b", "all-linear", 16, 207_093_760),
        ("llama-3-8b", "all-linear", 1, 2_621_440),
        ("gpt3", "q-v", 4, 18_874_368),
        ("gpt3", "q-v", 1, 4_718_592),
        ("gpt3", "attention", 4, 37_748_736),
        ("gpt3", "all-linear", 0, 0),
    ],
)
def test_counts_that_were_published_or_checked_by_hand(name, targets, r, numbers):
    assert lora_numbers(ARCHITECTURES[name], targets, r) == numbers


@EVERY
@pytest.mark.parametrize("targets", TARGETS)
def test_below_break_even_the_adapters_are_smaller_than_their_matrices(name, targets):
    model = ARCHITECTURES[name]
    even, size = model_break_even_rank(model, targets), adapted_numbers(model, targets)
    assert lora_numbers(model, targets, int(even) - 1) < size < lora_numbers(model, targets, int(even) + 1)
    assert size <= linear_numbers(model) < parameters(model)


@EVERY
def test_each_choice_of_targets_holds_the_one_before(name):
    few, more, every = (set(target_modules(ARCHITECTURES[name], targets)) for targets in TARGETS)
    assert few < more < every == set(block_matrices(ARCHITECTURES[name]))


def test_grouped_heads_make_keys_and_values_narrow():
    matrices = block_matrices(ARCHITECTURES["llama-2-70b"])
    assert matrices["k_proj"] == matrices["v_proj"] == (1024, 8192)
    assert matrices["q_proj"] == matrices["o_proj"] == (8192, 8192)


def test_other_targets_are_refused():
    with pytest.raises(ValueError, match="targets must be one of q-v, attention, all-linear, got 'mlp'."):
        target_modules(ARCHITECTURES["gpt3"], "mlp")

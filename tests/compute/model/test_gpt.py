"""The transformer against torch's own attention, and what makes it a language model."""

import math

import pytest
import torch

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT, Attention, Block, GPTConfig, generate
from compute.model.layers import TARGET_MODULES
from compute.world.tokens import vocab_size
from helpers.mps import OnMPS, on_mps

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
SMALL = GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=12)
# Float32 has 1e-7; sums of some hundred products of numbers near 1 in another order differ by some 1e-6.
ROUNDING = 1e-5


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def lively(module: torch.nn.Module, generator: torch.Generator) -> torch.nn.Module:
    """Give all weights a size at which attention is far from even."""
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(std=0.5, generator=generator)
    return module


def test_attention_is_the_formula_written_out(generator):
    attention = lively(Attention(SMALL), generator)
    x = torch.randn(3, 7, 12, generator=generator)

    def heads(y):
        return y.view(3, 7, 2, 6).transpose(1, 2)

    q, k, v = (heads(x @ layer.weight.T) for layer in (attention.q_proj, attention.k_proj, attention.v_proj))
    ours = attention(x)
    scores = q @ k.transpose(2, 3) / math.sqrt(6)  # [i, j]: what token i makes of token j
    later = torch.ones(7, 7, dtype=torch.bool).triu(1)
    expected = (scores.masked_fill(later, -math.inf).softmax(-1) @ v).transpose(1, 2).reshape(3, 7, 12)
    torch.testing.assert_close(ours, expected @ attention.o_proj.weight.T, atol=ROUNDING, rtol=ROUNDING)


def test_attention_is_that_of_torchs_module(generator):
    attention = lively(Attention(SMALL), generator)
    theirs = torch.nn.MultiheadAttention(12, 2, bias=False, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(
            torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
        )
        theirs.out_proj.weight.copy_(attention.o_proj.weight)
    x = torch.randn(3, 8, 12, generator=generator)
    mask = torch.ones(8, 8, dtype=torch.bool).triu(1)
    expected, _ = theirs(x, x, x, attn_mask=mask, need_weights=False)
    torch.testing.assert_close(attention(x), expected, atol=ROUNDING, rtol=ROUNDING)


def test_a_block_is_that_of_torch(generator):
    block = lively(Block(SMALL), generator)
    theirs = torch.nn.TransformerEncoderLayer(
        12, 2, 48, dropout=0.0, activation="gelu", batch_first=True, norm_first=True, bias=True
    )
    state = block.state_dict()
    with torch.no_grad():
        for p in theirs.parameters():
            p.zero_()
        attention = theirs.self_attn
        parts = [state[f"attention.{name}.weight"] for name in ("q_proj", "k_proj", "v_proj")]
        attention.in_proj_weight.copy_(torch.cat(parts))
        attention.out_proj.weight.copy_(state["attention.o_proj.weight"])
        theirs.linear1.weight.copy_(state["mlp.up_proj.weight"])
        theirs.linear2.weight.copy_(state["mlp.down_proj.weight"])
    theirs.norm1.load_state_dict(block.norm_1.state_dict())
    theirs.norm2.load_state_dict(block.norm_2.state_dict())
    x = torch.randn(3, 8, 12, generator=generator)
    expected = theirs(x, src_mask=torch.nn.Transformer.generate_square_subsequent_mask(8), is_causal=True)
    torch.testing.assert_close(block(x), expected, atol=ROUNDING, rtol=ROUNDING)


@pytest.mark.parametrize("changed", range(1, 8))
def test_the_future_changes_nothing_and_the_past_does(changed, generator):
    model = lively(GPT(SMALL), generator)
    tokens = torch.randint(11, (4, 8), generator=generator)
    other = tokens.clone()
    other[:, changed] = (other[:, changed] + 1) % 11
    before, after = model(tokens), model(other)
    assert torch.equal(before[:, :changed], after[:, :changed])
    assert all((before[:, i] != after[:, i]).any() for i in range(changed, 8))


def test_the_model_has_the_promised_size_and_names():
    model = GPT(GPTConfig(vocab_size()), torch.Generator().manual_seed(0))
    linear = [name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)]
    assert [name.rpartition(".")[2] for name in linear] == list(TARGET_MODULES) * 3 + ["lm_head"]
    assert TARGET_MODULES == TARGET_MODULES
    C, V = 64, vocab_size()
    norms = (2 * 3 + 1) * 2 * C
    assert sum(p.numel() for p in model.parameters()) == 3 * 12 * C * C + 2 * V * C + 64 * C + norms


def test_the_start_is_the_seeds_and_leaves_torchs_own_generator_alone():
    torch_state = torch.random.get_rng_state()
    models = [GPT(SMALL, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    states = [model.state_dict() for model in models]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["lm_head.weight"], states[2]["lm_head.weight"])


def test_layers_that_write_into_the_sum_start_smaller(generator):
    model = GPT(GPTConfig(vocab_size=50), generator)
    for name, p in model.named_parameters():
        if p.dim() == 2:
            std = 0.02 / math.sqrt(6) if name.endswith(("o_proj.weight", "down_proj.weight")) else 0.02
            std = 1 / 8 if name.startswith(("embed_tokens", "embed_positions", "lm_head")) else std
            # The standard deviation of n draws is off by 1 / sqrt(2 n), relatively; four times that is rare.
            assert p.std().item() == pytest.approx(std, rel=4 / math.sqrt(2 * p.numel())), name


def test_the_loss_is_the_mean_surprise_in_nats(generator):
    model = lively(GPT(SMALL), generator)
    tokens = torch.randint(11, (3, 8), generator=generator)
    p = model(tokens[:, :-1]).softmax(-1).detach()
    surprises = [-math.log(p[i, t, tokens[i, t + 1]]) for i in range(3) for t in range(7)]
    assert model.loss(tokens).item() == pytest.approx(sum(surprises) / 21, rel=ROUNDING)
    every = torch.ones(3, 7, dtype=torch.bool)
    assert model.loss(tokens, every).item() == pytest.approx(sum(surprises) / 21, rel=ROUNDING)


def test_only_what_is_learned_counts_and_each_text_alike(generator):
    model = lively(GPT(SMALL), generator)
    tokens = torch.randint(11, (2, 8), generator=generator)
    learned = torch.zeros(2, 7, dtype=torch.bool)
    learned[0, 6] = learned[1, 2] = learned[1, 3] = True
    p = model(tokens[:, :-1]).softmax(-1).detach()
    first, *second = (-math.log(p[i, t, tokens[i, t + 1]]) for i, t in ((0, 6), (1, 2), (1, 3)))
    assert model.loss(tokens, learned).item() == pytest.approx((first + sum(second) / 2) / 2, rel=ROUNDING)


def test_texts_are_drawn_from_the_models_own_probabilities(generator):
    model = lively(GPT(SMALL), generator)
    start = torch.zeros(20_000, 1, dtype=torch.int64)
    drawn = generate(model, start, 2, generator)[:, 1].bincount(minlength=11) / 20_000
    p = model(start[:1])[0, -1].softmax(-1)
    assert ((drawn - p).abs() < 4.5 * (p * (1 - p) / 20_000).sqrt() + 1e-9).all()


def test_low_temperature_takes_the_likeliest_word(generator):
    model = lively(GPT(SMALL), generator)
    text = generate(model, torch.zeros(1, 1, dtype=torch.int64), 8, generator, temperature=1e-4)
    assert torch.equal(text[0, 1:], model(text)[0, :-1].argmax(-1))


def test_the_same_seed_writes_the_same_and_a_start_is_kept():
    model = load_base()
    start = torch.tensor([[0, 5], [0, 9]])
    texts = [generate(model, start, 20, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)]
    assert torch.equal(texts[0], texts[1])
    assert not torch.equal(texts[0], texts[2])
    assert torch.equal(texts[0][:, :2], start)


@pytest.mark.parametrize(
    ("length", "temperature", "told"),
    [
        (9, 1, "length must be between 1, .*, and 8, .*, got 9."),
        (4, 0, "temperature must be above 0, got 0."),
    ],
)
def test_what_cannot_be_generated_is_refused(length, temperature, told, generator):
    with pytest.raises(ValueError, match=told):
        generate(GPT(SMALL, generator), torch.zeros(1, 1, dtype=torch.int64), length, generator, temperature)


def test_text_is_written_where_there_is_no_float64():
    """The throws of the dice need float64, which the device of the model may lack."""
    start, there = torch.zeros(2, 1, dtype=torch.int64), on_mps(load_base())
    assert isinstance(there(start), OnMPS)
    with pytest.raises(TypeError, match="float64"):
        there(start).double()
    written, wanted = (
        generate(each, start, 6, torch.Generator().manual_seed(0)) for each in (there, load_base())
    )
    assert torch.equal(written, wanted)

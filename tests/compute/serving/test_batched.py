"""Three ways to answer a batch of many adapters give the answers that each request gets alone, and that peft gives."""

import warnings

import pytest
import torch

from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.experiments.mixing import FOLDER, load_factors
from compute.experiments.serving import ADAPTERS, RANKS, load_serving, numbers_held
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.serving.batched import SERVERS, Together, held, random_adapters
from compute.serving.routing import ADAPTED

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft

torch.set_num_threads(1)
# Logits reach 20, where a step of float32 is 2e-6; sums of some hundred products in another order differ by some steps,
# and words that do not belong together leave norms with little to divide by.
LOGITS = 1e-4
WHICH = torch.tensor([2, 0, 1, 1, 2, 0, 0])


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


@pytest.fixture(scope="module")
def tokens(base) -> torch.Tensor:
    return torch.randint(base.config.vocab_size, (len(WHICH), 32), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def servers(base):
    adapters = [load_factors(voice) for voice in ADAPTED]
    return {way: server(base, adapters) for way, server in SERVERS.items()}


@pytest.fixture(scope="module")
def alone(base, tokens) -> torch.Tensor:
    """Return what each request is answered alone, by a model with its adapter beside the base."""
    models = []
    for voice in ADAPTED:
        weights = (FOLDER / voice / "adapter_model.safetensors").read_bytes()
        config = (FOLDER / voice / "adapter_config.json").read_text(encoding="utf-8")
        models.append(load_adapter(base, AdapterFiles(weights, config)))
    with torch.no_grad():
        return torch.cat([models[j](tokens[i : i + 1]) for i, j in enumerate(WHICH.tolist())])


@pytest.mark.parametrize("way", SERVERS)
def test_each_request_is_answered_as_if_it_were_alone(way, servers, tokens, alone):
    torch.testing.assert_close(servers[way](tokens, WHICH), alone, rtol=0, atol=LOGITS)


def test_peft_answers_a_mixed_batch_in_the_same_way(servers, tokens):
    model = peft.PeftModel.from_pretrained(load_base(), str(FOLDER / "legal"), adapter_name="legal")
    for voice in ADAPTED[1:]:
        model.load_adapter(str(FOLDER / voice), adapter_name=voice)
    model.eval()
    with torch.no_grad():
        theirs = model(tokens, adapter_names=[ADAPTED[j] for j in WHICH])
    torch.testing.assert_close(servers["together"](tokens, WHICH), theirs, rtol=0, atol=LOGITS)


@pytest.mark.parametrize("way", SERVERS)
def test_an_answer_does_not_depend_on_what_else_is_in_the_batch(way, servers, tokens):
    server = servers[way]
    before = server(tokens[:1], WHICH[:1])
    server(tokens, torch.zeros_like(WHICH))
    torch.testing.assert_close(server(tokens[:1], WHICH[:1]), before, rtol=0, atol=0)
    shuffled = torch.tensor([3, 1, 4, 0, 6, 5, 2])
    answers = server(tokens, WHICH)
    torch.testing.assert_close(
        server(tokens[shuffled], WHICH[shuffled]), answers[shuffled], rtol=0, atol=LOGITS
    )


def test_no_server_touches_the_base(servers, base, tokens):
    for server in servers.values():
        server(tokens, WHICH)
    fresh = load_base().state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in base.state_dict().items())
    originals = servers["swapped"].originals
    assert all(
        torch.equal(W, fresh[f"{name}.weight"])
        for W, name in zip(originals, load_factors("code"), strict=True)
    )


@pytest.mark.parametrize("way", SERVERS)
@pytest.mark.parametrize("r", [RANKS[0], RANKS[-1]])
def test_a_server_holds_as_many_numbers_as_the_formula_says(way, r, base):
    adapters = random_adapters(base, list(load_factors("code")), r, 3, seed=0)
    assert held(SERVERS[way](base, adapters)) == numbers_held(way, load_serving().model, r, 3)


def test_adapters_of_unlike_rank_are_refused_together(base):
    layers = list(load_factors("code"))
    mixed = [random_adapters(base, layers, r, 1, seed=0)[0] for r in (2, 4)]
    with pytest.raises(ValueError, match=r"must have one rank, got \[2, 4\]"):
        Together(base, mixed)


def test_random_adapters_are_drawn_from_their_seed(base):
    once, again, other = (random_adapters(base, ["lm_head"], 4, 2, seed)[1]["lm_head"] for seed in (0, 0, 1))
    assert (once.delta_w == again.delta_w).all()
    assert (once.delta_w != other.delta_w).any()
    assert once.delta_w.std() == pytest.approx(0.1 / 8, rel=0.2)  # a tenth of 1 / sqrt(64)
    assert max(ADAPTERS) == 32

"""The other methods of the menu in the real peft library: the same numbers in, the same answers and steps out."""

import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from compute.adapters.adalora import ORTHOGONALITY, Allocation, SVDLinear
from compute.adapters.adapted import AdaptedLinear, adapted_layers
from compute.adapters.lora_xs import LoRAXSLinear
from compute.adapters.rank_budget import EVERY, phases, start_rank
from compute.adapters.soft_prompt import PromptedGPT
from compute.adapters.vera import D_START, VeRALinear
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.layers import TARGET_MODULES
from compute.training.config import TrainConfig
from compute.training.methods import with_method

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft
    import transformers

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
LOGITS = 2e-5  # both sides multiply the same float32 numbers, in another order
R, ALPHA = 4, 8.0
STEPS = 40


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    return torch.randint(319, (4, 33), generator=torch.Generator().manual_seed(0))


class WithLoss(GPT):
    """The mini-model as transformers' models answer: with a loss, to which PEFT adds AdaLoRA's penalty."""

    def forward(self, tokens: torch.Tensor) -> SimpleNamespace:
        logits = super().forward(tokens[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        return SimpleNamespace(logits=logits, loss=loss)


def answering(base: GPT) -> WithLoss:
    model = WithLoss(base.config)
    model.load_state_dict(base.state_dict())
    return model


def stirred(base: GPT, method: str) -> GPT:
    """Return our model with an adapter that says something."""
    model = with_method(TrainConfig(method=method, r=R, alpha=ALPHA), base)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.05 * torch.randn(p.shape, generator=generator)
    return model


def pairs(ours: GPT, theirs: nn.Module) -> list[tuple[AdaptedLinear, nn.Module]]:
    return [(layer, theirs.get_submodule(f"base_model.model.{name}")) for name, layer in adapted_layers(ours)]


def same_logits(ours: GPT, theirs: nn.Module, base: GPT, tokens: torch.Tensor) -> None:
    torch.testing.assert_close(theirs(tokens).logits, ours(tokens[:, :-1]), atol=LOGITS, rtol=0)
    assert (ours(tokens[:, :-1]) - base(tokens[:, :-1])).abs().max() > 0.1  # the adapter says something


def test_dora_answers_and_learns_as_that_of_peft(base, tokens):
    ours = stirred(base, "dora")
    config = peft.LoraConfig(use_dora=True, r=R, lora_alpha=ALPHA, target_modules=[*TARGET_MODULES])
    theirs = peft.get_peft_model(answering(base), config)
    for mine, other in pairs(ours, theirs):
        with torch.no_grad():
            other.lora_A.default.weight.copy_(mine.lora_A)
            other.lora_B.default.weight.copy_(mine.lora_B)
            other.lora_magnitude_vector.default.weight.copy_(mine.row_length)
    ours, theirs = ours.double(), theirs.double()  # sharp attention multiplies the rounding of float32
    same_logits(ours, theirs, base, tokens)
    ours.loss(tokens).backward()
    theirs(tokens).loss.backward()
    for mine, other in pairs(ours, theirs):
        their_length = other.lora_magnitude_vector.default.weight
        for p, q in (
            (mine.lora_A, other.lora_A.default.weight),
            (mine.lora_B, other.lora_B.default.weight),
            (mine.row_length, their_length),
        ):
            torch.testing.assert_close(p.grad, q.grad, atol=LOGITS, rtol=1e-4)


def test_ia3_answers_as_that_of_peft(base, tokens):
    ours = stirred(base, "ia3")
    config = peft.IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
    )
    theirs = peft.get_peft_model(answering(base), config)
    for mine, other in pairs(ours, theirs):
        with torch.no_grad():
            other.ia3_l["default"].copy_(mine.scale.view_as(other.ia3_l["default"]))
    same_logits(ours, theirs, base, tokens)
    assert sum(p.numel() for p in theirs.parameters() if p.requires_grad) == 1152


def test_vera_starts_answers_and_learns_as_that_of_peft(base, tokens):
    ours = stirred(base, "vera")
    seed = TrainConfig().seed
    config = peft.VeraConfig(
        r=R, target_modules=[*TARGET_MODULES], projection_prng_key=seed, d_initial=D_START
    )
    theirs = peft.get_peft_model(answering(base), config)
    assert sum(p.numel() for p in theirs.parameters() if p.requires_grad) == sum(
        p.numel() for p in ours.parameters() if p.requires_grad
    )
    for mine, other in pairs(ours, theirs):
        assert isinstance(mine, VeRALinear)
        assert torch.equal(other.vera_A["default"][:, : mine.base.in_features], mine.A)  # of the same seed
        assert torch.equal(other.vera_B["default"][: mine.base.out_features], mine.B)
        assert set(other.vera_lambda_d["default"].tolist()) == {torch.tensor(D_START).item()}
        assert not other.vera_lambda_b["default"].any()
        with torch.no_grad():
            other.vera_lambda_d["default"].copy_(mine.d)
            other.vera_lambda_b["default"].copy_(mine.b)
    same_logits(ours, theirs, base, tokens)
    ours.loss(tokens).backward()
    theirs(tokens).loss.backward()
    for mine, other in pairs(ours, theirs):
        for p, q in ((mine.d, other.vera_lambda_d["default"]), (mine.b, other.vera_lambda_b["default"])):
            torch.testing.assert_close(p.grad, q.grad, atol=LOGITS, rtol=1e-4)


def test_lora_xs_answers_and_learns_as_lora_of_peft_with_its_factors(base, tokens):
    """PEFT has no LoRA-XS: it is LoRA whose lora_B is U diag(s) R, and R learns what lora_B would pass on."""
    ours = stirred(base, "lora-xs")
    config = peft.LoraConfig(r=R, lora_alpha=R, target_modules=[*TARGET_MODULES])
    theirs = peft.get_peft_model(answering(base), config)
    for mine, other in pairs(ours, theirs):
        assert isinstance(mine, LoRAXSLinear)
        with torch.no_grad():
            other.lora_A.default.weight.copy_(mine.lora_A)
            other.lora_B.default.weight.copy_(mine.lora_B @ mine.R)
    ours, theirs = ours.double(), theirs.double()  # sharp attention multiplies the rounding of float32
    same_logits(ours, theirs, base, tokens)
    ours.loss(tokens).backward()
    theirs(tokens).loss.backward()
    for mine, other in pairs(ours, theirs):
        passed_on = mine.lora_B.T @ other.lora_B.default.weight.grad
        torch.testing.assert_close(mine.R.grad, passed_on, atol=LOGITS, rtol=1e-3)


def their_adalora(base: GPT, ours: GPT) -> peft.PeftModel:
    config = peft.AdaLoraConfig(
        init_r=start_rank(R),
        target_r=R,
        lora_alpha=ALPHA,
        target_modules=[*TARGET_MODULES],
        total_step=STEPS,
        tinit=phases(STEPS)[0],
        tfinal=STEPS - phases(STEPS)[1],
        deltaT=EVERY,
        orth_reg_weight=ORTHOGONALITY,
    )
    theirs = peft.get_peft_model(answering(base), config)
    for mine, other in pairs(ours, theirs):
        with torch.no_grad():
            for name in ("lora_A", "lora_E", "lora_B"):
                getattr(other, name)["default"].copy_(getattr(mine, name))
    return theirs


def test_adalora_answers_and_is_pulled_straight_as_that_of_peft(base, tokens):
    ours = stirred(base, "adalora")
    theirs = their_adalora(base, ours)
    same_logits(ours, theirs, base, tokens)
    penalty = Allocation(ours, R, STEPS).penalty()
    assert penalty > 0.1
    with_penalty = theirs.base_model(tokens).loss  # without a task_type the outermost model passes it by
    torch.testing.assert_close(with_penalty, ours.loss(tokens) + penalty, atol=LOGITS, rtol=0)


def test_adalora_leaves_the_directions_that_peft_leaves(base):
    """Given the same gradients: what a model makes of them would differ by rounding, and near ties by that."""
    ours = stirred(base, "adalora")
    theirs = their_adalora(base, ours)
    allocation = Allocation(ours, R, STEPS)
    generator = torch.Generator().manual_seed(2)
    for step in range(1, STEPS + 1):
        for mine, other in pairs(ours, theirs):
            assert isinstance(mine, SVDLinear)
            for name in ("lora_A", "lora_E", "lora_B"):
                p, q = getattr(mine, name), getattr(other, name)["default"]
                p.grad = torch.randn(p.shape, generator=generator)
                q.grad = p.grad.clone()
                with torch.no_grad():
                    p -= 0.01 * p.grad
                    q -= 0.01 * q.grad
        allocation.after(step)
        theirs.base_model.update_and_allocate(step)
        for mine, other in pairs(ours, theirs):
            assert torch.equal(mine.lora_E, other.lora_E["default"]), step
    ranks = allocation.ranks()
    assert sum(ranks.values()) == R * len(ranks)
    assert len(set(ranks.values())) > 1


class Embedded(nn.Module):
    """A prompted model as PEFT asks one: with vectors in place of tokens, its own prompt left out."""

    device = torch.device("cpu")

    def __init__(self, ours: PromptedGPT):
        super().__init__()
        self.ours = ours
        self.config = transformers.PretrainedConfig(vocab_size=ours.config.vocab_size)

    def prepare_inputs_for_generation(self) -> None:
        """PEFT looks whether there is one."""

    def forward(self, inputs_embeds: torch.Tensor, **_) -> SimpleNamespace:
        words = inputs_embeds.shape[1] - len(self.ours.prompt)
        numbers = nn.functional.pad(
            self.ours.embed_positions(torch.arange(words)), (0, 0, len(self.ours.prompt), 0)
        )
        x = inputs_embeds + numbers  # the words keep theirs
        for block in self.ours.blocks:
            x = block(x)
        return SimpleNamespace(logits=self.ours.lm_head(self.ours.norm(x)))


def test_a_soft_prompt_stands_where_that_of_peft_stands(base, tokens):
    ours = PromptedGPT(base, 5, torch.Generator().manual_seed(0))
    config = peft.PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=5,
        token_dim=base.config.n_embd,
        num_layers=base.config.n_layer,
        num_attention_heads=base.config.n_head,
        num_transformer_submodules=1,
    )
    theirs = peft.get_peft_model(Embedded(ours), config)
    with torch.no_grad():
        theirs.prompt_encoder.default.embedding.weight.copy_(ours.prompt)
    logits = theirs(input_ids=tokens[:, :20]).logits
    torch.testing.assert_close(logits[:, 5:], ours(tokens[:, :20]), atol=LOGITS, rtol=0)

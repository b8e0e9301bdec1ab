"""Files that the real peft library writes, and ours in it: the same delta_w."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compute.adapters.formats.contents import measures
from compute.adapters.formats.layers import factors, spectrum
from compute.adapters.formats.reading import read_adapter
from compute.adapters.formats.scales import scale_audit
from compute.adapters.formats.shrinking import ranks_for, truncated
from compute.adapters.formats.writing import Plain, plain, write_adapter

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft

FLOAT32 = 1e-5  # PEFT multiplies in float32


class Model(nn.Module):
    """Some layers of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.q_proj = nn.Linear(6, 9, bias=False)
        self.v_proj = nn.Linear(9, 6, bias=False)
        self.conv = nn.Conv2d(4, 6, (2, 3), bias=False)


def stirred(config: peft.PeftConfig) -> peft.PeftModel:
    """Return the model with an adapter none of whose numbers is zero."""
    torch.manual_seed(0)
    model = peft.get_peft_model(Model(), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "ranknum" not in name:
                parameter.copy_(torch.randn_like(parameter))
    return model


def modules(model: peft.PeftModel) -> dict[str, nn.Module]:
    found = {}
    for name, module in model.base_model.model.named_modules():
        if hasattr(module, "get_delta_weight"):
            found[name] = module
    return found


CONFIGS = {
    "linear": peft.LoraConfig(r=3, lora_alpha=7, target_modules=["q_proj", "v_proj"]),
    "rslora": peft.LoraConfig(r=3, lora_alpha=7, target_modules=["q_proj"], use_rslora=True),
    "patterns": peft.LoraConfig(
        r=3,
        lora_alpha=7,
        target_modules=["q_proj", "v_proj"],
        rank_pattern={"v_": 2, "v_proj": 4},
        alpha_pattern={"^q_.*": 2},
    ),
    "convolution": peft.LoraConfig(r=3, lora_alpha=7, target_modules=["conv"]),
    "embedding": peft.LoraConfig(r=3, lora_alpha=7, target_modules=["embed"]),
    "dora": peft.LoraConfig(r=3, lora_alpha=7, target_modules=["q_proj"], use_dora=True),
    "adalora": peft.AdaLoraConfig(
        init_r=4, target_r=2, lora_alpha=7, target_modules=["q_proj"], total_step=10, tinit=1, tfinal=1
    ),
    "loha": peft.LoHaConfig(r=2, alpha=7, target_modules=["q_proj", "conv"], use_effective_conv2d=True),
    "lokr": peft.LoKrConfig(r=2, alpha=7, target_modules=["q_proj", "v_proj", "conv"], decompose_both=True),
    "lokr_whole": peft.LoKrConfig(r=8, alpha=7, target_modules=["q_proj"]),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.filterwarnings("ignore")  # what PEFT says while it saves is not ours
def test_what_peft_saves_is_read_as_peft_applies_it(tmp_path, name):
    model = stirred(CONFIGS[name])
    model.save_pretrained(tmp_path)
    adapter = read_adapter(tmp_path)
    theirs = modules(model)
    assert {layer.name for layer in adapter.layers} == set(theirs)
    for layer in adapter.layers:
        delta_w = theirs[layer.name].get_delta_weight("default").detach().double().numpy()
        delta_w = delta_w.reshape(len(delta_w), -1)
        lora_B, lora_A = factors(layer)
        np.testing.assert_allclose(lora_B @ lora_A, delta_w, atol=FLOAT32 * np.abs(delta_w).max())
        dense = np.linalg.svd(lora_B @ lora_A, compute_uv=False)
        s = spectrum(layer)
        np.testing.assert_allclose(s[: len(dense)], dense[: len(s)], atol=1e-12 * dense[0])
        scaling = theirs[layer.name].scaling["default"]
        if name == "adalora":
            scaling = scaling / (4 + 1e-5)
        assert (
            scale_audit(layer, adapter.told)["PEFT"] == pytest.approx(layer.scale) == pytest.approx(scaling)
        )
    assert any("DoRA" in note for note in adapter.notes) == (name == "dora")


@pytest.mark.filterwarnings("ignore")
def test_experts_that_peft_keeps_in_one_pair(tmp_path):
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 5, 7))  # (experts, in, out) or (experts, out, in)

    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = Experts()

    torch.manual_seed(0)
    config = peft.LoraConfig(r=2, lora_alpha=7, target_modules=[], target_parameters=["experts.weight"])
    model = peft.get_peft_model(Mixture(), config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter))
    model.save_pretrained(tmp_path)
    adapter = read_adapter(tmp_path)
    wrapped = modules(model)["experts"]
    delta_w = wrapped.get_delta_weight("default").detach().double().numpy()
    assert [layer.expert for layer in adapter.layers] == [(0, 3), (1, 3), (2, 3)]
    for layer, dense in zip(adapter.layers, delta_w, strict=True):
        np.testing.assert_allclose(spectrum(layer), np.linalg.svd(dense, compute_uv=False)[:2], rtol=FLOAT32)
    cut = [
        plain(layer)._replace(lora_B=B, lora_A=A)
        for layer in adapter.layers
        for B, A in [truncated(layer, 1)]
    ]
    for name, data in write_adapter(cut, "peft", adapter).files.items():
        (tmp_path / name).write_bytes(data)
    small = modules(peft.PeftModel.from_pretrained(Mixture(), str(tmp_path)))["experts"]
    for one, dense in zip(small.get_delta_weight("default").detach().double().numpy(), delta_w, strict=True):
        U, s, Vh = np.linalg.svd(dense)
        np.testing.assert_allclose(one, s[0] * np.outer(U[:, 0], Vh[0]), rtol=0, atol=FLOAT32 * s[0])


def reopened(files: dict[str, bytes], folder: Path) -> dict[str, np.ndarray]:
    """Return what PEFT adds to each layer after it loaded our files."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    model = peft.PeftModel.from_pretrained(Model(), str(folder))
    found = {
        name: module.get_delta_weight("default").detach().double().numpy()
        for name, module in modules(model).items()
    }
    return {name: each.reshape(len(each), -1) for name, each in found.items()}


@pytest.mark.parametrize(
    "name", ["linear", "rslora", "patterns", "convolution", "embedding", "loha", "lokr", "adalora"]
)
@pytest.mark.filterwarnings("ignore")
def test_peft_loads_what_we_write(tmp_path, name):
    stirred(CONFIGS[name]).save_pretrained(tmp_path / "before")
    adapter = read_adapter(tmp_path / "before")
    written = write_adapter([plain(layer) for layer in adapter.layers], "peft", adapter)
    config = json.loads(written.files["adapter_config.json"])
    assert config["peft_type"] == "LORA"
    after = reopened(written.files, tmp_path / "after")
    for layer in adapter.layers:
        lora_B, lora_A = factors(layer)
        np.testing.assert_allclose(
            after[layer.name], lora_B @ lora_A, atol=FLOAT32 * np.abs(lora_B @ lora_A).max()
        )


@pytest.mark.filterwarnings("ignore")
def test_peft_loads_what_is_cut_to_ranks_that_differ(tmp_path):
    stirred(CONFIGS["linear"]).save_pretrained(tmp_path / "before")
    adapter = read_adapter(tmp_path / "before")
    spectra = {each.layer.name: each.s for each in measures(adapter)}
    ranks = ranks_for(spectra, {each.name: each.shape for each in adapter.layers}, rank=2) | {"v_proj": 1}
    plains = [
        Plain(layer.name, *truncated(layer, ranks[layer.name]), layer.scale, ("F32", "F32"))
        for layer in adapter.layers
    ]
    after = reopened(write_adapter(plains, "peft", adapter).files, tmp_path / "after")
    for layer in adapter.layers:
        lora_B, lora_A = factors(layer)
        U, s, Vh = np.linalg.svd(lora_B @ lora_A, full_matrices=False)
        r = ranks[layer.name]
        np.testing.assert_allclose(after[layer.name], U[:, :r] * s[:r] @ Vh[:r], atol=FLOAT32 * s[0])

"""The scale that each runtime applies: by hand for each rule, and where they differ."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from compute.adapters.formats.reading import read_bytes
from compute.adapters.formats.scales import RUNTIMES, disagree, model_of, pattern_value, scale_audit
from helpers.adapter_files import CONFIG, FIXTURES, WEIGHTS, packed, peft_config


def audit(files: dict[str, bytes], name: str | None = None) -> dict[str, float | None]:
    adapter = read_bytes(files)
    return scale_audit(adapter.layer(name) if name else adapter.layers[0], adapter.told)


def changed(**fields: object) -> dict[str, bytes]:
    return FIXTURES["peft"].files | {CONFIG: peft_config(**fields)}


def known(found: dict[str, float | None]) -> dict[str, float]:
    return {name: scale for name, scale in found.items() if scale is not None}


def test_every_runtime_is_there_for_every_format():
    for fixture in FIXTURES.values():
        adapter = read_bytes(fixture.files)
        for layer in adapter.layers:
            assert tuple(scale_audit(layer, adapter.told)) == RUNTIMES


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"PEFT": 2.0, "llama.cpp": 2.0, "vLLM": 2.0}),
        # llama.cpp's converter reads lora_alpha alone.
        ({"use_rslora": True}, {"PEFT": 6 / math.sqrt(3), "llama.cpp": 2.0, "vLLM": 6 / math.sqrt(3)}),
        ({"alpha_pattern": {"q_proj": 3}}, {"PEFT": 1.0, "llama.cpp": 2.0, "vLLM": 1.0}),
        ({"lora_alpha": 0}, {"PEFT": 0.0, "llama.cpp": 1.0, "vLLM": 0.0}),
        ({"use_dora": True}, {"PEFT": 2.0, "llama.cpp": 2.0}),
        ({"modules_to_save": ["lm_head"]}, {"PEFT": 2.0, "llama.cpp": 2.0}),
        ({"modules_to_save": ["score"]}, {"PEFT": 2.0, "llama.cpp": 2.0, "vLLM": 2.0}),
        ({"bias": "all"}, {"PEFT": 2.0, "llama.cpp": 2.0}),
        ({"lora_alpha": "six"}, {}),
        ({"lora_alpha": None}, {}),
    ],
)
def test_peft_files_of_a_language_model(fields, expected):
    assert known(audit(changed(**fields))) == pytest.approx(expected)


def test_without_a_config_nobody_loads_peft_s_file():
    assert known(audit(FIXTURES["peft_without_config"].files)) == {}


def test_names_as_in_memory_are_not_found_by_peft():
    assert known(audit(FIXTURES["peft_in_memory"].files)) == {}


def test_dora_and_saved_modules_stop_the_converter_of_llama_cpp():
    for name in ("peft_dora", "peft_saved_modules"):
        assert audit(FIXTURES[name].files)["llama.cpp"] is None


Q, K, V = (f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_{x}" for x in "qkv")


@pytest.mark.parametrize(
    ("fixture", "layer", "expected"),
    [
        ("kohya", Q, {"diffusers": 0.5, "ComfyUI": 0.5, "kohya": 0.5}),
        ("kohya", K, {"diffusers": 1.0, "ComfyUI": 1.0, "kohya": 1.0}),
        (
            "kohya",
            V,
            {"diffusers": 0.0, "ComfyUI": 0.0, "kohya": 1.0},
        ),  # alpha 0: r to the one, 0 to the others
        ("locon", None, {"ComfyUI": 2.0, "kohya": 2.0}),
        ("loha", None, {"ComfyUI": 0.5, "kohya": 0.5}),
        ("lokr", Q, {"ComfyUI": 1.0, "kohya": 1.0}),
        ("lokr", K, {"ComfyUI": 0.5, "kohya": 0.5}),
        ("peft_lokr", None, {"PEFT": 4.0}),
        ("peft_loha", None, {"PEFT": 4.0}),
        ("adalora", None, {"PEFT": 6 / (4 + 1e-5)}),
        ("diffusers", "transformer.transformer_blocks.0.attn.to_q", {"diffusers": 2.0, "ComfyUI": 1.0}),
        ("diffusers_without_metadata", None, {"diffusers": 1.0, "ComfyUI": 1.0}),
        ("mlx", None, {"MLX": 20.0}),
        ("gguf_lora", None, {"llama.cpp": 2.0}),
        ("full", None, {"ComfyUI": 1.0, "kohya": 1.0}),
    ],
)
def test_other_formats(fixture, layer, expected):
    assert known(audit(FIXTURES[fixture].files, layer)) == pytest.approx(expected)


def test_a_lora_of_peft_for_a_diffusion_model_is_weaker_in_comfyui():
    """It has no .alpha, and the config is not read: alpha / r = 16 becomes 1."""
    name = "transformer_blocks.0.attn.to_q"
    tensors = {f"base_model.model.{name}.lora_{x}.weight": np.ones((1, 1)) for x in "AB"}
    found = audit({WEIGHTS: packed(tensors), CONFIG: peft_config(r=1, lora_alpha=16)})
    assert known(found) == {"PEFT": 16.0, "ComfyUI": 1.0}
    assert disagree(found)


def test_rslora_in_the_header_of_diffusers():
    tensors = {f"unet.conv.lora_{x}.weight": np.ones((4, 4)) for x in "AB"}
    told = json.dumps({"unet.lora_alpha": 6, "unet.use_rslora": True})
    assert audit({"a.safetensors": packed(tensors, {"lora_adapter_metadata": told})})["diffusers"] == 3.0
    for damaged in ("{", "[1]", "null"):
        files = {"a.safetensors": packed(tensors, {"lora_adapter_metadata": damaged})}
        assert audit(files)["diffusers"] == 1.0


def test_gguf_without_alpha_runs_at_one():
    from helpers.adapter_files import gguf

    tensors = {"blk.0.attn_q.weight.lora_a": np.ones((2, 4)), "blk.0.attn_q.weight.lora_b": np.ones((6, 2))}
    for told in ({}, {"adapter.lora.alpha": 0.0}, {"adapter.lora.alpha": "many"}):
        file = gguf(tensors, {"general.type": "adapter"} | told)
        assert known(audit({"a.gguf": file})) == {"llama.cpp": 1.0}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("model.layers.0.self_attn.q_proj", "language"),
        ("transformer.h.0.attn.c_attn", "language"),
        ("blk.0.attn_q.weight", "language"),
        ("lm_head", "language"),
        ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj", "diffusion"),
        ("unet.down_blocks.0.resnets.0.conv1", "diffusion"),
        ("diffusion_model.double_blocks.0.img_attn.qkv", "diffusion"),
        ("transformer.single_transformer_blocks.3.proj_mlp", "diffusion"),
        ("encoder.conv1", ""),
    ],
)
def test_which_kind_of_model_a_layer_is_of(name, model):
    assert model_of(name) == model


def test_patterns_match_as_in_peft():
    from peft.utils.other import get_pattern_key

    names = [f"model.layers.{i}.self_attn.{m}" for i in (1, 11) for m in ("q_proj", "v_proj")] + [
        "q_proj",
        "xq_proj",
    ]
    patterns = [
        "q_proj",
        r"layers\.1\..*",
        r".*\.11\..*v_proj",
        "^q_proj",
        "v_proj|q_proj",
        "1.self_attn.q_proj",
    ]
    for pattern in patterns:
        for name in names:
            theirs = get_pattern_key([pattern], name)
            found = pattern_value({pattern: 7}, name)
            assert (found == 7) == (theirs == pattern), (pattern, name)

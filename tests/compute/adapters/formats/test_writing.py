"""Conversion: there and back again to the last bit, in every type, and what each format cannot hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from compute.adapters.formats.containers import CONFIG
from compute.adapters.formats.layers import factors, spectrum
from compute.adapters.formats.reading import Adapter, read_bytes
from compute.adapters.formats.scales import scale_audit
from compute.adapters.formats.shrinking import truncated
from compute.adapters.formats.writing import (
    NAMES,
    WRITABLE,
    dotted,
    plain,
    target_of,
    underscored,
    write_adapter,
)
from helpers.adapter_files import FIXTURES, gguf, packed

CONVERTED = [
    name for name in FIXTURES if FIXTURES[name].delta_w and name not in ("full",) and "experts" not in name
]
LINEAR = ["peft", "peft_rslora", "peft_patterns", "peft_in_memory", "peft_dora", "shards", "mlx", "mlx_dora"]
LINEAR += [name for name in FIXTURES if name.startswith("dtype_")]


SAFETENSORS = ("peft", "kohya", "diffusers", "mlx")  # GGUF has a file of its own: test_gguf.py
CONVOLUTIONS = ["peft_conv", "kohya_conv", "locon", "loha_tucker", "lokr_conv"]
CANNOT = {"mlx": [*CONVOLUTIONS, "peft_embedding"], "diffusers": ["peft_embedding"]}


def written(adapter: Adapter, target: str) -> dict[str, bytes]:
    return write_adapter([plain(layer) for layer in adapter.layers], target, adapter).files


def stored(adapter: Adapter) -> dict[str, tuple[bytes, bytes, str]]:
    """Return the bytes of both factors of each layer, as PEFT orients them."""
    found = {}
    for layer in adapter.layers:
        B, A = (layer.tensors[part] for part in (("B", "A") if "A" in layer.tensors else ("b", "a")))
        turn = layer.spelling == "mlx"
        raw = []
        for tensor in (B, A):
            size = tensor.size // max(1, int(np.prod(tensor.shape)))
            numbers = np.frombuffer(tensor.raw(), f"V{size}").reshape(len(tensor.shape) and tensor.shape)
            raw.append((numbers.T if turn else numbers).tobytes())
        found[layer.name] = (*raw, B.dtype)
    return found


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (name, target)
        for name in LINEAR
        for target in SAFETENSORS
        if (name, target) != ("peft_patterns", "mlx")
    ],  # one scale
)
def test_there_and_back_again_every_bit_is_the_same(name, target):
    adapter = read_bytes(FIXTURES[name].files)
    there = read_bytes(written(adapter, target))
    home = target_of(adapter)
    back = read_bytes(written(there, home))
    before, after = stored(adapter), stored(back)
    names = [layer.name for layer in adapter.layers]
    if target == "diffusers":  # which puts the part of the pipeline before a name
        after = {key.removeprefix("transformer."): value for key, value in after.items()}
    assert after == {key: before[key] for key in names}
    for one, other in zip(adapter.layers, back.layers, strict=True):
        assert other.scale == pytest.approx(one.scale, rel=1e-15)
        assert (one.magnitude is None) == (other.magnitude is None)
        if one.magnitude is not None:
            assert other.magnitude.raw() == one.magnitude.raw()


@pytest.mark.parametrize("target", SAFETENSORS)
@pytest.mark.parametrize("name", CONVERTED)
def test_delta_w_is_the_same_in_every_format(name, target):
    adapter = read_bytes(FIXTURES[name].files)
    if name in CANNOT.get(target, ()):
        with pytest.raises(ValueError, match="no linear layer|embedding"):
            written(adapter, target)
        return
    files = written(adapter, target)
    there = read_bytes(files)
    assert len(there.layers) == len(adapter.layers)
    expected = sorted(FIXTURES[name].delta_w.values(), key=lambda each: (each.shape, float(each.sum())))
    found = sorted(
        (np.matmul(*factors(layer)) for layer in there.layers),
        key=lambda each: (each.shape, float(each.sum())),
    )
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(
            other, one, atol=2e-6 * max(1.0, np.abs(one).max())
        )  # lora_E goes into lora_A


def test_after_conversion_the_runtime_it_was_made_for_applies_the_scale():
    adapter = read_bytes(FIXTURES["peft_rslora"].files)
    for target, runtimes in {"peft": ["PEFT", "vLLM", "llama.cpp"], "mlx": ["MLX"]}.items():
        there = read_bytes(written(adapter, target))
        for layer in there.layers:
            for runtime in runtimes:
                assert scale_audit(layer, there.told)[runtime] == pytest.approx(3.0)
    adapter = read_bytes(FIXTURES["kohya"].files)
    for target, runtimes in {"kohya": ["kohya", "ComfyUI", "diffusers"], "diffusers": ["diffusers"]}.items():
        there = read_bytes(written(adapter, target))
        for layer in there.layers:
            for runtime in runtimes:
                assert scale_audit(layer, there.told)[runtime] == pytest.approx(layer.scale), layer.name


def test_alpha_is_always_written_out():
    adapter = read_bytes(FIXTURES["diffusers_without_metadata"].files)
    assert [layer.alpha for layer in read_bytes(written(adapter, "kohya")).layers] == [3.0]
    config = json.loads(written(adapter, "peft")[CONFIG])
    assert (config["lora_alpha"], config["r"], config["use_rslora"]) == (3, 3, False)


def test_the_config_that_was_there_is_kept():
    adapter = read_bytes(FIXTURES["peft_patterns"].files)
    config = json.loads(written(adapter, "peft")[CONFIG])
    assert config["target_modules"] == ["q_proj", "v_proj"]
    assert config["base_model_name_or_path"] is None
    assert len(config["rank_pattern"]) == 2


def test_what_is_trained_beside_stays_in_the_same_format_and_is_named_in_another():
    adapter = read_bytes(FIXTURES["peft_saved_modules"].files)
    same = read_bytes(written(adapter, "peft"))
    assert set(same.tensors) == set(adapter.tensors)
    other = write_adapter([plain(layer) for layer in adapter.layers], "kohya", adapter)
    assert any("3 tensors beside the layers left away" in note for note in other.notes)


def test_mlx_has_one_scale():
    adapter = read_bytes(FIXTURES["peft_patterns"].files)
    made = write_adapter([plain(layer) for layer in adapter.layers], "mlx", adapter)
    assert any("one scale for all layers" in note for note in made.notes)
    assert any("Ranks differ" in note for note in made.notes)
    config = json.loads(made.files[CONFIG])
    assert config["lora_parameters"]["keys"] == ["self_attn.q_proj", "self_attn.v_proj"]
    assert config["num_layers"] == 2


def gguf_experts(rng: np.random.Generator) -> dict[str, bytes]:
    name = "blk.0.ffn_up_exps.weight"
    tensors = {
        f"{name}.lora_a": rng.integers(-7, 8, (2, 3, 5)) / 8,
        f"{name}.lora_b": rng.integers(-7, 8, (2, 8, 3)) / 8,
    }
    return {"adapter.gguf": gguf(tensors, {"general.type": "adapter", "adapter.lora.alpha": 6.0})}


@pytest.mark.parametrize("name", ["peft_experts", "peft_experts_3d", "mlx_experts", "gguf"])
def test_experts_come_back_in_their_own_format_to_the_last_bit(name, rng):
    adapter = read_bytes(gguf_experts(rng) if name == "gguf" else FIXTURES[name].files)
    again = read_bytes(written(adapter, target_of(adapter)))
    for key, tensor in adapter.tensors.items():
        assert again.tensors[key].shape == tensor.shape
        assert again.tensors[key].raw() == tensor.raw()
    # Cut to ranks of their own, those of a lower one are filled up with zeros.
    cut = [
        plain(layer)._replace(**dict(zip(("lora_B", "lora_A"), truncated(layer, 1 + i), strict=True)))
        for i, layer in enumerate(adapter.layers)
    ]
    made = write_adapter(cut, target_of(adapter), adapter)
    assert any("filled up with zeros" in note for note in made.notes)
    small = read_bytes(made.files)
    assert [layer.r for layer in small.layers] == [2, 2]
    for i, (before, after) in enumerate(zip(adapter.layers, small.layers, strict=True)):
        s = spectrum(before)
        np.testing.assert_allclose(
            spectrum(after), [*s[: 1 + i], *[0] * (1 - i)], atol=1e-6 * s[0]
        )  # stored in F32


def test_experts_and_full_differences_have_no_place_elsewhere():
    adapter = read_bytes(FIXTURES["peft_experts"].files)
    for target in WRITABLE:
        if target != "peft":
            with pytest.raises(ValueError, match="one of several experts"):
                written(adapter, target)
    with pytest.raises(ValueError, match="full difference"):
        plain(read_bytes(FIXTURES["full"].files).layers[0])


def test_what_cannot_be_is_refused():
    adapter = read_bytes(FIXTURES["peft"].files)
    with pytest.raises(ValueError, match="target"):
        write_adapter([plain(adapter.layers[0])], "onnx", adapter)
    with pytest.raises(ValueError, match="no layer"):
        write_adapter([], "peft", adapter)
    large = plain(adapter.layers[0])._replace(dtypes=("F16", "F16"), lora_B=np.full((8, 3), 1e6))
    with pytest.raises(ValueError, match="too large"):
        write_adapter([large], "peft", adapter)


@pytest.mark.parametrize(
    ("kohya", "other"),
    [
        (
            "lora_unet_up_blocks_1_attentions_0_transformer_blocks_0_attn2_to_v",
            "unet.up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v",
        ),
        ("lora_unet_mid_block_resnets_0_conv_shortcut", "unet.mid_block.resnets.0.conv_shortcut"),
        ("lora_unet_double_blocks_0_img_attn_qkv", "transformer.double_blocks.0.img_attn.qkv"),
        (
            "lora_te2_text_model_encoder_layers_0_mlp_fc1",
            "text_encoder_2.text_model.encoder.layers.0.mlp.fc1",
        ),
        (
            "lora_te1_text_model_encoder_layers_0_self_attn_out_proj",
            "text_encoder.text_model.encoder.layers.0.self_attn.out_proj",
        ),
    ],
)
def test_names_of_kohya_and_diffusers(kohya, other):
    assert dotted(kohya) == other
    assert underscored(other) == kohya


def test_a_damaged_map_of_names_is_no_map():
    tensors = {
        "lora_unet_conv_in.lora_up.weight": np.ones((6, 2)),
        "lora_unet_conv_in.lora_down.weight": np.ones((2, 5)),
    }
    for told in ("{", "[]", '{"lora_unet_conv_in": 3}'):
        adapter = read_bytes({"a.safetensors": packed(tensors, {NAMES: told})})
        assert "conv_in" in read_bytes(written(adapter, "peft")).layers[0].name

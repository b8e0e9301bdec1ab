"""A base beside its adapter: which weight is which, and every number against the dense matrices."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from compute.adapters.formats.base import matched, open_base, weight
from compute.adapters.formats.beside import FORMATS, beside, beside_base, in_format, merge_losses
from compute.adapters.formats.layers import factors
from compute.adapters.formats.reading import Adapter, read_adapter, read_bytes
from compute.adapters.merging import arrived_share, rounding_error
from compute.matrices.amplification import amplified
from compute.matrices.intruders import count_intruders, largest_cosines
from compute.numbers.precision import rounded
from compute.numbers.refusal import FileRefused
from helpers.adapter_files import packed, peft_config

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft

FLOAT32 = 1e-5  # PEFT multiplies in float32
OUT, IN, R = 12, 9, 3


def adapter_of(
    rng: np.random.Generator, *names: str, shape: tuple[int, int] = (OUT, IN), **config
) -> Adapter:
    tensors = {}
    for name in names:
        tensors[f"{name}.lora_A.weight"] = rng.standard_normal((R, shape[1]))
        tensors[f"{name}.lora_B.weight"] = rng.standard_normal((shape[0], R))
    files = {
        "adapter_model.safetensors": packed(tensors),
        "adapter_config.json": peft_config(r=R, lora_alpha=R, **config),
    }
    return read_bytes(files)


def base_of(
    folder: Path, tensors: dict[str, np.ndarray], name: str = "model.safetensors", dtype: str = "F64"
):
    (folder / name).write_bytes(packed(tensors, dtype=dtype))
    return open_base(folder).tensors


@pytest.mark.parametrize(
    ("layer", "weights", "found"),
    [
        ("model.layers.1.q", ("model.layers.1.q.weight", "model.layers.11.q.weight"), 0),
        ("layers.1.q", ("model.layers.1.q.weight", "model.layers.11.q.weight"), 0),
        ("transformer.h.1.attn.q", ("h.1.attn.q.weight", "h.1.attn.q.bias", "1.attn.q.weight"), 0),
        ("lora_unet_down_blocks_0_attn1_to_q", ("down_blocks.0.attn1.to_q.weight",), 0),
        ("lora_te1_text_model_layers_0_q_proj", ("text_model.layers.0.q_proj.weight",), 0),
        ("q", ("layers.0.q.weight",), "called so"),  # which block it is in is not said
        ("layers.0.q", ("q.weight",), "called so"),
        ("layers.0.q", ("vision.layers.0.q.weight", "text.layers.0.q.weight"), "both called so"),
        ("layers.0.q", ("layers.0.q.qweight",), "few bits"),
        ("layers.0.q", ("layers.0.q.weight", "layers.0.q.weight_scale"), "few bits"),
        ("layers.0.q", ("layers.1.q.weight",), "called so"),
    ],
)
def test_which_weight_is_which(rng, tmp_path, layer, weights, found):
    base = base_of(tmp_path, {name: np.ones((OUT, IN)) for name in weights})
    adapter = adapter_of(rng, layer)
    pairs, missing = matched(adapter, base)
    if isinstance(found, str):
        assert found in missing[adapter.layers[0].name]
        assert not pairs
    else:
        assert pairs[adapter.layers[0].name].name == weights[found]


def test_a_weight_that_does_not_fit_is_said_with_both_shapes(rng, tmp_path):
    base = base_of(
        tmp_path, {"layers.0.q.weight": np.ones((OUT, IN + 1)), "layers.1.q.weight": np.ones((OUT, IN))}
    )
    adapter = adapter_of(rng, "layers.0.q", "layers.1.q")
    found, missing = beside_base(adapter, base)
    assert [each.layer.name for each in found] == ["layers.1.q"]
    assert missing == {"layers.0.q": "'layers.0.q.weight' of the base is 12 x 10, and the layer is 12 x 9"}
    with pytest.raises(
        FileRefused, match="No layer has a weight in the base .* Is it the base of this adapter"
    ):
        beside_base(adapter_of(rng, "other"), base)


def test_weights_that_lie_the_other_way_round(rng, tmp_path):
    """GPT-2 stores (in, out): of a square one only the config tells."""
    W = rng.standard_normal((OUT, IN))
    base = base_of(tmp_path, {"h.0.c.weight": W.T})
    adapter = adapter_of(rng, "h.0.c", fan_in_fan_out=True)
    np.testing.assert_array_equal(weight(adapter.layers[0], base["h.0.c.weight"], adapter), W)
    square = rng.standard_normal((IN, IN))
    base = base_of(tmp_path, {"h.0.c.weight": square})
    for turned in (True, False):
        adapter = adapter_of(rng, "h.0.c", shape=(IN, IN), fan_in_fan_out=turned)
        got = weight(adapter.layers[0], base["h.0.c.weight"], adapter)
        np.testing.assert_array_equal(got, square.T if turned else square)


def test_shards_are_those_of_the_index(tmp_path):
    index = {"weight_map": {"a.weight": "model-1.safetensors", "b.weight": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    for i, name in ((1, "a"), (3, "c")):
        (tmp_path / f"model-{i}.safetensors").write_bytes(packed({f"{name}.weight": np.ones((2, 2))}))
    for path in (tmp_path, tmp_path / "model.safetensors.index.json"):
        base = open_base(path)
        assert [*base.tensors] == ["a.weight"]
        assert base.notes == [
            "The index names 'model-2.safetensors', which is not here: its layers are missing."
        ]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("model.gguf", b"GGUF" + bytes(40), "there is no .safetensors file"),
        ("pytorch_model.bin", b"\x80\x02", "there is no .safetensors file"),
        ("model.safetensors", b"\x80\x02" + bytes(40), "is a pickle"),
        ("model.safetensors", b"", "is empty"),
    ],
)
def test_what_is_no_base_is_said(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(FileRefused, match=f"^The base: .*{said}"):
            open_base(path)


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "model.safetensors.index.json").mkdir()
    for path in (tmp_path, tmp_path / "other.index.json", tmp_path / "other.safetensors"):
        with pytest.raises(FileRefused, match="^The base: .*(no such file|No such file|s a directory)"):
            open_base(path)


def test_the_numbers_are_those_of_the_dense_matrices(rng):
    adapter = adapter_of(rng, "q", shape=(40, 30))
    layer, W = adapter.layers[0], rng.standard_normal((40, 30)) * 0.9 ** np.arange(30)
    delta_w = np.matmul(*factors(layer))
    found = beside(layer, W, intruders=True)
    table = amplified(W, delta_w, R)
    assert (found.size, found.size_W) == pytest.approx((table.size, table.whole))
    assert found.top_W == pytest.approx(np.linalg.norm(W, 2), rel=1e-4)
    assert (found.amplification, found.chance) == pytest.approx((table.factor, table.chance))
    assert found.intruders == count_intruders(largest_cosines(W, delta_w))
    np.testing.assert_allclose(found.s, np.linalg.svd(delta_w, compute_uv=False)[:R])


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0])
def test_a_merge_loses_what_merging_measures(rng, size):
    W = rounded(rng.standard_normal((300, 1000)), "bf16")  # more rows than are rounded at once
    delta_w = size * rng.standard_normal((300, 2)) @ rng.standard_normal((2, 1000))
    losses = merge_losses(W, delta_w)
    assert tuple(losses) == FORMATS
    for precision in ("bf16", "fp16"):
        before, merged = rounded(W, precision), rounded(W + delta_w, precision)
        assert losses[precision].lost == pytest.approx(rounding_error(before, merged, delta_w) ** 2)
        assert losses[precision].arrived == pytest.approx(arrived_share(before, merged, delta_w))
    assert losses["fp16"].lost < losses["bf16"].lost < losses["int8"].lost


def test_eight_bits_are_the_nearest_that_there_are(rng):
    W = rng.standard_normal((20, 30)) * 10.0 ** -rng.integers(0, 4, (20, 30))
    scale = np.abs(W).max() / 448
    eight = torch.tensor(W / scale, dtype=torch.float32).to(torch.float8_e4m3fn).double().numpy() * scale
    # torch goes through float32, which may make a tie of what is none: no more than the last of 600.
    assert np.mean(np.abs(in_format(W, "fp8", np.abs(W).max()) - eight) > 1e-12) < 2 / W.size
    levels = np.abs(W).max(axis=1, keepdims=True) * np.arange(-127, 128) / 127  # (20, 255)
    nearest = np.abs(W[:, :, None] - levels[:, None, :]).argmin(axis=2)
    np.testing.assert_allclose(
        in_format(W, "int8", 1.0), np.take_along_axis(levels, nearest, axis=1), atol=1e-15
    )


def test_what_no_format_holds_and_what_adds_nothing(rng):
    W, delta_w = np.full((2, 2), 1e6), np.ones((2, 2))
    losses = merge_losses(W, delta_w)
    assert losses["fp16"] is None
    assert losses["bf16"].lost == 1.0
    assert merge_losses(W, 0 * delta_w) == dict.fromkeys(FORMATS)
    zero = read_bytes({"a.safetensors": packed({"q.lora_A.weight": W, "q.lora_B.weight": 0 * W})})
    found = beside(zero.layers[0], W)
    assert (found.size, found.amplification, found.chance) == (0.0, None, None)


class Model(nn.Module):
    """A layer of each kind that DoRA knows."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(6, 9, bias=False)
        self.conv = nn.Conv2d(4, 6, (2, 3), bias=False)
        self.embed = nn.Embedding(11, 6)


@pytest.mark.filterwarnings("ignore")  # what PEFT says while it saves is not ours
def test_the_true_change_of_a_dora_is_that_of_peft(tmp_path):
    torch.manual_seed(0)
    config = peft.LoraConfig(r=3, lora_alpha=7, target_modules=["q_proj", "conv", "embed"], use_dora=True)
    plain = Model()
    save_file(plain.state_dict(), str(tmp_path / "model.safetensors"))
    before = {name: module.weight.detach().double().clone() for name, module in plain.named_children()}
    model = peft.get_peft_model(plain, config)
    with torch.no_grad():
        for _, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.rand_like(parameter) + 0.1)
    model.save_pretrained(tmp_path)
    adapter, base = read_adapter(tmp_path), open_base(tmp_path)
    found, missing = beside_base(adapter, base.tensors)
    assert not missing
    merged = {
        "embed": model.base_model.model.embed(torch.arange(11))
    }  # which PEFT applies and does not merge
    merged |= {
        name: module.weight for name, module in model.merge_and_unload().named_children() if name != "embed"
    }
    assert {each.layer.name for each in found} == set(merged)
    for each in found:
        change = merged[each.layer.name].detach().double() - before[each.layer.name]
        change = change.reshape(each.layer.shape).numpy()
        assert each.size == pytest.approx(np.linalg.norm(change), rel=FLOAT32), each.layer.name
        s = np.linalg.svd(change, compute_uv=False)
        np.testing.assert_allclose(each.s, s[:3], rtol=FLOAT32)


def test_a_magnitude_along_the_inputs(rng):
    """LyCORIS with wd_on_out = False: each input of a convolution has one number for its whole kernel."""
    W, down, up = (
        rng.standard_normal((6, 4, 2, 3)),
        rng.standard_normal((2, 4, 2, 3)),
        rng.standard_normal((6, 2)),
    )
    scale = rng.random((1, 4, 1, 1)) + 0.5
    tensors = {
        "q.lora_down.weight": down,
        "q.lora_up.weight": up.reshape(6, 2, 1, 1),
        "q.alpha": np.array(2.0),
        "q.dora_scale": scale,
    }
    layer = read_bytes({"a.safetensors": packed(tensors, dtype="F64")}).layers[0]
    V = W + np.einsum("or,rihw->oihw", up, down)
    true = V * scale / np.sqrt((V**2).sum((0, 2, 3), keepdims=True)) - W
    assert beside(layer, W.reshape(6, -1)).size == pytest.approx(np.linalg.norm(true))

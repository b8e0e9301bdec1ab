"""The inspector in a browser: of every format it reads what NumPy finds, and nothing that it is given breaks it."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Error, Page, expect

from compute.adapters.formats.base import matched
from compute.adapters.formats.beside import beside_base
from compute.adapters.formats.combining import combined
from compute.adapters.formats.containers import open_bytes
from compute.adapters.formats.layers import Layer, factors
from compute.adapters.formats.reading import read_bytes
from compute.adapters.formats.writing import WORDS as WITH_UNDERSCORE
from compute.adapters.formats.writing import WRITABLE, plain, write_adapter
from compute.adapters.layer import delta_w, lora_layers
from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.matrices.controls import noise_product_band
from compute.matrices.spectrum import entropy_rank, r90, stable_rank
from compute.model.checkpoint import load_base
from compute.model.layers import LAYERS
from helpers import ROOT
from helpers.adapter_files import FIXTURES, NOT_ADAPTERS, experts_apart, gguf, packed, peft_config
from helpers.browser import code, open_everything, violations
from helpers.instruments import printed_by
from helpers.spoken import say, saying
from lessons.adapter import LESSON
from lessons.press.prose import values_of
from widgets.finetune.words import WORDS as FINETUNE
from widgets.inspector import Inspector, examples
from widgets.inspector.words import WORDS
from widgets.kit.languages import ENGLISH, speaking, written
from widgets.kit.layers import shape_of
from widgets.kit.text import fill

OWN, NOT_ALIKE = WORDS["sentences"]["own"], WORDS["verdicts"]["differ"]
POINTING = WORDS["base"]["pointing"]
CLOSE = 1e-10  # of the largest singular value: both sides round in float64
METHODS = ("prompt", "ia3", "vera")  # no delta_w of two factors
FUZZED = 1500  # mutated files, which take about ten seconds
FUZZED_BASES = 200  # each of which is read to the end
OPEN = """async (all) => {
  const { opened, measured, audits, findings } = lora_inspector
  const found = []
  for (const files of all) {
    try {
      const about = await opened(fileOf(files))
      await measured(about)
      const layers = about.layers.map(({ name, shape, r, scale, s, r90, stable, entropy, norm, why }) => (
        { name, shape, r, scale, s: s && [...s], r90, stable, entropy, norm, why }))
      found.push({ format: about.format, layers, audits: audits(about), odd: findings(about) })
    } catch (error) {
      found.push({ refused: error.reason ?? null, values: error.values, error: String(error.stack) })
    }
  }
  return found
}"""
FILES = """window.fileOf = (files) => files.map(([name, data]) =>
  new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name))"""


@pytest.fixture(scope="module")
def blank(browser) -> Iterator[Page]:
    """Give a page that holds the inspector's script and nothing else."""
    page = browser.new_page()
    for name in ("kit", "inspector"):
        page.add_script_tag(content=(ROOT / "assets" / "bundles" / f"{name}.js").read_text(encoding="utf-8"))
    page.add_script_tag(content=FILES)
    known = {"words": WITH_UNDERSCORE, "llama": Inspector().make_arrays()["llama"]}
    page.evaluate("known => { window.KNOWN = known }", known)
    yield page
    page.close()


def sent(files: dict[str, bytes]) -> list[list[str]]:
    """Return files as the page takes them."""
    return [[name, base64.b64encode(data).decode()] for name, data in files.items()]


def inspected(page: Page, *many: dict[str, bytes]) -> list[dict[str, Any]]:
    """Return what the page finds in several adapters."""
    return page.evaluate(OPEN, [sent(files) for files in many])


def peft_files(B: np.ndarray, A: np.ndarray, dtype: str = "F64", **config: Any) -> dict[str, bytes]:
    """Return an adapter of one layer, whose scale is 1."""
    key = "base_model.model.layers.0.q_proj.lora_{}.weight"
    tensors = {key.format("A"): A, key.format("B"): B}
    told = {"r": len(A), "lora_alpha": len(A), "target_modules": ["q_proj"], **config}
    return {
        "adapter_model.safetensors": packed(tensors, dtype=dtype),
        "adapter_config.json": peft_config(**told),
    }


def assert_spectrum(s: list[float], matrix: np.ndarray) -> None:
    exact = np.linalg.svd(matrix, compute_uv=False)
    found = np.zeros_like(exact)
    found[: len(s)] = s[: len(exact)]
    np.testing.assert_allclose(found, exact, rtol=0, atol=CLOSE * max(exact[0], np.finfo(float).tiny))


def test_every_format_is_read_as_numpy_reads_it(blank):
    names = [name for name in FIXTURES if name not in METHODS]
    for name, found in zip(names, inspected(blank, *(FIXTURES[each].files for each in names)), strict=True):
        fixture = FIXTURES[name]
        assert "refused" not in found, (name, found)
        assert found["format"] == fixture.format, name
        assert {layer["name"] for layer in found["layers"]} == set(fixture.delta_w), name
        for layer in found["layers"]:
            matrix = fixture.delta_w[layer["name"]]
            assert tuple(layer["shape"]) == matrix.shape, (name, layer["name"])
            assert_spectrum(layer["s"], matrix)


def test_python_finds_the_same_ranks_and_scales(blank):
    reading = pytest.importorskip("compute.adapters.formats.reading")
    scales = pytest.importorskip("compute.adapters.formats.scales")
    names = [name for name in FIXTURES if name not in METHODS]
    for name, found in zip(names, inspected(blank, *(FIXTURES[each].files for each in names)), strict=True):
        adapter = reading.read_bytes(FIXTURES[name].files)
        told = {one: group["scales"] for group in found["audits"] for one in group["names"]}
        ranks = {one["name"]: one["r"] for one in found["layers"]}
        for layer in adapter.layers:
            assert ranks[layer.name] == layer.r
            expected = [*scales.scale_audit(layer, adapter.told).values()]
            known = [
                (ours, other) for ours, other in zip(told[layer.name], expected, strict=True) if ours or other
            ]
            assert [ours for ours, _ in known] == pytest.approx([other for _, other in known], rel=1e-12), (
                name
            )


def test_what_is_no_adapter_is_named(blank):
    refused = inspected(blank, *({name: data} for name, (data, _) in NOT_ADAPTERS.items()))
    for (name, (_, words)), found in zip(NOT_ADAPTERS.items(), refused, strict=True):
        with speaking(ENGLISH):  # as the words of NOT_ADAPTERS
            said = fill(WORDS["refused"][found["refused"]], found["values"])
        assert words in said, (name, said)
        assert "{" not in said
    others = inspected(blank, *(FIXTURES[name].files for name in METHODS))
    assert [found["values"]["kind"] for found in others] == ["PROMPT_TUNING", "IA3", "VERA"]


def test_a_header_whose_length_looks_like_a_pickle(blank):
    """A pickle begins with 0x80 and 2 to 5, and so does a header of 640 bytes."""
    ones = {"q.lora_A.weight": np.ones((2, 3)), "q.lora_B.weight": np.ones((3, 2))}
    short = len(packed(ones, {"by": ""})) - 8 - 4 * 12
    file = packed(ones, {"by": "x" * (0x0280 - short)})
    assert file[:2] == b"\x80\x02"
    [found] = inspected(blank, {"a.safetensors": file})
    assert len(found["layers"]) == 1


def cases(rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield factors that are hard: of very unequal size, with clustered and zero values, of any shape."""
    for out, r, into in ((64, 8, 64), (5, 7, 9), (9, 12, 5), (1, 3, 20), (20, 3, 1), (40, 16, 200)):
        yield rng.standard_normal((out, r)), rng.standard_normal((r, into))
    B, A = rng.standard_normal((48, 8)), rng.standard_normal((8, 40))
    sizes = 10.0 ** np.arange(-8, 8, 2)
    yield B * sizes, A / sizes[:, None]
    yield B * sizes[::-1], A
    yield B * 1e-200, A * 1e150
    yield np.where(np.arange(8) == 3, 0.0, B), A
    yield np.hstack([B[:, :4], B[:, :4]]), A
    Q, P = np.linalg.qr(B)[0], np.linalg.qr(A.T)[0]
    yield Q, P.T
    yield Q * np.repeat([1.0, 0.5], 4), P.T
    yield B * 0, A


def test_hard_factors_have_the_singular_values_of_their_product(blank, rng):
    pairs = [*cases(rng)]
    for (B, A), found in zip(pairs, inspected(blank, *(peft_files(*pair) for pair in pairs)), strict=True):
        [layer] = found["layers"]
        assert_spectrum(layer["s"], B @ A)
        s = np.array(layer["s"])
        if not s[0]:
            assert [odd["kind"] for odd in found["odd"]] == ["zero"]
            continue
        assert layer["r90"] == r90(s)
        assert layer["stable"] == pytest.approx(stable_rank(s))
        assert layer["entropy"] == pytest.approx(entropy_rank(s))
        assert layer["norm"] == pytest.approx(np.linalg.norm(s))


def test_dense_matrices_have_their_singular_values(blank, rng):
    matrices = [rng.standard_normal(shape) for shape in ((30, 12), (12, 30), (40, 40), (1, 5), (5, 1))]
    matrices += [np.outer(matrices[0][:, 0], matrices[1][0]), 3 * np.eye(8), np.zeros((4, 6)) + 1e-170]
    found = inspected(blank, *({"a.safetensors": packed({"q.diff": each}, dtype="F64")} for each in matrices))
    for matrix, one in zip(matrices, found, strict=True):
        assert_spectrum(one["layers"][0]["s"], matrix)


def test_random_factors_are_those_of_python(blank):
    band = "async (all) => Promise.all(all.map(([shape, r]) => lora_inspector.noiseBand(shape, r)))"
    for (shape, r), found in zip(
        cases_ := [((64, 64), 16), ((768, 768), 8), ((6, 40), 9), ((4096, 1024), 1)],
        blank.evaluate(band, cases_),
        strict=True,
    ):
        low, middle, high = noise_product_band(shape, r).s
        # Of forty draws the median is off by about a sixth of the band, their ends by more.
        wide = np.maximum(high - low, 1e-3)
        assert np.all(np.abs(np.array(found["s"][1]) - middle) < 0.7 * wide)
        assert np.all(np.array(found["s"][2]) - found["s"][0] < 2 * wide)
        assert abs(found["r90"] - r90(middle)) <= 1


def test_what_is_odd_is_told(blank, rng):
    B, A = rng.standard_normal((8, 4)), rng.standard_normal((4, 8))
    key = "base_model.model.layers.{}.qkv.lora_{}.weight"
    tensors = {key.format(i, letter): factor for i in range(4) for letter, factor in (("A", A), ("B", B))}
    tensors[key.format(1, "B")] = 0 * B
    tensors[key.format(2, "B")] = np.where(B > 1, np.nan, B)
    tensors |= {
        "base_model.model.layers.9.q.lora_A.weight": A,
        "stray.weight": B,
        "x.lora_A.weight": A,
        "x.lora_B.weight": B.T,
    }
    [found] = inspected(blank, {"adapter_model.safetensors": packed(tensors, dtype="F64")})
    kinds = {odd["kind"]: odd["names"] for odd in found["odd"]}
    assert {*kinds} == {"config", "infinite", "zero", "half", "misfit", "alike", "fused", "unmatched"}
    assert kinds["zero"] == ["layers.1.qkv"]
    assert kinds["infinite"] == ["layers.2.qkv"]
    assert kinds["alike"] == ["layers.0.qkv = layers.3.qkv"]
    assert {*kinds} <= {*WORDS["doctor"]["kinds"]}


def test_a_pattern_that_is_not_tried_is_named(blank):
    tried = {"q_proj": 2, r".*\.0\.q_proj": 2}
    files = [
        peft_files(np.ones((3, 1)), np.ones((1, 4)), alpha_pattern=patterns)
        for patterns in (tried, {"(q+)+_proj": 2}, {"(?P<n>q)_proj": 2}, {"q_proj[": 2})
    ]
    odd = [found["odd"] for found in inspected(blank, *files)]
    assert odd[0] == []
    assert [[each["names"] for each in some] for some in odd[1:]] == [
        [["(q+)+_proj"]],
        [["(?P<n>q)_proj"]],
        [["q_proj["]],
    ]


TAKEN = """async ({ files, notes }) => {
  const text = async (pieces) => {
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer())
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
  }
  const out = []
  for (const { name, pieces } of files) out.push([name, await text(pieces)])
  return { files: out, notes: [...notes] }
}"""
CONVERT = f"""async ([files, format, cut, amount, base]) => {{
  const {{ opened, measured, planned, converted }} = lora_inspector
  try {{
    const about = await opened(fileOf(files))
    await measured(about)
    const plan = cut ? planned(about.layers, cut, amount) : null
    const made = await converted(about, format, plan && plan.kept, {{ ...KNOWN, base }})
    return {{ ...(await ({TAKEN})(made)), plan: plan && {{ ...plan, kept: [...plan.kept] }} }}
  }} catch (error) {{
    return {{ refused: error.reason ?? null, values: error.values, error: String(error.stack) }}
  }}
}}"""


def convert(
    page: Page, files: dict[str, bytes], format: str, cut: str = "", amount: int = 0, base: Any = None
) -> tuple[dict[str, bytes], Any]:
    """Return the files that are handed out, and what was told before; or no files, and the sentence that refuses."""
    made = page.evaluate(CONVERT, [sent(files), format, cut, amount, base])
    if "refused" in made:
        assert made["refused"] in WORDS["refused"], made
        with speaking(ENGLISH):  # as Python says it
            return {}, fill(WORDS["refused"][made["refused"]], made["values"])
    assert {*made["notes"]} <= {*WORDS["cut"]["notes"]}
    return {name: base64.b64decode(data) for name, data in made["files"]}, made["plan"]


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
def test_there_and_back_again_to_the_last_bit(blank, dtype):
    original = FIXTURES["peft"] if dtype == "F32" else FIXTURES[f"dtype_{dtype.lower()}"]
    files = original.files
    for step in ("mlx", "peft", "kohya"):
        files, _ = convert(blank, files, step)
        [found] = inspected(blank, files)
        for layer, matrix in zip(found["layers"], original.delta_w.values(), strict=True):
            assert_spectrum(layer["s"], matrix)
            assert layer["scale"] == 2.0
    back, _ = convert(blank, convert(blank, original.files, "mlx")[0], "peft")
    [first, second] = inspected(blank, original.files, back)
    assert first["layers"] == second["layers"]
    stored = "adapter_model.safetensors"
    assert tensors_of(original.files[stored]) == tensors_of(back[stored])
    from_kohya, _ = convert(blank, files, "peft")  # whose alpha is of another type than the factors
    assert tensors_of(original.files[stored]) == tensors_of(from_kohya[stored])


QWEN = {"model_type": "qwen2"}
LLAMA = {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2}


def expected_of(files: dict[str, bytes], target: str, base: Any = None) -> dict[str, bytes]:
    """Return what Python writes."""
    adapter = read_bytes(files)
    return write_adapter([plain(layer) for layer in adapter.layers], target, adapter, base).files


@pytest.mark.parametrize("target", ["peft", "kohya", "diffusers", "mlx"])
def test_what_is_written_is_what_python_writes(blank, target):
    """The same tensors under the same names, bit for bit, and a config that says the same."""
    for name in ("peft", "kohya", "diffusers", "peft_patterns", "mlx"):
        files = FIXTURES[name].files
        expected = expected_of(files, target)
        made, _ = convert(blank, files, target)
        assert set(made) == set(expected), name
        weights = next(iter(expected))
        assert tensors_of(made[weights]) == tensors_of(expected[weights]), name
        ours, theirs = read_bytes(made), read_bytes(expected)
        assert ours.format == theirs.format
        assert [(a.name, a.scale, a.r) for a in ours.layers] == [
            (b.name, b.scale, b.r) for b in theirs.layers
        ]


def llama_files(**config: Any) -> dict[str, bytes]:
    """Return an adapter whose queries and keys have heads to be turned."""
    rng = np.random.default_rng(1)
    tensors = {}
    for name, out in (("self_attn.q_proj", 16), ("self_attn.k_proj", 8), ("mlp.up_proj", 12)):
        key = f"base_model.model.model.layers.10.{name}.lora_{{}}.weight"
        tensors |= {
            key.format("A"): rng.standard_normal((3, 5)),
            key.format("B"): rng.standard_normal((out, 3)),
        }
    tensors |= {
        "base_model.model.lm_head.lora_A.weight": rng.standard_normal((3, 5)),
        "base_model.model.lm_head.lora_B.weight": rng.standard_normal((7, 3)),
    }
    return {"adapter_model.safetensors": packed(tensors), "adapter_config.json": peft_config(**config)}


MIXTURES = {
    "mlp": (("gate_proj", "down_proj", "up_proj"), {"model_type": "qwen3_moe"}),
    "block_sparse_moe": (("w1", "w2", "w3"), {"model_type": "mixtral"}),
}


def test_gguf_is_to_the_last_bit_what_python_writes(blank):
    cases = [
        (FIXTURES[name].files, QWEN)
        for name in ("peft", "peft_rslora", "peft_patterns", "mlx", "peft_without_config", "shards")
    ]
    cases += [(FIXTURES[name].files, QWEN) for name in FIXTURES if name.startswith("dtype_")]
    cases += [(llama_files(), LLAMA | {"model_type": kind}) for kind in ("llama", "mistral", "qwen3")]
    cases += [(FIXTURES[name].files, None) for name in ("gguf_lora", "gguf_q8")]
    cases += [(experts_apart(block, matrices, 3), model) for block, (matrices, model) in MIXTURES.items()]
    for dtype in ("F32", "F16", "BF16"):
        name = "blk.0.ffn_up_exps.weight"
        tensors = {f"{name}.lora_a": np.ones((2, 3, 5)), f"{name}.lora_b": np.ones((2, 7, 3))}
        told = {"general.type": "adapter", "general.architecture": "llama", "adapter.lora.alpha": 6.0}
        cases.append(({"a.gguf": gguf(tensors, told, dtype)}, None))
    same = 0
    for files, base in cases:
        made, said = convert(blank, files, "gguf", base=base)
        expected = expected_of(files, "gguf", base)
        assert made, said
        ours, theirs = read_bytes(made), read_bytes(expected)
        assert ours.told.metadata == theirs.told.metadata, (base, [*files])
        # Of two types the page makes one that holds both.
        mixed = len({each.dtype for each in theirs.tensors.values()}) > 1
        stored = [
            {
                name: (each.shape, each.read().tolist() if mixed else each.raw())
                for name, each in found.tensors.items()
            }
            for found in (ours, theirs)
        ]
        assert stored[0] == stored[1]
        if not mixed and [*stored[0]] == [*stored[1]]:  # the page keeps the order of the file
            assert made == expected
            same += 1
    assert same > len(cases) / 2


def test_gguf_of_a_cut_adapter_is_read_back(blank):
    files = FIXTURES["peft_patterns"].files
    made, plan = convert(blank, files, "gguf", "rank", 2, base=QWEN)
    there = read_bytes(made)
    before = {layer.name: np.matmul(*factors(layer)) for layer in read_bytes(files).layers}
    assert [layer.r for layer in there.layers] == [k for _, k in plan["kept"]]
    for layer, matrix in zip(there.layers, before.values(), strict=True):
        U, s, Vh = np.linalg.svd(matrix)
        best = U[:, :2] * s[:2] @ Vh[:2]
        np.testing.assert_allclose(np.matmul(*factors(layer)), best, rtol=0, atol=1e-6 * s[0])


ALORA = peft_config(alora_invocation_tokens=[1, 2])
SILENT = peft_config(lora_alpha=0)


@pytest.mark.parametrize(
    ("files", "base"),
    [
        (FIXTURES["peft"].files, {"model_type": "bert"}),
        (FIXTURES["peft"].files, {"model_type": "llama", "num_attention_heads": 3}),
        (FIXTURES["peft"].files | {"adapter_config.json": ALORA}, QWEN),
        (FIXTURES["peft"].files | {"adapter_config.json": SILENT}, QWEN),
        (FIXTURES["loralib"].files, QWEN),
        (FIXTURES["peft_dora"].files, QWEN),
        (FIXTURES["peft_embedding"].files, QWEN),
        (FIXTURES["peft_conv"].files, QWEN),
        (llama_files(), QWEN | {"tie_word_embeddings": True}),
        (llama_files(), {"model_type": "gemma2"}),
        (FIXTURES["peft_experts"].files, QWEN),
    ],
)
def test_what_python_refuses_for_llama_cpp_the_page_refuses_with_the_same_sentence(blank, files, base):
    with pytest.raises(ValueError) as told:  # noqa: PT011, the sentence is compared below
        expected_of(files, "gguf", base)
    made, said = convert(blank, files, "gguf", base=base)
    assert made == {}
    assert said.replace("'", "") == str(told.value).replace("'", "")


def test_without_the_config_of_the_base_the_page_says_where_it_is_given(blank):
    made, said = convert(blank, FIXTURES["peft"].files, "gguf")
    assert not made
    assert WORDS["base"]["title"] in said


@pytest.mark.parametrize("target", [each for each in WRITABLE if each != "gguf"])
def test_experts_are_written_as_python_writes_them(blank, target):
    """Apart or in a stack, or refused with the same sentence."""
    cases = [FIXTURES[name].files for name in ("peft_experts", "peft_experts_3d", "mlx_experts")]
    cases += [experts_apart(block, matrices, 3) for block, (matrices, _) in MIXTURES.items()]
    cases += [experts_apart("mlp", ["up_proj"], 3, [2, 3, 1], rank_pattern={"0.up_proj": 2, "2.up_proj": 1})]
    cases += [expected_of(each, "mlx") for each in cases[3:5]]
    for files in cases:
        made, said = convert(blank, files, target)
        if not made:
            with pytest.raises(ValueError, match=re.escape(said.partition(" is one of ")[2])):
                expected_of(files, target)
            continue
        expected = expected_of(files, target)
        weights = next(iter(expected))
        assert tensors_of(made[weights]) == tensors_of(expected[weights])
        ours, theirs = read_bytes(made), read_bytes(expected)
        assert [(a.name, a.scale, a.r) for a in ours.layers] == [
            (b.name, b.scale, b.r) for b in theirs.layers
        ]


def test_what_is_no_linear_layer_has_no_place_in_mlx(blank):
    assert "MLX adapts nothing else" in convert(blank, FIXTURES["peft_conv"].files, "mlx")[1]


def test_a_number_too_large_for_its_type_is_refused(blank):
    files = peft_files(np.full((4, 2), 1e300), np.full((2, 4), 1e-300))
    assert convert(blank, files, "gguf", base=QWEN)[1] != ""


def test_what_is_trained_beside_stays_in_its_own_format(blank):
    """A head, a base layer and a bias, as Python keeps them; in another format they have no place."""
    files = FIXTURES["peft_saved_modules"].files
    made, _ = convert(blank, files, "peft")
    stored = "adapter_model.safetensors"
    assert tensors_of(made[stored]) == tensors_of(files[stored])
    assert json.loads(made["adapter_config.json"])["modules_to_save"] == ["score"]
    other, _ = convert(blank, files, "kohya")
    expected = expected_of(files, "kohya")
    assert tensors_of(other["lora.safetensors"]) == tensors_of(expected["lora.safetensors"])


def test_blocks_are_in_the_order_of_their_numbers(blank, rng):
    B, A = rng.standard_normal((4, 1)), rng.standard_normal((1, 5))
    names = [f"layers.{i}.q.lora_{x}.weight" for i in (10, 9, 1) for x in "AB"]
    pairs = {name: {"A": A, "B": B}[name[-8]] for name in names}
    [found] = inspected(blank, {"a.safetensors": packed(pairs)})
    assert [layer["name"] for layer in found["layers"]] == ["layers.1.q", "layers.9.q", "layers.10.q"]


def test_the_config_of_peft_is_kept(blank):
    files = FIXTURES["peft"].files | {
        "adapter_config.json": peft_config(base_model_name_or_path="org/model", task_type="CAUSAL_LM")
    }
    config = json.loads(convert(blank, files, "peft")[0]["adapter_config.json"])
    assert (config["base_model_name_or_path"], config["task_type"]) == ("org/model", "CAUSAL_LM")


def tensors_of(file: bytes) -> dict[str, tuple[str, bytes]]:
    """Return dtype and bytes of each tensor."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    header.pop("__metadata__", None)
    body = file[8 + length :]
    return {name: (one["dtype"], body[slice(*one["data_offsets"])]) for name, one in sorted(header.items())}


def test_a_cut_adapter_is_the_best_of_its_rank_and_its_error_was_told(blank, rng):
    B, A = rng.standard_normal((30, 8)) * 2.0 ** -np.arange(8), rng.standard_normal((8, 40))
    files = peft_files(B, A, lora_alpha=-24.0)  # a scale of -3
    U, s, Vh = np.linalg.svd(-3 * B @ A, full_matrices=False)
    share = np.cumsum(s**2) / (s**2).sum()
    expected = {
        ("rank", 3): 3,
        ("energy", 90): int(np.argmax(share >= 0.9)) + 1,
        ("error", 30): int(np.argmax(np.sqrt(1 - share) <= 0.3)) + 1,
        ("budget", 50): 4,
    }
    for (cut, amount), k in expected.items():
        made, plan = convert(blank, files, "peft", cut, amount)
        assert plan["kept"] == [["layers.0.q_proj", k]], cut
        assert plan["error"] == pytest.approx(np.sqrt(1 - share[k - 1]))
        assert plan["after"] / plan["before"] == pytest.approx(k / 8)
        stored = tensors_of(made["adapter_model.safetensors"])
        a, b = (np.frombuffer(stored[f"base_model.model.layers.0.q_proj.lora_{x}.weight"][1]) for x in "AB")
        np.testing.assert_allclose(
            b.reshape(30, k) @ a.reshape(k, 40), U[:, :k] * s[:k] @ Vh[:k], rtol=0, atol=1e-10 * s[0]
        )
        config = json.loads(made["adapter_config.json"])
        assert config["r"] == config["lora_alpha"] == k


def test_the_lab_and_the_page_open_what_was_cut(blank, open_page, server, tmp_path, rng):
    factors = {
        name: (rng.standard_normal((out, 4)), rng.standard_normal((4, into)))
        for name, (out, into) in ((name, shape_of(name)) for name in LAYERS)
    }
    key = "base_model.model.{}.lora_{}.weight"
    tensors = {
        key.format(name, letter): factor
        for name, (B, A) in factors.items()
        for letter, factor in (("A", A), ("B", B))
    }
    whole = {
        "adapter_model.safetensors": packed(tensors),
        "adapter_config.json": peft_config(r=4, lora_alpha=8, target_modules=["q_proj"]),
    }
    made, _ = convert(blank, whole, "peft", "rank", 2)
    model = load_adapter(
        load_base(), AdapterFiles(made["adapter_model.safetensors"], made["adapter_config.json"].decode())
    )
    for name, layer in lora_layers(model):
        B, A = factors[name]
        U, s, Vh = np.linalg.svd(2 * B @ A)
        cut = U[:, :2] * s[:2] @ Vh[:2]
        np.testing.assert_allclose(delta_w(layer).detach().numpy(), cut, rtol=0, atol=1e-5 * s[0])
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    page = open_page(f"{server}/embed/lab/finetune.html")
    page.get_by_label(say(FINETUNE["open"])).set_input_files([tmp_path / name for name in made])
    expect(page.locator(".lora-finetune .note").first).to_have_text(
        say(FINETUNE["opened"], r=2, alpha=2), timeout=60_000
    )


def test_two_adapters_are_compared_as_numpy_compares_them(blank, rng):
    B, A = rng.standard_normal((30, 4)), rng.standard_normal((4, 40))
    C, D = B + rng.standard_normal((30, 4)), rng.standard_normal((4, 40))
    call = """async ([one, other]) => {
      const { opened, compared } = lora_inspector
      return compared(await opened(fileOf(one)), await opened(fileOf(other)))
    }"""
    for second, scale in (((C, D), 1), ((B, A), -2), ((C, A), 1)):
        E, F = second
        other = peft_files(E, F, lora_alpha=4.0 * scale)
        found = blank.evaluate(call, [sent(peft_files(B, A)), sent(other)])
        [row] = found["rows"]
        one, two = B @ A, scale * E @ F
        norms = np.linalg.norm(one), np.linalg.norm(two)
        assert row["cosine"] == pytest.approx((one * two).sum() / norms[0] / norms[1], abs=1e-12)
        assert row["sum"] == pytest.approx(np.linalg.norm(one + two) / sum(norms), abs=1e-7)
        left, right = (
            np.linalg.norm(np.linalg.qr(x)[0].T @ np.linalg.qr(y)[0]) ** 2 / 4
            for x, y in ((B, E), (A.T, F.T))
        )
        assert (row["left"], row["right"]) == pytest.approx((left, right))
        assert (row["chance_left"], row["chance_right"]) == (4 / 30, 4 / 40)
        assert found["only"] == [[], []]


BESIDE = """async (all) => {
  const { beside, given, opened } = lora_inspector
  const one = async ([files, base]) => beside(await opened(fileOf(files)), (await given(fileOf(base))).weights)
  const told = (error) => ({ refused: error.reason ?? null, error: String(error.stack) })
  return Promise.all(all.map((each) => one(each).catch(told)))
}"""
ON_A_BASE = (
    "peft",
    "peft_patterns",
    "peft_dora",
    "dora_elsewhere",
    "mlx_dora",
    "peft_embedding",
    "peft_conv",
    "loha",
)


def weights_of(layers: Sequence[Layer], rng: np.random.Generator, size: float = 1.0) -> dict[str, np.ndarray]:
    """Return a base that has what the layers change."""
    return {
        f"{each.name.removesuffix(f'.{each.in_memory}')}.weight": size * rng.standard_normal(each.shape)
        for each in layers
    }


def test_a_base_is_put_beside_as_python_does_it(blank, rng):
    """The same sizes and losses, also of the true change of a DoRA along either side."""
    cases = []
    for name in (*ON_A_BASE, "peft_named"):
        adapter = read_bytes(FIXTURES[name].files)
        base = {"model.safetensors": packed(weights_of(adapter.layers, rng))}
        cases.append((adapter, base, FIXTURES[name].files))
    turned = peft_files(rng.standard_normal((6, 2)), rng.standard_normal((2, 6)), fan_in_fan_out=True)
    square = {
        "model.safetensors": packed({"transformer.layers.0.q_proj.weight": rng.standard_normal((6, 6))})
    }
    cases.append((read_bytes(turned), square, turned))
    shown = blank.evaluate(BESIDE, [[sent(files), sent(base)] for _, base, files in cases])
    for (adapter, base, _), found in zip(cases, shown, strict=True):
        expected, missing = beside_base(adapter, open_bytes(base).tensors)
        assert not missing
        assert not found["missing"]
        by_name = {row["name"]: row for row in found["rows"]}
        for each in expected:
            row = by_name[each.layer.name]
            assert (row["size"], row["size_W"]) == pytest.approx((each.size, each.size_W))
            assert row["lost"] == pytest.approx({name: loss.lost for name, loss in each.losses.items()})


POINT = """async (all) => {
  const { beside, given, opened, pointing } = lora_inspector
  const found = []
  for (const [files, base] of all) {
    const [about, { weights }] = [await opened(fileOf(files)), await given(fileOf(base))]
    const { rows } = await beside(about, weights)
    for (const [i, layer] of about.layers.entries())
      found.push([layer.name, await pointing(about, layer, weights, rows[i])])
  }
  return found
}"""


def test_where_a_change_points_is_what_decompositions_say(blank, rng):
    """Amplification and intruders, of weights of any shape with new directions beside their own, and of DoRA."""
    cases = []
    for (out, into), decay, size in (
        ((60, 60), 1.0, 3.0),
        ((150, 200), 0.97, 1.0),
        ((120, 40), 0.97, 2.0),
        ((60, 60), 0.8, 0.01),
        ((300, 260), 0.99, 0.3),
        ((260, 300), 0.995, 6.0),
    ):
        W = rng.standard_normal((out, into)) / np.sqrt(into)
        U, s, Vh = np.linalg.svd(W, full_matrices=False)
        B, A = rng.standard_normal((out, 6)) / np.sqrt(out), rng.standard_normal((6, into)) / np.sqrt(into)
        base = {"layers.0.q_proj.weight": (U * s * decay ** np.arange(len(s))) @ Vh}
        cases.append((peft_files(size * B * np.linspace(1, 0.1, 6), A), base))
    for name in ("peft", "peft_dora", "dora_elsewhere"):
        cases.append((FIXTURES[name].files, weights_of(read_bytes(FIXTURES[name].files).layers, rng)))
    files = [(each, {"model.safetensors": packed(base, dtype="F64")}) for each, base in cases]
    found = blank.evaluate(POINT, [[sent(each), sent(base)] for each, base in files])
    expected = [
        row
        for each, base in files
        for row in beside_base(read_bytes(each), open_bytes(base).tensors, intruders=True)[0]
    ]
    found.sort(key=lambda pair: pair[0])
    expected.sort(key=lambda each: each.layer.name)
    for (name, ours), each in zip(found, expected, strict=True):
        assert name == each.layer.name
        # What is left of a direction that is found is a millionth; without DoRA none has to be.
        assert ours["amplification"] == pytest.approx(each.amplification, rel=1e-5)
        assert ours["chance"] == pytest.approx(each.chance)
        assert ours["least"] == ours["most"] == each.intruders, name
    assert len({each.intruders for each in expected}) > 2


def test_a_weight_too_large_for_a_page_is_left_alone(blank):
    call = """() => {
      const shape = [2 ** 14, 2 ** 13]
      const tensor = { name: 'q.weight', dtype: 'F32', shape, count: 2 ** 27 }
      return lora_inspector.pointing({}, { name: 'q', shape }, [{ tensors: new Map([['q.weight', tensor]]) }], {})
    }"""
    assert blank.evaluate(call) is None


def test_weights_that_are_not_the_layers_are_named(blank, rng):
    B, A = rng.standard_normal((6, 2)), rng.standard_normal((2, 6))
    for base, why in (
        ({"layers.1.q_proj.weight": B @ A}, "none"),
        ({"layers.0.q_proj.weight": B}, "shape"),
        ({"a.layers.0.q_proj.weight": B @ A, "b.layers.0.q_proj.weight": B @ A}, "several"),
        ({"layers.0.q_proj.weight": B @ A, "layers.0.q_proj.weight_scale": B}, "bits"),
    ):
        [found] = blank.evaluate(BESIDE, [[sent(peft_files(B, A)), sent({"base.safetensors": packed(base)})]])
        assert found == {"rows": [], "missing": {why: ["layers.0.q_proj"]}}
        assert why in WORDS["base"]["missing"]


def test_names_of_a_base_are_understood_as_in_python(blank, rng):
    throws = random.Random(0)
    B, A = rng.standard_normal((4, 1)), rng.standard_normal((1, 5))

    def some(number: int) -> list[str]:
        names = {
            ".".join(throws.choices(["layers", "1", "11", "q", "a_q"], k=throws.randint(1, 4)))
            for _ in range(number)
        }
        return sorted(names)

    cases = []
    for _ in range(40):
        pairs = {
            f"{name}.lora_{letter}.weight": factor
            for name in some(6)
            for letter, factor in (("A", A), ("B", B))
        }
        base = {"model.safetensors": packed({f"{name}.weight": B @ A for name in some(12)})}
        cases.append(({"adapter_model.safetensors": packed(pairs)}, base))
    shown = blank.evaluate(BESIDE, [[sent(files), sent(base)] for files, base in cases])
    shared = 0
    for (files, base), found in zip(cases, shown, strict=True):
        pairs, missing = matched(read_bytes(files), open_bytes(base).tensors)
        assert {row["name"] for row in found["rows"]} == {*pairs}
        for why, told in (("none", "no weight"), ("several", "both called so")):
            assert {*found["missing"].get(why, [])} == {
                name for name, reason in missing.items() if told in reason
            }
        shared += len(pairs)
    assert 40 < shared < 200


def test_no_broken_base_breaks_the_page(blank, rng):
    throws = random.Random(0)
    whole = []
    for name, size in product(ON_A_BASE, (1.0, 1e-320, 1e200)):
        weights = weights_of(read_bytes(FIXTURES[name].files).layers, rng, size)
        whole.append((FIXTURES[name].files, {"model.safetensors": packed(weights, dtype="F64")}))
    cases = [
        *whole,
        *((files, mutated(throws, base)) for files, base in throws.choices(whole, k=FUZZED_BASES)),
    ]
    outcomes = blank.evaluate(BESIDE, [[sent(files), sent(base)] for files, base in cases])
    for (_, base), found in zip(cases, outcomes, strict=True):
        if "refused" in found:
            assert found["refused"] in WORDS["refused"], (base, found)
            continue
        assert {*found["missing"]} <= {*WORDS["base"]["missing"]}
        for row in found["rows"]:
            numbers = [row["size"], row["size_W"], row["factors"], *row["lost"].values()]
            assert all(number is None or math.isfinite(number) for number in numbers), (base, row)
    assert FUZZED_BASES / 5 < sum("refused" in found for found in outcomes) < FUZZED_BASES


MERGE = """async ([all, choice, target]) => {
  const { opened, merged, filesOf } = lora_inspector
  const sources = []
  for (const [files, weight] of all) sources.push({ about: await opened(fileOf(files)), weight })
  return (TAKEN)(filesOf(await merged(sources, choice), target, sources[0].about, KNOWN))
}""".replace("TAKEN", TAKEN)


def merge(page: Page, sources: list[tuple[dict[str, bytes], float]], **choice: Any) -> dict[str, np.ndarray]:
    """Return delta_w of each layer of what is merged."""
    choice = {"rank": None, "density": 0.5, "seed": 0} | choice
    made = page.evaluate(MERGE, [[[sent(files), weight] for files, weight in sources], choice, "peft"])
    back = read_bytes({name: base64.b64decode(data) for name, data in made["files"]})
    return {layer.name: np.matmul(*factors(layer)) for layer in back.layers}


@pytest.mark.parametrize("way", ["concatenation", "svd", "ties"])
@pytest.mark.parametrize("shape", [(30, 40), (160, 130)])  # beyond 96 directions are found by turns
def test_adapters_are_merged_as_python_merges_them(blank, rng, way, shape):
    out, into = shape
    one, other = (
        peft_files(rng.standard_normal((out, r)) * 2.0 ** -np.arange(r), rng.standard_normal((r, into)))
        for r in (5, 3)
    )
    expected = combined([read_bytes(one), read_bytes(other)], [1.0, -0.5], way, density=0.3)
    [found] = merge(blank, [(one, 1.0), (other, -0.5)], way=way, density=0.3).values()
    dense = expected[0].lora_B @ expected[0].lora_A
    # What turns find is as good as the best to a millionth of the energy; vectors are less exact than that.
    close = 1e-10 if way != "ties" or out < 96 else 2e-2
    assert np.linalg.norm(found - dense) < close * np.linalg.norm(dense)


def test_experts_are_merged_as_python_merges_them(blank):
    apart = experts_apart("mlp", ["up_proj"], 3)
    pairs = [(FIXTURES[name].files,) * 2 for name in ("peft_experts", "peft_experts_3d")]
    for one, other in [*pairs, (apart, expected_of(apart, "mlx"))]:
        adapters = [read_bytes(one), read_bytes(other)]
        plains = combined(adapters, [1.0, 0.5], "svd")
        expected = read_bytes(write_adapter(plains, "peft", adapters[0]).files)
        found = merge(blank, [(one, 1.0), (other, 0.5)], way="svd")
        assert {*found} == {layer.name for layer in expected.layers}
        for layer in expected.layers:
            np.testing.assert_allclose(found[layer.name], np.matmul(*factors(layer)), atol=1e-5)


def test_experts_of_another_weight_are_not_merged(blank):
    flat, cube = (FIXTURES[name].files for name in ("peft_experts", "peft_experts_3d"))
    fewer, more = (expected_of(experts_apart("mlp", ["up_proj"], n), "mlx") for n in (2, 3))
    for pair in ((flat, cube), (FIXTURES["peft"].files, flat), (fewer, more)):
        with pytest.raises(Error, match="otherExperts"):
            merge(blank, [(each, 1.0) for each in pair], way="svd")
        with pytest.raises(ValueError, match="with those of the same weight"):
            combined([read_bytes(each) for each in pair], [1.0, 1.0], "svd")


def test_gguf_is_taken_from_the_page(open_page, server):
    """Refused until config.json of the base is there; then the file that Python writes."""
    page = open_page(f"{server}/embed/adapter/inspector.html")
    root = page.locator(".lora-inspector")
    given = [{"name": name, "mimeType": "", "buffer": data} for name, data in FIXTURES["peft"].files.items()]
    root.get_by_label(say("Open your adapter")).set_input_files(given)
    taker = root.get_by_role("button", name=say("As GGUF")).first
    taker.click()
    said = root.locator(".left ~ .note")  # beside the buttons, where the reader looks
    expect(said).to_contain_text("config.json")
    root.get_by_text(say("Put its base beside it")).first.click()
    config = {"name": "config.json", "mimeType": "", "buffer": json.dumps(QWEN).encode()}
    root.get_by_label(say(WORDS["base"]["label"])).set_input_files(config)
    expect(root.locator(".compare").nth(1)).to_contain_text("qwen2")
    with page.expect_download() as kept:
        taker.click()
    assert kept.value.suggested_filename == "adapter.gguf"
    expected = expected_of(FIXTURES["peft"].files, "gguf", QWEN)
    assert Path(kept.value.path()).read_bytes() == expected["adapter.gguf"]
    expect(said).to_have_text(say(WORDS["cut"]["made"], names="adapter.gguf"))


def test_what_is_dropped_by_lot_keeps_the_sum_on_average(blank, rng):
    files = peft_files(rng.standard_normal((30, 2)), rng.standard_normal((2, 40)))
    [whole] = [np.matmul(*factors(layer)) for layer in read_bytes(files).layers]
    drawn = [
        next(iter(merge(blank, [(files, 1.0)], way="dare", rank=30, seed=seed).values()))
        for seed in range(20)
    ]
    kept = np.mean(np.abs(drawn[0]) > 1e-9)
    assert abs(kept - 0.5) < 5 * np.sqrt(0.25 / whole.size)
    np.testing.assert_allclose(
        drawn[0][np.abs(drawn[0]) > 1e-9], 2 * whole[np.abs(drawn[0]) > 1e-9], atol=1e-9
    )
    # Each entry is the mean of 20 throws of 0 or twice its size: off by a root of 20th of it, the norm too.
    assert np.linalg.norm(np.mean(drawn, axis=0) - whole) < 1.2 * np.linalg.norm(whole) / np.sqrt(20)


def mutated(rng: random.Random, files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files in which chance has changed bytes, lengths or numbers of the header."""
    name = rng.choice([*files])
    data = bytearray(files[name])
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        at = rng.randrange(min(len(data), 600))
        match rng.randrange(6):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randint(1, 40)]
            case 2:
                data[at:at] = bytes(rng.choices(b'0123456789{}[]",:-eAB', k=rng.randint(1, 4)))
            case 3:
                data = data[: rng.randrange(len(data))]
            case 4:
                digits = [i for i, byte in enumerate(data[:600]) if 48 <= byte < 58]
                if digits:
                    data[rng.choice(digits)] = rng.choice(b"0123456789-.")
            case _:
                data[at : at + 2] = data[at : at + 2][::-1]
    return files | {name: bytes(data)}


def test_no_broken_file_breaks_the_page(blank):
    rng = random.Random(0)
    whole = [fixture.files for fixture in FIXTURES.values()]
    some = [mutated(rng, rng.choice(whole)) for _ in range(FUZZED)]
    found = inspected(blank, *some)
    for files, one in zip(some, found, strict=True):
        assert one.get("refused", "read") in {"read", *WORDS["refused"]}, (files, one)
    told = [one["refused"] for one in found if "refused" in one]
    assert FUZZED / 5 < len(told) < FUZZED


@pytest.mark.parametrize("example", [*examples()])
def test_an_example_says_what_python_says(open_page, server, example):
    page = open_page(f"{server}/embed/adapter/inspector.html?example={example}")
    root = page.locator(".lora-inspector")
    figure = Inspector(example=example)
    expect(root.locator(".sentence")).to_have_text(figure.sentence())
    root.get_by_text(say("Numbers as a table"), exact=True).click()
    shown = root.locator(".drawers tbody").evaluate(
        "body => [...body.rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    assert shown == figure.table()[1]


@pytest.mark.parametrize(
    ("state", "claim", "value"),
    [
        ("example=gpt2&cut=budget&amount=50", "budget", "spent"),
        ("example=gpt2&cut=rank&amount=4", "budget", "even"),
        ("example=imdb&cut=energy&amount=90", "reviews", "error"),
    ],
)
def test_a_cut_costs_what_the_lesson_says(open_page, server, state, claim, value):
    page = open_page(f"{server}/embed/adapter/inspector.html?{state}")
    error = values_of(LESSON.claims[claim])[value]
    expect(page.locator(".lora-inspector .left")).to_contain_text(saying(WORDS["cut"]["said"], error=error))


def test_a_layer_is_chosen_by_keyboard_and_stands_in_the_link(open_page, server):
    page = open_page(f"{server}/embed/adapter/inspector.html")
    root = page.locator(".lora-inspector")
    cell = root.locator("td[aria-selected=true]")
    expect(cell).to_have_attribute("data-name", "blocks.0.attention.q_proj")
    cell.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(root.locator("td[aria-selected=true]")).to_have_attribute("data-name", "blocks.1.attention.k_proj")
    expect(root.get_by_label(say("Layer"), exact=True)).to_have_value("blocks.1.attention.k_proj")
    expect(page).to_have_url(re.compile("layer=blocks.1.attention.k_proj"))
    assert root.evaluate("one => document.activeElement.dataset.name") == "blocks.1.attention.k_proj"


def test_a_teacher_may_switch_every_part_off(open_page, server):
    page = open_page(f"{server}/embed/adapter/inspector.html?hide={','.join(Inspector.parts)}")
    root = page.locator(".lora-inspector")
    expect(root.locator(".sentence")).to_have_text(Inspector().sentence())
    for part in (".zone", ".scales", ".cells-of-layers", ".chart", ".odd", ".compare", ".left"):
        expect(root.locator(part)).to_have_count(0)


def test_her_own_files_are_read_compared_cut_and_handed_back(open_page, server, tmp_path):
    for name, data in FIXTURES["peft_rslora"].files.items():
        (tmp_path / name).write_bytes(data)
    files = [tmp_path / name for name in FIXTURES["peft_rslora"].files]
    page = open_page(f"{server}/embed/adapter/inspector.html", viewport={"width": 320, "height": 700})
    root = page.locator(".lora-inspector")
    choose = root.get_by_label(say("Open your adapter"))
    choose.set_input_files(files)
    expect(root.locator(".sentence")).to_have_text(
        saying(OWN, label="adapter_model.safetensors", format="PEFT LoRA", layers=2, verdict=say(NOT_ALIKE))
    )
    expect(root.locator(".differs .told")).to_have_text(
        say(WORDS["scales"]["differ"], factor=2)
    )  # llama.cpp takes no root of 4
    snippet = code(root).input_value()
    assert "python app.py inspect adapter_model.safetensors" in snippet
    with contextlib.chdir(tmp_path):
        printed = printed_by(snippet)
    assert re.search(r"r90: \d", printed)
    expect(root.locator(".readouts .of-r90")).to_have_text(f"{printed.split(': ')[1].strip()} / 4")
    root.get_by_text(say("Compare it with another adapter")).click()
    root.get_by_label(say("Open the other one")).set_input_files(files)
    expect(root.locator(".compare tbody tr").first).to_contain_text(written("1.000"))
    root.get_by_text(say("Put its base beside it")).click()
    base = {f"{name}.weight": np.ones(w.shape) for name, w in FIXTURES["peft_rslora"].delta_w.items()}
    base_file = {"name": "model.safetensors", "mimeType": "", "buffer": packed(base)}
    root.get_by_label(say(WORDS["base"]["label"])).set_input_files(base_file)
    expect(root.locator(".compare").nth(1)).to_contain_text(saying(WORDS["base"]["said"], shared=2, layers=2))
    root.get_by_role("button", name=say("Where the change of the chosen layer points")).click()
    expect(root.locator(".compare").nth(1)).to_contain_text(saying(POINTING["said"]))
    expect(root.locator(".compare").nth(1)).to_contain_text(saying(POINTING["intruders"], top=5))
    expect(root.locator(".left")).to_have_text(say(WORDS["cut"]["whole"]))
    expect(root.get_by_label(say("How much"), exact=True)).to_be_disabled()
    root.get_by_label(say("Keep"), exact=True).select_option("energy")
    root.get_by_label(say("How much"), exact=True).fill("70")
    root.get_by_label(say("How much"), exact=True).press("Enter")
    expect(root.locator(".left")).to_contain_text(saying(WORDS["cut"]["said"]))
    root.get_by_text(say("Share and download")).click()
    with page.expect_download() as kept:
        root.get_by_role("button", name=say("Report (HTML)")).click()
    report = Path(kept.value.path()).read_text(encoding="utf-8")
    assert report.count("<svg") == 2
    assert say("The layers beside the weights of the base") in report
    assert say("They do not agree.") in report
    assert saying(POINTING["said"]).search(report)
    assert saying(POINTING["intruders"], top=5).search(report)
    assert not re.search("<script|https?:|src=|url\\(", report)
    with page.expect_download() as kept:
        root.get_by_role("button", name=say("As kohya")).click()
    assert kept.value.suggested_filename == "lora.safetensors"
    assert tensors_of(Path(kept.value.path()).read_bytes())
    merging = root.locator(".compare").nth(2)
    merging.get_by_text(say("Merge it with others")).click()
    merging.get_by_label(say("Add an adapter")).set_input_files(files)
    weight = merging.get_by_label(say("{i}. {name}: weight", i=2, name="adapter_model.safetensors"))
    weight.fill("-1")
    weight.press("Tab")
    with page.expect_download() as kept:
        merging.get_by_role("button", name=say("As MLX")).click()
    tensors = read_bytes({"adapters.safetensors": Path(kept.value.path()).read_bytes()})
    assert {layer.r for layer in tensors.layers} == {8}  # side by side: the ranks add up, and nothing is left
    assert all(np.abs(np.matmul(*factors(layer))).max() < 1e-6 for layer in tensors.layers)
    open_everything(page)
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert violations(page) == []
    gguf = FIXTURES["gguf_lora"].files["adapter.gguf"]
    choose.set_input_files({"name": "adapter.gguf", "mimeType": "", "buffer": gguf})
    expect(root.locator(".left")).to_contain_text(say(WORDS["cut"]["llama"]))
    choose.set_input_files(files)
    expect(root.locator(".sentence")).to_have_text(saying(OWN, format="PEFT LoRA", layers=2))
    choose.set_input_files({"name": "a.bin", "mimeType": "", "buffer": NOT_ADAPTERS["old.pt"][0]})
    expect(root.locator(".notice")).to_have_text(saying(WORDS["refused"]["pickle"]))
    prompt = FIXTURES["prompt"].files.items()
    choose.set_input_files([{"name": name, "mimeType": "", "buffer": data} for name, data in prompt])
    expect(root.locator(".notice")).to_contain_text(say("a prompt (vectors that stand before the text)"))
    expect(root.locator(".sentence")).to_have_text(saying(OWN, format="PEFT LoRA", layers=2))
    root.get_by_role("button", name=say("Back to the examples")).click()
    expect(root.locator(".sentence")).to_have_text(Inspector().sentence())

"""Every row of the table of formats, against the dense delta_w that its tool would make."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from compute.adapters.formats.containers import Contents, FileSource, open_paths
from compute.adapters.formats.layers import factors, layer_svd, spectrum
from compute.adapters.formats.reading import Adapter, natural_order, read_adapter, read_bytes
from compute.numbers.refusal import FileRefused
from helpers.adapter_files import (
    BLOCK,
    CONFIG,
    FIXTURES,
    NOT_ADAPTERS,
    PREFIX,
    WEIGHTS,
    packed,
    peft_config,
    write_all,
    write_not_adapters,
    zipped,
)
from helpers.foreign_files import checked

EXACT = 1e-12  # the factors hold eighths: only the scale and the SVD round


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("adapters"))


@pytest.mark.parametrize("name", FIXTURES)
def test_every_format_gives_its_delta_w(written, name):
    fixture = FIXTURES[name]
    adapter = read_adapter(written[name])
    assert adapter.format == fixture.format
    assert [layer.name for layer in adapter.layers] == sorted(fixture.delta_w, key=natural_order)
    assert adapter.left_out == {}
    for layer in adapter.layers:
        delta_w = fixture.delta_w[layer.name]
        lora_B, lora_A = factors(layer)
        np.testing.assert_allclose(lora_B @ lora_A, delta_w, atol=EXACT)
        assert layer.shape == delta_w.shape
        dense = np.linalg.svd(delta_w, compute_uv=False)
        s = spectrum(layer)
        k = min(len(s), len(dense))
        np.testing.assert_allclose(s[:k], dense[:k], atol=EXACT * dense[0])
        assert not (s[k:] > EXACT * dense[0]).any()
        assert not (dense[k:] > EXACT * dense[0]).any()
        svd = layer_svd(layer)
        np.testing.assert_allclose(svd.U * svd.s @ svd.Vh, delta_w, atol=10 * EXACT)


@pytest.mark.parametrize("name", FIXTURES)
def test_files_in_memory_are_read_as_those_on_disk(written, name):
    on_disk, in_memory = read_adapter(written[name]), read_bytes(FIXTURES[name].files)
    assert in_memory.notes == on_disk.notes
    assert [layer.scale for layer in in_memory.layers] == [layer.scale for layer in on_disk.layers]


@pytest.mark.parametrize("name", [name for name, fixture in FIXTURES.items() if fixture.notes])
def test_what_is_no_part_of_delta_w_is_said(name):
    adapter = read_bytes(FIXTURES[name].files)
    for word in FIXTURES[name].notes:
        assert any(word in note for note in adapter.notes), word


@pytest.mark.parametrize("name", [name for name, fixture in FIXTURES.items() if not fixture.delta_w])
def test_what_has_no_delta_w_is_named(name):
    adapter = read_bytes(FIXTURES[name].files)
    assert (adapter.format, adapter.layers) == (FIXTURES[name].format, ())
    assert len(adapter.unmatched) == len(adapter.tensors)


def test_no_tensor_is_passed_over():
    """Each is a part of a layer, or a number beside it, or among the unmatched."""
    for fixture in FIXTURES.values():
        adapter = read_bytes(fixture.files)
        used = {tensor.name for layer in adapter.layers for tensor in layer.tensors.values()}
        beside = {layer.magnitude.name for layer in adapter.layers if layer.magnitude}
        for name in adapter.tensors.keys() - used - beside - set(adapter.unmatched):
            assert name.endswith((".alpha", ".bias", ".diff_b")), name


@pytest.mark.parametrize("name", NOT_ADAPTERS)
def test_what_is_no_adapter_is_named_for_what_it_is(tmp_path, name):
    path = write_not_adapters(tmp_path)[name]
    with pytest.raises(FileRefused) as caught:
        read_adapter(path)
    assert NOT_ADAPTERS[name][1] in checked(str(caught.value))


def test_the_config_beside_a_single_file_is_read(written):
    assert read_adapter(written["peft"] / WEIGHTS).layers[0].scale == 2.0


def test_shards_are_one_adapter_and_a_missing_one_is_named(written):
    files = dict(FIXTURES["shards"].files)
    missing = next(name for name in files if "00002-of" in name)
    del files[missing]
    with pytest.raises(FileRefused, match="missing beside"):
        read_bytes(files)
    files["adapter_model.safetensors.index.json"] = json.dumps(
        {"weight_map": {"x": "y.safetensors"}}
    ).encode()
    files |= {name: data for name, data in FIXTURES["shards"].files.items() if name == missing}
    assert any("y.safetensors" in note for note in read_bytes(files).notes)


def test_of_mlx_s_folder_the_checkpoints_are_left(tmp_path):
    for name, data in FIXTURES["mlx"].files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "0000100_adapters.safetensors").write_bytes(FIXTURES["mlx"].files["adapters.safetensors"])
    adapter = read_adapter(tmp_path)
    assert len(adapter.layers) == 2
    assert any("0000100_adapters" in note for note in adapter.notes)


def test_a_folder_of_pickles_is_named(tmp_path):
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(FileRefused, match="pickle"):
        read_adapter(tmp_path)


def test_a_config_alone_asks_for_the_weights():
    with pytest.raises(FileRefused, match="holds no weights"):
        read_bytes({CONFIG: peft_config()})
    with pytest.raises(FileRefused, match="no JSON"):
        read_bytes({CONFIG: b"{", WEIGHTS: FIXTURES["peft"].files[WEIGHTS]})


def test_of_an_archive_the_base_model_is_left():
    adapter = read_bytes(FIXTURES["archive"].files)
    assert adapter.unmatched == ()
    assert adapter.layers[0].scale == 2.0


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr("compute.adapters.formats.containers.MAX_ARCHIVE", 100)
    with pytest.raises(FileRefused, match="unpack it first"):
        read_bytes({"a.zip": zipped(FIXTURES["peft"].files)})


def test_only_headers_are_read_until_numbers_are_asked_for(written, monkeypatch):
    asked = []
    read = FileSource.read
    monkeypatch.setattr(
        FileSource, "read", lambda self, start, size: asked.append(size) or read(self, start, size)
    )
    adapter = read_adapter(written["peft"])
    header = adapter.tensors[min(adapter.tensors)].start
    assert sum(asked) < 4 * header + 2000
    asked.clear()
    spectrum(adapter.layers[0])
    assert sum(asked) == adapter.layers[0].bytes


def reason(tensors: dict[str, np.ndarray], config: bytes | None = None) -> str:
    """Return why the layer q cannot be read beside one that can."""
    good = {f"{PREFIX}good.lora_A.weight": np.ones((2, 4)), f"{PREFIX}good.lora_B.weight": np.ones((6, 2))}
    files = {WEIGHTS: packed(good | tensors)} | ({CONFIG: config} if config else {})
    adapter = read_bytes(files)
    assert [layer.name for layer in adapter.layers] == ["good"]
    assert any("left out" in note for note in adapter.notes)
    return adapter.left_out["q"]


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"q.lora_A.weight": np.ones((2, 4))}, "B is missing beside A."),
        (
            {"q.lora_A.weight": np.ones((2, 4)), "q.lora_B.weight": np.ones((6, 3))},
            "6 x 3 and 2 x 4; their inner",
        ),
        (
            {"q.lora_A.weight": np.ones(2), "q.lora_B.weight": np.ones((6, 2))},
            "has 1 dimension; a matrix has 2.",
        ),
        ({"q.lora_A.weight": np.ones((2, 0)), "q.lora_B.weight": np.ones((6, 2))}, "A has a side of 0"),
        (
            {
                "q.lora_A.weight": np.ones((2, 4)),
                "q.lora_B.weight": np.ones((6, 2)),
                "q.lora_E": np.ones((3, 1)),
            },
            "lora_E is 3 x 1; one number for each of the 2 directions fits.",
        ),
        ({"q.hada_w1_a": np.ones((6, 2)), "q.hada_w1_b": np.ones((2, 4))}, "w2a and w2b is missing beside"),
        ({"q.lokr_w1": np.ones((2, 2)), "q.lokr_w2_a": np.ones((3, 2))}, "w2b is missing beside w2a."),
        ({"q.lora_a": np.ones((4, 2)), "q.lora_b": np.ones((3, 6))}, "their inner sizes must be equal."),
        ({"q.diff": np.ones(4)}, "a vector, which has no rank."),
        (
            {
                "q.diff": np.ones((6, 4)),
                "q.lora_up.weight": np.ones((6, 2)),
                "q.lora_down.weight": np.ones((2, 4)),
            },
            "parts of two methods",
        ),
        (
            {"q.lora_A.weight": np.ones((2, 4)), "q.lora_A.default.weight": np.ones((2, 4))},
            "say the same.",
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_left_out_with_its_reason(tensors, said):
    assert said in reason(tensors)


@pytest.mark.parametrize("pattern", ["[", "x" * 501, "(", "a)", r"(a)\1", "(?=a)", "*a", "a{3", r"\bq"])
def test_a_pattern_that_cannot_be_tried_is_refused(pattern):
    config = peft_config(alpha_pattern={pattern: 3})
    with pytest.raises(FileRefused, match="the pattern"):
        read_bytes({WEIGHTS: FIXTURES["peft"].files[WEIGHTS], CONFIG: config})


def test_another_rank_than_the_config_s_is_said():
    files = FIXTURES["peft"].files | {CONFIG: peft_config(r=5)}
    adapter = read_bytes(files)
    assert adapter.layers[0].scale == 2.0
    assert any("another rank than adapter_config.json" in note for note in adapter.notes)


def test_inits_that_change_the_base_are_said():
    files = FIXTURES["peft"].files | {CONFIG: peft_config(init_lora_weights="pissa_niter_4")}
    assert any("changes the weight of the base" in note for note in read_bytes(files).notes)


def test_layers_stand_in_the_order_of_their_numbers():
    tensors = {
        f"{PREFIX}{BLOCK.format(i, 'q_proj')}.lora_{x}.weight": np.ones((2, 2)) for i in (10, 2) for x in "AB"
    }
    assert [layer.name for layer in read_bytes({"a.safetensors": packed(tensors)}).layers] == [
        BLOCK.format(i, "q_proj") for i in (2, 10)
    ]


def test_two_files_with_the_same_name_of_a_tensor_are_said():
    data = FIXTURES["peft"].files[WEIGHTS]
    assert any(
        "is in two files" in note for note in read_bytes({"a.safetensors": data, "b.safetensors": data}).notes
    )


def test_what_is_returned_is_frozen():
    adapter = read_bytes(FIXTURES["peft"].files)
    assert isinstance(adapter, Adapter)
    with pytest.raises(AttributeError):
        adapter.format = "other"
    with pytest.raises(AttributeError):
        adapter.layers[0].scale = 3.0
    with pytest.raises(KeyError):
        adapter.layer("nothing")


def test_contents_of_no_file_are_refused():
    with pytest.raises(FileRefused, match="holds no tensor"):
        open_paths([])
    assert Contents._fields[0] == "tensors"

"""Damaged and hostile files: an adapter or a sentence, and never anything else."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import numpy as np
import pytest

from compute.adapters.formats import containers
from compute.adapters.formats.base import open_base
from compute.adapters.formats.beside import beside_base
from compute.adapters.formats.contents import measure, measures
from compute.adapters.formats.reading import Adapter, read_bytes
from compute.adapters.formats.report import as_json, beside_text
from compute.adapters.formats.scales import scale_audit
from compute.numbers.refusal import FileRefused
from helpers.adapter_files import CONFIG, FIXTURES, NOT_ADAPTERS, WEIGHTS, packed, peft_config
from helpers.foreign_files import checked, safetensors

CASES = 100_000
SECONDS = 18.0  # after which the rest is left for another seed
BASES, BASE_SECONDS = 10_000, 2.0  # the same of bases, each of which is looked at to the end
ON_A_BASE = ("peft", "peft_dora", "dora_elsewhere", "peft_embedding", "peft_conv", "loha", "peft_experts")
TENSOR = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
WORDS = [
    b"lora_A",
    b"lora_B",
    b"lora_up",
    b"F32",
    b"BF16",
    b"F8_E4M3",
    b"I64",
    b"null",
    b"-1",
    b"9" * 25,
    b"[",
    b"}",
]
WORDS += [
    b'"',
    b"\\u0000",
    b"\xff",
    b"0",
    b"1e400",
    b"NaN",
    b".weight",
    b".alpha",
    b"hada_w1_a",
    b"lokr_w1",
    b"GGUF",
]


def outcome(files: dict[str, bytes], deep: bool) -> None:
    """Read files as far as a visitor would; only a refusal in a sentence may come out besides an adapter."""
    try:
        adapter = read_bytes(files)
    except FileRefused as refused:
        checked(str(refused))
        return
    for layer in adapter.layers[:2]:
        scale_audit(layer, adapter.told)
        if deep and max(layer.shape) <= 4096 and layer.r <= 512:
            measure(layer)
    if deep and all(max(layer.shape) <= 4096 and layer.r <= 512 for layer in adapter.layers):
        json.dumps(as_json(adapter, [measure(layer) for layer in adapter.layers], []), allow_nan=False)


SUFFIXES = """
lora_A.weight lora_B.weight lora_E lora_A lora_embedding_A lora_embedding_B lora_A.other.weight lora_B.bias
lora_magnitude_vector lora_down.weight lora_up.weight lora_mid.weight alpha dora_scale lora.down.weight
hada_w1_a hada_w1_b hada_w2_a hada_w2_b hada_t1 lokr_w1 lokr_w2 lokr_w1_a lokr_w1_b lokr_w2_a lokr_w2_b
lokr_t2 diff diff_b w_norm lora_a lora_b m magnitude set_weight base_layer.weight weight ia3_l vera_lambda_b
""".split()


def rearranged(data: bytes, throws: random.Random) -> bytes:
    """Return a valid file with other names and shapes: what a header says is true, and makes no sense."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    entries = {}
    for name, entry in header.items():
        if name == "__metadata__":
            entries[name] = entry
            continue
        layer = (
            name.rpartition(".")[0] if throws.random() < 0.5 else name.partition(".lo")[0].partition(".ha")[0]
        )
        if throws.random() < 0.25:
            name = f"{layer}.{throws.choice(SUFFIXES)}"
        shape = entry["shape"]
        if shape and throws.random() < 0.25:
            total = int(np.prod(shape))
            sides = [side for side in range(1, total + 1) if total % side == 0]
            first = throws.choice(sides)
            shape = throws.choice(
                [
                    shape[::-1],
                    [first, total // first],
                    [total],
                    [1, *shape],
                    [*shape, 1],
                    [first, 1, total // first],
                ]
            )
        entries[name] = entry | {"shape": shape}
    kept = [entry for name, entry in entries.items() if name != "__metadata__"]
    if sum(entry["data_offsets"][1] - entry["data_offsets"][0] for entry in kept) != len(data) - 8 - size:
        return data
    return safetensors(entries, data[8 + size :])


def mutated(data: bytes, throws: random.Random) -> bytes:
    """Return a file with a few bytes changed, cut, doubled or replaced by words that mean something."""
    if data[8:9] == b"{" and throws.random() < 0.5:
        try:
            return rearranged(data, throws)
        except (ValueError, TypeError):
            pass  # it was damaged before
    changed = bytearray(data)
    for _ in range(throws.randint(1, 4)):
        place = throws.randrange(len(changed) or 1)
        near = min(len(changed), 600)  # headers are where harm is done
        place = throws.randrange(near or 1) if throws.random() < 0.8 else place
        kind = throws.random()
        if kind < 0.45:
            changed[place : place + 1] = bytes([throws.randrange(256)])
        elif kind < 0.7:
            word = throws.choice(WORDS)
            changed[place : place + (len(word) if throws.random() < 0.7 else 0)] = word
        elif kind < 0.8:
            del changed[place : place + throws.randint(1, 40)]
        elif kind < 0.9:
            changed[place:place] = changed[place : place + throws.randint(1, 40)]
        else:
            del changed[place:]
    return bytes(changed)


def test_a_hundred_thousand_mutated_files_give_an_adapter_or_a_sentence():
    throws = random.Random(0)
    originals = [fixture.files for fixture in FIXTURES.values()]
    originals += [{name: data} for name, (data, _) in NOT_ADAPTERS.items()]
    begun = time.monotonic()
    for i in range(CASES):
        files = dict(throws.choice(originals))
        for name in throws.sample(sorted(files), 1 if throws.random() < 0.9 else len(files)):
            files[name] = mutated(files[name], throws)
        outcome(files, deep=i % 100 == 0)
        if time.monotonic() - begun > SECONDS:
            break
    assert i > CASES // 20  # a machine that is busy gets less far


def bases(*sizes: float) -> list[tuple[Adapter, bytes]]:
    """Return adapters of several kinds, each with a base whose weights have a size."""
    rng = np.random.default_rng(0)
    found = []
    for name in ON_A_BASE:
        adapter = read_bytes(FIXTURES[name].files)
        for size in sizes:
            weights = {
                f"{each.name}.weight": size * rng.standard_normal(each.shape) for each in adapter.layers
            }
            found.append((adapter, packed(weights, dtype="F64")))
    return found


def outcome_on(adapter: Adapter, base: Path) -> str:
    """Put a base beside an adapter as the command does, and return what came out: numbers, some, or a sentence."""
    try:
        found, missing = beside_base(adapter, open_base(base).tensors, intruders=True)
    except FileRefused as refused:
        checked(str(refused).replace("?", "."))
        return "refused"
    json.dumps(as_json(adapter, measures(adapter), [], (found, missing)), allow_nan=False)
    for reason in missing.values():
        checked(f"{reason}.")
    beside_text(found, missing, base.name)
    return "some" if missing else "numbers"


def test_a_mutated_base_gives_numbers_or_a_sentence(tmp_path):
    throws = random.Random(0)
    cases = bases(1.0)
    index = json.dumps({"metadata": {}, "weight_map": {"q.weight": "model.safetensors"}}).encode()
    model, listed = tmp_path / "model.safetensors", tmp_path / "model.safetensors.index.json"
    begun = time.monotonic()
    outcomes = []
    for _ in range(BASES):
        adapter, base = throws.choice(cases)
        model.write_bytes(mutated(base, throws))
        listed.unlink(missing_ok=True)
        if throws.random() < 0.2:
            listed.write_bytes(mutated(index, throws))
        outcomes.append(outcome_on(adapter, throws.choice([tmp_path, model, listed])))
        if time.monotonic() - begun > BASE_SECONDS:
            break
    assert len(outcomes) > BASES // 100  # a machine that is busy gets less far
    assert {*outcomes} == {"numbers", "some", "refused"}


def test_weights_of_any_size_give_numbers_or_a_sentence(tmp_path):
    for adapter, base in bases(0.0, 1e-320, 1e-200, 1e200, 1e307):
        (tmp_path / "model.safetensors").write_bytes(base)
        outcome_on(adapter, tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"\x02\0\0\0\0\0\0\0",
        (1000).to_bytes(8, "little") + b"{}",
        (2**63).to_bytes(8, "little") + b"{}",
        safetensors(b"PK\x03\x04"),
        safetensors(b"[" * 100_000),
        safetensors(b'{"a":' * 50_000),
        safetensors([1]),
        safetensors({"a": 3}),
        safetensors({"a": TENSOR | {"data_offsets": [0, 400]}}, bytes(24)),
        safetensors({"a": TENSOR | {"data_offsets": [-24, 0]}}, bytes(24)),
        safetensors({"a": TENSOR | {"data_offsets": [24, 0]}}, bytes(24)),
        safetensors({"a": TENSOR | {"data_offsets": [0, 24, 48]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [2, 4]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [2**62, 8]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [-2, -3]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [True, 6]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [2.0, 3]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [1] * 100 + [6]}}, bytes(24)),
        safetensors({"a": TENSOR | {"dtype": "object"}}, bytes(24)),
        safetensors({"a": TENSOR | {"dtype": 3}}, bytes(24)),
        safetensors({"a": TENSOR, "b": TENSOR}, bytes(24)),
        safetensors({"a": TENSOR, "b": TENSOR | {"data_offsets": [12, 36]}}, bytes(36)),
        safetensors({"a": TENSOR, "b": TENSOR | {"data_offsets": [48, 72]}}, bytes(72)),
        safetensors({"a": TENSOR}, bytes(25)),
        b"GGUF",
        b"GGUF" + b"\xff" * 100,
        b"GGUF\x03\0\0\0" + b"\xff" * 16,
        b"PK\x03\x04" + b"\0" * 100,
    ],
    ids=lambda data: repr(data)[:30],
)
def test_a_header_that_lies_is_refused(data):
    with pytest.raises(FileRefused) as caught:
        read_bytes({"a.safetensors": data})
    checked(str(caught.value))


def test_a_header_whose_length_looks_like_a_pickle():
    """0x80 0x02 begins a pickle, and a header of 640 bytes; found when the length of a name came out so."""
    header = {"q.lora_A.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    header["q.lora_B.weight"] = {"dtype": "F32", "shape": [3, 2], "data_offsets": [24, 48]}
    text = json.dumps(header).encode().ljust(0x0280)
    assert safetensors(text)[:2] == b"\x80\x02"
    assert len(read_bytes({"a.safetensors": safetensors(text, bytes(48))}).layers) == 1


def test_a_repeated_name_is_refused():
    twice = b'{"a": %s, "a": %s}' % ((json.dumps(TENSOR).encode(),) * 2)
    with pytest.raises(FileRefused, match="same name twice"):
        read_bytes({"a.safetensors": safetensors(twice, bytes(24))})


def test_a_huge_header_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(containers, "MAX_HEADER", 100)
    with pytest.raises(FileRefused, match="at most 100 are read"):
        read_bytes(FIXTURES["peft"].files)


def test_what_a_header_promises_is_not_made():
    """A million million numbers that are not there: refused at once."""
    lies = {"q.lora_A.weight": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}
    with pytest.raises(FileRefused, match="cut short"):
        read_bytes({"a.safetensors": safetensors(lies, bytes(24))})


def test_small_tensors_that_would_multiply_are_refused():
    """Of a few megabytes terabytes would be made."""
    hada = {
        f"q.hada_w{i}_{x}": np.zeros((20_000, 200) if x == "a" else (200, 20_000)) for i in "12" for x in "ab"
    }
    core = {
        "q.lora_up.weight": np.zeros((4, 1)),
        "q.lora_down.weight": np.zeros((1, 100_000)),
        "q.lora_mid.weight": np.zeros((1, 1, 100_000)),
    }
    wide = {"q.diff": np.zeros((2, 500_000))}
    for tensors, refused in ((hada, True), (core, True), (wide, False)):
        (layer,) = read_bytes({"a.safetensors": packed(tensors)}).layers
        assert ("would be made of it" in measure(layer).broken) == refused


@pytest.mark.parametrize(
    "config",
    [
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        peft_config(r="x" * 1000, lora_alpha=[]),
        peft_config(rank_pattern=[1], alpha_pattern="q"),
        peft_config(r=0),
        peft_config(r=-3),
        peft_config(lora_alpha=10**400),
        peft_config(peft_type=["LORA"]),
        peft_config(modules_to_save={"a": 1}),
        peft_config(modules_to_save=[["a"]]),
        peft_config(target_parameters=[1, None]),
        peft_config(init_lora_weights=["pissa"]),
        peft_config(alpha_pattern={"": 4}),
        peft_config(use_rslora="yes"),
        b'{"lora_alpha": NaN, "r": Infinity}',
        b'{"lora_alpha": ' + b"9" * 5000 + b"}",
        b'{"lora_parameters": 3, "init_r": "four", "peft_type": "ADALORA"}',
    ],
    ids=lambda data: repr(data)[:30],
)
def test_any_config_gives_an_adapter_or_a_sentence(config):
    for name in ("peft", "adalora", "peft_loha", "peft_experts", "mlx"):
        weights = next(data for file, data in FIXTURES[name].files.items() if file != CONFIG)
        outcome({WEIGHTS: weights, CONFIG: config}, deep=True)


@pytest.mark.parametrize("name", ["x" * 201, "tab\there", "\u202egnp.exe", "h." + "9" * 400])
def test_names_that_cannot_be_shown_are_left_out(name):
    good = {"good.lora_A.weight": np.ones((1, 2)), "good.lora_B.weight": np.ones((3, 1))}
    bad = {f"{name}.lora_A.weight": np.ones((1, 2)), f"{name}.lora_B.weight": np.ones((3, 1))}
    adapter = read_bytes({"a.safetensors": packed(good | bad)})
    assert [layer.name for layer in adapter.layers] == ["good"]
    assert all(note.isprintable() and len(note) < 400 for note in adapter.notes)


def test_alpha_that_is_no_number():
    tensors = {"q.lora_up.weight": np.ones((3, 2)), "q.lora_down.weight": np.ones((2, 3))}
    for alpha in (np.array(np.nan), np.array(np.inf), np.ones(2), np.zeros(0)):
        outcome({"a.safetensors": packed(tensors | {"q.alpha": alpha})}, deep=True)
    adapter = read_bytes({"a.safetensors": packed(tensors | {"q.alpha": np.array(np.nan)})})
    assert adapter.layers[0].scale == 1.0
    assert any("alpha is no finite number" in note for note in adapter.notes)

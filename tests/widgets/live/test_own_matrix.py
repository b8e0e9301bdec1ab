"""The reader's own matrix: good files are shown, all others leave everything as it was and get a sentence."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save
from safetensors.torch import save as save_torch

from compute.matrices.svd import factorize_product
from compute.numbers.files import MAX_BYTES
from helpers.adapter_files import FIXTURES
from helpers.foreign_files import GRADIENT, checked, image, npy, png_of_size, safetensors, short
from helpers.uploading import begin, give, send, settle, stop
from widgets.live import own_matrix as module
from widgets.live.own_matrix import BROKEN, OwnMatrix

MATRIX = np.arange(1.0, 43.0).reshape(6, 7) % 5
CSV = b"1,2,3\n4,5,7\n"
PAIR = {
    "lora_B.weight": np.arange(12.0, dtype="f4").reshape(6, 2) + 1,
    "lora_A.weight": np.eye(2, 4, dtype="f4"),
}


def layers(*names: str, scale: float = 1.0) -> bytes:
    """Return an adapter with these layers, each larger than the one before."""
    return save(
        {
            f"base_model.model.{name}.{key}": np.ascontiguousarray(value * (scale + i))
            for i, name in enumerate(names)
            for key, value in PAIR.items()
        }
    )


@pytest.fixture
def own(monkeypatch) -> OwnMatrix:
    """Give one reader's part; each test has a loop of its own, and so a lock of its own."""
    monkeypatch.setattr(module, "_one_at_a_time", asyncio.Semaphore(1))
    return OwnMatrix()


GOOD = {
    "a.npy": (npy(MATRIX), "Read a.npy: 6 × 7."),
    "B.NPY": (npy(MATRIX.astype("f2")), "Read B.NPY: 6 × 7."),
    "a.csv": (CSV, "Read a.csv: 2 × 3."),
    "a.tsv": (b"x\ty\n1,5\t2\n3\t4\n", "Read a.tsv: 2 × 2."),
    "a.png": (image(Image.fromarray(GRADIENT)), "Read a.png: 6 × 10."),
    "a.safetensors": (layers("q_proj"), "Read a.safetensors: 1 adapted layer."),
    "b.safetensors": (layers("q_proj", "v_proj"), "Read b.safetensors: 2 adapted layers."),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_is_shown(own, name):
    data, said = GOOD[name]
    assert asyncio.run(send(own, name, data)) == said
    assert own.rank.visible
    assert own.rank.matrix.svd.s[0] > 0
    assert json.loads(own.rank.arrays)["key"] == "own"
    assert own.rank.sentence().endswith(".")


BAD = {
    "empty.npy": b"",
    "words.csv": b"a,b\nc,d\n",
    "ragged.csv": b"1,2\n3\n",
    "one.csv": b"1,2,3\n",
    "nan.npy": npy(np.array([[1.0, np.nan], [1, 1]])),
    "inf.csv": b"1,inf\n2,3\n",
    "zero.npy": npy(np.zeros((3, 3))),
    "vector.npy": npy(np.arange(5.0)),
    "objects.npy": npy(np.array([[{}, 1], [2, 3]], dtype=object)),
    "cut.npy": npy(MATRIX)[:-1],
    "noise.npy": bytes(range(256)),
    "bomb.png": png_of_size(100_000, 100_000),
    "text.png": b"no picture",
    "lies.safetensors": safetensors({"a": {"dtype": "F32", "shape": [9, 9], "data_offsets": [0, 999]}}),
    "archive.safetensors": FIXTURES["archive"].files["adapter.zip"],
    "other.safetensors": save({"weight": np.ones((2, 2), "f4")}),
    "fresh.safetensors": save({f"q.{key}": value * 0 for key, value in PAIR.items()}),
    "page.html": b"<script>alert(1)</script>",
    "noending": b"1,2\n3,4\n",
    "<script>alert(1)</script>": b"1,2\n3,4\n",
}


@pytest.mark.parametrize("name", BAD, ids=short)
def test_a_bad_file_changes_nothing(own, name):
    async def play() -> str:
        await send(own, "b.safetensors", layers("q_proj", "v_proj"))
        before.append((own.rank.matrix, own.rank.arrays, own.upload.layers))
        return await send(own, name, BAD[name])

    before: list = []
    said = checked(asyncio.run(play()))
    assert not said.startswith("Read ")
    matrix, arrays, layer_names = before[0]
    assert own.rank.matrix is matrix
    assert (own.rank.arrays, own.upload.layers) == (arrays, layer_names)
    assert own.rank.visible


@pytest.mark.parametrize(
    "error", [np.linalg.LinAlgError("did not converge"), RuntimeError("x"), MemoryError(), KeyError("x")]
)
@pytest.mark.parametrize("name", ["a.csv", "a.safetensors"])
def test_an_error_nobody_thought_of_becomes_a_sentence(own, monkeypatch, caplog, name, error):
    def fail(*_):
        raise error

    async def play():
        await send(own, "a.npy", npy(MATRIX))
        before = own.rank.matrix
        monkeypatch.setattr(module, "own_matrix", fail)
        monkeypatch.setattr(module, "adapter_matrix", fail)
        assert await send(own, name, GOOD[name][0]) == BROKEN
        assert own.rank.matrix is before
        assert own.upload.layers == "[]"

    asyncio.run(play())
    assert not caplog.records


def test_a_layer_is_chosen_by_its_index(own):
    async def play():
        await send(own, "b.safetensors", layers("a.q", "b.q", "c.q"))
        assert json.loads(own.upload.layers) == ["a.q", "b.q", "c.q"]
        assert own.rank.matrix.label == "a.q"
        own.upload.layer = 2
        await settle()
        assert own.rank.matrix.label == "c.q"
        expected = factorize_product(PAIR["lora_B.weight"] * 3.0, PAIR["lora_A.weight"] * 3.0).s
        np.testing.assert_allclose(own.rank.matrix.svd.s, expected, rtol=1e-6)
        shown = own.rank.matrix
        for index in (3, 10**9, -1):
            own.upload.layer = index
            await settle()
            assert own.rank.matrix is shown

    asyncio.run(play())


def test_a_layer_chosen_after_another_file_failed_is_still_the_adapters(own):
    async def play():
        await send(own, "b.safetensors", layers("a.q", "b.q"))
        await send(own, "words.csv", BAD["words.csv"])
        begin(own, "other.npy", 100)
        stop(own)
        own.upload.layer = 1
        await settle()
        assert own.rank.matrix.label == "b.q"
        assert "load_file('b.safetensors')" in own.rank.snippet()

    asyncio.run(play())


def test_a_matrix_after_an_adapter_leaves_no_layer_to_choose(own):
    async def play():
        await send(own, "b.safetensors", layers("a.q", "b.q"))
        await send(own, "a.csv", CSV)
        assert own.upload.layers == "[]"
        shown = own.rank.matrix
        own.upload.layer = 1
        await settle()
        assert own.rank.matrix is shown

    asyncio.run(play())


def test_left_out_layers_are_named(own):
    tensors = {f"good.{key}": torch.tensor(value) for key, value in PAIR.items()}
    tensors |= {f"zero.{key}": torch.zeros_like(torch.tensor(value)) for key, value in PAIR.items()}
    said = asyncio.run(send(own, "a.safetensors", save_torch(tensors)))
    assert said.startswith("Read a.safetensors: 1 adapted layer. zero is left out: delta_w is 0")


def test_of_dora_the_magnitude_is_said(own):
    said = asyncio.run(send(own, "a.safetensors", FIXTURES["peft_dora"].files["adapter_model.safetensors"]))
    assert said.startswith("Read a.safetensors: 2 adapted layers. DoRA: a magnitude along the outputs.")


def test_of_adalora_no_part_is_passed_over(own):
    """Its lora_E lies between the factors; without it the spectrum would be another."""
    fixture = FIXTURES["adalora"]
    asyncio.run(send(own, "a.safetensors", fixture.files["adapter_model.safetensors"]))
    name = own.rank.matrix.label
    s = np.linalg.svd(fixture.delta_w[name], compute_uv=False)[: len(own.rank.matrix.svd.s)]
    np.testing.assert_allclose(own.rank.matrix.svd.s / own.rank.matrix.svd.s[0], s / s[0], atol=1e-12)


def test_two_readers_share_nothing(own):
    other = OwnMatrix()

    async def play():
        adapter = layers("a.q")
        begin(own, "b.safetensors", len(adapter))
        begin(other, "a.csv", len(CSV))
        await give(own, 0, adapter[:9])
        await give(other, 0, CSV)
        await give(own, 9, adapter[9:])

    asyncio.run(play())
    assert own.rank.matrix.label == "a.q"
    assert other.rank.matrix.label == "a.csv"
    assert own.upload.said != other.upload.said
    assert (other.upload.layers, json.loads(own.upload.layers)) == ("[]", ["a.q"])
    assert OwnMatrix().rank.matrix is None


_watched: list[tuple] = []
OPENINGS = {"open", "os.mkdir", "os.rename", "socket.connect", "tempfile.mkstemp", "tempfile.mkdtemp"}


@pytest.fixture(scope="module")
def audited() -> list[tuple]:
    """Collect what is opened; a hook of the interpreter sees all of it, and cannot be taken away again."""
    collecting = [True]

    def hook(event: str, arguments: tuple) -> None:
        if collecting and event in OPENINGS:
            _watched.append((event, arguments))

    sys.addaudithook(hook)
    yield _watched
    collecting.clear()


def written(seen: list[tuple]) -> list[tuple]:
    """Return what was not opened for reading only."""
    return [
        (event, what) for event, what in seen if event != "open" or not str(what[1] or "rb").startswith("r")
    ]


def test_nothing_is_written_and_nothing_is_logged(own, caplog, audited):
    secret = "salary-of-ada"

    async def play():
        await send(own, "warm.png", GOOD["a.png"][0])  # Pillow loads its formats once
        audited.clear()
        for name in ("a.npy", "a.csv", "a.png", "b.safetensors"):
            await send(own, f"{secret}-{name}", GOOD[name][0], piece=64)
            await send(own, f"{secret}-{name}", GOOD[name][0][:-3] + secret.encode())
        await send(own, f"{secret}.csv", f"{secret},1\n2,{secret}\n".encode())

    with caplog.at_level(logging.DEBUG):
        asyncio.run(play())
    assert written(audited) == []
    assert not [record for record in caplog.records if secret in record.getMessage() or record.exc_info]


def test_a_file_that_is_written_would_be_noticed(audited, tmp_path):
    audited.clear()
    (tmp_path / "a").write_bytes(CSV)
    assert len(written(audited)) == 1
    (tmp_path / "a").read_bytes()
    assert len(written(audited)) == 1


def test_a_layer_is_not_held_as_its_product(own):
    names = {"q.lora_B.weight": np.ones((4096, 1)), "q.lora_A.weight": np.ones((1, 4096))}
    assert asyncio.run(send(own, "a.safetensors", save(names))) == "Read a.safetensors: 1 adapted layer."
    assert all(array.size <= 4096 for array in own.rank.matrix.svd)
    assert MAX_BYTES > 4096 * 4096 * 8

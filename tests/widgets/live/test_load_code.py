"""The code beside a reader's matrix loads her file as the app did, and prints the number on the screen."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from compute.adapters.formats.reading import read_bytes
from compute.numbers.files import read_matrix
from helpers.adapter_files import FIXTURES
from helpers.foreign_files import GRADIENT, image, npy
from helpers.instruments import is_shown, numbers, printed_by
from helpers.uploading import send, settle
from widgets.live import own_matrix as module
from widgets.live.own_matrix import OwnMatrix, adapter_code, load_code, unscaled

GREY = Image.fromarray(GRADIENT)
COLOUR = Image.merge("RGB", [GREY, GREY.rotate(180), GREY.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
GLASS = COLOUR.copy()
GLASS.putalpha(GREY)
MATRIX = np.random.default_rng(1).standard_normal((5, 7))


def turned() -> bytes:
    """Return a photograph that its EXIF entry turns by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return image(COLOUR, "JPEG", exif=exif)


def animation() -> bytes:
    """Return a GIF of two frames."""
    stream = io.BytesIO()
    GREY.save(stream, "GIF", save_all=True, append_images=[GREY.rotate(180)])
    return stream.getvalue()


FILES = {
    "float64.npy": npy(MATRIX),
    "float32.npy": npy(MATRIX.astype("f4")),
    "float16.npy": npy(MATRIX.astype("f2")),
    "longdouble.npy": npy(MATRIX.astype("g")),
    "big-endian.npy": npy(MATRIX.astype(">f8")),
    "columns-first.npy": npy(np.asfortranarray(MATRIX)),
    "bytes.npy": npy((MATRIX * 100).astype("i1")),
    "booleans.npy": npy(MATRIX > 0),
    "commas.csv": b"1.5,2,3\n4,-5e-1,6\n",
    "semicolons.csv": b"1,5;2;3\n4;-5e-1;6\n",
    "tabs.tsv": b"1,5\t2\t3\n4\t5\t6\n",
    "blanks.txt": b"  1.5   2 3\n4 5 6  \n",
    "header.csv": "Länge,breit,#3\n1,2,3\n4,5,6\n".encode(),
    "header-semicolons.csv": b"a;b\n1,5;2\n3;4\n",
    "header-blanks.txt": b"a b\n1 2\n3 4\n",
    "no-header.csv": b"1,2\n3,4\n",
    "mark.csv": b"\xef\xbb\xbf1,2\n3,4\n",
    "mark-header.csv": b"\xef\xbb\xbfa,b\n1,2\n3,5\n",
    "empty-lines.csv": b"\n\n1,2\n\n  \n3,5\n\n",
    "empty-lines-header.csv": b"\n \na,b\n\n1,2\n3,5\n",
    "windows.csv": b"1,2\r\n3,5\r\n",
    "old-mac.csv": b"1,2\r3,5\r",
    "last-line-rules.csv": b"a;b,c\n1,2\n3,5\n",
    "grey.png": image(GREY),
    "colour.png": image(COLOUR),
    "glass.png": image(GLASS),
    "grey-glass.png": image(GLASS.convert("LA")),
    "palette.png": image(COLOUR.quantize(7)),
    "one-clear-colour.png": image(COLOUR.quantize(7), transparency=3),
    "one-bit.png": image(GREY.convert("1")),
    "sixteen-bits.png": image(Image.fromarray(GRADIENT.astype("u2") * 257)),
    "photo.jpg": image(COLOUR, "JPEG"),
    "turned.jpeg": turned(),
    "print.jpg": image(COLOUR.convert("CMYK"), "JPEG"),
    "small.webp": image(GLASS, "WEBP", lossless=True),
    "plain.bmp": image(COLOUR, "BMP"),
    "film.gif": animation(),
    "LOUD.PNG": image(GREY),
    'it\'s a {r} \\ "file" {r:zz} é.npy': npy(MATRIX),
    "{r}.csv": b"1,2\n3,5\n",
}


@pytest.fixture
def own(monkeypatch, tmp_path) -> OwnMatrix:
    """Give one reader's part, and a folder for the code to run in."""
    monkeypatch.setattr(module, "_one_at_a_time", asyncio.Semaphore(1))
    monkeypatch.chdir(tmp_path)
    return OwnMatrix()


def agrees(own: OwnMatrix, r: int) -> None:
    """Check that code, sentence and table say the same about rank r."""
    own.rank.r = r
    row = own.rank.table()[1][r]
    out = printed_by(own.rank.snippet())
    assert out.startswith(f"relative error at r = {r}: ")
    (error,) = numbers(out.split(": ", 1)[1])
    assert is_shown(error, f"{row[1]}"), (out, row)


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_the_code_loads_the_matrix_that_was_read(own, tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    names = {"np": np}
    exec(load_code(name, FILES[name]), names)
    delta_w = names["delta_w"]
    assert delta_w.dtype == np.float64
    np.testing.assert_array_equal(delta_w, read_matrix(name, FILES[name]))


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_the_code_prints_the_number_on_the_screen(own, tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    assert asyncio.run(send(own, name, FILES[name])).startswith("Read ")
    for r in (0, 1, 2):
        agrees(own, r)


def adapter(dtype: torch.dtype, form: str) -> bytes:
    """Return an adapter of three layers, of which one's name begins with another's."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for layer, (out_size, in_size) in {"h.1.q": (6, 9), "h.1.q_proj": (7, 5), "h.11.q": (30, 3)}.items():
        tensors[form.format(layer, "A")] = torch.randn((4, in_size), generator=generator).to(dtype)
        tensors[form.format(layer, "B")] = torch.randn((out_size, 4), generator=generator).to(dtype)
    return save(tensors)


FORMS = {
    "peft": "base_model.model.{}.lora_{}.weight",
    "loralib": "{}.lora_{}",
    "named": "base_model.model.{}.lora_{}.french.weight",
    "default": "base_model.model.{}.lora_{}.default.weight",
    "embedding": "base_model.model.{}.lora_embedding_{}",
    "braces": "m{{r}}.{}.lora_{}.weight",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_the_code_loads_the_layer_that_was_read(own, tmp_path, form, dtype):
    data = adapter(dtype, FORMS[form])
    (tmp_path / "it's.safetensors").write_bytes(data)
    layers = read_bytes({"it's.safetensors": data}).layers
    assert len(layers) == 3
    for layer in layers:
        names = {}
        exec(adapter_code("it's.safetensors", layer), names)
        lora_B, lora_A = unscaled(layer)
        np.testing.assert_array_equal(names["lora_B"], lora_B)
        np.testing.assert_array_equal(names["lora_A"], lora_A)


@pytest.mark.parametrize("form", FORMS)
def test_the_code_prints_the_error_of_each_layer(own, tmp_path, form):
    data = adapter(torch.bfloat16, FORMS[form])
    (tmp_path / "a{r}.safetensors").write_bytes(data)

    async def play():
        await send(own, "a{r}.safetensors", data)
        for index in range(3):
            own.upload.layer = index
            await settle()
            assert own.rank.matrix.label == read_bytes({"a.safetensors": data}).layers[index].name
            for r in (0, 1, 3):
                agrees(own, r)

    asyncio.run(play())


@pytest.mark.parametrize(
    "name", ["kohya_conv", "locon", "loha", "lokr", "adalora", "mlx", "peft_experts_3d", "dtype_f8_e4m3"]
)
def test_the_code_of_other_kinds_of_layer_asks_our_reader(own, tmp_path, name):
    data = next(data for file, data in FIXTURES[name].files.items() if file.endswith(".safetensors"))
    (tmp_path / "a.safetensors").write_bytes(data)
    assert asyncio.run(send(own, "a.safetensors", data)).startswith("Read a.safetensors: ")
    for r in (0, 1):
        agrees(own, r)


def test_the_code_needs_only_what_it_imports(own, tmp_path):
    (tmp_path / "a.csv").write_bytes(FILES["commas.csv"])
    asyncio.run(send(own, "a.csv", FILES["commas.csv"]))
    assert own.rank.snippet().startswith("import numpy as np\n")
    assert "{" not in own.rank.snippet().replace("{error:.1%}", "")

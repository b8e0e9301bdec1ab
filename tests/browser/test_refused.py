"""A file that cannot be used gets a sentence, and the matrix before it stays."""

import io
import pickle
import struct

import numpy as np
import pytest
from playwright.sync_api import expect

from compute.adapters.formats.contents import usable
from compute.adapters.formats.reading import read_bytes
from compute.numbers.files import read_matrix
from helpers.browser import give, instrument, move, until_quiet
from helpers.foreign_files import npy, npy_header, png_of_size, refusal, safetensors
from helpers.spoken import live_part, say, saying
from widgets.live.own_matrix import ENDINGS, READ, WORDS

COARSE = (
    "The matrix is {out:,d} × {in:,d}, too large to draw: the pictures show every {row} row and every {column} column. "
    "The curves and all numbers are those of the whole matrix."
)
GOOD = "good.csv", b"1,2,3\n4,5,6\n7,8,10\n"
LIE = {"a.lora_A.weight": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 10**12]}}


def objects() -> bytes:
    """Return an array of Python objects, which NumPy stores as a pickle."""
    stream = io.BytesIO()
    np.save(stream, np.array([[{}, None], [1, "x"]], dtype=object), allow_pickle=True)
    return stream.getvalue()


BAD = {
    "pickle.npy": pickle.dumps([[1.0, 2.0], [3.0, 4.0]]),
    "objects.npy": objects(),
    "nan.npy": npy(np.array([[1.0, 2.0], [np.nan, 4.0]])),
    "infinity.csv": b"1,2\ninf,4\n",
    "line.npy": npy(np.arange(9.0)),
    "cube.npy": npy(np.ones((3, 3, 3))),
    "zeros.npy": npy(np.zeros((4, 4))),
    "words.csv": b"this,file\nholds,words\nand,more\n",
    "ragged.csv": b"1,2,3\n4,5\n",
    "lie.npy": npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (4096, 4096), }"),
    "huge.npy": npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**9, 10**9), }"),
    "lying.safetensors": safetensors(LIE, b"\0" * 64),
    "long-header.safetensors": struct.pack("<Q", 2**62) + b"{}",
    "no-adapter.safetensors": safetensors(
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4
    ),
    "bomb.png": png_of_size(100_000, 100_000),
    "large.png": png_of_size(5000, 5000),
    "no-image.png": b"not an image at all",
    "<b>bold</b>.npy": b"nothing",
}


@pytest.fixture
def live(open_page, server):
    """Open the live part with a good matrix in it, and look at what the websocket carries."""
    page = open_page("about:blank")
    page.sent = []
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda frame: page.sent.append(len(frame))),
    )
    page.goto(live_part(server, "rank/own"))
    expect(give(page, *GOOD)).to_have_text(say(READ, name="good.csv", out=3, in_=3))
    root = instrument(page)
    root.get_by_role("button", name=say("Skip")).click()
    expect(root.locator(".sentence")).to_contain_text("good.csv")
    return page


def read_layers(data: bytes) -> None:
    usable(read_bytes({"a.safetensors": data}))


def test_each_bad_file_gets_its_sentence_and_changes_nothing(live):
    root = instrument(live)
    before = move(root, 2)[0]
    dialogs = []
    live.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for name, data in BAD.items():
        why = (
            refusal(lambda data: usable(read_bytes({"a.safetensors": data})), data)
            if name.endswith("safetensors")
            else refusal(read_matrix, name, data)
        )
        expect(give(live, name, data)).to_have_text(why)
        assert move(root, 2)[0] == before, name
    assert dialogs == []


def test_the_same_bad_file_again_gets_its_sentence_again(live):
    for _ in range(2):
        expect(give(live, "words.csv", BAD["words.csv"])).to_have_text(
            refusal(read_matrix, "words.csv", BAD["words.csv"])
        )
    expect(give(live, *GOOD)).to_have_text(say(READ, name="good.csv", out=3, in_=3))


def test_a_large_an_empty_and_a_strange_file_are_not_even_read(live, tmp_path):
    root = instrument(live)
    before = move(root, 1)[0]
    until_quiet(live, live.sent)
    live.sent.clear()
    large = tmp_path / "large.npy"
    with large.open("wb") as file:
        file.truncate(300_000_000)  # sparse: it takes no room on the disk
    said = live.locator(".lora-upload .notice")
    live.get_by_label(say("Your file")).set_input_files(large)
    expect(said).to_have_text(say(WORDS["tooLarge"], size=300, most=150))
    expect(give(live, "empty.npy", b"")).to_have_text(say(WORDS["empty"]))
    strange = say(WORDS["unknown"], endings=", ".join(ENDINGS))
    expect(give(live, "model.pkl", pickle.dumps({"a": 1}))).to_have_text(strange)
    expect(give(live, "<img src=x onerror=alert(1)>.exe", b"MZ")).to_have_text(strange)
    assert live.sent == []
    assert move(root, 1)[0] == before


def test_a_transfer_of_several_pieces(live, rng):
    matrix = rng.standard_normal((900, 700))  # 5 MB: two pieces
    expect(give(live, "larger.npy", npy(matrix))).to_have_text(say(READ, name="larger.npy", out=900, in_=700))
    root = instrument(live)
    expect(root.locator(".note")).to_have_text(saying(COARSE, out=900, **{"in": 700}))
    expect(root.get_by_role("slider", name=say("Rank r"))).to_have_attribute("max", "700")
    assert sum(live.sent) > matrix.nbytes
    assert max(live.sent) < 6_000_000

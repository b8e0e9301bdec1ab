"""An upload comes in pieces, from a browser or from a program that poses as one."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from compute.numbers.files import MAX_BYTES
from helpers.foreign_files import checked, npy, short
from helpers.uploading import begin, give, send, stop
from widgets.live import own_matrix as module
from widgets.live.own_matrix import BROKEN, MAX_NAME, OwnMatrix

MATRIX = np.arange(1.0, 43.0).reshape(6, 7) % 5
CSV = b"1,2,3\n4,5,7\n"


@pytest.fixture
def own(monkeypatch) -> OwnMatrix:
    """Give one reader's part; each test has a loop of its own, and so a lock of its own."""
    monkeypatch.setattr(module, "_one_at_a_time", asyncio.Semaphore(1))
    return OwnMatrix()


def is_idle(own: OwnMatrix) -> bool:
    """Say whether no file is waited for and none is held."""
    return own.upload.wanted == -1 and own._data == b"" and own.upload.chunk == b""


@pytest.mark.parametrize("piece", [1, 7, 100, 10**6])
def test_pieces_of_any_length_make_the_file(own, piece):
    data = npy(MATRIX)
    assert asyncio.run(send(own, "a.npy", data, piece)) == "Read a.npy: 6 × 7."
    U, s, Vh = own.rank.matrix.svd
    np.testing.assert_allclose((U * s) @ Vh, MATRIX, atol=1e-12)


def test_the_same_bad_file_twice_is_answered_twice(own):
    heard = []
    own.upload.param.watch(lambda event: heard.append(event.new), "said")

    async def play():
        await send(own, "words.csv", b"a,b\nc,d\n")
        await send(own, "words.csv", b"a,b\nc,d\n")

    asyncio.run(play())
    assert [words for words in heard if words.startswith("The file has")] == [own.upload.said] * 2


def test_the_same_good_file_twice_is_read_twice(own):
    async def play():
        await send(own, "a.csv", CSV)
        first = own.rank.matrix
        assert await send(own, "a.csv", CSV) == "Read a.csv: 2 × 3."
        assert own.rank.matrix is not first

    asyncio.run(play())


def test_a_long_file_name_keeps_its_ending(own):
    name = "x" * (MAX_NAME - 4) + ".csv"
    assert asyncio.run(send(own, name, CSV)) == f"Read {name}: 2 × 3."


@pytest.mark.parametrize(
    "declared",
    [
        "",
        "[]",
        "null",
        "7",
        '"a.npy"',
        "{",
        "[" * 100_000,
        '{"size": 9, "name": 1}',
        '{"size": "9", "name": "a.npy"}',
        '{"size": null, "name": "a.npy"}',
        '{"size": 1.5, "name": "a.npy"}',
        '{"size": true, "name": "a.npy"}',
        '{"size": -1, "name": "a.npy"}',
        '{"size": NaN, "name": "a.npy"}',
        '{"size": 1e999, "name": "a.npy"}',
        '{"size": [1], "name": "a.npy"}',
        '{"size": ' + "9" * 5000 + ', "name": "a.npy"}',
    ],
    ids=short,
)
def test_a_declaration_that_makes_no_sense_gets_a_sentence(own, caplog, declared):
    async def play():
        await send(own, "a.csv", CSV)
        shown = own.rank.matrix
        own.upload.file = declared
        assert own.upload.said == BROKEN
        assert is_idle(own)
        await give(own, 0, b"x" * 100)
        assert own._data == b""
        assert own.rank.matrix is shown
        assert await send(own, "b.csv", CSV) == "Read b.csv: 2 × 3."

    asyncio.run(play())
    assert not caplog.records


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 10**12, 10**400])
def test_a_file_that_is_declared_too_large_is_refused_before_it_comes(own, size):
    begin(own, "a.npy", size)
    assert "at most 150,000,000 can be read." in checked(own.upload.said)
    assert is_idle(own)


def test_the_largest_file_is_waited_for_without_its_memory(own):
    begin(own, "a.npy", MAX_BYTES)
    assert own.upload.wanted == 0
    assert own._data.__alloc__() < 100


@pytest.mark.parametrize("declared", ['{"name": "a.npy", "size": 0}', '{"name": "a.npy"}'])
def test_an_empty_file_is_said_to_be_empty(own, declared):
    own.upload.file = declared
    assert own.upload.said == "The file is empty. A matrix needs at least two rows and two columns."
    assert is_idle(own)


def test_pieces_that_do_not_fit_are_ignored(own):
    async def play():
        begin(own, "a.csv", len(CSV))
        for position, piece in [(1, CSV), (10**18, CSV), (0, b"")]:
            await give(own, position, piece)
            assert own.upload.wanted == 0
            assert own._data == b""
        own.upload.chunk = b"short"
        await give(own, 0, CSV[:5])
        assert own.upload.wanted == 5
        await give(own, 0, CSV[:5])  # once more
        assert own.upload.wanted == 5
        await give(own, 5, CSV[5:])
        assert own.upload.said == "Read a.csv: 2 × 3."
        await give(own, len(CSV), b"more")

    asyncio.run(play())
    assert own.upload.wanted == -1
    assert own._data == b""


def test_too_many_bytes_end_the_transfer(own):
    async def play():
        begin(own, "a.csv", len(CSV))
        await give(own, 0, CSV[:5])
        await give(own, 5, CSV)
        assert own.upload.said == "More bytes came than the file has."
        assert own._data == b""
        await give(own, 5, CSV[5:])
        assert own.rank.matrix is None
        assert await send(own, "b.csv", CSV) == "Read b.csv: 2 × 3."

    asyncio.run(play())


def test_a_stopped_transfer_leaves_nothing(own):
    async def play():
        begin(own, "a.csv", len(CSV))
        await give(own, 0, CSV[:5])
        stop(own)
        assert is_idle(own)
        await give(own, 5, CSV[5:])
        assert own.rank.matrix is None
        assert own._data == b""
        await give(own, 0, CSV)
        assert own.rank.matrix is None

    asyncio.run(play())


def test_a_file_that_was_stopped_can_be_sent_again(own):
    async def play():
        begin(own, "a.csv", len(CSV))
        await give(own, 0, CSV[:5])
        stop(own)
        assert await send(own, "a.csv", CSV, piece=5) == "Read a.csv: 2 × 3."

    asyncio.run(play())


def test_another_file_takes_the_place_of_one_that_is_coming(own):
    async def play():
        begin(own, "a.npy", 1000)
        await give(own, 0, b"x" * 500)
        assert await send(own, "b.csv", CSV) == "Read b.csv: 2 × 3."

    asyncio.run(play())


def test_the_bytes_are_let_go_when_they_are_read(own):
    asyncio.run(send(own, "a.npy", npy(MATRIX)))
    assert is_idle(own)
    assert own.rank.matrix is not None


def test_a_file_that_is_overtaken_is_not_shown(own, monkeypatch):
    slow, entered, original = threading.Event(), threading.Event(), module.own_matrix

    def factor(delta_w, label, load):
        if label == "slow.csv":
            entered.set()
            assert slow.wait(10)
        return original(delta_w, label, load)

    monkeypatch.setattr(module, "own_matrix", factor)

    async def play(then):
        entered.clear()
        slow.clear()
        running = asyncio.ensure_future(own.read("slow.csv", CSV))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        then()
        slow.set()
        await running

    async def plays():
        await send(own, "a.npy", npy(MATRIX))
        shown, said = own.rank.matrix, own.upload.said
        await play(lambda: stop(own))
        assert (own.rank.matrix, own.upload.said) == (shown, said)
        await play(lambda: begin(own, "next.csv", len(CSV)))
        assert own.rank.matrix is shown
        await give(own, 0, CSV)
        assert own.rank.matrix.label == "next.csv"
        assert own.upload.said == "Read next.csv: 2 × 3."

    asyncio.run(plays())

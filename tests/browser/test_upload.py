"""The reader's own matrix or adapter, brought to the live part: what it shows is what NumPy finds."""

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from safetensors.numpy import save

from compute.adapters.formats.reading import read_bytes
from compute.numbers.files import read_matrix
from helpers.browser import give, instrument, move, open_everything, sentence, table, violations
from helpers.foreign_files import image, npy
from helpers.spoken import live_part, say
from widgets.kit.matrix import adapter_matrix, own_matrix
from widgets.live.own_matrix import READ, READ_ADAPTER, unscaled
from widgets.rank import Rank

LAYERS = ["base_model.model.h.0.attn.c_attn", "base_model.model.h.1.mlp.c_fc"]


def adapter(rng) -> bytes:
    """Return an adapter in PEFT's format: two layers of r = 4, of different shapes."""
    tensors = {}
    for i, layer in enumerate(LAYERS):
        tensors[f"{layer}.lora_A.weight"] = rng.standard_normal((4, 24 + 8 * i)).astype(np.float32)
        tensors[f"{layer}.lora_B.weight"] = rng.standard_normal((36 - 4 * i, 4)).astype(np.float32)
    return save(tensors)


def files(rng) -> dict[str, bytes]:
    """Return one file of each kind that holds a matrix."""
    rows = rng.standard_normal((12, 9))
    grey = Image.fromarray(rng.integers(0, 256, (17, 24), dtype=np.uint8))
    return {
        "wide.npy": npy(rng.standard_normal((20, 30))),
        "tall.csv": "\n".join(",".join(map(repr, map(float, row))) for row in rows).encode(),
        "picture.png": image(grey),
    }


def assert_shows(root, figure: Rank) -> None:
    k = len(figure._factored().svd.s)
    for r, one in enumerate(move(root, *range(k + 1))):
        assert one["sentence"] == sentence(figure, r)
    expected = figure.table()[1]
    expect(root.locator("tbody tr")).to_have_count(k + 1)
    expect(root.locator("tbody tr").nth(1)).to_have_text("".join(expected[1]))
    assert table(root) == expected


def test_a_matrix_of_each_kind(open_page, server, rng):
    page = open_page(live_part(server, "rank/own"))
    first = True
    for name, data in files(rng).items():
        matrix = own_matrix(read_matrix(name, data), name, "")
        said = give(page, name, data)
        out, into = matrix.svd.shape
        expect(said).to_have_text(say(READ, name=name, out=out, in_=into))
        root = instrument(page)
        if first:
            root.get_by_role("button", name=say("Skip")).click()
            root.get_by_text(say("Numbers as a table"), exact=True).click()
            first = False
        expect(root.locator(".sentence")).to_contain_text(name)
        assert_shows(root, Rank(matrix=matrix))
        expect(page.get_by_label(say("Layer"), exact=True)).to_have_count(0)


def test_every_layer_of_an_adapter(open_page, server, rng):
    data = adapter(rng)
    layers = {layer.name: layer for layer in read_bytes({"a.safetensors": data}).layers}
    page = open_page(live_part(server, "rank/own"))
    said = give(page, "adapter_model.safetensors", data)
    expect(said).to_have_text(
        say(
            READ_ADAPTER, name="adapter_model.safetensors", layers=say("{layers:,d} adapted layers", layers=2)
        )
    )
    root = instrument(page)
    root.get_by_role("button", name=say("Skip")).click()
    root.get_by_text(say("Numbers as a table"), exact=True).click()
    for name, layer in reversed(list(layers.items())):
        page.get_by_label(say("Layer"), exact=True).select_option(label=name)
        expect(root.locator(".sentence")).to_contain_text(name)
        assert_shows(root, Rank(matrix=adapter_matrix(unscaled(layer), name, "")))
        expect(root.get_by_role("slider", name=say("Rank r"))).to_have_attribute("max", "4")


def test_the_lesson_opens_it_in_the_page(open_page, server, rng):
    page = open_page("about:blank")
    unprotected, answers = [], []

    def look(response):
        if response.url.startswith("http"):
            answers.append(response.url)
            if "content-security-policy" not in response.headers:
                unprotected.append(response.url)

    page.on("response", look)
    page.goto(f"{server}/lesson/rank.html?theme=dark")
    page.get_by_role("button", name=say("Open your own matrix or adapter")).click()
    live = page.frame_locator(".live-frame")
    expect(live.get_by_label(say("Your file"))).to_be_visible()
    expect(live.locator("html")).to_have_attribute("data-theme", "dark")
    before = page.locator(".live-frame").bounding_box()["height"]
    said = give(live, "<img src=x onerror=alert(1)>.csv", b"1,2\n3,5\n")
    expect(said).to_have_text(say(READ, name="<img src=x onerror=alert(1)>.csv", out=2, in_=2))
    root = live.locator(".lora-rank")
    root.get_by_role("button", name=say("Skip")).click()
    expect(root.locator(".sentence")).to_contain_text("<img src=x onerror=alert(1)>.csv")
    expect(live.locator(".lora img")).to_have_count(0)
    page.wait_for_function(
        "before => document.querySelector('.live-frame').offsetHeight > before", arg=before
    )
    assert len(answers) > 10
    assert unprotected == []
    assert page.context.cookies() == []


def test_two_readers_never_see_each_others_file(open_page, server):
    ann, bob = (open_page(live_part(server, "rank/own")) for _ in range(2))
    expect(give(ann, "ann.csv", b"1,2\n3,5\n")).to_have_text(say(READ, name="ann.csv", out=2, in_=2))
    expect(bob.get_by_label(say("Your file"))).to_be_visible()
    expect(bob.locator(".lora-rank")).not_to_be_visible()
    expect(give(bob, "bob.csv", b"1,0,0\n0,1,0\n0,0,1\n")).to_have_text(
        say(READ, name="bob.csv", out=3, in_=3)
    )
    for page, name in ((ann, "ann"), (bob, "bob")):
        root = instrument(page)
        root.get_by_role("button", name=say("Skip")).click()
        expect(root.locator(".sentence")).to_contain_text(f"{name}.csv")
    assert "bob" not in ann.locator("body").inner_text()
    assert "ann" not in bob.locator(".lora-rank").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_live_part(open_page, server, rng, scheme):
    page = open_page(live_part(server, "rank/own"), color_scheme=scheme)
    expect(page.get_by_label(say("Your file"))).to_be_visible()
    assert violations(page) == []
    give(page, "adapter.safetensors", adapter(rng))
    root = instrument(page)
    root.get_by_role("button", name=say("Skip")).click()
    open_everything(page)
    expect(root.locator("tbody tr").first).to_be_visible()
    assert violations(page) == []

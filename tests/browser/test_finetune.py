"""Training in the page: what it computes is what torch computes, and the page stays the reader's."""

from __future__ import annotations

import re
from functools import cache

import pytest
import torch
from playwright.sync_api import Page, expect

from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.model.checkpoint import load_base
from compute.training.config import Evaluation
from compute.training.loop import evaluate, prepare, updates
from helpers.browser import instrument, open_drawer
from widgets.finetune import Finetune

torch.set_num_threads(1)
FEW = {"facts": "8", "batch": 8, "steps": 10}
SHORT = "facts=8&batch=8&steps=10"
WAIT_MS = 60_000  # a busy machine trains slowly


@cache
def by_torch(**choices: str | int) -> tuple[Evaluation, torch.nn.Module]:
    """Return what a run of the figure comes to with torch, and its model."""
    config = Finetune(**choices).config()
    model = prepare(config, load_base())
    for _ in updates(model, config):
        pass
    return evaluate(model, config.task, config.n_texts), model


def finetune(page: Page, steps: int = 10) -> None:
    page.get_by_role("button", name="Finetune", exact=True).click()
    expect(page.locator(".lora-finetune")).to_have_attribute("data-step", str(steps), timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Finetune again")).to_be_visible(timeout=WAIT_MS)


def last_row(page: Page) -> list[str]:
    drawer = open_drawer(instrument(page, "finetune"), "Numbers as a table")
    return drawer.locator("tr").last.locator(":is(th, td)").all_text_contents()


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"size": "full"},
        {"size": "4", "rule": "root", "init": "mixed", "matrices": "qv", "embeddings": "yes", "mixed": "25"},
        {"task": "mirror-voice", "size": "2", "optimizer": "sgd", "rate": "0.1", "seed": 5},
        {"workers": "2", "size": "2"},
    ],
    ids=str,
)
def test_the_page_computes_what_torch_computes(choices, open_page, exported):
    figure = Finetune(**FEW | choices)
    page = open_page(exported / "file" / "lab-finetune.html", offline=True)
    query = "&".join(f"{name}={value}" for name, value in (FEW | choices).items())
    page.goto(f"{page.url}?{query}")
    expect(page.locator(".lora-finetune .sentence")).to_have_text(figure.sentence())
    finetune(page)
    evaluation, _ = by_torch(**FEW | choices)
    *shares, loss = last_row(page)
    right = evaluation.right
    assert shares == ["10", *(f"{100 * right[name]:.1f}%" for name in ("task", "facts", "stories"))]
    assert float(loss) == pytest.approx(evaluation.validation_loss, abs=6e-4)  # shown with three decimals


def test_real_peft_files_come_out(open_page, server, tmp_path):
    page = open_page(f"{server}/embed/lab/finetune.html?{SHORT}&size=2&blocks=1", accept_downloads=True)
    finetune(page)
    found = {}
    page.on("download", lambda download: found.setdefault(download.suggested_filename, download))
    page.get_by_role("button", name="Take what was learned").click()
    for _ in range(100):
        if len(found) == 2:
            break
        page.wait_for_timeout(100)
    for name, download in found.items():
        download.save_as(tmp_path / name)
    assert sorted(found) == ["adapter_config.json", "adapter_model.safetensors"]
    peft = pytest.importorskip("peft")
    theirs = peft.PeftModel.from_pretrained(load_base(), tmp_path)
    weights, config = (tmp_path / name for name in sorted(found, reverse=True))
    ours = load_adapter(load_base(), AdapterFiles(weights.read_bytes(), config.read_text()))
    tokens = torch.arange(64)[None] % 300
    _, model = by_torch(**FEW, size="2", blocks="1")
    with torch.no_grad():
        wanted = model(tokens)
        # The same steps in another order of sums, ten of them.
        assert torch.allclose(theirs(tokens), wanted, atol=1e-3)
        assert torch.allclose(ours(tokens), wanted, atol=1e-3)


def test_its_code_asks_torch_for_the_same_run(open_page, exported):
    for choices in (
        {},
        {"size": "full", "task": "formal-voice"},
        {"matrices": "q_proj", "blocks": "0", "alpha": "r"},
    ):
        query = "&".join(f"{name}={value}" for name, value in choices.items())
        page = open_page(exported / "file" / "lab-finetune.html", offline=True)
        page.goto(f"{page.url.partition('?')[0]}?{query}")
        drawer = open_drawer(instrument(page, "finetune"), "The code behind this number")
        expect(drawer.locator("textarea")).to_have_value(Finetune(**choices).snippet())


def test_it_pauses_steps_goes_back_and_begins_again(open_page, server):
    page = open_page(f"{server}/embed/lab/finetune.html?{SHORT}&steps=200&pace=slow")
    root = page.locator(".lora-finetune")
    page.get_by_role("button", name="Finetune", exact=True).click()
    expect(root).to_have_attribute("data-step", re.compile("[1-9]"), timeout=WAIT_MS)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    page.wait_for_timeout(300)  # news that were on their way
    at = int(root.get_attribute("data-step"))
    for more in range(1, 6):
        page.get_by_role("button", name="Step", exact=True).click()
        expect(root).to_have_attribute("data-step", str(at + more), timeout=WAIT_MS)
    sentence = root.locator(".sentence")
    expect(sentence).to_contain_text("After 5 steps")
    slider = page.get_by_role("slider", name="Step", exact=True)
    slider.focus()
    slider.press("Home")
    expect(sentence).to_contain_text("After 0 steps")
    slider.press("End")
    expect(sentence).to_contain_text("After 5 steps")
    page.get_by_role("button", name="Reset").click()
    expect(sentence).to_have_text(Finetune(**FEW).sentence())


def test_a_run_that_diverges_says_so(open_page, server):
    page = open_page(f"{server}/embed/lab/finetune.html?facts=8&rate=1&size=full&batch=8")
    page.get_by_role("button", name="Finetune", exact=True).click()
    expect(page.locator(".problem")).to_contain_text("has diverged", timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Take what was learned")).to_have_count(0)


def test_where_the_policy_forbids_it_one_sentence_says_so(open_page, server):
    page = open_page(f"{server}/embed/lab/finetune.html")

    def forbid(route):
        answer = route.fetch()
        headers = answer.headers | {"content-security-policy": "default-src 'self'; style-src 'self'"}
        route.fulfill(response=answer, headers=headers)

    page.route("**/embed/lab/finetune.html", forbid)
    page.reload()
    page.get_by_role("button", name="Finetune", exact=True).click()
    expect(page.locator(".problem")).to_contain_text("does not let a page compute", timeout=WAIT_MS)
    page.said.clear()  # the browser tells of its policy


def test_only_pages_that_train_may_compile(open_page, server):
    page = open_page(f"{server}/index.html")
    wanted = {"index.html", "lesson/lab.html", "embed/lab/finetune.html", "file/lab-finetune.html"}
    said = {
        path: page.request.get(f"{server}/{path}").headers["content-security-policy"]
        for path in ("lesson/rank.html", "embed/lab/lab.html", "file/lab-lab.html", *wanted)
    }
    for more in ("'wasm-unsafe-eval'", "worker-src blob:"):
        assert {path for path, policy in said.items() if more in policy} == wanted
    assert all("'unsafe-eval'" not in policy for policy in said.values())

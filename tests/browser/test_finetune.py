"""Training in the page: what it computes is what torch computes, and the page stays the reader's."""

from __future__ import annotations

import copy
import json
import re
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from compute.adapters.layer import lora_layers
from compute.experiments.watched import load_watched
from compute.model.checkpoint import load_base
from compute.training.config import Evaluation, TrainConfig
from compute.training.loop import evaluate, prepare, updates
from helpers.browser import instrument, open_drawer
from helpers.spoken import english_only, filled, numbers_in, say, saying
from widgets.finetune import Finetune
from widgets.finetune.words import ODD_RANK, WORDS

torch.set_num_threads(1)
SENTENCES, REFUSED = WORDS["sentences"], WORDS["refused"]
FEW = {"facts": "8", "batch": 8, "steps": 10}
SHORT = "facts=8&batch=8&steps=10"
WAIT_MS = 60_000  # a busy machine trains slowly


@cache
def by_torch(**choices: str | int) -> tuple[Evaluation, torch.nn.Module]:
    """Return what a run of the figure comes to with torch, and its model."""
    config = Finetune(**choices).config()
    return trained(config, prepare(config, load_base()))


def trained(config: TrainConfig, model: torch.nn.Module) -> tuple[Evaluation, torch.nn.Module]:
    for _ in updates(model, config):
        pass
    return evaluate(model, config.task, config.n_texts), model


def rounding(**choices: str | int) -> float:
    """Return how far float32 takes torch's own loss from that of the same run in float64."""
    config = Finetune(**choices).config()
    exact, _ = trained(config, prepare(config, load_base()).double())
    return abs(exact.validation_loss - by_torch(**choices)[0].validation_loss)


def finetune(page: Page, steps: int = 10) -> None:
    page.get_by_role("button", name=say("Finetune"), exact=True).click()
    expect(page.locator(".lora-finetune")).to_have_attribute("data-step", str(steps), timeout=WAIT_MS)
    expect(page.get_by_role("button", name=say("Finetune again"))).to_be_visible(timeout=WAIT_MS)


def last_row(page: Page) -> list[float]:
    drawer = open_drawer(instrument(page, "finetune"), "Numbers as a table")
    row = drawer.locator("tbody tr").last
    row.wait_for()  # it is written when the drawer has opened
    return numbers_in(" ".join(row.locator(":is(th, td)").all_text_contents()))


# Per cent: after ten steps in float32 an answer of a hundred may be so close to another that a CPU's rounding decides.
FLIPPED = 1.1


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"size": "full"},
        {"size": "4", "rule": "root", "init": "mixed", "matrices": "qv", "embeddings": "yes", "mixed": "25"},
        {"task": "mirror-voice", "size": "2", "optimizer": "sgd", "rate": "0.1", "seed": 5},
        {"task": "who-had-it-first", "examples": "16", "size": "2"},
        {"workers": "2", "size": "2"},
        {"size": "2", "lengths": "yes", "init": "A=0", "blocks": "1"},
        {"size": "2", "init": "orthogonal"},
    ],
    ids=str,
)
def test_the_page_computes_what_torch_computes(choices, open_page, exported):
    figure = Finetune(**FEW | choices)
    page = open_page(exported / "file" / "first-finetune.html", offline=True)
    query = "&".join(f"{name}={value}" for name, value in (FEW | choices).items())
    page.goto(f"{page.url}?{query}")
    expect(page.locator(".lora-finetune .sentence")).to_have_text(figure.sentence())
    finetune(page)
    evaluation, _ = by_torch(**FEW | choices)
    step, *shares, loss = last_row(page)
    right = evaluation.right
    assert step == 10
    asked = [100 * right[name] for name in ("task", "facts", "stories")]
    assert shares == pytest.approx(asked, abs=FLIPPED)
    off = abs(loss - evaluation.validation_loss)
    # It is shown with three decimals. Where embeddings learn, AdamW makes whole steps of gradients that are rounding.
    assert off < 6e-4 or off < 6e-4 + rounding(**FEW | choices)


def test_an_orthogonal_start_of_an_odd_rank_is_refused_with_a_sentence_and_kept(open_page, server):
    page = open_page(f"{server}/embed/first/finetune.html?{SHORT}&init=orthogonal")
    root = page.locator(".lora-finetune")
    said, step = root.locator(".problem"), page.get_by_role("button", name=say("Step"), exact=True)
    train = page.get_by_role("button", name=say("Finetune"), exact=True)
    expect(said).to_have_text(say(ODD_RANK, r=1))
    expect(train).to_be_disabled()
    expect(step).to_be_disabled()
    root.locator("summary", has_text=say("More settings")).click()
    start = root.get_by_label(say("Start"), exact=True)
    expect(start).to_have_value("orthogonal")  # as the reader chose it
    page.wait_for_timeout(1000)  # in which another run would have been made ready
    size = root.get_by_label(say("What learns"), exact=True)
    for others, value in (
        (root.get_by_label(say("Lengths of the rows")), "yes"),
        (size, "full"),
        (size, "2"),
    ):
        before = others.input_value()
        others.select_option(value)
        expect(said).to_be_empty()
        expect(train).to_be_enabled()
        others.select_option(before)
        expect(said).to_have_text(say(ODD_RANK, r=1))
    size.select_option("2")
    expect(start).to_have_value("orthogonal")
    finetune(page)
    size.select_option("1")
    expect(said).to_have_text(say(ODD_RANK, r=1))
    start.select_option("B=0")
    expect(said).to_be_empty()
    finetune(page)


TWICE = """() => {
  const say = Worker.prototype.postMessage
  Worker.prototype.postMessage = function (letter, ...more) {
    say.call(this, letter, ...more)
    if (letter.ready) say.call(this, letter, ...more)
  }
}"""


def test_of_a_run_that_is_asked_for_twice_each_share_counts_once(open_page, exported):
    choices = FEW | {"workers": "2", "size": "2"}
    page = open_page("about:blank")
    page.add_init_script(f"({TWICE})()")
    query = "&".join(f"{name}={value}" for name, value in choices.items())
    page.goto(f"{(exported / 'file' / 'first-finetune.html').as_uri()}?{query}")
    page.wait_for_timeout(3000)  # in which it is made ready
    finetune(page)
    evaluation, _ = by_torch(**choices)
    assert last_row(page)[-1] == pytest.approx(evaluation.validation_loss, abs=6e-4)


def take(page: Page, folder: Path) -> None:
    """Take what was learned, as PEFT's two files, into a folder."""
    found: dict[str, Any] = {}
    page.on("download", lambda download: found.setdefault(download.suggested_filename, download))
    page.get_by_role("button", name=say("Take what was learned")).click()
    for _ in range(100):
        if len(found) == 2:
            break
        page.wait_for_timeout(100)
    assert sorted(found) == ["adapter_config.json", "adapter_model.safetensors"]
    for name, download in found.items():
        download.save_as(folder / name)


def by_peft(folder: Path) -> torch.nn.Module:
    """Return the base with the adapter of a folder, put on by the peft library."""
    peft = pytest.importorskip("peft")
    return peft.PeftModel.from_pretrained(load_base(), folder).get_base_model()


@pytest.mark.parametrize(
    "choices",
    [
        {"size": "2", "blocks": "1"},
        {"size": "4", "init": "PiSSA", "optimizer": "sgd", "rate": "0.003"},
        {"size": "2", "lengths": "yes", "matrices": "mlp"},
        # With AdamW torch's own rounding moves an answer by more than a whole logit from there.
        {"size": "4", "init": "orthogonal", "optimizer": "sgd", "rate": "0.01"},
    ],
    ids=str,
)
def test_real_peft_files_come_out(choices, open_page, server, tmp_path):
    query = "&".join(f"{name}={value}" for name, value in choices.items())
    page = open_page(f"{server}/embed/first/finetune.html?{SHORT}&{query}", accept_downloads=True)
    finetune(page)
    take(page, tmp_path)
    tokens = torch.arange(64)[None] % 300
    _, model = by_torch(**FEW, **choices)
    with torch.no_grad():
        # The same steps in another order of sums, ten of them.
        assert torch.allclose(by_peft(tmp_path)(tokens), model(tokens), atol=1e-3)


def test_its_code_asks_torch_for_the_same_run(open_page, exported):
    for choices in (
        {},
        {"size": "full", "task": "formal-voice"},
        {"matrices": "q_proj", "blocks": "0", "alpha": "r"},
    ):
        query = "&".join(f"{name}={value}" for name, value in choices.items())
        page = open_page(exported / "file" / "first-finetune.html", offline=True)
        page.goto(f"{page.url.partition('?')[0]}?{query}")
        drawer = open_drawer(instrument(page, "finetune"), "The code behind this number")
        expect(drawer.locator("textarea")).to_have_value(Finetune(**choices).snippet())


def test_it_pauses_steps_goes_back_and_begins_again(open_page, server):
    page = open_page(f"{server}/embed/first/finetune.html?{SHORT}&steps=200&pace=slow")
    root = page.locator(".lora-finetune")
    page.get_by_role("button", name=say("Finetune"), exact=True).click()
    expect(root).to_have_attribute("data-step", re.compile("[1-9]"), timeout=WAIT_MS)
    page.get_by_role("button", name=say("Pause")).click()
    expect(page.get_by_role("button", name=say("Go on"))).to_be_visible()
    page.wait_for_timeout(300)  # news that were on their way
    at = int(root.get_attribute("data-step"))
    for more in range(1, 6):
        page.get_by_role("button", name=say("Step"), exact=True).click()
        expect(root).to_have_attribute("data-step", str(at + more), timeout=WAIT_MS)
    sentence = root.locator(".sentence")
    expect(sentence).to_have_text(saying(SENTENCES["running"], step=5))
    slider = page.get_by_role("slider", name=say("Step"), exact=True)
    slider.focus()
    slider.press("Home")
    expect(sentence).to_have_text(saying(SENTENCES["running"], step=0))
    slider.press("End")
    expect(sentence).to_have_text(saying(SENTENCES["running"], step=5))
    page.get_by_role("button", name=say("Reset")).click()
    expect(sentence).to_have_text(Finetune(**FEW).sentence())


def test_a_run_that_diverges_says_so(open_page, server):
    page = open_page(f"{server}/embed/first/finetune.html?facts=8&rate=1&size=full&batch=8")
    page.get_by_role("button", name=say("Finetune"), exact=True).click()
    expect(page.locator(".problem")).to_have_text(say(WORDS["diverged"]), timeout=WAIT_MS)
    expect(page.get_by_role("button", name=say("Take what was learned"))).to_have_count(0)


def forbid(page: Page, path: str) -> None:
    """Let a page load what its own site has, and nothing else: no WebAssembly, no Worker from a blob."""

    def answer(route):
        found = route.fetch()
        headers = found.headers | {"content-security-policy": "default-src 'self'; style-src 'self'"}
        route.fulfill(response=found, headers=headers)

    page.route(path, answer)


def test_where_the_policy_forbids_it_a_recorded_run_plays_and_one_sentence_says_why(open_page, server):
    page = open_page(f"{server}/index.html")
    forbid(page, "**/embed/first/finetune.html*")
    other = {"task": "mirror-voice", "size": "4"}  # than what was recorded
    page.goto(f"{server}/embed/first/finetune.html?{SHORT}&task=mirror-voice&size=4")
    sentence = page.locator(".lora-finetune .sentence")
    expect(sentence).to_have_text(Finetune(**FEW | other).sentence())
    page.get_by_role("button", name=say("Finetune"), exact=True).click()
    expect(page.locator(".problem")).to_have_text(say(WORDS["problems"]["forbidden"]), timeout=WAIT_MS)
    expect(sentence).to_have_text(saying(SENTENCES["recorded"]))
    expect(page.get_by_text(say(WORDS["recorded"]))).to_have_count(0)
    expect(page.get_by_role("button", name=say("Pause"))).to_be_visible()
    page.get_by_role("button", name=say("Pause")).click()
    slider = page.get_by_role("slider", name=say("Step"), exact=True)
    slider.focus()
    slider.press("End")
    run = load_watched()
    last = run.evaluations[-1]
    told = {"label": "New facts", "how": "LoRA with r = 1", "task": last["task"], "facts": last["facts"]}
    expect(sentence).to_have_text(saying(SENTENCES["recorded"], **told))
    expect(page.locator(".sample.base li").first).to_contain_text(
        say("(lost: {answer})", answer=run.old[0]["answer"])
    )
    page.said.clear()  # the browser tells of its policy


def test_a_recorded_run_is_there_before_anything_is_trained(open_page, exported):
    page = open_page(exported / "lesson" / "first.html", offline=True)
    root = page.locator(".lora-finetune")
    root.scroll_into_view_if_needed()
    sentence = root.locator(".sentence")
    expect(sentence).to_have_text(saying(SENTENCES["recorded"], step=300))
    assert root.get_attribute("data-step") is None  # nothing was made here
    learned = root.locator(".delta_w canvas")
    after = learned.evaluate("canvas => canvas.toDataURL()")
    curves = root.locator(".curve")
    curves.evaluate_all("all => all.forEach((each) => { each.dataset.kept = 'yes' })")
    slider = root.get_by_role("slider", name=say("Step"), exact=True)
    slider.focus()
    slider.press("Home")
    expect(sentence).to_have_text(saying(SENTENCES["recorded"], step=0))
    assert root.locator(".curve[data-kept]").count() == curves.count() == 5  # none was drawn anew
    assert learned.evaluate("canvas => canvas.toDataURL()") != after  # lora_B starts at zero
    root.get_by_label(say("Seed")).evaluate(
        "one => { one.value = 1; one.dispatchEvent(new Event('change')) }"
    )
    expect(sentence).to_have_text(saying(SENTENCES["before"]))
    expect(root.locator(".curve")).to_have_count(0)


def turn(page: Page, tenths: int) -> None:
    page.get_by_role("slider", name=say("Strength")).evaluate(
        "(one, to) => { one.value = to; one.dispatchEvent(new Event('input')) }", tenths
    )


def test_the_strength_dial_multiplies_what_was_learned(open_page, server):
    page = open_page(f"{server}/embed/first/finetune.html?{SHORT}&size=2")
    finetune(page)
    sentence = page.locator(".lora-finetune .sentence")
    _, model = by_torch(**FEW, size="2")
    for tenths in (5, 20, 0):
        turned = copy.deepcopy(model)
        for _, layer in lora_layers(turned):
            layer.scaling *= tenths / 10
        turn(page, tenths)
        expect(sentence).to_have_text(saying(SENTENCES["dialled"], strength=tenths / 10), timeout=WAIT_MS)
        found = evaluate(turned, "new facts", 8)
        told = filled(SENTENCES["dialled"], sentence.inner_text())
        # Shown without decimals, and with two.
        for name in ("task", "facts"):
            assert numbers_in(told[name]) == pytest.approx([100 * found.right[name]], abs=0.5 + FLIPPED)
        assert numbers_in(told["loss"]) == pytest.approx([found.validation_loss], abs=6e-3)
    turn(page, 10)
    expect(sentence).to_have_text(saying(SENTENCES["running"], step=10))


def of_peft(folder: Path, **more: Any) -> tuple[Path, Path]:
    """Write an adapter with the peft library that is far from its start; return its weights and its config."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(1)
    given = {"r": 3, "lora_alpha": 5, "target_modules": ["q_proj", "v_proj"], "use_rslora": True} | more
    model = peft.get_peft_model(load_base(), peft.LoraConfig(**given))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.03)
            if "magnitude" in name:
                p.mul_(1 + 0.1 * torch.randn(p.shape))
    model.save_pretrained(folder)
    return folder / "adapter_model.safetensors", folder / "adapter_config.json"


def between(low: int, high: int) -> str:
    return str(low) if low == high else say(WORDS["between"], low=low, high=high)


def zipped(folder: Path, *paths: Path) -> Path:
    with zipfile.ZipFile(folder / "taken.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, f"adapter/{path.name}")
    return folder / "taken.zip"


SOME_BLOCKS = {"layers_to_transform": [0, 2], "layers_pattern": "blocks"}
V_PROJ = "blocks.1.attention.v_proj"


@pytest.mark.parametrize(
    ("more", "r", "alpha"),
    [
        ({}, (3, 3), (5, 5)),
        (SOME_BLOCKS | {"modules_to_save": ["embed_tokens", "lm_head"]}, (3, 3), (5, 5)),
        ({"rank_pattern": {V_PROJ: 6}, "alpha_pattern": {"v_proj": 7}}, (3, 6), (5, 7)),
        ({"use_dora": True}, (3, 3), (5, 5)),
        ({"r": 4, "init_lora_weights": "orthogonal"}, (4, 4), (5, 5)),
    ],
    ids=["plain", "some blocks, embeddings", "uneven", "DoRA", "orthogonal"],
)
def test_an_adapter_of_peft_is_opened_and_does_what_it_does_in_torch(
    more, r, alpha, open_page, exported, tmp_path
):
    weights, config = of_peft(tmp_path, **more)
    page = open_page(exported / "file" / "first-finetune.html", offline=True, accept_downloads=True)
    page.goto(f"{page.url}?{SHORT}")
    given = [weights, config] if more else [zipped(tmp_path, weights, config)]
    page.get_by_label(say(WORDS["open"])).set_input_files(given)
    sentence = page.locator(".lora-finetune .sentence")
    expect(sentence).to_have_text(
        saying(SENTENCES["running"], step=0, label="New facts", how="your adapter"), timeout=WAIT_MS
    )
    expect(page.locator(".lora-finetune .note")).to_contain_text(
        say(WORDS["opened"], r=between(*r), alpha=between(*alpha))
    )
    model = by_peft(tmp_path)
    found = evaluate(model, "new facts", 8)
    assert found.right != evaluate(load_base(), "new facts", 8).right  # it does something
    *shares, loss = last_row(page)
    assert shares == pytest.approx(
        [0, *(100 * found.right[name] for name in ("task", "facts", "stories"))], abs=0.051
    )
    assert loss == pytest.approx(found.validation_loss, abs=6e-4)
    s = page.locator(".chart", has_text=say(WORDS["charts"]["spectrum"]["title"])).get_by_role("slider")
    s.focus()
    s.press("Home")
    s.press("ArrowRight")
    change = load_base().get_submodule(V_PROJ).weight.detach()
    if not more.keys() & SOME_BLOCKS:
        layer = model.get_submodule(V_PROJ)
        layer.merge()
        change = layer.base_layer.weight.detach() - change
    else:
        change = 0 * change
    probe = saying(
        WORDS["charts"]["spectrum"]["probe"], direction=1, s=float(torch.linalg.matrix_norm(change, 2))
    )
    expect(page.locator(".chart .probe").filter(has_text=probe)).to_have_count(1)
    # And it can be trained on, and taken away again.
    page.get_by_role("button", name=say("Finetune"), exact=True).click()
    expect(sentence).to_have_text(
        saying(SENTENCES["running"], step=10, label="New facts", how="your adapter"), timeout=WAIT_MS
    )
    take(page, tmp_path)
    learned = evaluate(by_peft(tmp_path), "new facts", 8).validation_loss
    assert learned < found.validation_loss - 0.1
    assert last_row(page)[-1] == pytest.approx(learned, abs=6e-4)


def test_files_that_are_no_adapter_are_refused_with_a_sentence(open_page, server, tmp_path):
    weights, config = of_peft(tmp_path)
    page = open_page(f"{server}/embed/first/finetune.html?{SHORT}")
    data, told = weights.read_bytes(), json.loads(config.read_text())
    tensors = load_tensors(data)
    name = next(iter(tensors))
    infinite = save_tensors(tensors | {name: tensors[name] * np.inf})
    elsewhere = save_tensors(tensors | {"base_model.model.head.weight": np.ones((2, 2), np.float32)})
    larger = save_tensors(
        {
            key: np.ones((3, 5), np.float32) if "lora_A" in key else np.ones((5, 3), np.float32)
            for key in tensors
        }
    )
    lies = (2**62).to_bytes(8, "little") + data[8:]
    for given, refused in [
        ([("adapter_model.safetensors", data)], say(REFUSED["both"])),
        ([("a.json", b"[1"), ("a.safetensors", data)], say(REFUSED["json"])),
        ([("a.json", b"[1]"), ("a.safetensors", data)], say(REFUSED["json"])),
        (
            [("a.json", told | {"peft_type": "IA3"}), ("a.safetensors", data)],
            say(REFUSED["kind"], kind="IA3"),
        ),
        (
            [("a.json", told | {"use_qalora": True}), ("a.safetensors", data)],
            say(REFUSED["asks"], name="use_qalora"),
        ),
        ([("a.json", told | {"use_dora": True}), ("a.safetensors", data)], say(WORDS["problems"]["unfit"])),
        (
            [("a.json", told | {"alpha_pattern": {"(v+)+": 2}}), ("a.safetensors", data)],
            saying(REFUSED["pattern"]),
        ),
        ([("a.json", told | {"lora_alpha": "x"}), ("a.safetensors", data)], say(REFUSED["alpha"])),
        ([("a.json", told), ("a.safetensors", data[:-4])], say(REFUSED["damaged"])),
        ([("a.json", told), ("a.safetensors", b"\x80\x04K\x01.")], say(REFUSED["damaged"])),  # a pickle
        ([("a.json", told), ("a.safetensors", lies)], say(REFUSED["damaged"])),
        ([("a.json", told), ("a.safetensors", infinite)], saying(REFUSED["infinite"])),
        ([("a.json", told), ("a.safetensors", elsewhere)], saying(REFUSED["place"])),
        ([("a.json", told), ("a.safetensors", larger)], say(WORDS["problems"]["unfit"])),
        ([("a.zip", b"PK" + bytes(40))], say(REFUSED["archive"])),
        ([("a.zip", bytes(3))], say(REFUSED["archive"])),
    ]:
        files = [
            {
                "name": name,
                "mimeType": "",
                "buffer": content if isinstance(content, bytes) else json.dumps(content).encode(),
            }
            for name, content in given
        ]
        page.get_by_label(say(WORDS["open"])).set_input_files(files)
        expect(page.locator(".problem")).to_have_text(refused, timeout=WAIT_MS)
    # None of this broke anything.
    page.get_by_role("button", name=say("Reset")).click()
    finetune(page)


def test_only_pages_that_train_may_compile(open_page, server):
    page = open_page(f"{server}/index.html")
    wanted = {"index.html", "lesson/first.html", "embed/first/finetune.html", "file/first-finetune.html"}
    said = {
        path: page.request.get(f"{server}/{path}").headers["content-security-policy"]
        for path in ("lesson/rank.html", "embed/lab/lab.html", "file/lab-lab.html", *wanted)
    }
    for more in ("'wasm-unsafe-eval'", "worker-src blob:"):
        assert {path for path, policy in said.items() if more in policy} == wanted
    assert all("'unsafe-eval'" not in policy for policy in said.values())


def test_a_lesson_opens_it_in_the_state_of_its_experiment(open_page, exported):
    page = open_page(exported / "lesson" / "frozen.html", offline=True)
    page.locator("main a[href*='finetune.size=1&finetune.embeddings=yes']").click()
    root = page.locator(".lora-finetune")
    expect(root.get_by_label(say("Task"), exact=True)).to_have_value("new-words")
    expect(root.get_by_label("Embeddings")).to_have_value("yes")
    expect(root.locator(".sentence")).to_have_text(saying(SENTENCES["before"], label="New words"))
    expect(root.locator(".notice")).not_to_be_visible()


@english_only("it leads to the Spanish page by itself")
def test_what_programs_read_of_a_run_is_the_same_in_every_language(open_page, server):
    page = open_page(f"{server}/es/embed/first/finetune.html?{SHORT}")
    page.get_by_role("button", name="Afinar", exact=True).click()
    figure = page.locator(".lora-finetune")
    expect(figure).to_have_attribute("data-steps-per-second", re.compile(r"^[1-9]\d*\.\d$"), timeout=WAIT_MS)
    expect(figure).to_contain_text(re.compile(r"\d,\d pasos por segundo"))

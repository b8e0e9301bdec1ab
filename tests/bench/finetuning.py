"""Training in the page beside torch: steps a second, losses, what a reader waits for, weight, memory, other figures."""

import re
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
import psutil
import torch
from playwright.sync_api import Browser, Page, expect

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.training.config import TrainConfig
from compute.training.loop import OPTIMIZERS, prepare, steps_of, updates
from helpers.native import PLAIN, Native
from tests.bench import HERE, ticks
from tests.bench.pages import MB
from tests.bench.table import Row, at_least, at_most, percentile
from tests.bench.weight import START, transferred
from widgets.finetune import Finetune

PATIENCE_MS = 300_000
ROUNDS = 3  # torch and the page take turns, so that a slow spell of the machine meets both
STEPS = 30
FORWARD = 3  # first steps of torch that are not counted, nor are those of the page's first run
SPEEDS: list[tuple[str, dict[str, str], float]] = [
    ("LoRA, r = 4, a voice", {"task": "formal-voice", "size": "4"}, 1.25),
    ("full finetuning, a voice", {"task": "formal-voice", "size": "full"}, 1.0),
    ("LoRA, r = 1, new facts", {}, 1.25),
    ("LoRA, r = 4, a skill", {"task": "who-had-it-first", "size": "4"}, 1.25),
    ("full finetuning, a skill", {"task": "who-had-it-first", "size": "full"}, 1.0),
]
TWO = 1.5
LOSSES: list[tuple[str, dict[str, Any]]] = [
    ("10 steps of a voice", {"task": "formal voice", "steps": 10}),
    ("300 steps of new facts", {"task": "new facts", "n_texts": 512, "steps": 300}),
]
WORSE = 3  # times torch's own distance: two ways of rounding drift apart, neither is nearer to the truth
OPENINGS = 5
LONG, EARLY = 5000, 1000  # steps of a run whose memory is looked at
LOOKS = 5
# Of the page, what a reader may go back to grows: a loss and three norms a step, and answers. The process holds what
# was learned at some steps besides.
FLAT = {"the page's JavaScript": 1.2, "the trainer's WebAssembly": 1.0, "the whole process": 1.1}
REACHED = """(step) => {
  if (document.querySelector('.lora-finetune .problem').textContent) throw new Error('the run has ended')
  return document.querySelector('.lora-finetune').dataset.step >= step
}"""
HOLD_MEMORY = """() => {
  const { prototype } = lora_worker.Native
  const { norms } = prototype
  prototype.norms = function () {
    globalThis.benchMemory = this.c.memory
    return norms.call(this)
  }
}"""
TURNS, BLOCKS = 2, 4  # without and with training
WARM_MS = 3000  # in which a page that is open prepares its trainer


def opened(browser: Browser, address: str, **choices: object) -> Page:
    """Open the figure by itself."""
    page = browser.new_context(viewport=ticks.SCREEN).new_page()
    page.add_init_script(path=HERE / "finetuning.js")
    query = "&".join(f"{name}={value}" for name, value in choices.items())
    page.goto(f"{address}/embed/first/finetune.html?{query}")
    return page


def press(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Finetune( again)?$")).click()


def finished(page: Page) -> float:
    """Wait for the end of a run; return its steps a second."""
    expect(page.get_by_role("button", name="Finetune again")).to_be_visible(timeout=PATIENCE_MS)
    return float(page.locator(".lora-finetune").get_attribute("data-steps-per-second") or 0)


def torchs(config: TrainConfig, base: GPT, threads: int) -> float:
    """Return the steps a second of a bare torch loop."""
    torch.set_num_threads(threads)
    model = prepare(config, base)
    optimizer = OPTIMIZERS[config.optimizer](
        [p for p in model.parameters() if p.requires_grad], lr=config.learning_rate
    )
    start = 0.0
    for step, texts in enumerate(steps_of(config, base.config.block_size)):
        if step == FORWARD:
            start = perf_counter()
        optimizer.zero_grad()
        model.loss(*texts).backward()
        optimizer.step()
    return (config.steps - FORWARD) / (perf_counter() - start)


def speeds(browser: Browser, address: str) -> Iterator[Row]:
    """Yield the lines about steps a second, with one Worker and with two."""
    base = load_base()
    for words, choices, limit in SPEEDS:
        config = Finetune(**choices, steps=STEPS).config()
        pages = {n: opened(browser, address, **choices, steps=STEPS, workers=n) for n in (1, 2)}
        taken: dict[str, list[float]] = {"one": [], "two": [], "torch": [], "threads": []}
        for number in range(ROUNDS + 1):
            for name, page in zip(("one", "two"), pages.values(), strict=True):
                page.bring_to_front()
                press(page)
                taken[name].append(finished(page))
            for name, threads in (("torch", 1), ("threads", 2)):
                taken[name].append(torchs(config, base, threads))
            if number == 0:
                for each in taken.values():  # the browser compiles, torch warms up
                    each.clear()
        for page in pages.values():
            page.context.close()
        best = [max(pair) for pair in zip(taken["torch"], taken["threads"], strict=True)]

        def ratio(name: str, other: list[float], taken: dict[str, list[float]] = taken) -> float:
            return percentile([a / b for a, b in zip(taken[name], other, strict=True)], 0.5)

        told = {name: percentile(values, 0.5) for name, values in taken.items()}
        note = f" ({told['one']:.1f} and {told['torch']:.1f} a second)"
        yield at_least(
            f"{words}: one Worker / torch, 1 thread", ratio("one", taken["torch"]), limit, "{:.2f} ×", note
        )
        note = f" ({told['two']:.1f} and {percentile(best, 0.5):.1f} a second)"
        yield at_least(f"{words}: two Workers / torch at its best", ratio("two", best), TWO, "{:.2f} ×", note)
    torch.set_num_threads(1)


def scaling(browser: Browser, address: str) -> Iterator[Row]:
    """Yield the lines about four and eight Workers: the time of a share, alone, and that of an exchange.

    There are not so many cores here. A share is trained by one Worker alone; an exchange is a step of so many Workers
    with one short text each, of which the exchange is nearly all. Each helper costs the first Worker the same.
    """

    def step(**choices: object) -> float:
        page = opened(browser, address, steps=4 * STEPS, **choices)
        speed = []
        for _ in range(2):  # the second one is warm
            press(page)
            speed.append(finished(page))
        page.context.close()
        return 1 / speed[-1]

    voice = {"task": "formal-voice", "size": "4"}
    short = {"task": "new-facts", "facts": "8", "size": "4"}
    alone, exchange = step(batch=32, **voice), step(batch=4, workers=4, **short)
    for workers in (4, 8):
        sent = exchange * (workers - 1) / 3
        gain = alone / (step(batch=32 // workers, **voice) + sent)
        yield Row(
            f"{workers} Workers, simulated, LoRA r = 4, a voice / one Worker",
            f"{gain:.2f} × ({1000 * sent:.1f} ms of a step exchange)",
        )


def losses() -> Iterator[Row]:
    """Yield the lines about the loss beside torch's in float64, from the same start and batches, at usual rates."""
    base = load_base()
    for words, fields in LOSSES:
        config = TrainConfig(**fields)
        wanted = np.array([*updates(prepare(config, base).double(), config)])
        theirs = np.array([*updates(prepare(config, base), config)])
        ours = np.array([*Native(PLAIN).load(base).prepare(config).updates(config)])
        off = {name: abs(each / wanted - 1).max() for name, each in (("ours", ours), ("torch", theirs))}
        yield at_most(
            f"loss over {words}, distance from float64, ours / torch's",
            off["ours"] / off["torch"],
            WORSE,
            "{:.2f} ×",
            f" ({off['ours']:.1e} and {off['torch']:.1e} of the loss)",
        )


def first_changes(browser: Browser, address: str) -> Iterator[Row]:
    """Yield the lines about how long a reader waits from Finetune to the picture of a first step."""

    def taken(wait_ms: int) -> list[float]:
        found = []
        for _ in range(OPENINGS):
            page = opened(browser, address)
            expect(page.get_by_role("button", name="Finetune", exact=True)).to_be_visible()
            page.wait_for_timeout(wait_ms)
            page.evaluate("watchFirstChange()")
            press(page)
            found.append(page.evaluate("benchFirstChange") / 1000)
            page.context.close()
        return found

    for words, wait_ms, limit in (("a page already open", WARM_MS, 0.3), ("a page just opened", 0, None)):
        seconds = taken(wait_ms)
        note = f" (slowest {max(seconds):.2f} s)"
        middle = percentile(seconds, 0.5)
        what = f"from Finetune to the first change, {words}, median of {OPENINGS}"
        yield (
            Row(what, f"{middle:.2f} s{note}")
            if limit is None
            else at_most(what, middle, limit, "{:.2f} s", note)
        )


def weight(browser: Browser, address: str) -> Row:
    """Return the line about all that the start page loads for a reader who has scrolled through it and trained."""

    def train(page: Page) -> None:
        page.locator(".lora-finetune").scroll_into_view_if_needed()
        press(page)
        expect(page.locator(".lora-finetune")).to_have_attribute(
            "data-step", re.compile("[1-9]"), timeout=PATIENCE_MS
        )

    sent = sum(transferred(browser, address, START, then=train).values())
    return at_most("start page with model, trainer and figure, as sent", sent / MB, 1.5, "{:.2f} MB")


def memory(browser: Browser, address: str) -> Iterator[Row]:
    """Yield the lines about memory in a long run: the page's heap, the trainer's WebAssembly, the whole process."""
    page = opened(browser, address, facts=512, batch=16, rate=0.0003, steps=LONG)
    devtools = page.context.new_cdp_session(page)
    if not page.workers:
        page.wait_for_event("worker", timeout=PATIENCE_MS)
    page.workers[0].evaluate(HOLD_MEMORY)
    press(page)

    def collected() -> float:
        devtools.send("HeapProfiler.collectGarbage")
        return devtools.send("Runtime.getHeapUsage")["usedSize"]

    def used(step: int) -> dict[str, float]:
        page.wait_for_function(REACHED, arg=step, timeout=2 * PATIENCE_MS)
        heap = min(collected() for _ in range(LOOKS))  # it trains meanwhile, and a picture may be on its way
        every = psutil.Process().children(recursive=True)
        pages = [child for child in every if "--type=renderer" in child.cmdline()]
        return {
            "the page's JavaScript": heap,
            "the trainer's WebAssembly": page.workers[0].evaluate("benchMemory.buffer.byteLength"),
            "the whole process": max(
                each.memory_full_info().uss for each in pages
            ),  # the others are idle, and small
        }

    early, late = used(EARLY), used(LONG)
    page.context.close()
    for name, limit in FLAT.items():
        note = f" ({late[name] / MB:.1f} MB)"
        what = f"memory of {name}, {LONG:,} steps / {EARLY:,}"
        yield at_most(what, late[name] / early[name], limit, "{:.2f} ×", note)


def beside(browser: Browser, address: str) -> Row:
    """Return the line about the slider of another figure on a page that trains."""
    lesson = f"{address}/lesson/first.html?finetune.steps={LONG}"  # it trains for as long as is measured
    page = ticks.opened(browser, "ours", lesson, "finetuning.js")
    trainer = page.locator(".lora-finetune")
    high = page.evaluate("driveBeside('#inits')")
    page.locator("#inits input[type=range]").first.scroll_into_view_if_needed()
    figure = ticks.warmed(page, ticks.moves(high), ticks.WARM_UP)
    taken: dict[bool, list[float]] = {False: [], True: []}  # by whether it trains
    for training in [False, True] * TURNS:
        if training:
            trainer.get_by_role("button", name=re.compile("^(Finetune|Go on)$")).click()
            expect(trainer).to_have_attribute("data-step", re.compile("[1-9]"), timeout=PATIENCE_MS)
        figure.taken.clear()
        for _ in range(BLOCKS):
            ticks.take(figure)
        taken[training] += figure.taken
        if training:
            trainer.get_by_role("button", name="Pause", exact=True).click()
    page.context.close()
    median = {training: percentile(values, 0.5) for training, values in taken.items()}
    note = f" ({median[True]:.1f} ms, idle {median[False]:.1f} ms)"
    return at_most(
        "slider of another figure while the page trains / idle, median",
        median[True] / median[False],
        1.2,
        "{:.2f} ×",
        note,
    )


def measure(browser: Browser, address: str) -> Iterator[Row]:
    """Yield the lines about training in the page."""
    parts: list[Callable[[Browser, str], Iterator[Row]]] = [speeds, scaling, first_changes]
    for part in parts:
        yield from part(browser, address)
    yield from losses()
    yield weight(browser, address)
    yield from memory(browser, address)
    yield beside(browser, address)

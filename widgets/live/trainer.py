"""Train the mini-model in front of the reader: a form, runs that readers share, and the lab that draws them."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, ClassVar

import param
from panel import state
from panel.custom import AnyWidgetComponent
from panel.layout import Column
from panel.viewable import Viewable, Viewer

from compute.numbers.refusal import FileRefused
from compute.training.gathered import Run
from widgets.kit.instrument import WORDS as SHARED
from widgets.kit.instrument import esm, stylesheet
from widgets.kit.languages import in_this_language, say, say_all
from widgets.kit.runs import LAB_LABELS
from widgets.kit.text import fill, slug
from widgets.lab import Lab
from widgets.lab.pair import Sweep, live_pair, place_of, sized
from widgets.lab.words import METHOD_NAMES, NAMES
from widgets.live import brought, settings, watched
from widgets.live.fair import reader_here
from widgets.live.rate_map import WORDS as MAP_WORDS
from widgets.live.rate_map import Mapped, RateMap
from widgets.live.registry import RunRefused, RunStopped
from widgets.live.runner import WorkerDied
from widgets.live.takeaway import SCRIPT, zipped
from widgets.live.training import registry, warm_up
from widgets.live.watched import DEVICES, Watched
from widgets.strength import Strength

APART = (32, 0, 0, 0)  # pixels above a figure

ID = "train"  # of the part in its lesson; its settings stand in the lesson's address under this name
WORDS = {
    "more": "More settings",
    "link": "A link to these settings",
    "train": "Train",
    "pause": "Pause",
    "resume": "Resume",
    "stop": "Stop",
    "reset": "Reset",
    "sweep": "Train every r",
    "map": "Map rank and rate",
    "mapGo": "Train the map",
    "take": "Take the adapter away (.zip)",
    "open": "Open an adapter that was trained with peft on this base",
    "openHint": (
        "Choose adapter_config.json and adapter_model.safetensors together, or the .zip that you took away. They are "
        "measured on the task above."
    ),
    "script": "What is in it, and how to load it with the peft library",
    "intro": (
        "Train starts a run with these settings, or joins it where somebody else has started the same. Grey stays the "
        "control: full finetuning, trained beside it or recorded."
    ),
    "copy": SHARED["copy"],
    "copied": SHARED["copied"],
    "selected": SHARED["selected"],
}

READY = "Runs are computed on {device}."
PAUSED = "The picture is paused. The run goes on; Resume shows what it did meanwhile."
SWEPT = "The curve over r is now the one that was trained here."
OPENING = "The adapter is being measured."
OWN = "your adapter, r = {r}"
NOT_SWEPT = "Not every run of the sweep went well, so the curve over r stays the recorded one."
SWEEPING = "{name} ({number} of {count})"


class Form(AnyWidgetComponent):
    """The settings and buttons. The browser sends what was `asked`; Python answers with `told`."""

    spec = param.String(doc="Labels and fields, as JSON for the browser.")
    asked = param.String("{}", doc="A button that was pressed and the settings at that moment, as JSON.")
    told = param.String("{}", doc="What is to be shown: progress of each run, buttons, a sentence, as JSON.")
    brought = param.String(
        "", doc="The two files of an adapter in base64 and the task to measure it on, as JSON."
    )
    taken = param.Bytes(b"", doc="The archive that the reader asked for.")

    _esm = esm("trainer")
    _stylesheets: ClassVar[list[str]] = [stylesheet("site/theme", "kit/instrument")]

    def __init__(self, **params: Any):
        super().__init__(**{"sizing_mode": "stretch_width"} | params)
        spec = settings.describe() | {"id": ID, "text": say_all(WORDS) | {"script_code": SCRIPT}}
        self.spec = json.dumps(spec, ensure_ascii=False)


class Trainer(Viewer):
    """Hold what one reader has asked for. Runs are shared with other readers; settings and pictures are not."""

    def __init__(self, **params: Any):
        super().__init__(**params)
        self.form = Form()
        self.reader = reader_here()
        self.lab = Lab(hide=["task", "guess"], visible=False, margin=APART)
        self.dial = Strength(hide=["task", "guess"], visible=False, margin=APART)
        self.map = RateMap(visible=False, margin=APART)
        self._settings = settings.USUAL
        self._watched: list[Watched] = []
        self._sweep: Sweep | None = None
        self._swept_with: dict[str, Any] = {}  # the settings of the sweep
        self._said, self._device, self._paused = "", "", False
        self._job: asyncio.Task | None = None  # what follows the runs
        self._warming: asyncio.Task | None = None
        self._opening: asyncio.Task | None = None
        self._mapped: Mapped | None = None  # the map that is shown
        self._offered: dict[str, Any] = {}  # the settings of the map whose time has been said
        self._timing: asyncio.Task | None = None
        self.form.param.watch(in_this_language(self._act), "asked")
        self.form.param.watch(in_this_language(self._open_adapter), "brought")
        if state.curdoc:
            state.on_session_destroyed(lambda _: self.close())

    def __panel__(self) -> Viewable:
        return Column(self.form, self.map, self.lab, self.dial, sizing_mode="stretch_width")

    def close(self) -> None:
        """Leave all runs: the reader is gone."""
        for job in (self._job, self._warming, self._opening, self._timing):
            if job:
                job.cancel()

    def _act(self, event: param.parameterized.Event) -> None:
        """Do what a button asks for. What a browser sends is checked: any program can pose as one."""
        actions = {
            "open": self._open,
            "back": self._come_back,
            "train": lambda: self._begin(self._train()),
            "sweep": lambda: self._begin(self._train_every_r()),
            "map": self._ask_for_map,
            "pause": lambda: self._pause(True),
            "resume": lambda: self._pause(False),
            "stop": self._stop,
            "reset": self._reset,
            "take": self._take,
        }
        try:
            asked = json.loads(event.new)
            action, text = asked["action"], asked.get("settings")
            do = actions[action]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        self._said = ""
        if action in ("back", "train", "sweep", "map"):
            try:
                self._settings = settings.read(text)
            except ValueError as refusal:
                self._said = str(refusal)
                self._show()
                return
        do()

    def _open(self) -> None:
        """Warm a worker."""
        self._warming = asyncio.ensure_future(self._warm())
        self._show()

    def _come_back(self) -> None:
        """Show the runs that the reader left behind, if they are still known."""
        self._open()
        if any(Watched(*each).key in registry() for each in settings.configs(self._settings).items()):
            self._begin(self._train())

    async def _warm(self) -> None:
        self._device = DEVICES.get(await warm_up(), "")
        self._show()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Leave what was followed before and follow something else."""
        if self._job:
            self._job.cancel()
        self._paused = False
        self.lab.step = self._settings["steps"]
        self._job = asyncio.ensure_future(work)

    def _ask_for_map(self) -> None:
        """Say how long the map of these settings will take; train it when it is asked for again."""
        if self._offered == self._settings:
            self._begin(self._train_map())
            return
        if self._timing:
            self._timing.cancel()
        self._timing = asyncio.ensure_future(self._offer_map())

    async def _offer_map(self) -> None:
        asked, self._offered, self._said = self._settings, {}, say(MAP_WORDS["timing"])
        self._show()
        try:
            self._said = await (await self._map_of(asked)).expected(registry(), self.reader)
            self._offered = asked
        except (ValueError, RunRefused, RunStopped, WorkerDied) as refusal:
            self._said = str(refusal)
        self._show()

    async def _map_of(self, chosen: dict[str, Any]) -> Mapped:
        device = await warm_up()
        return Mapped(settings.grid(chosen, device), LAB_LABELS[slug(chosen["task"])][0], device)

    async def _train_map(self) -> None:
        """Fill in the map run by run, until all have ended."""
        self._watched, self._offered = [], {}
        self._mapped = await self._map_of(self._settings)
        self.map.visible = True
        following = asyncio.ensure_future(self._mapped.follow(registry(), self.reader))
        try:
            while not self._mapped.ended:
                self._show()
                await asyncio.wait([following], timeout=watched.EVERY)
            self._show()
        finally:
            following.cancel()

    async def _train(self) -> None:
        configs = settings.configs(self._settings).values()
        await self._follow([Watched(METHOD_NAMES[config.method], config) for config in configs])

    async def _follow(self, runs: list[Watched]) -> None:
        """Show runs as they grow, until all have ended."""
        self._watched = runs
        followers = [asyncio.ensure_future(run.follow(registry(), self.reader)) for run in runs]
        try:
            while not all(run.ended for run in runs):
                self._show()
                await asyncio.wait(followers, timeout=watched.EVERY)
            self._show()
        finally:
            for follower in followers:
                follower.cancel()

    async def _train_every_r(self) -> None:
        """Train one run after the other, so that other readers have their turn between them."""
        chosen, done = self._settings, []
        configs = settings.sweep(chosen)
        for number, config in enumerate(configs, start=1):
            name = f"r = {config.r}" if config.method == "lora" else NAMES["full"]
            run = Watched(fill(SWEEPING, {"name": name, "number": number, "count": len(configs)}), config)
            await self._follow([run])
            done.append(run)
        *loras, full = done
        if all(run.result for run in done):
            self._sweep = Sweep(NAMES, {run.config.r: run.run for run in loras}, full.run)
            self._swept_with, self._said = chosen, say(SWEPT)
        else:
            self._said = say(NOT_SWEPT)
        nearest = min(loras, key=lambda run: abs(run.config.r - chosen["r"]))
        self._watched = [nearest, full]
        self._show()

    def _pause(self, paused: bool) -> None:
        self._paused, self._said = paused, say(PAUSED) if paused else ""
        self._show()

    def _stop(self) -> None:
        for run in self._shown_runs():
            run.stop()
        if self._job:
            self._job.cancel()
        self._paused = False
        self._show()

    def _reset(self) -> None:
        """Go back to the usual settings and an empty picture."""
        self._stop()
        self._settings, self._watched, self._sweep = settings.USUAL, [], None
        self._mapped, self._offered = None, {}
        self.lab.visible = self.dial.visible = self.map.visible = False
        self._show()

    def _take(self) -> None:
        """Hand out the adapter; emptied first, else the same one a second time would be no news."""
        if run := self._adapted():
            assert run.result
            self.form.taken = b""
            self.form.taken = zipped(run.result, run.config.task, run.config.base_format)

    def _open_adapter(self, event: param.parameterized.Event) -> None:
        """Show what an adapter of the reader's does; one that cannot be used changes nothing."""
        try:
            task, config, weights = brought.read(event.new)
        except FileRefused as refusal:
            self._said = str(refusal)
            self._show()
            return
        if self._opening:
            self._opening.cancel()
        self._opening = asyncio.ensure_future(self._measure(task, config, weights))

    async def _measure(self, task: str, config: str, weights: bytes) -> None:
        self._said = say(OPENING)
        self._show()
        try:
            run = await brought.measure(registry(), task, config, weights, self.reader)
        except FileRefused as refusal:
            self._said = str(refusal)
        else:
            if self._job:
                self._job.cancel()
            self._watched, self.lab.visible = [], False
            self._turn(run)
            self._said = brought.said(run, LAB_LABELS[slug(task)][0])
        self._show()

    def _turn(self, run: Run, full: Run | None = None) -> None:
        """Put an adapter on the dial, beside full finetuning; LoRA's is the reader's own, whoever trained it."""
        label = fill(OWN, {"r": run.config["r"]}) if run.config["method"] == "lora" else sized(run)
        control = full if full and full.finished else None
        self.dial.param.update(run=run, full=control, label=label, visible=True)

    def _adapted(self) -> Watched | None:
        return next((run for run in self._watched if run.config.method == "lora" and run.result), None)

    def _shown_runs(self) -> list[Watched | Mapped]:
        return [*self._watched, *([self._mapped] if self._mapped else [])]

    def _show(self) -> None:
        """Bring the picture and the form up to date."""
        whole = all(run.ended for run in self._watched)
        if not self._paused:
            if self._mapped:
                self.map.shown = json.dumps(self._mapped.shown(), ensure_ascii=False)
            same = settings.same_but_r(self._swept_with, self._settings)
            runs = {place_of(run.config.method): run.run for run in self._watched}
            pair = live_pair(runs, whole, self._sweep if same else None)
            if pair:
                if pair is not self.lab.pair:  # another picture than the last
                    self.lab.pair = pair
                self.lab.visible = True
                self.dial.visible = False
            if pair and pair.whole and "lora" in runs and runs["lora"].strengths:
                self._turn(runs["lora"], runs.get("full"))
        told = {
            "rows": [
                {"name": say(run.name), "done": run.done, "said": run.said} for run in self._shown_runs()
            ],
            "busy": not all(run.ended for run in self._shown_runs()),
            "mapReady": bool(self._offered) and self._offered == self._settings,
            "paused": self._paused,
            "adapter": bool(self._adapted()),
            "said": self._said or (fill(READY, {"device": self._device}) if self._device else ""),
            "settings": self._settings,
        }
        self.form.told = json.dumps(told, ensure_ascii=False)

"""What live training costs: its loop beside a bare one and peft's, a whole run, and thirty readers of one run."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import asdict, replace
from time import perf_counter
from typing import Any

import psutil

from compute.experiments.runs import FULL, config_of
from compute.training.config import EVALUATE_EVERY, StepRecord, TrainConfig
from compute.world.tasks import FACTS
from tests.bench.loops import bare_loop
from tests.bench.table import Row, at_least, at_most, percentile
from widgets.live.registry import Registry
from widgets.live.runner import BOOT, LocalRunner
from widgets.live.watched import EVERY, Watched

ROUNDS = 13  # the loops take turns, so that a slow spell of the machine meets them all
STEPS = EVALUATE_EVERY - 1  # after the first one, and before the second evaluation
SPELL = 7  # steps; they divide STEPS
READERS = 30
CLASSES = 3  # runs with one reader and with thirty, in turns
WHOLE = 3  # runs from the first step to the end
USUAL = config_of(FACTS, 4)


def workers(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes that train for this one."""
    return [child for child in process.children() if BOOT in child.cmdline()]


def spent(*processes: psutil.Process) -> float:
    """Return the seconds of processor time that processes have used."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


class Counting(LocalRunner):
    """Count the runs that are begun."""

    begun = 0

    def stream(self, fn: Callable[..., Iterator], /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        self.begun += 1
        return super().stream(fn, **kwargs)


class Noting(Registry):
    """Note when a reader gets each step, by the clock and by the worker's processor time."""

    def __init__(self, runner: LocalRunner):
        super().__init__(runner, most_at_once=1)
        self.marks: list[tuple[float, float]] = []
        self._workers = workers(psutil.Process())  # not at a step: to find them takes as long as a step

    async def watch(
        self, key: str, fn: Callable[..., Iterator], /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with contextlib.aclosing(super().watch(key, fn, **kwargs)) as records:
            async for record in records:
                if isinstance(record, StepRecord):
                    self.marks.append((perf_counter(), spent(*self._workers)))
                yield record


async def look(reader: Watched) -> None:
    """Look at the run as the live lab does, as long as there is something to see."""
    while not reader.ended:
        await asyncio.sleep(EVERY)
        _ = reader.run


async def ours(runner: LocalRunner, seed: int) -> list[tuple[float, float]]:
    """Watch the steps of a run as far as the second evaluation; return when each came."""
    registry = Noting(runner)
    reader = Watched("LoRA", replace(USUAL, seed=seed))
    following = asyncio.gather(reader.follow(registry), look(reader))
    while len(registry.marks) <= EVALUATE_EVERY and not reader.ended:
        await asyncio.sleep(EVERY / 4)
    registry.stop(reader.key)
    await following
    return registry.marks


async def bare(runner: LocalRunner, seed: int, layers: str) -> list[tuple[float, float]]:
    """Return when each step of a bare loop in the same worker ended."""
    job = {"config": asdict(replace(USUAL, seed=seed)), "layers": layers, "steps": EVALUATE_EVERY}
    async with contextlib.aclosing(runner.stream(bare_loop, **job)) as said:
        [marks] = [item async for item in said]
        return marks


def undisturbed(runs: list[list[tuple[float, float]]]) -> float:
    """Return the seconds of a step by the clock: the lower quartile of short spells, which others disturb least."""
    spells = [(run[i + SPELL][0] - run[i][0]) / SPELL for run in runs for i in range(0, STEPS, SPELL)]
    return percentile(spells, 0.25)


def processor(run: list[tuple[float, float]], last: int = STEPS) -> float:
    """Return the processor time from the first step to another."""
    return run[last][1] - run[0][1]


async def speeds() -> list[Row]:
    """Return the lines about steps per second."""
    runner = LocalRunner(slots=1)  # one worker does it all, so that nothing but the loop differs
    sides = {
        "ours": lambda seed: ours(runner, seed),
        "bare": lambda seed: bare(runner, seed, "ours"),
        "peft": lambda seed: bare(runner, seed, "peft"),
    }
    taken: dict[str, list] = {name: [] for name in sides}
    rng = random.Random(0)
    for seed in range(ROUNDS + 1):
        for name in rng.sample(
            [*sides], len(sides)
        ):  # what runs before leaves its traces in memory and caches
            taken[name].append(await sides[name](seed))
    runner.close()
    taken = {name: runs[1:] for name, runs in taken.items()}  # in the first round the worker imports
    step = {name: undisturbed(runs) for name, runs in taken.items()}

    def ratio(name: str, last: int = STEPS) -> float:
        """Return other / ours of processor time a step, the median over rounds."""
        pairs = zip(taken[name], taken["ours"], strict=True)
        return percentile([processor(one) / STEPS * last / processor(own, last) for one, own in pairs], 0.5)

    return [
        Row("steps a second, one reader watching", f"{1 / step['ours']:.1f}"),
        *(
            at_least(
                f"steps a second, ours / {words}",
                ratio(name),
                limit,
                "{:.3f} ×",
                f" by processor time ({step[name] / step['ours']:.3f} × by the clock)",
            )
            for name, words, limit in [
                ("bare", "bare torch loop on the same layers", 0.95),
                ("peft", "bare torch loop on peft's layers", 1.0),
            ]
        ),
        Row(
            "ours with its evaluations / bare torch loop",
            f"{ratio('bare', EVALUATE_EVERY):.3f} × by processor time",
        ),
    ]


async def classes() -> list[Row]:
    """Return the lines about readers who press Train with the same settings."""
    runner = Counting(slots=1)
    registry = Registry(runner, most_at_once=1)
    here = psutil.Process()

    async def share(readers: int, seed: int) -> tuple[float, float]:
        before, start = spent(here, *workers(here)), perf_counter()
        config = replace(USUAL, steps=2 * EVALUATE_EVERY, seed=seed)
        watching = [Watched("LoRA", config) for _ in range(readers)]
        await asyncio.gather(*(each.follow(registry) for each in watching), *map(look, watching))
        assert all(each.result for each in watching)
        return perf_counter() - start, spent(here, *workers(here)) - before

    await share(1, 0)
    runner.begun = 0
    pairs = []
    for number in range(1, CLASSES + 1):
        order = (1, READERS) if number % 2 else (READERS, 1)
        took = {readers: await share(readers, READERS * number + readers) for readers in order}
        pairs.append([many / one for one, many in zip(took[1], took[READERS], strict=True)])
    begun = runner.begun - CLASSES
    runner.close()
    clock, work = (percentile([pair[kind] for pair in pairs], 0.5) for kind in (0, 1))
    return [
        at_most(f"runs begun for {READERS} readers of the same", begun / CLASSES, 1, "{:.0f}"),
        at_most(
            f"what {READERS} readers cost / what one costs",
            work,
            1.5,
            "{:.2f} ×",
            f" of processor time ({clock:.2f} × by the clock)",
        ),
    ]


async def whole() -> list[Row]:
    """Return the lines about a run from its start to its end, alone and beside its control."""
    runner = LocalRunner(slots=2)
    registry = Registry(runner, most_at_once=2)
    taken: dict[str, list[float]] = {"alone": [], "processor": [], "beside": []}

    async def watch(kind: str, *configs: TrainConfig) -> None:
        readers = [Watched(config.method, config) for config in configs]
        await asyncio.gather(*(each.follow(registry) for each in readers))
        taken[kind].append(readers[0].result.seconds)

    for seed in range(WHOLE + 1):
        lora, full = (replace(config, seed=seed) for config in (USUAL, config_of(FACTS, FULL)))
        again = replace(lora, seed=WHOLE + 1 + seed)
        await watch("beside", again, full)
        before = spent(*workers(psutil.Process()))
        await watch("alone", lora)
        taken["processor"].append(spent(*workers(psutil.Process())) - before)
    runner.close()
    median = {kind: percentile(seconds[1:], 0.5) for kind, seconds in taken.items()}
    return [
        at_most(
            f"a run of {USUAL.steps} steps",
            median["alone"],
            15,
            "{:.1f} s",
            f" ({median['processor']:.1f} s of processor time)",
        ),
        Row("the same run with full finetuning beside it", f"{median['beside']:.1f} s"),
    ]


def measure() -> Iterator[Row]:
    """Yield the lines about live training."""
    for part in (speeds, whole, classes):
        yield from asyncio.run(part())

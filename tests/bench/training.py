"""What live training costs: its loop beside a bare one and peft's, a whole run, and thirty readers of one run."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import asdict, replace
from time import perf_counter
from typing import Any

import psutil

from compute.recorded import FULL, FULL_LEARNING_RATES
from compute.run import EVALUATE_EVERY, StepRecord, TrainConfig
from tests.bench.loops import bare_loop
from tests.bench.table import Row, at_least, at_most, percentile
from widgets._registry import Registry
from widgets._runner import BOOT, LocalRunner
from widgets._watched import Watched
from widgets.trainer import EVERY

ROUNDS = 9  # the loops take turns, so that a slow spell of the machine meets them all
STEPS = EVALUATE_EVERY - 1  # after the first one, and before the second evaluation
READERS = 30
CLASSES = 3  # runs with one reader and with thirty, in turns
WHOLE = 3  # runs from the first step to the end


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
        self._workers: list[psutil.Process] = []

    async def watch(
        self, key: str, fn: Callable[..., Iterator], /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with contextlib.aclosing(super().watch(key, fn, **kwargs)) as records:
            async for record in records:
                if isinstance(record, StepRecord):
                    self._workers = self._workers or workers(psutil.Process())
                    self.marks.append((perf_counter(), spent(*self._workers)))
                yield record

    def between(self, first: int, last: int) -> list[float]:
        """Return the seconds from one step to another, by the clock and of processor time."""
        return [later - earlier for earlier, later in zip(self.marks[first], self.marks[last], strict=True)]


async def look(reader: Watched) -> None:
    """Look at the run as the live lab does, as long as there is something to see."""
    while not reader.ended:
        await asyncio.sleep(EVERY)
        _ = reader.run


async def ours(runner: LocalRunner, seed: int) -> tuple[list[float], list[float]]:
    """Watch a run; return the seconds of STEPS steps, and of one more with the evaluation before it."""
    registry = Noting(runner)
    reader = Watched("LoRA", TrainConfig(seed=seed))
    following = asyncio.gather(reader.follow(registry), look(reader))
    while len(registry.marks) <= EVALUATE_EVERY and not reader.ended:
        await asyncio.sleep(EVERY / 4)
    registry.stop(reader.key)
    await following
    return registry.between(0, STEPS), registry.between(0, EVALUATE_EVERY)


async def bare(runner: LocalRunner, seed: int, layers: str) -> tuple[float, float]:
    """Return the seconds of STEPS steps of a bare loop in the same worker."""
    job = {"config": asdict(TrainConfig(seed=seed)), "layers": layers, "steps": STEPS + 1}
    async with contextlib.aclosing(runner.stream(bare_loop, **job)) as said:
        [seconds] = [item async for item in said]
        return seconds


async def speeds() -> list[Row]:
    """Return the lines about steps per second."""
    runner = LocalRunner(slots=1)  # one worker does it all, so that nothing but the loop differs
    sides = {
        "ours": lambda seed: ours(runner, seed),
        "bare": lambda seed: bare(runner, seed, "ours"),
        "peft": lambda seed: bare(runner, seed, "peft"),
    }
    taken: dict[str, list] = {name: [] for name in sides}
    for seed in range(ROUNDS + 1):
        for place in range(len(sides)):  # each is first, second and last as often
            name = [*sides][(place + seed) % len(sides)]
            taken[name].append(await sides[name](seed))
    runner.close()
    rounds = [dict(zip(taken, each, strict=True)) for each in zip(*taken.values(), strict=True)][1:]

    def ratio(other: str, kind: int) -> float:
        return percentile([each[other][kind] / each["ours"][0][kind] for each in rounds], 0.5)

    def with_evaluation(each: dict) -> float:
        return each["bare"][1] / STEPS * EVALUATE_EVERY / each["ours"][1][1]

    a_second = STEPS / percentile([each["ours"][0][0] for each in rounds], 0.5)
    return [
        Row("steps a second, one reader watching", f"{a_second:.1f}"),
        *(
            at_least(
                f"ours / {words}",
                ratio(name, 1),
                limit,
                "{:.3f} ×",
                f" of processor time ({ratio(name, 0):.3f} × by the clock)",
            )
            for name, words, limit in [
                ("bare", "bare torch loop on the same layers", 0.95),
                ("peft", "bare torch loop on peft's layers", 1.0),
            ]
        ),
        Row(
            "ours with its evaluations / bare torch loop",
            f"{percentile(map(with_evaluation, rounds), 0.5):.3f} × of processor time",
        ),
    ]


async def classes() -> list[Row]:
    """Return the lines about readers who press Train with the same settings."""
    runner = Counting(slots=1)
    registry = Registry(runner, most_at_once=1)
    here = psutil.Process()

    async def share(readers: int, seed: int) -> tuple[float, float]:
        before, start = spent(here, *workers(here)), perf_counter()
        config = TrainConfig(steps=2 * EVALUATE_EVERY, seed=seed)
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
    clock, processor = (percentile([pair[kind] for pair in pairs], 0.5) for kind in (0, 1))
    return [
        at_most(f"runs begun for {READERS} readers of the same", begun / CLASSES, 1, "{:.0f}"),
        at_most(
            f"what {READERS} readers cost / what one costs",
            processor,
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
        lora = TrainConfig(seed=seed)
        full = TrainConfig(seed=seed, method="full", learning_rate=FULL_LEARNING_RATES[FULL])
        again = replace(lora, seed=WHOLE + 1 + seed)
        await watch("beside", again, full)
        before = spent(*workers(psutil.Process()))
        await watch("alone", lora)
        taken["processor"].append(spent(*workers(psutil.Process())) - before)
    runner.close()
    median = {kind: percentile(seconds[1:], 0.5) for kind, seconds in taken.items()}
    return [
        at_most(
            f"a run of {TrainConfig().steps} steps",
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

"""What a GPU makes of training: recorded steps beside plain ones, and a sweep at once beside one by one."""

from collections.abc import Iterator
from time import perf_counter
from unittest.mock import patch

from compute.training.config import StepRecord, TrainConfig
from tests.bench.table import Row, at_least

STEPS, WARM = 301, 50  # of a run, and of it before the clock starts; both end a bunch
WIDTHS = (64, 256)
LEARNED = {"task": "new words"}
GRID = [
    (r, rate, seed)
    for r in (1, 2, 4, 8, 16, 32)
    for rate in (1e-3, 3e-3, 5e-3, 1e-2, 2e-2)
    for seed in range(3)
]
ALONE = (0, len(GRID) // 2, len(GRID) - 1)  # runs of the sweep that are trained one by one as well
SWEPT = 100  # steps of each
NEEDED = "These lines need an NVIDIA GPU, and PyTorch with CUDA: only there are steps recorded."


def per_second(width: int, recorded: bool) -> float:
    """Return the steps a second of a LoRA run on new words; not recorded, every step's numbers leave the device."""
    import torch

    from compute.model.checkpoint import load_base
    from compute.model.gpt import GPT, GPTConfig
    from compute.training import loop

    base = load_base()
    if width != base.config.n_embd:
        sizes = GPTConfig(base.config.vocab_size, base.config.block_size, n_embd=width)
        base = GPT(sizes, torch.Generator().manual_seed(0))
    marks = []
    with patch.object(loop, "RECORDING", loop.RECORDING if recorded else ()), patch.dict(loop.BUNCH):
        loop.BUNCH["cuda"] = loop.BUNCH["cuda"] if recorded else 1
        for record in loop.train(TrainConfig(**LEARNED, steps=STEPS), base, evaluate_every=STEPS):
            assert isinstance(record, StepRecord)
            marks.append(perf_counter())
            if len(marks) == STEPS:
                break
    return (STEPS - 1 - WARM) / (marks[-1] - marks[WARM])


def swept(runs: list[TrainConfig], at_once: bool) -> tuple[float, list[list[float]]]:
    """Return the seconds of a sweep, and the losses of each run."""
    from compute.training import loop, sweep, together
    from compute.training.swept import SweepSteps

    losses: list[list[float]] = [[] for _ in runs]
    recording = loop.RECORDING if at_once else ()
    with (
        patch.object(sweep, "RECORDING", recording),
        patch.object(loop, "RECORDING", recording),
        patch.object(together, "RECORDING", recording),
    ):
        start = perf_counter()
        for record in sweep.sweep(runs):
            if isinstance(record, SweepSteps):
                losses[record.run] += record.loss
        return perf_counter() - start, losses


def measure() -> Iterator[Row]:
    """Yield the lines about a GPU; without one, a line that says so."""
    import torch

    from compute.training.captured import RECORDING
    from compute.training.loop import device

    if device().type not in RECORDING:
        yield Row("no GPU here", NEEDED)
        return
    yield Row("the GPU", torch.cuda.get_device_name())
    for width in WIDTHS:
        plain, recorded = per_second(width, False), per_second(width, True)
        told = f" ({recorded:.0f} and {plain:.0f} a second)"
        yield at_least(
            f"steps a second, recorded / plain, width {width}", recorded / plain, 5, "{:.1f} ×", told
        )
    runs = [TrainConfig(**LEARNED, r=r, learning_rate=rate, seed=seed, steps=SWEPT) for r, rate, seed in GRID]
    swept([run for run in runs if run.r == 1][:2], at_once=True)  # what libraries set up at the start
    together, losses = swept(runs, at_once=True)
    single, own = swept([runs[i] for i in ALONE], at_once=False)
    alone = single * len(runs) / len(ALONE)
    yield Row(
        f"{len(runs)} runs of {SWEPT} steps, one by one / at once",
        f"{alone / together:.1f} × ({together:.1f} s at once, {alone:.0f} s as {len(ALONE)} of them took)",
    )
    off = max(
        abs(one - other) / other
        for i, alone_losses in zip(ALONE, own, strict=True)
        for one, other in zip(losses[i][:20], alone_losses[:20], strict=True)
    )
    yield Row("loss of the same runs in their first 20 steps, off by", f"{off:.1e}", "≤ 1e-05", off <= 1e-5)

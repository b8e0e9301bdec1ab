"""The benchmark of a GPU, which few machines have: what it says without one, and all of it on a stand-in."""

from __future__ import annotations

import torch

from compute.training import captured, loop
from helpers.cuda import on_cuda
from tests.bench import gpu

torch.set_num_threads(1)


def test_without_a_gpu_it_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(loop, "device", lambda: torch.device("cpu"))
    [row] = gpu.measure()
    assert row.measured == gpu.NEEDED
    assert row.met is None  # nothing is missed where nothing is measured


def test_with_a_gpu_every_line_is_measured(monkeypatch):
    monkeypatch.setattr(loop, "device", lambda: torch.device("cpu"))
    monkeypatch.setitem(loop.BUNCH, "cuda", 2)
    graphs = on_cuda(monkeypatch)
    monkeypatch.setattr(captured, "RECORDING", ("cpu",))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a stand-in")
    for name, value in {
        "STEPS": 7,
        "WARM": 2,
        "WIDTHS": (16,),
        "LEARNED": {"task": "new facts", "n_texts": 8, "batch_size": 4},
        "GRID": [(1, 1e-3, 0), (2, 3e-3, 0), (1, 3e-3, 1)],
        "ALONE": (0, 1),
        "SWEPT": 4,
    }.items():
        monkeypatch.setattr(gpu, name, value)
    named, steps, sweep, losses = gpu.measure()
    assert named.measured == "a stand-in"
    assert graphs
    assert all(graph.played for graph in graphs)
    assert steps.limit == "≥ 5.0 ×"  # which a processor that plays a GPU does not keep
    assert sweep.measured.endswith("as 2 of them took)")
    assert losses.met, losses.measured  # trained at once or one by one, the runs are the same

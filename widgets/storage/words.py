"""What the storage instrument says: title and caption, labels, sentences, code."""

from typing import Any

TITLE = "Store many tasks"
CAPTION = (
    "Horizontal: number of tasks, or customers. Vertical: GB (a thousand million bytes each), with 16 bits a number. "
    "Both axes are logarithmic. Grey: a full finetune for each task. Gold: one base and an adapter for each task. "
    "Left out: a base kept in fewer bits, the files of the optimiser, and what must be in memory to answer."
)

WORDS: dict[str, Any] = {
    "sentence": (
        "For {tasks:,d} tasks on {label}, a full finetune for each takes {copies:,.2f} GB. One base and {tasks:,d} "
        "adapters with r = {r} on {targets} take {adapters:,.2f} GB, of which {all_adapters:,.2f} GB are adapters. "
        "The copies take {ratio:,.2f} times as much; with ever more tasks this approaches {limit:,.0f} times."
    ),
    "readouts": {
        "copies": "Whole copies",
        "adapters": "One base and adapters",
        "ratio": "Copies over adapters",
        "file": "One adapter",
    },
    "readoutValues": {
        "copies": "{copies:,.2f} GB",
        "adapters": "{adapters:,.2f} GB",
        "ratio": "{ratio:,.2f} times",
        "file": "{file:,.2f} MB",
    },
    "arithmetic": {
        "copies": "tasks × model = {tasks:,d} × {total:,d} numbers × {bytes} bytes = {copies:,.2f} GB",
        "adapters": "model + tasks × adapter = ({total:,d} + {tasks:,d} × {each:,d}) × {bytes} bytes = "
        "{adapters:,.2f} GB",
        "ratio": "{copies:,.2f} / {adapters:,.2f} = {ratio:,.2f} times",
        "file": "r × the numbers of one direction in all layers = {r} × {per_rank:,d} = {each:,d}, × {bytes} bytes = "
        "{file:,.2f} MB",
    },
    "chart": {
        "title": "GB stored against the number of tasks (logarithmic axes)",
        "x": "tasks",
        "copies": "whole copies",
        "adapters": "base and adapters",
        "even": "adapters as large as the base",
        "probe": "{probed:,d} tasks: copies {probed_copies:,.2f} GB, base and adapters {probed_adapters:,.2f} GB",
    },
    "tableHead": ["tasks", "copies, GB", "base and adapters, GB", "copies over adapters"],
    "tableRow": ["{probed:,d}", "{probed_copies:,.2f}", "{probed_adapters:,.2f}", "{probed_ratio:,.2f}"],
    "downloads": {"storage": "Storage (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """layers = {layers}  # (out, in), in each block
n_layer, model, tasks, r = {n_layer}, {total}, {tasks}, {r}

adapter = n_layer * sum(r * (out + into) for out, into in layers.values())
copies, adapters = tasks * model, model + tasks * adapter
print(f"GB, copies: {{bytes} * copies / 1e9:,.2f}")
print(f"GB, one base and adapters: {{bytes} * adapters / 1e9:,.2f}")
print(f"times as much: {copies / adapters:,.2f}")
"""

"""The text of the counting instrument: labels, templates of its sentences, and the code that prints its numbers."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS

PRECISION_LABELS = {
    "mixed": "16 bits, Adam and a copy in 32",
    "no-master": "16 bits, Adam in 32",
    "16-bit": "all in 16 bits",
    "32-bit": "all in 32 bits",
}
METHODS = {"full": "Full finetuning", "lora": "LoRA", "qlora": "QLoRA"}
_PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimiser": "optimiser states",
    "activations": "activations (estimate)",
}
FUSED = " Its q, k and v are one matrix, and PEFT adapts it as one."
NEVER_RELEASED = " It was never released: sizes as its paper gives them."

TITLE = "Count what it costs"
CAPTION = (
    "Bars: memory while finetuning, in GB (a thousand million bytes each). Weights, gradients and Adam's states are "
    "counted exactly. Activations are a low estimate, with every block recomputed in the backward pass, and therefore "
    "only outlined. The vertical lines are sizes of cards. Curve: numbers trained against r. alpha changes no count. "
    "Left out: fragmentation, buffers, the framework, the block that is being recomputed. So leave some room: a bar "
    "that ends just before a line will not fit."
)

WORDS: dict[str, Any] = {
    "sentence": (
        "LoRA with r = {r} on {targets} of {label} trains {trained:,d} numbers, {fewer:,.1f} times fewer than full "
        "finetuning. Weights, gradients and optimiser states take {full:,.2f} GB with full finetuning, {lora:,.2f} GB "
        "with LoRA, {less:.1f} times less, and {qlora:,.2f} GB with QLoRA. Activations add about "
        "{activations:,.2f} GB to each."
    ),
    "note": (
        "{n_layer} blocks of width {n_embd:,d}, {n_head} heads ({n_kv_head} for keys and values), MLP width "
        "{n_ffn:,d}, {vocab_size:,d} tokens, context {block_size:,d}: {total:,d} numbers.{more}"
    ),
    "shorter": " The activations are those of {context:,d} tokens: it reads no more.",
    "readouts": {
        "trained": "Numbers trained by LoRA",
        "fewer": "Fewer than full finetuning",
        "less": "Less memory with LoRA",
        "file": "Adapter file",
        "model": "File of a full finetune",
    },
    "readoutValues": {
        "trained": "{trained:,d}",
        "fewer": "{fewer:,.1f} times",
        "less": "{less:.1f} times",
        "file": "{adapter_mb:,.1f} MB",
        "model": "{model_gb:,.2f} GB",
    },
    "arithmetic": {
        "trained": "r × (in + out) of all adapted matrices = {r} × {per_rank:,d} = {trained:,d}",
        "fewer": "{total:,d} / {trained:,d} = {fewer:,.1f} times",
        "less": "{full:,.2f} GB / {lora:,.2f} GB = {less:.1f} times",
        "file": "{trained:,d} × {bytes} bytes = {adapter_mb:,.1f} MB",
        "model": "{total:,d} × {bytes} bytes = {model_gb:,.2f} GB",
    },
    "bars": {
        "title": "Memory while finetuning, in GB",
        "x": "GB; upright lines: the sizes of usual cards",
        "parts": _PARTS,
        "fits": "{method}: {sum:,.1f} GB, one card of {card} GB",
        "needs": "{method}: {sum:,.1f} GB, ≥ {cards} cards of {largest} GB",
    },
    "chart": {
        "title": "Numbers trained against r (logarithmic axes)",
        "x": "rank r",
        "curve": "LoRA",
        "full": "full finetuning",
        "matrices": "the adapted matrices themselves",
        "even": "break-even r = {even:,.0f}",
        "probe": (
            "r = {rank}: LoRA trains {rank_trained:,d} numbers, {rank_share:.3%} of the model; break-even at "
            "r = {even:,.0f}"
        ),
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. LoRA with r = {r} on {targets} of {label} trains {fewer:,.0f} times fewer numbers than full "
            "finetuning. How many times less memory do weights, gradients and optimiser states take?"
        ),
        "field": "My guess, times less:",
        "again": "Guess for this choice",
        "right": "You said {guess} for {label}, and {less:.1f} times it is: the frozen weights stay.",
        "tooLow": "You said {guess} for {label}. It is {less:.1f} times.",
        "tooHigh": "You said {guess} for {label}. It is {less:.1f} times: the frozen weights stay.",
    },
    "tableHead": [
        "method",
        "numbers trained",
        *(f"{name}, GB" for name in _PARTS.values()),
        "sum, GB",
        "smallest card",
    ],
    "tableRow": [
        "{method}",
        "{method_trained:,d}",
        *(f"{{{name}:,.2f}}" for name in ("weights", "gradients", "optimiser", "extra")),
        "{sum:,.2f}",
    ],
    "tableCard": {"fits": "{card} GB", "needs": "{cards} × {largest} GB"},
    "methods": METHODS,
    "downloads": {"memory": "Memory (CSV)", "numbers": "Numbers against r (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """layers = {layers}  # (out, in), in each block
n_layer, everything, in_blocks = {n_layer}, {total}, {linear}
r, bits = {r}, {nf4}  # bits: of a weight in NF4, with double quantisation
weight, each = {weight}, {each}  # bytes of a weight; of a trained number with gradient and Adam

lora = n_layer * sum(r * (out + into) for out, into in layers.values())
four_bit = in_blocks * bits / 8 + (everything - in_blocks) * weight
print(f"numbers trained: {lora:,d}")
print(f"times fewer: {everything / lora:,.1f}")
print(f"GB, full finetuning: {everything * each / 1e9:,.2f}")
print(f"GB, LoRA: {(everything * weight + lora * each) / 1e9:,.2f}")
print(f"GB, QLoRA: {(four_bit + lora * each) / 1e9:,.2f}")
"""

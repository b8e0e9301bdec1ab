"""What the inits instrument says: names of the starts and the problems, templates, code."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS

# Label of the choice, name in a sentence, what it is.
INIT_WORDS = {
    "B=0": (
        "lora_B = 0 (usual)",
        "lora_B = 0",
        "lora_A is drawn, lora_B starts at zero: the default of loralib and PEFT for linear layers.",
    ),
    "A=0": (
        "lora_A = 0",
        "lora_A = 0",
        "lora_B is drawn, lora_A starts at zero: so loralib and PEFT start an adapted embedding.",
    ),
    "both zero": ("both zero", "both zero", "Both factors start at zero."),
    "both random": (
        "both random",
        "both random",
        "Both factors are drawn, so that the model does not start as the base.",
    ),
    "mixed": (
        "mixed",
        "a mixed start",
        "Half of the directions start with lora_A = 0, the other half with lora_B = 0. The product is exactly zero.",
    ),
    "orthogonal": (
        "orthogonal (PEFT)",
        "the orthogonal start",
        "Both factors are drawn at right angles to each other, so that their product is zero. PEFT has it as "
        "init_lora_weights='orthogonal'.",
    ),
    "PiSSA": (
        "PiSSA",
        "PiSSA",
        "Both factors are made of the largest singular directions of the weight, which are taken out of it: together "
        "they are the base as it was.",
    ),
    "LoRA-GA": (
        "LoRA-GA",
        "LoRA-GA",
        "Both factors are made of the largest singular directions of the gradient that the first examples give, and "
        "their product is taken out of the weight: together they are the base as it was. On the small layer lora_A "
        "holds all directions of that gradient, so that its own is zero at first, but for rounding, of which AdamW "
        "makes a step all the same.",
    ),
}
# Label of the choice, name in a sentence, what it is.
PROBLEM_WORDS = {
    "small layer": (
        "One small layer",
        "on the small layer",
        "A layer of 64 × 64 numbers that lacks two directions of strength 1; r = 4, alpha = 8.",
    ),
    "mirror voice": (
        "The mini-model, telling backwards",
        "telling backwards",
        "The mini-model learns to tell its stories backwards: all 18 layers adapted, 150 steps of 8 texts; r = 4, "
        "alpha = 8.",
    ),
    "new facts": (
        "The mini-model, on new facts",
        "on new facts",
        "The mini-model learns 256 facts about people of whom it has never read: all 18 layers adapted, 150 steps of "
        "32 facts; r = 4, alpha = 8. There are no other texts of this task: its losses are on these facts.",
    ),
}

TITLE = "Where the factors start"
CAPTION = (
    "Norms are Frobenius norms, over all adapted layers together. Distance from the base: how far the adapted "
    "weights, delta_w included, lie from those of the base. Loss: of the small layer half its mean squared error, "
    "of the model nats per word that is learned. Teal is the chosen start, dashed grey another one at the same "
    "learning rate, dotted grey the base unchanged; these are runs of one seed. Last chart: the loss after the whole "
    "run, of the model on validation texts. A run whose loss grows to more than three times its first is given up. "
    "Table: every start at the rate that is its own best in the last chart, of the model on test texts where the task "
    "has some. Left out: other ranks, "
    "longer runs, and losses above the edge of the last chart."
)
PUBLISHED = "every start on each problem with both optimisers"
ENCLOSED = "every start on one problem with one optimiser; the lesson has the others"

WORDS: dict[str, Any] = {
    "sentence": (
        "Step {step} with {init}, {problem}, by {optimizer} at learning rate {rate}: {flow} The loss is {loss:.3f}, "
        "that of the unchanged base {base:.3f}. The weights are {distance:.3f} away from the base's."
    ),
    "flows": {
        "veiled": "which factor gets a gradient?",
        "both": "both factors get a gradient, lora_A one of norm {grad_A:.4f}, lora_B one of {grad_B:.4f}.",
        "lora_A": "only lora_A gets a gradient, of norm {grad_A:.4f}; that of lora_B is exactly zero.",
        "lora_B": "only lora_B gets a gradient, of norm {grad_B:.4f}; that of lora_A is exactly zero.",
        "none": "neither factor gets a gradient. Both are exactly zero.",
    },
    "givenUp": "Here the run was given up: the next loss is more than three times the first, or no number.",
    "rateLabel": "Learning rate",
    "readouts": {
        "moved": "First step moves the weights by",
        "times": "That step, against lora_B = 0",
        "final": "Loss after the whole run",
        "best": "At its own best rate, mean over seeds",
        "gap": "There, above lora_B = 0 (95 % interval)",
    },
    "readoutValues": {
        "moved": "{moved:.4f}",
        "times": "{times:.1f} × as far",
        "final": "{final:.4g}",
        "best": "{mean:.3f}, at {best_rate}",
        "gap": "{gap_low:+.3f} to {gap_high:+.3f}",
    },
    "noFinal": "given up",
    "noGap": "a seed was given up",
    "ends": {
        "title": "Each start at its own best rate",
        "heads": [
            "The factors start with",
            "rate",
            "loss of each seed",
            "mean",
            "above lora_B = 0, seed by seed",
        ],
        "mean": "{mean:.3f}",
        "lost": "{mean:.3f}, {lost} given up",
        "right": "; {right:.0%} right",
        "apart": "{mean:+.3f} ({low:+.3f} to {high:+.3f})",
        "itself": "",
        "unknown": "a seed was given up",
        "note": (
            "Runs of {steps} steps with {seeds} seeds each. The dots stand on one axis, lowest loss at the left. In "
            "brackets: the 95 % interval of the mean difference.{frequencies}"
        ),
        "frequencies": (
            " A writer who knows how often each word comes and nothing else would have a loss of {loss:.2f}."
        ),
    },
    "frequencies": "word frequencies",
    "factors": {"lora_A": "lora_A", "lora_B": "lora_B"},
    "baseName": "base unchanged",
    "charts": {
        "gradients": {
            "title": "Norm of the gradients of both factors",
            "x": "step",
            "probe": "step {step}: lora_A {grad_A:.4f}, lora_B {grad_B:.4f}",
        },
        "loss": {
            "title": "Loss on the examples of each step",
            "x": "step",
            "probe": "step {step}: {loss:.3f}, base unchanged {base:.3f}",
        },
        "distance": {
            "title": "Distance from the base",
            "x": "step",
            "probe": "step {step}: {distance:.3f}",
        },
        "sweep": {
            "title": "Loss after the whole run against the learning rate",
            "x": "learning rate",
            "probe": "{sweep_init}, rate {sweep_rate}: {sweep_final}; lora_B = 0: {sweep_usual}",
        },
    },
    "guess": {
        **GUESS,
        "question": "Guess first. Before the first step, with {init}: which of the factors gets a gradient?",
        "options": [
            ["both", "both factors"],
            ["lora_B", "only lora_B"],
            ["lora_A", "only lora_A"],
            ["none", "neither of them"],
        ],
        "again": "Guess for this start",
        "right": "You said {guess} with {init}, which is right.",
        "wrong": "You said {guess}. With {init} it is {truth}.",
    },
    "tableHead": ["step", "loss", "gradient of lora_A", "gradient of lora_B", "distance from the base"],
    "tableRow": ["{step}", "{loss:.4f}", "{grad_A:.4f}", "{grad_B:.4f}", "{distance:.4f}"],
    "downloads": {
        "steps": "Steps (CSV)",
        "sweep": "Losses against the rate (CSV)",
        "ends": "Losses of all seeds (CSV)",
        "picture": "Picture (SVG)",
    },
}

SNIPPETS = {
    "small": """import torch

from compute.adapters.layer import LoRALinear, initialize
from compute.training.first_steps import small_problem

problem = small_problem()
model = LoRALinear(problem.layer, r=4, alpha=8, scaling_rule="alpha/r")
initialize(model, "{code}", torch.Generator().manual_seed(0))
problem.loss(model).backward()
print(f"step 0, gradient of lora_A: {model.lora_A.grad.norm():.4f}")
print(f"step 0, gradient of lora_B: {model.lora_B.grad.norm():.4f}")
""",
    "small by gradient": """import torch

from compute.adapters.layer import LoRALinear, initialize
from compute.adapters.lora_ga import start_by_gradient
from compute.training.first_steps import small_problem

problem = small_problem()
model = LoRALinear(problem.layer, r=4, alpha=8, scaling_rule="alpha/r")
initialize(model, "B=0", torch.Generator().manual_seed(0))
start_by_gradient(model, problem.loss)
problem.loss(model).backward()
print(f"step 0, gradient of lora_A: {model.lora_A.grad.norm():.4f}")
print(f"step 0, gradient of lora_B: {model.lora_B.grad.norm():.4f}")
""",
    "model": """from compute.training.config import TrainConfig
from compute.training.loop import train

first = next(train(TrainConfig({settings}, init="{code}")))
for factor, size in first.gradient_norms.items():
    print(f"step 0, gradient of {factor}: {size:.4f}")
""",
    "model by gradient": """from compute.model.checkpoint import load_base
from compute.training.config import TrainConfig
from compute.training.first_steps import model_steps

config = TrainConfig({settings}, steps=1)
first, _ = model_steps(config, load_base(), by_gradient=True)
print(f"step 0, gradient of lora_A: {first.lora_A[0]:.4f}")
print(f"step 0, gradient of lora_B: {first.lora_B[0]:.4f}")
""",
}


def slug(name: str) -> str:
    """Return a name of compute as an address spells it."""
    return name.replace("=0", "-zero").replace(" ", "-").lower()

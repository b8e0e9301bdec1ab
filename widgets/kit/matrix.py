"""A matrix as the instruments ship it: factors to draw from, curves over the rank, and its control."""

import base64
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import param

from compute.costs.sizes import break_even_rank
from compute.experiments.learned import LEARNED, load_learned
from compute.matrices.controls import Band, noise_control, noise_product_band
from compute.matrices.examples import MAX_SEED, MAX_SIZE, MIN_SIZE, TASKS, make_task
from compute.matrices.spectrum import energy, knee_rank, relative_error
from compute.matrices.svd import SVD, factorize, factorize_product
from widgets.kit.choices import one_of
from widgets.kit.languages import ENGLISH, kept, say, spoken
from widgets.kit.text import fill

TOLERANCE = 0.05  # the relative error that the guess is about
SEED = 0  # of the published matrices
STEPS = {"i1": 127, "i2": 32767}  # on each side of zero; the colour scale has as many as the first
DRAWN_SIDE = 128  # cells drawn along a side; on a screen more of them would be smaller than a pixel

TASK_LABELS = {
    "few-patterns": "Few patterns",
    "blur": "Blur",
    "reorder": "Reorder",
    "noise": "IID noise",
    "flat": "Flat spectrum",
}

TASK_NOTES = {
    "few-patterns": "Three patterns, added with weights that fall.",
    "blur": "Each output is a weighted mean of its neighbours. There is no chance in it: the seed changes nothing.",
    "reorder": "Each entry moves on by one place. There is no chance in it: the seed changes nothing.",
    "noise": "Every entry is drawn by itself: the control, chosen as the matrix.",
    "flat": "A random rotation. It looks like noise, and compresses worse.",
}

PRINT_ERROR = """
U, s, Vh = np.linalg.svd(delta_w, full_matrices=False)
copy = (U[:, :r] * s[:r]) @ Vh[:r]
error = np.linalg.norm(delta_w - copy) / np.linalg.norm(delta_w)
print(f"relative error at r = {r}: {error:.1%}")
"""

PRINT_ADAPTER_ERROR = """
q_b, r_b = np.linalg.qr(lora_B)
q_a, r_a = np.linalg.qr(lora_A.T)
s = np.linalg.svd(r_b @ r_a.T, compute_uv=False)
error = np.sqrt((s[r:] ** 2).sum() / (s**2).sum())
print(f"relative error at r = {r}: {error:.1%}")
"""

LEARNED_WORDS = {
    name: {"task": task, "layer": layer.rpartition(".")[2]} for name, (task, layer) in LEARNED.items()
}
LEARNED_LABELS = {name: "Learned: {task}, {layer}".format_map(words) for name, words in LEARNED_WORDS.items()}

LEARNED_NOTE = (
    "Nobody made this matrix up: it is what full finetuning on the {task} added to {layer} in the middle block of our "
    "small model. Size and seed do not apply. "
)

LOAD_LEARNED = """# Run it in the folder of this project.
import numpy as np
from safetensors.numpy import load_file

r = {r}
delta_w = load_file("assets/recorded/learned.safetensors")["NAME"].astype(np.float64)
"""

TASK_CODE = {
    "few-patterns": """u, _ = np.linalg.qr(rng.standard_normal((n, 3)))
v, _ = np.linalg.qr(rng.standard_normal((n, 3)))
delta_w = (u * [1.0, 0.6, 0.3]) @ v.T""",
    "blur": """offset = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
distance = np.minimum(offset, n - offset)
weight = np.exp(-0.5 * (distance / (n / 12)) ** 2)
delta_w = weight / weight.sum(axis=1, keepdims=True)""",
    "reorder": "delta_w = np.roll(np.eye(n), 1, axis=0)",
    "noise": "delta_w = rng.standard_normal((n, n)) / np.sqrt(n)",
    "flat": """q, triangle = np.linalg.qr(rng.standard_normal((n, n)))
delta_w = q * np.copysign(1.0, np.diagonal(triangle))""",
}


class OfMadeMatrix(param.Parameterized):
    """The choices of an instrument that takes a matrix apart, and the copies of it that are published."""

    task = one_of(TASK_LABELS, default="few-patterns", label="Matrix", doc="Which matrix is taken apart.")
    n = param.Integer(
        default=32, bounds=(MIN_SIZE, MAX_SIZE), label="Size", doc="Rows and columns of the matrix."
    )
    seed = param.Integer(
        default=SEED, bounds=(0, MAX_SEED), label="Seed", doc="Seed of the matrices drawn by chance."
    )

    sizes: ClassVar[tuple[int, ...]]  # that are published
    keyed_by: ClassVar[tuple[str, ...]] = ("task", "n", "seed")
    idle: ClassVar[dict[str, tuple[str, ...]]] = {
        name: ("seed",) for name, task in TASKS.items() if not task.seeded
    }

    @classmethod
    def made(cls, n: int) -> list[str]:
        """Return the keys of the matrices of a size that a rule makes."""
        return [f"{task}-{n}-{SEED}" for task in cls.param["task"].objects if task in TASKS]

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the published matrices."""
        return [key for n in cls.sizes for key in cls.made(n)]

    def enclosed(self) -> list[str]:
        """Return the other matrices of the present size that a rule makes."""
        shown = f"{self.task}-{self.n}-{self.seed}"
        return [key for key in self.made(self.n) if key != shown]


class Control(NamedTuple):
    """What noise does in the place of the matrix: its label at a curve, its name in a sentence, its band."""

    label: str
    name: str
    band: Band


class Matrix(NamedTuple):
    """A factored matrix with its name, its controls and the code that makes it."""

    key: str
    label: str
    svd: SVD
    controls: Sequence[Control]
    code: str
    note: str = ""


def named_matrix(task: str, n: int, seed: int) -> Matrix:
    """Return one of the matrices to choose from, made up or learned; a learned one has a size of its own."""
    if task in LEARNED:
        return learned_matrix(task)._replace(key=f"{task}-{n}-{seed}")
    return task_matrix(task, n, seed)


@kept(64)
def task_matrix(task: str, n: int, seed: int) -> Matrix:
    """Return one of the matrices that a rule makes."""
    svd, label = factorize(make_task(task, n, seed)), say(TASK_LABELS[task])
    seeded = TASKS[task].seeded
    start = f"import numpy as np\n\nn, r = {n}, {{r}}\n" + (
        f"rng = np.random.default_rng({seed})\n" if seeded else ""
    )
    return Matrix(
        key=f"{task}-{n}-{seed}",
        label=f"{label if task == 'noise' else label.lower()}, {n} × {n}",
        svd=svd,
        controls=[_noise(noise_control(svd.shape))],
        code=start + TASK_CODE[task] + PRINT_ERROR,
        note=say(TASK_NOTES[task]),
    )


@kept()
def learned_matrix(name: str) -> Matrix:
    """Return one of the matrices that the mini-model learned."""
    svd, label = factorize(load_learned(name)), say(LEARNED_LABELS[name])
    return Matrix(
        key=name,
        label=f"{label[0].lower()}{label[1:]}, {svd.shape[0]} × {svd.shape[1]}",
        svd=svd,
        controls=[_noise(noise_control(svd.shape))],
        code=LOAD_LEARNED.replace("NAME", name) + PRINT_ERROR.removeprefix("\n"),
        note=(fill(LEARNED_NOTE, LEARNED_WORDS[name]) + sampling_note(svd.shape)).strip(),
    )


def own_matrix(delta_w: np.ndarray, label: str, load: str) -> Matrix:
    """Return a reader's matrix; `load` is the Python that makes `delta_w` from her file."""
    svd = factorize(delta_w)
    return Matrix(
        key="own",
        label=label,
        svd=svd,
        controls=[_noise(noise_control(svd.shape))],
        code=f"import numpy as np\n\n{load}\nr = {{r}}{PRINT_ERROR}",
        note=sampling_note(svd.shape),
    )


def adapter_matrix(factors: tuple[np.ndarray, np.ndarray], label: str, load: str) -> Matrix:
    """Return the update lora_B @ lora_A of one layer, without forming it; `load` makes the factors in Python."""
    svd = factorize_product(*factors)
    r = factors[1].shape[0]
    return Matrix(
        key="own",
        label=label,
        svd=svd,
        controls=[
            Control(
                fill("noise of rank {r}", {"r": r}),
                fill("Noise of the same shape and rank {r}", {"r": r}),
                noise_product_band(svd.shape, r),
            ),
            _noise(_first(noise_control(svd.shape), len(svd.s))),
        ],
        code=f"import numpy as np\n\n{load}\nr = {{r}}{PRINT_ADAPTER_ERROR}",
        note=say("The factor alpha / r is left out, for no curve depends on it. ") + sampling_note(svd.shape),
    )


def _noise(band: Band) -> Control:
    return Control(say("noise"), say("Noise of the same shape"), band)


def _first(band: Band, k: int) -> Band:
    """Return a band cut to its first k ranks."""
    return Band(s=band.s[:, :k], energy=band.energy[:, : k + 1], error=band.error[:, : k + 1])


def _steps(shape: tuple[int, int]) -> tuple[int, int]:
    """Return how many cells apart the drawn cells are, down and across."""
    return -(-shape[0] // DRAWN_SIDE), -(-shape[1] // DRAWN_SIDE)


def sampling_note(shape: tuple[int, int]) -> str:
    """Say plainly when the picture shows fewer cells than the matrix has."""
    down, across = _steps(shape)
    if down == across == 1:
        return ""
    told = fill(
        "The matrix is {out:,d} × {in:,d}, too large to draw: the pictures show every {row} row and every {column} "
        "column. The curves and all numbers are those of the whole matrix.",
        {"out": shape[0], "in": shape[1], "row": _ordinal(down), "column": _ordinal(across)},
    )
    return told.replace("  ", " ")  # every row is drawn


def _ordinal(number: int) -> str:
    """Return which rows are drawn: nothing for each of them; a number outside of English."""
    if spoken() is not ENGLISH or number == 1:
        return str(number) if number > 1 else ""
    teens = 10 < number % 100 < 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def packed(values: np.ndarray, kind: str) -> dict[str, str]:
    """Encode an array for the browser: little-endian bytes in base64 (decoded by arrays.js)."""
    data = np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()
    return {"kind": kind, "data": base64.b64encode(data).decode("ascii")}


def stepped(values: np.ndarray, kind: str = "i1") -> dict[str, Any]:
    """Encode an array in equal steps, and where they end (arrays.js has the way back)."""
    top = float(np.abs(values).max())
    steps = np.rint(values * (STEPS[kind] / top if top else 0.0))
    return {**packed(steps, kind), "top": top}


def to_arrays(matrix: Matrix) -> dict[str, Any]:
    """Return what the browser needs to draw the matrix at every rank, ready for JSON."""
    U, s, Vh = matrix.svd
    down, across = _steps(matrix.svd.shape)
    return {
        "key": matrix.key,
        "label": matrix.label,
        "note": matrix.note,
        "shape": matrix.svd.shape,
        "steps": [down, across],
        "k": len(s),
        "drawn": [len(U[::down]), Vh[:, ::across].shape[1]],
        "U": packed(U[::down], "f4"),
        "s": packed(s, "f8"),
        "Vh": packed(Vh[:, ::across], "f4"),
        "error": packed(relative_error(s), "f8"),
        "energy": packed(energy(s), "f8"),
        "knee": knee_rank(s, TOLERANCE),
        "tolerance": TOLERANCE,
        "break_even": break_even_rank(matrix.svd.shape),
        "snippet": matrix.code,
        "controls": [
            {"label": label, "name": name, "k": band.s.shape[1]}
            | {rows: packed(getattr(band, rows), "f8") for rows in Band._fields}
            for label, name, band in matrix.controls
        ],
    }

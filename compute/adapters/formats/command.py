"""What `python app.py inspect` does: read, show, and write what was asked for."""

import dataclasses
import json
import shutil
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from compute.adapters.formats.base import open_base
from compute.adapters.formats.beside import beside_base
from compute.adapters.formats.combining import combined
from compute.adapters.formats.comparing import compare
from compute.adapters.formats.containers import WEIGHTS, Contents, FileSource, read_json, total_bytes
from compute.adapters.formats.contents import Measures, doctor, measures
from compute.adapters.formats.page import as_page
from compute.adapters.formats.reading import Adapter, quote_end, read_adapter
from compute.adapters.formats.report import as_json, beside_text, comparison_text, kept_text, overview
from compute.adapters.formats.shrinking import Kept, ranks_for, truncated, truncation
from compute.adapters.formats.writing import (
    Plain,
    Written,
    kernel_of,
    layer_magnitude,
    plain,
    stored_dtypes,
    target_of,
    write_adapter,
)
from compute.numbers.refusal import FileRefused, count

WORKERS = 2  # app.py tells the linear algebra to use one thread itself
BAR = 30  # characters
WIDE = 100  # characters of a line that goes to no terminal


def inspect(given: Namespace, out: TextIO, err: TextIO) -> int:
    r"""Run the command.

    Parameters
    ----------
    given : Namespace
        What app.py parsed: files, json, truncate, energy, error, numbers, overall, convert, output, others, merge,
        weights, density, seed, base, intruders, report and all.
    out : TextIO
        Where the result goes: text, or JSON alone.
    err : TextIO
        Where progress goes, and the sentence if something cannot be done.

    Returns
    -------
    int
        0 if all was done, 1 if not: err then says why in one sentence.

    Examples
    --------
    >>> import io
    >>> err = io.StringIO()
    >>> inspect(Namespace(files=[Path("nothing.safetensors")], others=[]), io.StringIO(), err), err.getvalue()
    (1, 'nothing.safetensors: there is no such file.\n')
    """
    try:
        adapter = read_adapter(*given.files)
        others = [read_adapter(path) for path in given.others]
        adapter, base = _with_base(given, adapter)
        found = measures(adapter, _progress(err, len(adapter.layers)), WORKERS)
        faults = doctor(adapter, found)
        against = base and beside_base(
            adapter,
            base.tensors,
            intruders=given.intruders,
            progress=_progress(err, len(adapter.layers)),
            workers=WORKERS,
        )
        width = shutil.get_terminal_size((WIDE, 24)).columns if out.isatty() else WIDE
        if given.json:
            json.dump(as_json(adapter, found, faults, against), out, allow_nan=False)
            out.write("\n")
        else:
            out.write(overview(adapter, found, faults, width, given.all) + "\n")
            if against:
                out.write("\n" + beside_text(*against, str(given.base), width) + "\n")
            for path, other in zip(given.others, others, strict=True):
                out.write("\n" + comparison_text(compare(adapter, other), str(path), width) + "\n")
        said = _do(given, adapter, others, found)
        if given.report:
            title = " ".join(path.name for path in given.files)
            given.report.write_text(as_page(adapter, found, faults, title, against), encoding="utf-8")
            said.append(f"Written: {given.report}.")
        if said:
            (err if given.json else out).write("\n".join(["", *said]) + "\n")
    except ValueError as refused:
        err.write(f"{refused}\n")
        return 1
    except OSError as error:
        err.write(f"{error.filename or 'The file'}: {error.strerror}.\n")
        return 1
    return 0


def _with_base(given: Namespace, adapter: Adapter) -> tuple[Adapter, Contents | None]:
    """Return the base, if there is one, and the adapter with what is to be said of it."""
    if not given.base:
        if given.intruders:
            raise FileRefused("Intruders are told from the weights of the base: give it with --base.")
        return adapter, None
    base = open_base(given.base)
    return dataclasses.replace(adapter, notes=(*adapter.notes, *base.notes)), base


def _progress(err: TextIO, number: int) -> Callable[[int], None] | None:
    """Return what draws the bar, None where nobody looks."""
    if not err.isatty() or number < 2:
        return None

    def draw(done: int) -> None:
        filled = BAR * done // number
        err.write(f"\r[{'#' * filled}{'.' * (BAR - filled)}] {done} of {number} layers")
        if done == number:
            err.write("\r" + " " * (BAR + 40) + "\r")
        err.flush()

    return draw


def _do(
    given: Namespace, adapter: Adapter, others: Sequence[Adapter], found: Sequence[Measures]
) -> list[str]:
    """Do what was asked for beyond looking, and return what to say of it."""
    cut = [each is not None for each in (given.truncate, given.energy, given.error, given.numbers)]
    if not (any(cut) or given.convert or given.merge or given.output):
        return []
    if not adapter.layers:
        raise FileRefused(f"{adapter.format} has no delta_w that could be cut, converted or merged.")
    target = given.convert or target_of(adapter)
    base = _base_config(given.base)
    if given.merge:
        if any(cut[1:]):
            raise FileRefused("A merge is cut to a rank only: give --truncate R.")
        weights = given.weights or [1.0] * (1 + len(others))
        plains = combined(
            [adapter, *others],
            weights,
            given.merge,
            rank=given.truncate,
            density=given.density,
            seed=given.seed,
        )
        written = write_adapter(plains, target, adapter, base)
        said = [f"Merged {1 + len(others)} adapters by {given.merge}: {_size(written):,} bytes."]
    elif any(cut):
        plains, kept = _cut(given, adapter, found)
        written = write_adapter(plains, target, adapter, base)
        said = [kept_text(kept, total_bytes(given.files), _size(written))]
        if any(each.magnitude is not None for each in plains):
            said.append("The error is that of the product; what DoRA makes of it depends on the weight.")
    else:
        written = write_adapter([plain(layer) for layer in adapter.layers], target, adapter, base)
        said = [f"Converted to {target}: {total_bytes(given.files):,} to {_size(written):,} bytes."]
    said += written.notes + _without_magnitude([adapter, *others] if given.merge else [adapter], given.merge)
    if given.output is None:
        return [*said, "Nothing was written; --output says where to."]
    return [*said, _save(written, given.output, given.files)]


def _base_config(base: Path | None) -> dict[str, Any] | None:
    """Return what config.json beside the weights of the base says, None if there is none."""
    if base is None:
        return None
    path = (base if base.is_dir() else base.parent) / "config.json"
    return read_json(FileSource(path), path.name) if path.is_file() else None


def _without_magnitude(adapters: Sequence[Adapter], merged: str | None) -> list[str]:
    """Return a sentence on magnitudes of DoRA that are not in what is written."""
    with_one = [each for adapter in adapters for each in adapter.layers if each.magnitude is not None]
    lost = [each.name for each in with_one if merged or layer_magnitude(each) is None]
    if not lost:
        return []
    why = "a merge has no" if merged else "along the inputs no format written here has a"
    return [
        f"The factors of {count(len(lost), 'layer')}, as {quote_end(lost[0])}, are written without DoRA's magnitude: "
        f"{why} place for it, and what it does depends on the weight."
    ]


def _cut(given: Namespace, adapter: Adapter, found: Sequence[Measures]) -> tuple[list[Plain], Kept]:
    broken = [each.layer.name for each in found if each.broken]
    if broken:
        raise FileRefused(f"{broken[0]} has a number that is not finite; the adapter cannot be cut.")
    spectra = {each.layer.name: each.s for each in found}
    shapes = {layer.name: layer.shape for layer in adapter.layers}
    ranks = ranks_for(
        spectra,
        shapes,
        rank=given.truncate,
        energy=given.energy,
        error=given.error,
        numbers=given.numbers,
        overall=given.overall,
    )
    plains = []
    for layer in adapter.layers:
        lora_B, lora_A = truncated(layer, ranks[layer.name])
        plains.append(
            Plain(
                layer.name,
                lora_B,
                lora_A,
                layer.scale,
                stored_dtypes(layer),
                kernel_of(layer),
                layer.embedding,
                layer_magnitude(layer),
                layer.expert,
            )
        )
    return plains, truncation(adapter.layers, spectra, ranks)


def _size(written: Written) -> int:
    return len(next(iter(written.files.values())))


def _save(written: Written, output: Path, inputs: Sequence[Path]) -> str:
    """Write the files: into a folder, or the weights under a name of their own with the config beside them."""
    as_file = output.suffix.lower() in WEIGHTS
    suffix = Path(next(iter(written.files))).suffix
    if as_file and output.suffix.lower() != suffix:
        raise FileRefused(f"{output.name[:40]}: the format is written into a {suffix} file, or a folder.")
    folder = output.parent if as_file else output
    targets = {
        (output if as_file and i == 0 else folder / name): data
        for i, (name, data) in enumerate(written.files.items())
    }
    read = {path.resolve() for path in inputs} | {
        each.resolve() for path in inputs if path.is_dir() for each in path.iterdir()
    }
    taken = [path for path in targets if path.resolve() in read]
    if taken:
        raise FileRefused(f"{taken[0]} is what was read; name another place with --output.")
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in targets.items():
        path.write_bytes(data)
    return "Written: " + ", ".join(map(str, targets)) + "."

"""What was found in an adapter, as JSON for programs and as text for a terminal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from compute.adapters.formats.beside import FORMATS, Beside, times
from compute.adapters.formats.comparing import Comparison
from compute.adapters.formats.contents import Fault, Measures
from compute.adapters.formats.layers import Layer
from compute.adapters.formats.reading import Adapter, quote_end
from compute.adapters.formats.scales import RUNTIMES, disagree, scale_audit
from compute.adapters.formats.shrinking import Kept
from compute.numbers.bounds import whole
from compute.numbers.refusal import count

T = TypeVar("T")
LEAST_WIDTH = 60
LISTED_MISSING = 5  # layers that a base does not have, each with its reason
LISTED = 40  # layers that are listed one by one; more are gathered by the matrix that they are


def as_json(
    adapter: Adapter,
    found: Sequence[Measures],
    faults: Sequence[Fault],
    against: tuple[Sequence[Beside], Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """Return what was found, ready for JSON.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.
    found : sequence of Measures
        From `compute.adapters.formats.contents.measures`.
    faults : sequence of Fault
        From `compute.adapters.formats.contents.doctor`.
    against : (sequence of Beside, mapping of str to str), optional
        From `compute.adapters.formats.beside.beside_base`, if there is a base.

    Returns
    -------
    dict of str to Any
        "format"; "layers", each with "name", "shape" [out, in], "r", "scale" by runtime (null where it does not load
        the layer) and "s", the singular values of delta_w as PEFT would apply it or the format's own tool, empty if a
        number is not finite; and "notes", sentences. Beside a base each layer has "base" too, null where the base has
        no such weight: "weight", its name; "size" and "size_W", Frobenius norms of delta_w and W; "s", the largest
        singular values of delta_w, and "top_W", that of W; "amplification" and "chance"; by format "lost" and
        "arrived"; and "intruders", null if not asked for. Of a DoRA delta_w is the true change here.

    Examples
    --------
    >>> from compute.adapters.formats.contents import measures
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> import numpy as np
    >>> file = save({"q.lora_B.weight": np.eye(6, 1), "q.lora_A.weight": 3 * np.eye(1, 4)})
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> as_json(adapter, measures(adapter), [])["layers"][0]["s"]
    [3.0]
    """
    beside, missing = against or ((), {})
    by_name = {each.layer.name: _as_json(each) for each in beside}
    return {
        "format": adapter.format,
        "layers": [
            {
                "name": each.layer.name,
                "shape": list(each.layer.shape),
                "r": each.layer.r,
                "scale": scale_audit(each.layer, adapter.told),
                "s": each.s.tolist(),
            }
            | ({"base": by_name.get(each.layer.name)} if against else {})
            for each in found
        ],
        "notes": [*adapter.notes, *(fault.sentence for fault in faults), *missing_notes(missing)],
    }


def _as_json(each: Beside) -> dict[str, Any]:
    told = {
        what: {format: loss and getattr(loss, what) for format, loss in each.losses.items()}
        for what in ("lost", "arrived")
    }
    return {
        "weight": each.weight,
        "size": each.size,
        "size_W": each.size_W,
        "s": each.s.tolist(),
        "top_W": each.top_W,
        "amplification": each.amplification,
        "chance": each.chance,
        **told,
        "intruders": each.intruders,
    }


def missing_notes(missing: Mapping[str, str]) -> list[str]:
    """Return sentences on layers of which the base has no weight.

    Parameters
    ----------
    missing : mapping of str to str
        By the name of the layer, the reason.

    Returns
    -------
    list of str
        Five at most, and how many more there are.

    Examples
    --------
    >>> missing_notes({"q": "no weight of the base is called so"})
    ["'q' is not compared with the base: no weight of the base is called so."]
    """
    notes = [f"{quote_end(name)} is not compared with the base: {why}." for name, why in missing.items()]
    more = len(notes) - LISTED_MISSING
    return notes[:LISTED_MISSING] + ([f"{count(more, 'more layer')} not compared."] if more > 0 else [])


BESIDE = ("layer", "size", "top", "ampl.", "chance", *(f"{format} %" for format in FORMATS), "intruders")
BESIDE_TOLD = (
    "size: norm of delta_w over that of W; top: the same of the largest singular values; ampl.: norm of delta_w over "
    "that of W in the directions of delta_w, and by chance; bf16 % and so on: energy of delta_w that a merge into the "
    "format loses, above 100 where rounding moves the weights further than delta_w does; intruders: of the first ten "
    "directions of W + delta_w those that W does not have (--intruders looks for them). Of a DoRA delta_w is the true "
    "change."
)


def beside_rows(found: Sequence[Beside], gathered: bool) -> list[list[str]]:
    """Return the table of an adapter beside its base.

    Parameters
    ----------
    found : sequence of Beside
        From `compute.adapters.formats.beside.beside_base`.
    gathered : bool
        Whether layers are gathered by the matrix that they are.

    Returns
    -------
    list of list of str
        Rows under BESIDE, from the least to the most of a group.

    Examples
    --------
    >>> beside_rows([], True)
    []
    """

    def cell(values: Iterable[float | None]) -> str:
        known = [value for value in values if value is not None]
        return _span(known) if known else "-"

    return [
        [
            name if len(group) == 1 else f"{name} ({len(group)})",
            cell(times(each.size, each.size_W) for each in group),
            cell(times(each.s.max(initial=0.0), each.top_W) for each in group),
            cell(each.amplification for each in group),
            cell(each.chance for each in group),
            *(cell(loss and 100 * loss.lost for each in group for loss in [each.losses[x]]) for x in FORMATS),
            cell(each.intruders for each in group),
        ]
        for name, group in _grouped(((each.layer.name, each) for each in found), gathered).items()
    ]


def beside_text(found: Sequence[Beside], missing: Mapping[str, str], name: str, width: int = 100) -> str:
    """Return what an adapter does to its base as text.

    Parameters
    ----------
    found : sequence of Beside
        From `compute.adapters.formats.beside.beside_base`.
    missing : mapping of str to str
        Layers of which the base has no weight, each with the reason.
    name : str
        What the base is called.
    width : int
        Characters in a line of the terminal.

    Returns
    -------
    str
        Lines.

    Examples
    --------
    >>> print(beside_text([], {"q": "no weight of the base is called so"}, "base").splitlines()[0])
    Beside base: 0 of 1 layer
    """
    width = max(width, LEAST_WIDTH)
    lines = [f"Beside {name}: {len(found)} of {count(len(found) + len(missing), 'layer')}"]
    if found:
        lines += [
            "",
            _table(BESIDE, beside_rows(found, len(found) > LISTED), width),
            _wrapped(BESIDE_TOLD, width),
        ]
    return "\n".join([*lines, *(_wrapped(note, width) for note in missing_notes(missing))])


def kind_of_matrix(name: str) -> str:
    """Return which matrix a layer is, whatever block it is in.

    Parameters
    ----------
    name : str
        Name of the layer.

    Returns
    -------
    str
        The name with a star for each number.

    Examples
    --------
    >>> kind_of_matrix("model.layers.12.self_attn.q_proj")
    'model.layers.*.self_attn.q_proj'
    """
    return re.sub(r"(?<![a-zA-Z])\d+", "*", name)


def shortened(text: str, width: int) -> str:
    """Return a name that fits, without its middle if need be.

    Parameters
    ----------
    text : str
        The name.
    width : int
        Characters that there is room for, at least 8.

    Returns
    -------
    str
        At most `width` characters; what cannot be printed is escaped.

    Raises
    ------
    ValueError
        If there is no room.

    Examples
    --------
    >>> shortened("model.layers.0.self_attn.q_proj", 16)
    'model..tn.q_proj'
    """
    whole("width", width, 8)
    text = text if text.isprintable() else repr(text)[1:-1]
    if len(text) <= width:
        return text
    left = (width - 2) // 3 + 1
    return text[:left] + ".." + text[len(text) - (width - 2 - left) :]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return _number(low) if f"{low:.2g}" == f"{high:.2g}" else f"{low:.2g}-{high:.2g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """Return a table: the first column takes what room is left, the others are aligned on the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(1, len(head))]
    room = max(12, width - sum(widths) - 2 * len(widths))
    room = min(room, max(len(row[0]) for row in [head, *rows]))
    return "\n".join(
        "  ".join(
            [shortened(row[0], max(room, 8)).ljust(room)]
            + [cell.rjust(w) for cell, w in zip(row[1:], widths, strict=True)]
        ).rstrip()
        for row in [head, *rows]
    )


def overview(
    adapter: Adapter,
    found: Sequence[Measures],
    faults: Sequence[Fault],
    width: int = 100,
    every: bool = False,
) -> str:
    """Return what was found as text.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.
    found : sequence of Measures
        From `compute.adapters.formats.contents.measures`.
    faults : sequence of Fault
        From `compute.adapters.formats.contents.doctor`.
    width : int
        Characters in a line of the terminal.
    every : bool
        Whether every layer has a line; else more than 40 are gathered by the matrix that they are.

    Returns
    -------
    str
        Lines of at most `width` characters where that is possible: what it is, a table of the layers, the scale that
        each runtime applies, and notes.

    Examples
    --------
    >>> from compute.adapters.formats.contents import measures
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> import numpy as np
    >>> file = save({"q.lora_B.weight": np.eye(6, 1), "q.lora_A.weight": 3 * np.eye(1, 4)})
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> print(overview(adapter, measures(adapter), []).splitlines()[0])
    PEFT LoRA: 1 layer, 10 numbers, 80 bytes (F64), r = 1
    """
    width = max(width, LEAST_WIDTH)
    lines = [first_line(adapter)]
    if found:
        gathered = not every and len(found) > LISTED
        lines += ["", _layers_table(found, width, gathered), "", _scales_table(adapter, width)]
    notes = [*(fault.sentence for fault in faults), *adapter.notes]
    if notes:
        lines += ["", *(_wrapped(note, width) for note in notes)]
    return "\n".join(lines)


def first_line(adapter: Adapter) -> str:
    """Return in one line what an adapter is.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    str
        Format, layers, numbers, bytes, types and ranks.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> import numpy as np
    >>> first_line(read_bytes({"a.safetensors": save({"h.0.attn.ia3_l": np.ones((4, 1))})}))
    'IA3: no layer with a delta_w'
    """
    if not adapter.layers:
        return f"{adapter.format}: no layer with a delta_w"
    types = sorted({tensor.dtype for layer in adapter.layers for tensor in layer.tensors.values()})
    numbers = sum(layer.numbers for layer in adapter.layers)
    size = sum(layer.bytes for layer in adapter.layers)
    return (
        f"{adapter.format}: {count(len(adapter.layers), 'layer')}, {numbers:,} numbers, {size:,} bytes "
        f"({', '.join(types)}), r = {_span([layer.r for layer in adapter.layers])}"
    )


def _grouped(named: Iterable[tuple[str, T]], gathered: bool) -> dict[str, list[T]]:
    """Return what is told of layers under their names, or gathered by the matrix that they are."""
    groups: dict[str, list[T]] = {}
    for name, each in named:
        groups.setdefault(kind_of_matrix(name) if gathered else name, []).append(each)
    return groups


def _layers_table(found: Sequence[Measures], width: int, gathered: bool) -> str:
    head = ["layer", "out x in", "r", "scale", "norm", "r90", "stable", "entropy", "5%"]
    rows = []
    for name, group in _grouped(((each.layer.name, each) for each in found), gathered).items():
        shapes = {each.layer.shape for each in group}
        shape = " x ".join(map(str, shapes.pop())) if len(shapes) == 1 else "several"
        whole_ = [each for each in group if not each.broken] or [group[0]]
        rows.append(
            [
                name if len(group) == 1 else f"{name} ({len(group)})",
                shape,
                _span([each.layer.r for each in group]),
                _span([each.layer.scale for each in group]),
                "NaN" if group[0].broken and len(group) == 1 else _span([each.norm for each in whole_]),
                _span([each.r90 for each in whole_]),
                _span([each.stable_rank for each in whole_]),
                _span([each.entropy_rank for each in whole_]),
                _span([each.used for each in whole_]),
            ]
        )
    return _table(head, rows, width)


def audit_groups(adapter: Adapter) -> list[tuple[Layer, int, Mapping[str, float | None]]]:
    """Return the scales that runtimes apply, once for all layers in which they are the same.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    list of (Layer, int, dict of str to (float or None))
        The first layer of each group, how many there are, and the scale by runtime.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> import numpy as np
    >>> file = save({f"{name}.lora_{x}.weight": np.eye(2) for name in "qv" for x in "AB"})
    >>> [number for _, number, _ in audit_groups(read_bytes({"a.safetensors": file}))]
    [2]
    """
    groups: dict[tuple, list[Layer]] = {}
    for layer in adapter.layers:
        groups.setdefault(tuple(scale_audit(layer, adapter.told).items()), []).append(layer)
    return [(layers[0], len(layers), dict(scales)) for scales, layers in groups.items()]


def _scales_table(adapter: Adapter, width: int) -> str:
    groups = audit_groups(adapter)
    rows = []
    for layer, number, scales in groups[:LISTED]:
        name = layer.name if number == 1 else f"{kind_of_matrix(layer.name)} and others ({number})"
        name = "all layers" if len(groups) == 1 and number > 1 else name
        rows.append(
            [("! " if disagree(scales) else "") + name, *(_number(scales[each]) for each in RUNTIMES)]
        )
    table = _table(["scale applied by", *RUNTIMES], rows, width)
    more = f"\nand {len(groups) - LISTED} more groups of layers" if len(groups) > LISTED else ""
    marked = (
        "\n! runtimes that load the layer differ; - does not load it"
        if any(row[0][0] == "!" for row in rows)
        else ""
    )
    return table + more + (marked or "\n- does not load it")


def _wrapped(text: str, width: int) -> str:
    """Return a note over several lines, with a dash before it; names are not broken."""
    lines, line = [], "-"
    for word in text.split(" "):
        if len(line) + 1 + len(word) > width and line.strip("- "):
            lines.append(line)
            line = " "
        line += f" {word}"
    return "\n".join([*lines, line])


def comparison_text(compared: Comparison, name: str, width: int = 100) -> str:
    """Return what two adapters have in common as text.

    Parameters
    ----------
    compared : Comparison
        From `compute.adapters.formats.comparing.compare`.
    name : str
        What the other adapter is called.
    width : int
        Characters in a line of the terminal.

    Returns
    -------
    str
        Lines.

    Examples
    --------
    >>> print(comparison_text(Comparison(0.5, {}, ("q",), (), ()), "other"))
    Beside other: cosine 0.500 over 0 layers that both have, 1 layer only in the first
    """
    first = f"Beside {name}: cosine {compared.cosine:.3f} over {count(len(compared.layers), 'layer')} that both have"
    for names, what in (
        (compared.only_first, "only in the first"),
        (compared.only_second, "only in the other"),
        (compared.other_shape, "of another shape"),
    ):
        if names:
            first += f", {count(len(names), 'layer')} {what}"
    if not compared.layers:
        return first
    groups = _grouped(compared.layers.items(), len(compared.layers) > LISTED)
    rows = [
        [
            layer,
            _span([each.cosine for each in group]),
            _span([each.left.max(initial=0.0) for each in group]),
            _span([each.left_chance for each in group]),
            _span([each.right.max(initial=0.0) for each in group]),
            _span([each.right_chance for each in group]),
            _span([each.kept for each in group]),
        ]
        for layer, group in groups.items()
    ]
    head = ["layer", "cosine", "out", "chance", "in", "chance", "sum keeps"]
    what = "out, in: cosine of the smallest angle between what both write and read; sum keeps: 1 nothing, 0 all cancels"
    return "\n".join([first, "", _table(head, rows, max(width, LEAST_WIDTH)), _wrapped(what, width)])


def kept_text(kept: Kept, bytes_before: int, bytes_after: int) -> str:
    """Return what truncation leaves as text.

    Parameters
    ----------
    kept : Kept
        From `compute.adapters.formats.shrinking.truncation`.
    bytes_before : int
        Bytes of the adapter as it is.
    bytes_after : int
        Bytes of what is written.

    Returns
    -------
    str
        A line.

    Examples
    --------
    >>> print(kept_text(Kept({"q": 1}, 0.25, {"q": 0.25}, 20, 10), 80, 40))
    Cut to rank 1: relative error 0.25 over all layers, at most 0.25 in one; 20 to 10 numbers, 80 to 40 bytes.
    """
    ranks = _span(list(kept.ranks.values()))
    return (
        f"Cut to rank {ranks}: relative error {kept.error:.3g} over all layers, at most "
        f"{max(kept.errors.values(), default=0.0):.3g} in one; {kept.numbers_before:,} to {kept.numbers_after:,} "
        f"numbers, {bytes_before:,} to {bytes_after:,} bytes."
    )

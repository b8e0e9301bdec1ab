"""What was found in an adapter as one HTML file that can be sent: no script, nothing from the network."""

import html
from collections.abc import Mapping, Sequence

import numpy as np

from compute.adapters.formats.beside import Beside, pointing
from compute.adapters.formats.contents import Fault, Measures
from compute.adapters.formats.reading import Adapter
from compute.adapters.formats.report import (
    BESIDE,
    BESIDE_TOLD,
    audit_groups,
    beside_rows,
    first_line,
    kind_of_matrix,
    missing_notes,
)
from compute.adapters.formats.scales import RUNTIMES, disagree

BARS, WIDTH, HEIGHT = 32, 96, 20  # of a spectrum: the most that are drawn, and its sides in pixels

# Colours are the reader's own: the names of CSS for those of her system, light or dark.
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: CanvasText; background: Canvas; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: bold; padding: 0.5rem 0; }
th, td { padding: 0.15rem 0.6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid ButtonFace; }
th:first-child, td:first-child { text-align: left; }
li { overflow-wrap: anywhere; }
svg { fill: LinkText; display: block; }
strong { color: Mark; background: MarkText; }
"""


def as_page(
    adapter: Adapter,
    found: Sequence[Measures],
    faults: Sequence[Fault],
    title: str,
    against: tuple[Sequence[Beside], Mapping[str, str]] | None = None,
) -> str:
    """Return a report in HTML.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.
    found : sequence of Measures
        From `compute.adapters.formats.contents.measures`.
    faults : sequence of Fault
        From `compute.adapters.formats.contents.doctor`.
    title : str
        What the adapter is called.
    against : (sequence of Beside, mapping of str to str), optional
        From `compute.adapters.formats.beside.beside_base`, if there is a base.

    Returns
    -------
    str
        A whole page. Everything that comes from the file is escaped.

    Notes
    -----
    Beside each layer stand its singular values as bars, relative to the first, 32 at most.

    Examples
    --------
    >>> from compute.adapters.formats.contents import measures
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"<b>.lora_B.weight": np.eye(6, 1), "<b>.lora_A.weight": 3 * np.eye(1, 4)})
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> page = as_page(adapter, measures(adapter), [], "mine")
    >>> "<b>" in page, "&lt;b&gt;" in page
    (False, True)
    """
    beside, missing = against or ((), {})
    notes = [*(fault.sentence for fault in faults), *adapter.notes, *missing_notes(missing)]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{html.escape(first_line(adapter))}.</p>",
        _list(notes),
        _scales(adapter) if adapter.layers else "",
        _layers(found) if found else "",
        _beside(beside) if beside else "",
    ]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f"{body}\n</body>\n</html>\n"
    )


def _list(sentences: Sequence[str]) -> str:
    return (
        "<ul>" + "".join(f"<li>{html.escape(each)}</li>" for each in sentences) + "</ul>" if sentences else ""
    )


def _cells(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = "\n".join(_cells("td", row) for row in rows)
    return f"<div><table><caption>{caption}</caption>\n{_cells('th', head)}\n{body}\n</table></div>"


def _scales(adapter: Adapter) -> str:
    rows = []
    for layer, number, scales in audit_groups(adapter):
        name = layer.name if number == 1 else f"{kind_of_matrix(layer.name)} and others ({number})"
        cells = ["–" if scales[each] is None else f"{scales[each]:.4g}" for each in RUNTIMES]
        differ = " <strong>they differ</strong>" if disagree(scales) else ""
        rows.append([html.escape(name) + differ, *cells])
    return _table("The scale that each runtime applies; – does not load it", ["layers", *RUNTIMES], rows)


def _layers(found: Sequence[Measures]) -> str:
    head = [
        "layer",
        "out × in",
        "r",
        "scale",
        "norm",
        "r90",
        "stable rank",
        "entropy rank",
        "rank for 5 %",
        "spectrum",
    ]
    rows = [
        [
            html.escape(each.layer.name),
            f"{each.layer.shape[0]} × {each.layer.shape[1]}",
            str(each.layer.r),
            f"{each.layer.scale:.4g}",
            html.escape(each.broken) or f"{each.norm:.4g}",
            str(each.r90),
            f"{each.stable_rank:.2f}",
            f"{each.entropy_rank:.2f}",
            str(each.used),
            _bars(each.s),
        ]
        for each in found
    ]
    return _table("The layers", head, rows)


def _beside(found: Sequence[Beside]) -> str:
    rows = [[html.escape(cell) for cell in row] for row in beside_rows(found, gathered=False)]
    told = "".join(f"<p>{html.escape(text)}</p>" for text in (pointing(found), BESIDE_TOLD) if text)
    return _table("The layers beside the base", BESIDE, rows) + told


def _bars(s: np.ndarray) -> str:
    if not len(s) or s[0] == 0:
        return ""
    shown = s[:BARS] / s[0]
    step = WIDTH / len(shown)
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{HEIGHT * (1 - each):.1f}" '
        f'width="{step * 0.8:.1f}" height="{HEIGHT * each:.1f}"/>'
        for i, each in enumerate(shown)
    )
    told = f"{len(s)} singular values, the largest {s[0]:.3g}, the smallest {s[-1]:.3g}"
    return f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{told}">{bars}</svg>'

"""The map of the house in the README: a row for each folder, in the words of its package. `make map` renews it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

LAYERS = ("compute", "widgets", "lessons", "assets", "tests")
TOLD = {  # folders that are no packages
    "assets": "What is no Python.",
    "assets/bundles": "The built scripts of pages and instruments.",
    "assets/languages": "Catalogues: the site in other languages than English.",
    "assets/recorded": "What the experiments wrote, the base model among it.",
    "assets/site": "Templates, style and script of the pages.",
    "tests": "The tests of all this, in the same rooms by the same names.",
    "tests/browser": "What only a real browser can tell.",
}
TITLE, FENCE = "## The house\n", "```\n"
NAME, WIDTH = 18, 120  # columns


def said(path: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def rows(root: Path) -> Iterator[tuple[str, str]]:
    """Yield name and words of the app and of each room but the instruments', of which that of all widgets tells."""
    yield "app.py", said(root / "app.py")
    for layer in LAYERS:
        for folder in [root / layer, *sorted(path for path in (root / layer).iterdir() if path.is_dir())]:
            path, init = folder.relative_to(root).as_posix(), folder / "__init__.py"
            name = f"{path}/" if path == layer else f"  {folder.name}/"
            if path in TOLD:
                yield name, TOLD[path]
            elif init.is_file() and not (folder / "words.py").is_file():
                yield name, said(init)


def drawn(root: Path) -> str:
    """Return the map."""
    hanging = " " * NAME
    return "".join(
        f"{textwrap.fill(words, WIDTH, initial_indent=f'{name:<{NAME}}', subsequent_indent=hanging)}\n"
        for name, words in rows(root)
    )


def renewed(root: Path) -> str:
    """Return the README with the map of what is there now."""
    before, title, after = (root / "README.md").read_text(encoding="utf-8").partition(TITLE)
    text, _, rest = after.partition(FENCE)
    return before + title + text + FENCE + drawn(root) + FENCE + rest.partition(FENCE)[2]


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    (root / "README.md").write_text(renewed(root), encoding="utf-8")

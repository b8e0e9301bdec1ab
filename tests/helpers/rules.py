"""The rules of the house: who may import whom, and what no source may contain.

Each rule takes the root of a tree and returns its violations. tests/test_architecture.py applies them.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LAYERS = ("compute", "widgets", "lessons", "app")
ROOMS = (
    "numbers",
    "costs",
    "matrices",
    "text",
    "world",
    "model",
    "adapters",
    "training",
    "native",
    "serving",
    "experiments",
)
SKIPPED = {"node_modules", "__pycache__", "bundles", ".git"}  # .git is a file in a worktree
DRAWING = {"panel", "bokeh", "param", "holoviews", "matplotlib", "anywidget", "ipywidgets"}
PICKLES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
GENERATORS = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "Philox"}
HOSTS = {"www.w3.org", "127.0.0.1", "localhost", ""}  # an empty one: the address is put together at run time
COLOUR = re.compile(
    r"""(?<=["'`\s:(,])\#(?:[0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})(?![\w-]) | \b(?:rgb|hsl)a?\(\s*\d""",
    re.IGNORECASE | re.VERBOSE,
)
ADDRESS = re.compile(r"https?://([\w.-]*)")
LOCAL = re.compile(r"(?<![\w.}])/(?:root|work|home|Users)/\w")


def files(root: Path, *folders: str, kinds: set[str] | None = None) -> Iterator[Path]:
    """Yield the files of the given folders and files, of everything where none is given; no made ones."""
    for start in [root / folder for folder in folders] or [root]:
        if start.is_file():
            yield start
        for path, inside, names in os.walk(start):
            exported = {"site"} if Path(path) == root else set()
            inside[:] = sorted(
                each
                for each in inside
                if each not in SKIPPED | exported and (each[0] != "." or each == ".ci")
            )
            wanted = (
                name for name in sorted(set(names) - SKIPPED) if not kinds or Path(name).suffix in kinds
            )
            yield from (Path(path, name) for name in wanted)


def sources(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield the Python sources of the app, assets included and tests not, as path and syntax tree."""
    for path in files(root, "compute", "widgets", "lessons", "app.py", "assets", kinds={".py"}):
        yield path.relative_to(root).as_posix(), _parsed(path.read_text(encoding="utf-8"))


_parsed = cache(ast.parse)  # every rule reads the same files, and changes no tree


def layer(path: str) -> str:
    """Return the layer that a file belongs to: its folder, or app."""
    return path.split("/")[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full names of what a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(tree: ast.AST) -> set[str]:
    """Return the top-level packages that a module imports, wherever in it."""
    return {name.split(".")[0] for name in imported(tree)}


def dotted(node: ast.AST) -> str:
    """Return a.b.c for such an expression, the empty text for any other."""
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield every call in a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_import(child)


def texts(tree: ast.Module) -> Iterator[str]:
    """Yield the string literals of a module that are not docstrings."""
    docs = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            docs.add(id(first.value) if isinstance(first, ast.Expr) else None)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def use_goes_one_way(root: Path) -> list[str]:
    """Refuse an import against the direction compute <- widgets <- lessons <- app."""
    return [
        f"{path} imports {name}"
        for path, tree in sources(root)
        if layer(path) in LAYERS
        for name in imports(tree)
        if name in LAYERS[LAYERS.index(layer(path)) + 1 :]
    ]


def the_rooms_of_compute_go_one_way(root: Path) -> list[str]:
    """Refuse an import against the order of ROOMS, from the numbers up to the experiments."""
    found = []
    for path, tree in sources(root):
        if not path.startswith("compute/") or path.count("/") < 2:
            continue
        later = ROOMS[ROOMS.index(path.split("/")[1]) + 1 :]
        used = (name.split(".") for name in imported(tree))
        found += [
            f"{path} imports {'.'.join(n)}" for n in used if n[0] == "compute" and n[1:2] and n[1] in later
        ]
    return found


def rooms_stand_alone(root: Path) -> list[str]:
    """Refuse what a room of widgets/ takes from another one than kit; only live shows instruments of other rooms."""
    rooms = ((path, path.split("/")[1], tree) for path, tree in sources(root) if path.startswith("widgets/"))
    return [
        f"{path} imports {name}"
        for path, room, tree in rooms
        for name in imported(tree)
        if room != "live" and name.startswith("widgets.") and name.split(".")[1] not in ("kit", room)
    ]


def compute_draws_nothing(root: Path) -> list[str]:
    """Refuse a drawing library in compute."""
    return [
        f"{path} imports {name}"
        for path, tree in sources(root)
        if layer(path) == "compute"
        for name in imports(tree)
        if name in DRAWING
    ]


def only_compute_knows_torch(root: Path) -> list[str]:
    """Refuse torch outside compute and the scripts of assets."""
    trees = ((path, tree) for path, tree in sources(root) if layer(path) in LAYERS[1:])
    return [f"{path} imports torch" for path, tree in trees if "torch" in imports(tree)]


def nothing_is_unpickled(root: Path) -> list[str]:
    """Refuse every way of loading a file that may run code."""
    found = []
    for path, tree in sources(root):
        found += [f"{path} imports {name}" for name in imports(tree) if name in PICKLES]
        for call in calls(tree):
            options = {word.arg: word.value for word in call.keywords}
            allowed = options.get("allow_pickle")
            if allowed is not None and not (isinstance(allowed, ast.Constant) and allowed.value is False):
                found.append(f"{path}:{call.lineno} allows pickles")
            if dotted(call.func) == "torch.load":
                found.append(f"{path}:{call.lineno} torch.load: read safetensors instead")
    return found


def randomness_is_passed_in(root: Path) -> list[str]:
    """Refuse the process's own random state, and generators made at import."""
    found = []
    for path, tree in sources(root):
        found += [f"{path} imports random" for name in imports(tree) if name == "random"]
        for call in calls(tree):
            owner, _, name = dotted(call.func).rpartition(".")
            if owner.endswith("random") and owner != "random" and name not in GENERATORS:
                found.append(f"{path}:{call.lineno} {owner}.{name}")
            if (owner, name) == ("torch", "manual_seed"):
                found.append(f"{path}:{call.lineno} torch.manual_seed: use a torch.Generator")
        for node in at_import(tree):
            if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "default_rng":
                found.append(f"{path}:{node.lineno} makes a generator at import")
    return found


def colours_live_in_css(root: Path) -> list[str]:
    """Refuse a colour in Python or JavaScript: the style sheets have them, as variables."""
    found = []
    for path in files(root, "widgets", "assets", kinds={".js"}):
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(root)}: {match[0]}" for match in COLOUR.finditer(text)]
    for path, tree in sources(root):
        if layer(path) in LAYERS:
            found += [f"{path}: {m[0]}" for text in texts(tree) for m in COLOUR.finditer(f" {text}")]
    return found


def nothing_asks_the_network(root: Path) -> list[str]:
    """Refuse an address of another host in what is served; links to sources stand in lessons/press/sources.py."""

    def foreign(text: str, allowed: set[str] = HOSTS) -> list[str]:
        return [
            host for host in ADDRESS.findall(text) if host not in allowed and not host.endswith(".example")
        ]

    found = []
    for path in files(root, "widgets", "assets", kinds={".js", ".css", ".html", ".j2", ".svg"}):
        allowed = HOSTS | {"creativecommons.org"} if path.suffix in {".html", ".j2"} else HOSTS
        hosts = foreign(path.read_text(encoding="utf-8"), allowed)
        found += [f"{path.relative_to(root)}: {host}" for host in hosts]
    for path, tree in sources(root):
        if path != "lessons/press/sources.py":
            found += [f"{path}: {host}" for text in texts(tree) for host in foreign(text)]
    return found


def no_path_of_one_machine(root: Path) -> list[str]:
    """Refuse an absolute path into somebody's own folders."""
    found = []
    for path in files(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture or weights
            continue
        found += [f"{path.relative_to(root)}: {match[0]}" for match in LOCAL.finditer(text)]
    return found

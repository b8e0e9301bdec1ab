"""The house keeps its shape, and each rule of tests/helpers/rules.py is able to fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.house import TOLD, renewed
from helpers.rules import (
    colours_live_in_css,
    compute_draws_nothing,
    no_path_of_one_machine,
    nothing_asks_the_network,
    nothing_is_unpickled,
    only_compute_knows_torch,
    randomness_is_passed_in,
    rooms_stand_alone,
    the_rooms_of_compute_go_one_way,
    use_goes_one_way,
)

URL = "https:" + "//cdn.example.org/d3.js"
RULES: dict[Callable[[Path], list[str]], list[tuple[str, str]]] = {
    use_goes_one_way: [
        ("compute/a.py", "from widgets import rank"),
        ("widgets/a.py", "def f():\n    import lessons.rank"),
        ("lessons/a.py", "import app"),
    ],
    the_rooms_of_compute_go_one_way: [
        ("compute/model/a.py", "from compute.experiments.runs import load"),
        ("compute/numbers/a.py", "def f():\n    from compute.world import voices"),
    ],
    rooms_stand_alone: [
        ("widgets/rank/words.py", "from widgets.knee.words import LABELS"),
        ("widgets/kit/names.py", "from widgets.knee import Knee"),
    ],
    compute_draws_nothing: [
        ("compute/a.py", "import panel as pn"),
        ("compute/costs/c.py", "from param import X"),
    ],
    only_compute_knows_torch: [("widgets/a.py", "import torch"), ("app.py", "from torch import nn")],
    nothing_is_unpickled: [
        ("compute/a.py", "import pickle"),
        ("lessons/a.py", "np.load(f, allow_pickle=True)"),
        ("assets/make.py", "torch.load(f)"),
    ],
    randomness_is_passed_in: [
        ("compute/a.py", "np.random.seed(1)"),
        ("compute/b.py", "def f():\n    return np.random.normal(3)"),
        ("widgets/a.py", "import random"),
        ("lessons/a.py", "class A:\n    rng = np.random.default_rng(0)"),
        ("compute/c.py", "torch.manual_seed(1)"),
    ],
    colours_live_in_css: [
        ("widgets/kit/a.js", "const teal = '#0a8f8f'"),
        ("widgets/a.js", "draw(`rgb(1, 2, 3)`)"),
        ("lessons/a.py", "x = 'color: #fff'"),
        ("assets/site/page.js", "const grey = 'hsl(0 0% 50%)'"),
    ],
    nothing_asks_the_network: [
        ("widgets/a.js", f"// {URL}"),
        ("assets/site/a.css", f"@import '{URL}'"),
        ("app.py", f"'''Doc.'''\nx = '{URL}'"),
    ],
    no_path_of_one_machine: [("docs/a.md", "run it in /" + "home/ada/lora"), ("Makefile", "cd /" + "work/x")],
}
FINE = {
    "compute/a.py": "def f(seed):\n    return np.random.default_rng(seed)",
    "compute/b.py": "np.load(f, allow_pickle=False), np.load(f)",
    "compute/t.py": "import torch",
    "compute/experiments/a.py": "from compute.experiments.b import c",
    "widgets/a.py": f"'''See {URL}'''\nfrom compute import a\nx = '#add-rank issue #12'",
    "widgets/rank/__init__.py": "from widgets.kit.text import fill\nfrom widgets.rank.words import WORDS",
    "widgets/live/a.py": "from widgets.rank import Rank",
    "widgets/a.js": "class A { #r = 4; f() { return this.#r + 'http://www.w3.org/2000/svg' + '#r' } }",
    "lessons/press/sources.py": f"x = '{URL}'",
    "lessons/a.py": "import widgets.a\nx = 1",
    "app.py": "import lessons, widgets, compute\nprint(f'http://{address}:{port}/')",
    "assets/site/a.css": "a { color: #fff }",
    "assets/site/embed.js": "// <script src='https://your-site.example/embed.js'></script>",
    "README.md": f"{URL}/home/page",
    "picture.png": "\ud800",
    ".git": "gitdir: /" + "home/ada/lora/.git/worktrees/lora",
}


def plant(root: Path, tree: dict[str, str]) -> Path:
    """Write a small tree of sources."""
    for path, text in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode("utf-8", "surrogatepass"))
    return root


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_holds(rule):
    assert rule(ROOT) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_lets_good_sources_pass(rule, tmp_path):
    assert rule(plant(tmp_path, FINE)) == []


PLANTED = [(rule, path, text) for rule, cases in RULES.items() for path, text in cases]


@pytest.mark.parametrize(
    ("rule", "path", "text"), PLANTED, ids=[f"{rule.__name__}-{path}" for rule, path, _ in PLANTED]
)
def test_the_rule_catches_a_violation(rule, path, text, tmp_path):
    assert len(rule(plant(tmp_path, {**FINE, path: text}))) == 1


def loaded_by(program: str, root: Path) -> set[str]:
    """Return the top-level modules that are loaded after a program ran in its own process."""
    code = f"{program}\nimport sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


EVERYTHING = """
import app, importlib, lessons, pkgutil, widgets
for package in (widgets, lessons):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""


def test_the_app_and_every_lesson_start_without_torch():
    if (ROOT / "app.py").exists():
        assert "torch" not in loaded_by(EVERYTHING, ROOT)


def test_what_a_program_loads_is_noticed(tmp_path):
    root = plant(
        tmp_path, {"app.py": "", "torch.py": "", "widgets/__init__.py": "", "lessons/__init__.py": ""}
    )
    plant(root, {"lessons/a.py": "import torch"})
    assert "torch" in loaded_by(EVERYTHING, root)


def test_the_map_in_the_readme_is_of_what_is_there():
    assert (ROOT / "README.md").read_text(encoding="utf-8") == renewed(ROOT), "`make map` renews it"
    assert [path for path in TOLD if not (ROOT / path).is_dir()] == []


def test_the_map_shows_each_room_that_is_no_instrument(tmp_path):
    rooms = {
        "": "All.",
        "/kit": "Shared, and said in so many words that one line of the map is too short for it to "
        "hold every single one of them.",
        "/rank": "An instrument.",
    }
    tree = {f"widgets{path}/__init__.py": f"'''{words}\n\nMore.\n'''" for path, words in rooms.items()}
    others = {f"{layer}/__init__.py": "" for layer in ("compute", "lessons")}
    plant(tmp_path, {**tree, **others, "widgets/rank/words.py": "", "app.py": "'''Serve.'''"})
    plant(tmp_path, {"assets/site/a.css": "", "tests/widgets/test_a.py": ""})
    plant(tmp_path, {"README.md": "# A\n\n## The house\n\n```\nold/  row\n```\n\nAfter.\n```\nx\n```\n"})
    text = renewed(tmp_path)
    assert text.startswith("# A\n\n## The house\n\n```\napp.py            Serve.\n")
    assert text.endswith("```\n\nAfter.\n```\nx\n```\n")
    assert "\nwidgets/          All.\n  kit/            Shared" in text
    assert "\n  site/           Templates" in text
    assert not [line for line in text.splitlines() if len(line) > 120]
    assert "old/" not in text
    assert "rank" not in text

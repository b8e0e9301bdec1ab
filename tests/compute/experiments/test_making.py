"""Every recording can be asked what it does, without torch; a bar says what is done and how long the rest takes."""

from __future__ import annotations

import importlib
import io
import pkgutil
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from compute import experiments
from compute.experiments.making import Bar, Recipe, at_best_rate
from helpers import ROOT

MODULES = {
    each.name: importlib.import_module(f"compute.experiments.{each.name}")
    for each in pkgutil.iter_modules(experiments.__path__)
}
RECIPES = {name: module.RECIPE for name, module in MODULES.items() if hasattr(module, "RECIPE")}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recording_says_what_it_makes_how_long_it_takes_and_where_it_writes(name, capsys):
    with pytest.raises(SystemExit) as ended:
        RECIPES[name].run(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert told.startswith(f"usage: python -m compute.experiments.{name} ")
    assert " ".join(MODULES[name].__doc__.split())[:60] in told
    assert f"About {RECIPES[name].minutes} minute" in told
    assert all(path.exists() and path.name in told for path in RECIPES[name].writes)


READING = """
from compute.adapters import merge_state
{modules}
magnitude.load_magnitude(), block.load_effects(), derived.load_derived(), failures.load_failures(), menu.load_menu()
inits.load_inits("small layer"), learned.load_learned("formal-voice-v_proj"), merging.load_record(), paper.load_paper()
mixing.load_record(), mixing.load_factors("code"), placing.load_placing(), qlora.load_qlora(), runs.load("new facts", 4)
world.load_report(), capacity.load_capacity(), tasks.load_tasks(), grid.load_grid(), lossy.load_lossy()
spectra.load_spectra(), forgetting.load_forgetting()
refusal.load_refusal(), biased.load_biased(), retention.load_retention(), watched.load_watched()
serving.load_serving(), subspace.load_subspace()
import sys; print("torch" in sys.modules)
"""


def test_reading_what_is_recorded_does_not_load_torch():
    modules = "\n".join(f"from compute.experiments import {name}" for name in MODULES)
    code = READING.format(modules=modules)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_make_makes_all_of_them_each_after_what_it_starts_from():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    names = re.search(r"^RECORDINGS = (.+)$", makefile, re.M)[1].split()
    assert names[0] == "world"
    assert sorted([*names, "derived", "english"]) == sorted(RECIPES)
    for place, name in enumerate(names):
        assert set(RECIPES[name].after) <= set(names[:place]), name
    assert round(sum(RECIPES[name].minutes for name in names) / 60) == 6
    assert "about six hours of one core" in makefile


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return a recipe of two parts, which writes what it was given."""
    monkeypatch.setattr("compute.experiments.making.ROOT", tmp_path)
    path = tmp_path / "parts"
    path.mkdir()
    return Recipe(
        "parts", "Two parts.", 1, (path,), lambda given: (path / "a").write_text(*given), "PART", ("x", "yy")
    )


def test_a_part_that_there_is_not_is_refused_before_anything_is_made(recipe, capsys):
    with pytest.raises(SystemExit):
        recipe.run(["x", "z"])
    assert capsys.readouterr().err.endswith("error: there is no z; there is x, yy\n")
    assert not [*recipe.writes[0].iterdir()]


def test_what_was_made_and_how_long_it_took_is_told(recipe, capsys):
    recipe.run(["yy"])
    assert capsys.readouterr().out.startswith("2 bytes, 0 s, ")


class Terminal(io.StringIO):
    """Take what is written for a terminal."""

    def isatty(self):
        return True


def test_on_a_terminal_a_bar_stands_below_the_lines(monkeypatch):
    now = iter((0.0, 100.0, 200.0))
    monkeypatch.setattr("compute.experiments.making.time.perf_counter", lambda: next(now))
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = Bar(2)
    bar.did("first")
    assert sys.stderr.getvalue() == f"\rfirst\n[{'#' * 15}{' ' * 15}] 1 of 2, 2 min left"
    bar.did("second")
    first, line, last = sys.stderr.getvalue().removesuffix("\n").split("\n")
    assert line.split("\r")[1] == "second".ljust(len(line.split("\r")[0]))  # all of the old bar is covered
    assert last == f"[{'#' * 30}] 2 of 2, 0 s left"


def test_a_rate_with_which_the_run_diverged_is_not_the_best(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    ends = {0.1: 3.0, 0.2: 2.0, 0.3: None, 0.4: 2.0}
    made = []

    def run(asked: tuple[str, float, int]) -> float | None:
        made.append(asked)
        return ends[asked[1]]

    with ThreadPoolExecutor(1) as pool:
        for best, rate in ((min, 0.2), (max, 0.1)):
            found = at_best_rate(
                tmp_path / best.__name__,
                {"way": [*ends]},
                (5, 6, 7),
                lambda *asked: asked,
                run,
                lambda end: end,
                best,
                pool,
                lambda asked, end: f"{asked}: {end}",
            )["way"]
            assert found.rate == rate
            assert found.tried == {"0.1": 3.0, "0.2": 2.0, "0.3": None, "0.4": 2.0}
            assert found.runs == [ends[rate]] * 3
    # The first seed is not run again at the best rate, and no other rate sees another seed.
    assert [asked[1:] for asked in made[:6]] == [(0.1, 5), (0.2, 5), (0.3, 5), (0.4, 5), (0.2, 6), (0.2, 7)]


def test_rates_are_added_until_the_best_has_worse_ones_on_both_sides(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    ladder = (1, 2, 3, 4, 5, 6)

    def tried(rates: tuple[int, ...], diverged: int = 0) -> list[str]:
        with ThreadPoolExecutor(1) as pool:
            found = at_best_rate(
                tmp_path / str((rates, diverged)),
                {"way": rates},
                (0,),
                lambda *asked: asked,
                lambda asked: None if asked[1] == diverged else float(abs(asked[1] - 4)),  # the best is 4
                lambda end: end,
                min,
                pool,
                lambda asked, end: f"{asked}: {end}",
                ladder,
            )
        return [*found["way"].tried]

    assert tried((1, 2)) == ["1", "2", "3", "4", "5"]
    assert tried((5, 6)) == ["3", "4", "5", "6"]
    assert tried((3, 4), diverged=5) == ["3", "4", "5"]
    assert tried((1, 2), diverged=4) == ["1", "2", "3", "4"]
    assert tried((5, 6), diverged=4) == ["4", "5", "6"]
    ladder = (1, 2, 3, 4)
    assert tried((3, 4)) == ["3", "4"]  # there is no other

"""What the tests of experiments share: recipes that compute here, and that ask little."""

from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Let recipes compute in this process: another one would know of no patch, and make the whole recording."""
    monkeypatch.setattr("compute.experiments.making.ProcessPoolExecutor", lambda **_: ThreadPoolExecutor(1))


@pytest.fixture
def brief(monkeypatch):
    """Let a recipe measure its runs on little: that it is measured right is tested on its own."""
    for name in ("TEXTS", "QUESTIONS", "WRITTEN", "STORIES", "PEOPLE"):
        monkeypatch.setattr(f"compute.training.short_runs.{name}", 4)

"""What a release is made of: packages pinned with hashes, bills of materials, and the one command that makes it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers import ROOT

PINNED = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)
LOCKED = re.compile(
    r"^([\w.-]+)==([\w.]+)( ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)
APP, TORCH = ((ROOT / "deploy" / name).read_text(encoding="utf-8") for name in ("app.lock", "torch.lock"))
CUDA = re.compile(r"torch$|triton$|cuda-|nvidia-")  # what a machine without a GPU has no use for


def pins() -> dict[str, str]:
    """Return what requirements.txt asks for."""
    return {
        canonicalize_name(name): version
        for name, version in PINNED.findall((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    }


def locked(text: str) -> dict[str, set[str]]:
    """Return the versions that a lock file has of each package."""
    found: dict[str, set[str]] = {}
    for name, version, *_ in LOCKED.findall(text):
        found.setdefault(name, set()).add(version)
    return found


def test_a_lock_holds_packages_with_their_hashes_and_nothing_else():
    for text in (APP, TORCH):
        assert re.sub(r"^#.*\n", "", LOCKED.sub("", text), flags=re.MULTILINE) == ""


def test_what_is_required_is_locked_in_the_same_version():
    everything = locked(APP) | locked(TORCH)
    assert {name: everything.get(name) for name in pins()} == {
        name: {version} for name, version in pins().items()
    }, "run `make lock` and commit deploy/*.lock"


def test_pytorch_and_what_it_brings_for_cuda_stand_apart():
    assert not [name for name in locked(APP) if CUDA.match(name)]
    assert [name for name in locked(TORCH) if not CUDA.match(name)] == []
    assert {"torch", "triton"} <= {*locked(TORCH)}


def test_what_the_required_packages_bring_is_locked_too():
    """Installed with --no-deps, the locked packages must be all that there are."""
    everything, seen, left = locked(APP) | locked(TORCH), set(), [(name, "") for name in pins()]
    while left:
        name, extra = left.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        assert name in everything, f"{name} is not locked: run `make lock`"
        try:
            asked = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # for another platform, such as CUDA's
            continue
        for each in asked:
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                assert any(map(each.specifier.contains, everything.get(canonicalize_name(each.name), ()))), (
                    each
                )
                left += [(canonicalize_name(each.name), more) for more in ("", *each.extras)]


def test_the_bills_of_materials_hold_what_is_locked_and_what_is_bundled(tmp_path):
    if not shutil.which("cyclonedx-py", path=Path(sys.executable).parent) or not shutil.which("npm"):
        pytest.skip("only `make sbom` installs what writes them")
    command = ["make", "sbom", f"DIR={tmp_path}", "VERSION=1.2.3"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    python, javascript = (
        json.loads((tmp_path / f"{name}.cdx.json").read_text("utf-8")) for name in ("python", "javascript")
    )
    everything = locked(APP) | locked(TORCH)
    told = {(each["name"], each["version"]) for each in python["components"]}
    assert told == {(name, version) for name, versions in everything.items() for version in versions}
    assert all(each["externalReferences"][0]["hashes"] for each in python["components"])
    bundled = json.loads((ROOT / "assets" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {*bundled} <= {
        each["purl"].split("/", 1)[1].rpartition("@")[0].replace("%40", "@")
        for each in javascript["components"]
    }


def test_a_folder_of_a_targets_name_does_not_keep_make_from_making_it():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert {*re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE)} <= {*phony.split()}


MAKEFILE = """
test:
	@echo "tested $(ARGS)" >> release.log
catalogues:
	@echo "catalogues $(ARGS)" >> release.log
export:
	@mkdir -p "$(DIR)/lesson" && echo "<h1>LoRA</h1>" > "$(DIR)/lesson/rank.html" && echo exported >> release.log
sbom:
	@echo '{"of": "$(VERSION)"}' > "$(DIR)/python.cdx.json"
"""
CHANGELOG = (
    "# Changelog\n\n## 1.2.0 - 2026-05-01\n\n### Added\n\n- A figure.\n\n## 1.1.0 - 2026-01-01\n\n- Older.\n"
)


@pytest.fixture
def clone(tmp_path) -> Path:
    """Clone a project whose tests, export and bills are told, not made: each is tested by itself."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    (origin / "deploy").mkdir(parents=True)
    for name in ("release.py", "app.lock", "torch.lock"):
        shutil.copy(ROOT / "deploy" / name, origin / "deploy")
    (origin / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (origin / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    (origin / ".gitignore").write_text("/release/\n/release.log\n", encoding="utf-8")
    git(origin, "init", "--quiet")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "all")
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    return clone


def git(folder: Path, *arguments: str) -> str:
    """Return what git says, to a person of no name."""
    who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@localhost"]
    command = ["git", *who, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def release(clone: Path, *arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess:
    """Run the command in a clone."""
    who = {
        f"GIT_{who}_{what}": "nobody@localhost"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    command = [sys.executable, str(clone / "deploy" / "release.py"), *arguments]
    environment = os.environ | who | {"PATH": path}
    return subprocess.run(command, cwd=clone, env=environment, check=False, capture_output=True, text=True)


def test_one_command_checks_packs_and_tags_and_publishes_nothing(clone):
    done = release(clone, "1.2.0")
    assert done.returncode == 0, done.stderr
    assert (clone / "release.log").read_text(encoding="utf-8") == (
        "tested \ntested --language es tests/browser\ncatalogues --whole\nexported\n"
    )
    folder = clone / "release" / "v1.2.0"
    names = {"lora-live-1.2.0-site.zip", "python.cdx.json", "app.lock", "torch.lock"}
    assert {path.name for path in folder.iterdir()} == names | {"SHA256SUMS"}
    with zipfile.ZipFile(folder / "lora-live-1.2.0-site.zip") as archive:
        assert archive.namelist() == ["lora-live-1.2.0-site/lesson/rank.html"]
        assert archive.read(archive.namelist()[0]) == b"<h1>LoRA</h1>\n"
    assert json.loads((folder / "python.cdx.json").read_text(encoding="utf-8")) == {"of": "1.2.0"}
    sums = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=folder, check=True, capture_output=True, text=True
    )
    assert {line.removesuffix(": OK") for line in sums.stdout.splitlines()} == names
    assert git(clone, "tag", "--list", "--format=%(objecttype) %(contents)", "v1.2.0").strip() == (
        "tag LoRA, live 1.2.0\n\n### Added\n\n- A figure."
    )
    assert git(clone, "ls-remote", "--tags", "origin") == ""
    first, second = done.stdout.splitlines()[-2:]
    assert first == "git push origin v1.2.0"
    assert second.startswith(
        "gh release create v1.2.0 --verify-tag --notes-from-tag release/v1.2.0/SHA256SUMS "
    )
    again = release(clone, "1.2.0")
    assert (again.returncode, again.stderr) == (1, "There is a release 1.2.0 already: git tag lists them.\n")


def test_the_same_files_give_the_same_zip(clone):
    zips = []
    for _ in range(2):
        assert release(clone, "1.2.0").returncode == 0
        zips.append((clone / "release" / "v1.2.0" / "lora-live-1.2.0-site.zip").read_bytes())
        git(clone, "tag", "--delete", "v1.2.0")
        os.utime(clone / "CHANGELOG.md")
    assert zips[0] == zips[1]


@pytest.mark.parametrize(
    ("arguments", "changed", "said"),
    [
        (["1.2"], "", "'1.2' is no version to release; name one: make release VERSION=1.2.0"),
        (["0.0.0"], "", "'0.0.0' is no version to release"),
        (
            ["1.3.0"],
            "",
            "The newest heading of CHANGELOG.md is “1.2.0 - 2026-05-01”; a release needs “1.3.0 - ”",
        ),
        (["1.1.0"], "", "The newest heading of CHANGELOG.md is “1.2.0 - 2026-05-01”"),
        (["1.2.0"], "CHANGELOG.md", "There are changes that are not committed."),
        (["1.2.0"], "more.txt", "There are changes that are not committed."),
        (["1.2.0", "--upload"], "", "There is no gh here to upload with."),
    ],
)
def test_what_cannot_be_released_is_said_before_anything_is_done(clone, tmp_path, arguments, changed, said):
    if changed:
        with (clone / changed).open("a", encoding="utf-8") as file:
            file.write("more\n")
    for name in ("git", "make"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = release(clone, *arguments, path=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert not (clone / "release.log").exists()
    assert git(clone, "tag") == ""


def test_where_a_test_fails_nothing_is_tagged(clone):
    (clone / "Makefile").write_text("test:\n\t@false\n", encoding="utf-8")
    git(clone, "commit", "--all", "--quiet", "--message", "broken")
    done = release(clone, "1.2.0")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "make test failed, so nothing is released.")
    assert git(clone, "tag") == ""


GH = '#!/bin/sh\necho "gh $*" >> release.log\n'


def test_asked_to_upload_it_pushes_the_tag_and_then_asks_gh(clone, tmp_path):
    (tmp_path / "gh").write_text(GH, encoding="utf-8")
    (tmp_path / "gh").chmod(0o755)
    done = release(clone, "1.2.0", "--upload", path=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert "refs/tags/v1.2.0" in git(clone, "ls-remote", "--tags", "origin")
    *_, asked = (clone / "release.log").read_text(encoding="utf-8").splitlines()
    assert asked.startswith("gh release create v1.2.0 --verify-tag")

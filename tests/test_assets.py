"""assets/bundles: each bundle is what its sources say, and holds nothing that a strict page would refuse."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from compute.native.build import BUNDLES as TRAINERS
from compute.native.build import compiled, sources, stamp
from helpers import ROOT

BUNDLES = sorted((ROOT / "assets" / "bundles").glob("*.js"))
ALONE = {
    "course": "assets/site/course.js",
    "alone": "assets/site/alone.js",
    "page": "assets/site/page.js",
    "present": "assets/site/present.js",
    "room": "assets/site/room.js",
    "search": "assets/site/search.js",
    "kit": "widgets/kit/d3.js",
    "worker": "widgets/finetune/worker.js",
}
ENTRIES = ALONE | {
    path.stem: path.relative_to(ROOT).as_posix()
    for path in (ROOT / "widgets").glob("*/*.js")
    if path.parent.name in {path.stem, "live"}
}
LICENCES = ROOT / "assets" / "bundles" / "LICENSES.txt"
PLAYER = ROOT / "tests" / "helpers" / "scorm12.min.js"
FIRST = re.compile(r"/\* (?P<name>\w+): sources sha256 (?P<sum>[0-9a-f]{64}) \*/")
SECOND = re.compile(r"/\* sources: (?P<sources>[^*]+) \*/")
THIRD = re.compile(r"/\* contains (?P<packages>[^:]+): see LICENSES.txt")
PERMISSIONS = {
    "ISC": "Permission to use, copy, modify, and/or distribute",
    "MIT": "Permission is hereby granted, free of charge",
}
KIT = (ROOT / "assets" / "bundles" / "kit.js").read_text(encoding="utf-8")
AS_MODULE = """async function load(text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }))
  return typeof (await import(address)).default.render
}"""
TAKEN = re.compile(r"lora_kit\.(\w+)")
ADDRESS = re.compile(r"https?://([^/\s\"'`]*)")


def recorded(bundle: str) -> tuple[str, str, list[str]]:
    """Return name, hash and sources that the first two lines of a bundle record."""
    first, second, *_ = bundle.split("\n", 2)
    head, sources = FIRST.fullmatch(first), SECOND.fullmatch(second)
    assert head, f"the first line is not a bundle's: {first[:80]}"
    assert sources, f"the second line is not a bundle's: {second[:80]}"
    return head["name"], head["sum"], sources["sources"].split()


def hash_of(paths: list[str], root: Path = ROOT) -> str:
    """Return the hash that assets/bundle.mjs takes: path, NUL, content, NUL for each file."""
    total = hashlib.sha256()
    for path in paths:
        content = (root / path).read_bytes() if (root / path).exists() else b"(gone)"
        total.update(path.encode() + b"\0" + content + b"\0")
    return total.hexdigest()


def stale(bundle: str, root: Path = ROOT) -> bool:
    """Return whether a source of the bundle has changed since it was built."""
    _, before, sources = recorded(bundle)
    return hash_of(sources, root) != before


def refused(bundle: str) -> list[str]:
    """Return what in a bundle a strict content policy or a page without a network would refuse."""
    found = re.findall(r"(?<![\w$.])eval\(|\bnew Function\b|</script", bundle)
    return found + [host for host in ADDRESS.findall(bundle) if host != "www.w3.org"]


def test_every_source_has_its_bundle_and_no_bundle_lacks_a_source():
    assert {path.stem for path in BUNDLES} == ENTRIES.keys(), "run `make assets` and commit assets/bundles"


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_a_bundle_is_what_its_sources_say(path):
    text = path.read_text(encoding="utf-8")
    name, _, sources = recorded(text)
    assert name == path.stem
    assert {ENTRIES[name], "assets/bundle.mjs", "assets/package-lock.json"} <= set(sources)
    assert not stale(text), f"a source of assets/bundles/{path.name} has changed: run `make assets`"


def test_the_same_sources_give_the_same_bundles(tmp_path):
    node = shutil.which("node")
    if not node or not (ROOT / "assets" / "node_modules" / "esbuild").exists():
        pytest.skip(
            "only `make assets` installs what builds the bundles; their sources' hashes are tested above"
        )
    for folder in ("assets", "widgets"):
        ignored = shutil.ignore_patterns("node_modules", "bundles", "recorded", "__pycache__", "*.py")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    (tmp_path / "assets" / "node_modules").symlink_to((ROOT / "assets" / "node_modules").resolve())
    (tmp_path / PLAYER.relative_to(ROOT)).parent.mkdir(parents=True)
    subprocess.run([node, tmp_path / "assets" / "bundle.mjs"], check=True, stdout=subprocess.DEVNULL)
    built = {path.name for path in (tmp_path / "assets" / "bundles").iterdir()}
    assert built == {path.name for path in (*BUNDLES, LICENCES)}
    for path in (*BUNDLES, LICENCES, PLAYER):
        same = (tmp_path / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
        assert same, f"{path.name} is not what its sources give: run `make assets`"


def test_the_kit_is_all_of_its_room_and_no_other_bundle_has_a_copy():
    sources = {path.stem: recorded(path.read_text(encoding="utf-8"))[2] for path in BUNDLES}
    room = {path.relative_to(ROOT).as_posix() for path in (ROOT / "widgets" / "kit").glob("*.js")}
    assert room < set(sources.pop("kit")), "run `make assets` and commit assets/bundles"
    for name, read in sources.items():
        assert not room & set(read), name


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_a_bundle_holds_nothing_that_a_strict_page_refuses(path):
    assert refused(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_the_licence_of_every_package_is_there(path):
    licences = LICENCES.read_text(encoding="utf-8")
    third = THIRD.match(path.read_text(encoding="utf-8").split("\n", 3)[2])
    for package in third["packages"].split(", ") if third else []:
        name, kind = re.fullmatch(r"(.+) \((\w+)\)", package).groups()
        _, _, licence = licences.partition(f"\n{name}\n\n")
        assert licence.startswith("Copyright"), (
            f"{package} has no licence in {LICENCES.name}: run `make assets`"
        )
        assert PERMISSIONS[kind] in licence


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_a_bundle_is_both_a_classic_script_and_a_module(browser, path):
    page = browser.new_page()
    text = path.read_text(encoding="utf-8")
    try:
        page.add_script_tag(content=KIT)
        page.add_script_tag(content=text)
        assert page.evaluate("names => names.filter(name => !lora_kit[name])", TAKEN.findall(text)) == []
        if path.stem in ALONE:  # no instruments
            return
        name = f"lora_{path.stem}"
        assert page.evaluate(f"typeof {name}.default.render") == "function"
        module = f"{KIT}\n{text}\nexport default {name}.default"
        page.add_script_tag(content=AS_MODULE)
        assert page.evaluate("text => load(text)", module) == "function"
    finally:
        page.close()


def test_versions_are_exact_and_the_lock_file_names_no_server():
    package = json.loads((ROOT / "assets" / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "assets" / "package-lock.json").read_text(encoding="utf-8"))
    wanted = {**package["dependencies"], **package["devDependencies"], **package["overrides"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
    assert all("integrity" in entry for name, entry in lock["packages"].items() if name)


@pytest.mark.parametrize("change", ["content", "gone", "name"])
def test_a_changed_source_is_noticed(tmp_path, change):
    (tmp_path / "a.js").write_text("let r = 4")
    (tmp_path / "b.js").write_text("let r = 4")
    bundle = f"/* a: sources sha256 {hash_of(['a.js'], tmp_path)} */\n/* sources: a.js */\nx"
    assert not stale(bundle, tmp_path)
    if change == "content":
        (tmp_path / "a.js").write_text("let r = 8")
    elif change == "gone":
        (tmp_path / "a.js").unlink()
    else:
        bundle = bundle.replace("sources: a.js", "sources: b.js")
    assert stale(bundle, tmp_path)


@pytest.mark.parametrize(
    "planted", ["x=eval('1')", "new Function('r')", "fetch('https://example.org/d3.js')", "'</script>'"]
)
def test_what_a_strict_page_refuses_is_noticed(planted):
    assert refused(f"let ns='http://www.w3.org/2000/svg';{planted};retrieval(2)") != []
    assert refused("let ns='http://www.w3.org/2000/svg';retrieval(2)") == []


def trainer(name: str) -> bytes:
    return (ROOT / "assets" / "bundles" / f"{name}.wasm").read_bytes()


def test_every_compiled_file_is_known():
    assert {path.stem for path in (ROOT / "assets" / "bundles").glob("*.wasm")} == TRAINERS.keys()


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer_is_what_its_sources_say(name):
    assert trainer(name).endswith(stamp()), "a source of the trainer has changed: run `make assets`"
    assert len(trainer(name)) <= 40_000


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer_tells_nothing_of_the_machine_that_compiled_it(name):
    found = re.findall(rb"/(?:root|work|home|Users|tmp|usr)/|[A-Z]:\\\\|\.debug_|producers", trainer(name))
    assert found == []


@pytest.mark.parametrize("name", TRAINERS)
def test_the_same_sources_give_the_same_bytes(name):
    pytest.importorskip("ziglang", reason="only `make assets` installs the compiler, which has 100 MB")
    assert compiled(name) == trainer(name)


@pytest.mark.parametrize("change", ["content", "new"])
def test_a_changed_source_of_the_trainer_is_noticed(tmp_path, change):
    for path in sources():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    assert stamp(tmp_path) == stamp()
    with (tmp_path / "compute/native" / ("dice.c" if change == "content" else "more.c")).open("a") as file:
        file.write("// more\n")
    assert stamp(tmp_path) != stamp()


@pytest.mark.parametrize("name", TRAINERS)
def test_the_browser_compiles_the_trainer(browser, name):
    page = browser.new_page()
    try:
        assert page.evaluate("bytes => WebAssembly.validate(new Uint8Array(bytes))", [*trainer(name)])
    finally:
        page.close()
